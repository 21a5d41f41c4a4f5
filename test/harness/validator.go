package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// rpkiClientUser is who rpki-client becomes when root runs it.
const rpkiClientUser = "_rpki-client"

// systemRoots is the bundle by which validators verify TLS.
const systemRoots = "/etc/ssl/certs/ca-certificates.crt"

// RPKIClient gives the program rpki-client, or "" where it is not installed.
func RPKIClient() string { return installed("rpki-client") }

// installed finds a program also where only administrators have it on their path.
func installed(name string) string {
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	return ""
}

// Validator is a relying party's program that keeps a cache of its own from one
// run to the next, and fetches by RRDP alone.
type Validator struct {
	Name string

	dir     string // holds "cache" and "out"
	roots   string
	program string
	args    func(v *Validator, tal string) []string
	result  string // where below dir it writes what it found
	bad     func(output string) []string
}

// Validators gives those that are installed, each with a new cache below dir;
// they trust TLS servers by the bundle roots. None can be run without root,
// for they know the system's bundle alone: why then says so.
func Validators(ctx context.Context, dir, roots string) (list []*Validator, why string, err error) {
	if os.Geteuid() != 0 {
		return nil, "only root can give validators a TLS root of their own", nil
	}
	if out, err := under(ctx, roots, "true").CombinedOutput(); err != nil {
		return nil, fmt.Sprintf("validators cannot get a TLS root of their own here: %s", out), nil
	}
	for _, v := range []*Validator{
		{Name: "rpki-client", args: rpkiClientArgs, result: "out/json", bad: rpkiClientComplaints},
		{Name: "fort", args: fortArgs, result: "out/roas.json", bad: fortComplaints},
	} {
		if v.program = installed(v.Name); v.program == "" {
			continue
		}
		v.dir, v.roots = filepath.Join(dir, v.Name), roots
		for _, sub := range []string{"cache", "out", "tals"} {
			if err := os.MkdirAll(filepath.Join(v.dir, sub), 0o755); err != nil {
				return nil, "", err
			}
		}
		list = append(list, v)
	}
	if len(list) == 0 {
		why = "neither rpki-client nor fort is installed"
	}
	return list, why, nil
}

// under makes a command that sees another bundle in the place of the system's,
// in a mount namespace that ends with it.
func under(ctx context.Context, roots, program string, args ...string) *exec.Cmd {
	script := `mount --bind "$0" ` + systemRoots + ` && exec "$@"`
	return exec.CommandContext(ctx, "unshare", append([]string{"--mount", "sh", "-c", script, roots, program}, args...)...)
}

// Validate has the validator fetch what changed since its last run, and gives
// the validated routes in the form of VRPs. A complaint of any kind is an error.
func (v *Validator) Validate(ctx context.Context, tal []byte) (map[string]bool, error) {
	anchor := filepath.Join(v.dir, "tals", "test.tal")
	result := filepath.Join(v.dir, filepath.FromSlash(v.result))
	if err := os.WriteFile(anchor, tal, 0o644); err != nil {
		return nil, err
	}
	if err := os.Remove(result); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err // one that is left would pass for this run's
	}
	if err := OwnedByRPKIClient(v.dir); err != nil {
		return nil, err
	}
	out, err := under(ctx, v.roots, v.program, v.args(v, anchor)...).CombinedOutput()
	if complaints := v.bad(string(out)); err == nil && len(complaints) > 0 {
		err = errors.New(strings.Join(complaints, "; "))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", v.Name, err, out)
	}
	return ReadVRPs(result)
}

func rpkiClientArgs(v *Validator, tal string) []string {
	return []string{"-v", "-j", "-e", "/bin/false", "-t", tal, "-d", filepath.Join(v.dir, "cache"), filepath.Join(v.dir, "out")}
}

func fortArgs(v *Validator, tal string) []string {
	return []string{
		"--mode=standalone", "--tal=" + filepath.Dir(tal), "--local-repository=" + filepath.Join(v.dir, "cache"),
		"--output.roa=" + filepath.Join(v.dir, "out", "roas.json"), "--output.format=json", "--rsync.enabled=false", "--http.enabled=true",
		"--log.output=console", "--validation-log.enabled=true", "--validation-log.output=console", "--validation-log.level=warning",
	}
}

// rpkiClientComplaints gives all messages but those of -v that tell how it goes.
func rpkiClientComplaints(output string) []string {
	return messages(output, "rpki-client: ", "pulling from ", "downloading ", "loaded from network", "not modified", "all files parsed")
}

func fortComplaints(output string) []string {
	return append(messages(output, "WRN: ", "WRN: The validation has "), append(messages(output, "ERR: "), messages(output, "CRT: ")...)...)
}

// messages gives the lines with a mark that have none of the harmless parts.
func messages(output, mark string, harmless ...string) []string {
	var found []string
	for line := range strings.Lines(output) {
		if strings.Contains(line, mark) && !slices.ContainsFunc(harmless, func(h string) bool { return strings.Contains(line, h) }) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// OwnedByRPKIClient gives a folder to the user that rpki-client becomes when
// root runs it.
func OwnedByRPKIClient(dir string) error {
	u, err := user.Lookup(rpkiClientUser)
	if os.Geteuid() != 0 || err != nil {
		return nil
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, -1)
	})
}

// ReadVRPs reads the validated routes that a validator wrote as JSON, in the
// form of Server.VRPs.
func ReadVRPs(file string) (map[string]bool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var report struct {
		ROAs []struct {
			ASN       any    `json:"asn"` // 64496, or "AS64496"
			Prefix    string `json:"prefix"`
			MaxLength int    `json:"maxLength"`
		} `json:"roas"`
	}
	if err := json.Unmarshal(raw, &report); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	found := map[string]bool{}
	for _, r := range report.ROAs {
		asn := strings.TrimPrefix(fmt.Sprint(r.ASN), "AS")
		if n, ok := r.ASN.(float64); ok {
			asn = strconv.FormatFloat(n, 'f', -1, 64)
		}
		found[fmt.Sprintf("%s-%d => %s", r.Prefix, r.MaxLength, asn)] = true
	}
	return found, nil
}
