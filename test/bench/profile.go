package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// profiled begins to watch what the server spends processor time on. The
// function that it gives ends that and says the share that is not keys and
// signatures; nothing for systems that do not tell.
func profiled(ctx context.Context, s system) (share func() string, err error) {
	b, ours := s.(baleen)
	if !ours {
		return func() string { return "" }, nil
	}
	file := filepath.Join(b.Dir, "cpu.pprof")
	done := make(chan error, 1)
	go func() { done <- download(ctx, filepath.Join(b.Dir, "profile.sock"), file, profileSeconds) }()
	cpuBefore, start := cpu(s), time.Now()
	return func() string {
		spent, took := cpu(s)-cpuBefore, time.Since(start)
		if err := <-done; err != nil {
			return "; no profile: " + err.Error()
		}
		rest, err := notSigning(ctx, filepath.Join(b.Bin, "baleen"), file)
		if err != nil {
			return "; no profile: " + err.Error()
		}
		if keep := os.Getenv("BENCH_PROFILES"); keep != "" {
			_ = os.Rename(file, filepath.Join(keep, fmt.Sprintf("cpu-%d.pprof", time.Now().UnixNano())))
		}
		return fmt.Sprintf("; %.1f cores busy, %.0f %% of that not keys and signatures (first %d s)", spent.Seconds()/took.Seconds(), 100*rest, profileSeconds)
	}, nil
}

// profileSeconds is how long the server is watched.
const profileSeconds = 10

// download takes a CPU profile from the server's socket.
func download(ctx context.Context, socket, file string, seconds int) (err error) {
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://baleen/debug/pprof/profile?seconds=%d", seconds), nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Close())
}

// cryptography has the functions under which keys are made and signatures.
var cryptography = regexp.MustCompile(`^crypto/rsa\.(GenerateKey|SignPKCS1v15|\(\*PrivateKey\)\.Sign)$`)

// notSigning gives the share of a profile's samples in which no key was made and
// nothing signed.
func notSigning(ctx context.Context, program, file string) (float64, error) {
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-cum", "-nodecount=100000", "-nodefraction=0", "-unit=ms", program, file).Output()
	if err != nil {
		return 0, fmt.Errorf("go tool pprof: %w", err)
	}
	var total, signing float64
	calls := map[string]float64{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if i := strings.Index(line, "Total samples = "); i >= 0 {
			total = milliseconds(strings.Fields(line[i+len("Total samples = "):])[0])
		} else if len(f) >= 6 && cryptography.MatchString(f[5]) {
			calls[f[5]] = milliseconds(f[3])
		}
	}
	// Sign calls SignPKCS1v15, so that only one of them counts.
	signing = calls["crypto/rsa.GenerateKey"] + max(calls["crypto/rsa.SignPKCS1v15"], calls["crypto/rsa.(*PrivateKey).Sign"])
	if total == 0 {
		return 0, errors.New("the profile is empty")
	}
	return 1 - signing/total, nil
}

func milliseconds(text string) float64 {
	scale := 1.0
	switch {
	case strings.HasSuffix(text, "ms"):
		text = strings.TrimSuffix(text, "ms")
	case strings.HasSuffix(text, "s"):
		text, scale = strings.TrimSuffix(text, "s"), 1000
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return n * scale
}
