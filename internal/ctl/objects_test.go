package ctl

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baleen/api"
)

// The digests are those of the files, the object is written as it came.
func TestRSCSign(t *testing.T) {
	var sent api.ChecklistRequest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		sent = api.ChecklistRequest{}
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/api/v1/cas/ca1/rscs" || json.Unmarshal(body, &sent) != nil {
			t.Errorf("got %s %s %s, %v", r.Method, r.URL, body, err)
		}
		_, _ = w.Write([]byte(`{"serial":"77","class_name":"0","resources":{"asn":"AS1","ipv4":"","ipv6":""},"files":[],` +
			`"validity":{"not_before":"2026-11-22T11:00:00Z","not_after":"2026-12-22T11:00:00Z"},"hash":"00","base64":"MAA="}`))
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	letter, odd, out := filepath.Join(dir, "letter.txt"), filepath.Join(dir, "my letter.txt"), filepath.Join(dir, "letter.sig")
	for _, file := range []string{letter, odd} {
		if err := os.WriteFile(file, []byte("abc"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (int, string, string) {
		return runWith(t, append([]string{"--server", server.URL, "--token", "secret", "rsc", "sign", "-c", "ca1", "--out", out}, args...), nil)
	}
	status, stdout, stderr := run("--asn", "AS1", letter)
	if status != 0 || !strings.Contains(stdout, "Serial: 77") || !strings.Contains(stdout, "Written to "+out) {
		t.Fatalf("got %d, %s, %s", status, stdout, stderr)
	}
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if len(sent.Files) != 1 || sent.Files[0] != (api.ChecklistFile{Name: "letter.txt", Hash: abc}) || sent.Resources.AS.String() != "AS1" || sent.NotAfter.IsZero() {
		t.Errorf("sent %+v", sent)
	}
	if der, err := os.ReadFile(out); err != nil || string(der) != "0\x00" {
		t.Errorf("wrote %x, %v", der, err)
	}
	if status, _, stderr := run("--asn", "AS1", "--no-names", odd); status != 0 || sent.Files[0] != (api.ChecklistFile{Hash: abc}) {
		t.Errorf("got %s, sent %+v", stderr, sent)
	}
	for want, args := range map[string][]string{
		"--no-names":        {"--asn", "AS1", odd},
		"no resources":      {letter},
		"at least 1":        {"--asn", "AS1", "--days", "0", letter},
		"no such file":      {"--asn", "AS1", filepath.Join(dir, "none")},
		"requires at least": {"--asn", "AS1"},
		"not an AS number":  {"--asn", "x", letter},
	} {
		if status, _, stderr := run(args...); status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%v: got %d, %s", args, status, stderr)
		}
	}
}

func TestRSCGet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/cas/ca1/rscs/77" {
			t.Errorf("got %s", r.URL)
		}
		_, _ = w.Write([]byte("0\x00"))
	}))
	t.Cleanup(server.Close)
	out := filepath.Join(t.TempDir(), "x.sig")
	run := func(serial string) (int, string) {
		status, _, stderr := runWith(t, []string{"--server", server.URL, "rsc", "get", "-c", "ca1", "--serial", serial, "--out", out}, nil)
		return status, stderr
	}
	if status, stderr := run("77"); status != 0 {
		t.Error(stderr)
	}
	if der, err := os.ReadFile(out); err != nil || string(der) != "0\x00" {
		t.Errorf("wrote %x, %v", der, err)
	}
	if status, stderr := run("../x"); status != 1 || !strings.Contains(stderr, "not a decimal number") {
		t.Errorf("got %d, %s", status, stderr)
	}
}
