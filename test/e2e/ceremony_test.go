package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// The written ceremony of a trust anchor whose signer is offline, with all three
// programs: every block of docs/ta-ceremony.md, and a CA below that gets what it
// asks for.
func TestCeremony(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, testdb.URL(t))
	s.Env = []string{
		"BALEEN_TA_SUPPORT_ENABLED=true", "BALEEN_TESTBED_TA_AIA=", "BALEEN_TESTBED_TA_URI=", "BALEEN_TESTBED_RRDP_BASE_URI=", "BALEEN_TESTBED_RSYNC_JAIL=",
	}
	if err := s.Launch(); err != nil {
		t.Fatal(err)
	}
	err := s.Until(ctx, "the server is active", func() (bool, error) {
		status, _, err := s.Do(ctx, http.MethodGet, "/health/active", nil)
		return err == nil && status == http.StatusOK, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const secret = "correct horse battery"
	env := append(s.CtlEnv(), "PATH="+bin+":"+os.Getenv("PATH"))
	sh, err := harness.NewShell(ctx, t.TempDir(), env, harness.Typed{Prompt: "Sign this? (yes/no) ", Answer: "yes"},
		harness.Typed{Prompt: "characters: ", Answer: secret}, harness.Typed{Prompt: "The same again: ", Answer: secret}, harness.Typed{Prompt: "Passphrase: ", Answer: secret})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sh.Close() }()
	run := func(commands string) {
		t.Helper()
		if _, err := sh.Run(commands); err != nil {
			t.Fatal(err)
		}
	}
	blocks, err := harness.Blocks("ta-ceremony.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		kind, block := b[0], b[1]
		switch {
		case strings.HasPrefix(block, "ta() {"):
			if err := sh.Define(block); err != nil {
				t.Fatal(err)
			}
			continue
		case kind == "console" && !strings.Contains(block, "pubserver"), strings.Contains(block, "recover"):
			continue // what needs a second server, or a signer that lost something
		case strings.Contains(block, "signer/request -X POST"):
			run(childCommands)
			if err := s.Settle(ctx); err != nil {
				t.Fatal(err)
			}
		}
		run(block)
	}
	if err := s.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	held, err := s.Ctl(ctx, "-f", "json", "show", "--ca", "online")
	if err != nil || !strings.Contains(string(held), `"ipv4": "10.0.0.0/8"`) {
		t.Errorf("the CA holds %s, %v", held, err)
	}
	run("ta signer/request -X POST >request.json\nbaleen-ta --dir signer process --request request.json --out response.json\nta signer/response --data-binary @response.json")
	if err := s.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	recovered(t, run, blocks)
	if err := s.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	for _, ending := range []string{"*.cer", "*.crl", "*.mft", "*.tak"} {
		if files, _ := filepath.Glob(filepath.Join(s.Dir, "repo", "rsync", "current", ending)); len(files) != 1 {
			t.Errorf("published %v", files)
		}
	}
	if shown := sh.Shown(); strings.Contains(shown, secret) {
		t.Error("the terminal showed the passphrase")
	}
}

// recovered restores the first backup of the signer, which lacks exchanges, and
// has it take back from the server what it lacks.
func recovered(t *testing.T, run func(commands string), blocks [][2]string) {
	t.Helper()
	run("rm -rf signer && cp -a backup-1 signer")
	run("ta signer/request -X POST >request.json\n! baleen-ta --dir signer process --request request.json --yes")
	played := 0
	for _, b := range blocks {
		if strings.Contains(b[1], "recover --signer-info") || strings.Contains(b[1], "ta signer >") {
			run(b[1])
			played++
		}
	}
	if played != 2 {
		t.Errorf("%d blocks about the recovery were played", played)
	}
	run("baleen-ta --dir signer process --request request.json --out response.json\nta signer/response --data-binary @response.json\nbaleen-ta --dir signer verify")
}

// childCommands make a CA below the trust anchor that publishes in this server.
const childCommands = `baleenctl add --ca online
baleenctl repo request --ca online >online-request.xml
baleenctl pubserver publishers add --request online-request.xml >online-response.xml
baleenctl repo configure --ca online --response online-response.xml
baleenctl -f json show --ca online >online.json
baleenctl ta proxy children add --info online.json --asn AS64496 --ipv4 10.0.0.0/8 --ipv6 2001:db8::/32 >parent-response.xml
baleenctl parents add --ca online --parent ta --response parent-response.xml`
