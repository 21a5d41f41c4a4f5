package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"baleen/api"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/publication"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
)

// askers is how many children ask for certificates: each needs a key of its own.
const askers = 8

func (b *bench) post(ctx context.Context, path string, body any) error {
	status, answer, err := b.s.Do(ctx, http.MethodPost, path, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %s", path, status, answer)
	}
	return err
}

// provisioning measures lists and certificates of one CA's children.
func (b *bench) provisioning(ctx context.Context, n sizes) error {
	if _, err := b.s.Ctl(ctx, "testbed", "join", "--ca", "ca1", "--ipv4", "10.0.0.0/8"); err != nil {
		return err
	}
	if err := b.s.Settle(ctx); err != nil {
		return err
	}
	start := time.Now()
	err := b.each(n.children, func(i int) error {
		held, err := resourcesOf(i)
		if err != nil {
			return err
		}
		return b.post(ctx, "/api/v1/cas/ca1/children", api.AddChildRequest{Handle: fmt.Sprint("kid", i), Resources: held, IDCert: b.id.Raw})
	})
	if err != nil {
		return err
	}
	fmt.Printf("\none CA with %d children, made in %.1f s\n", n.children, time.Since(start).Seconds())
	lists, err := b.letters(n.lists, n.children, func(int) (updown.Payload, error) { return updown.List{}, nil }, 0)
	if err != nil {
		return err
	}
	if err := b.measure(ctx, "list", lists, wantType(updown.TypeListResponse)); err != nil {
		return err
	}
	few := min(askers, n.children)
	requests := make([][]byte, few)
	for i := range requests {
		if requests[i], err = request(i); err != nil {
			return err
		}
	}
	issues, err := b.letters(n.issues, few, func(i int) (updown.Payload, error) { return updown.Issue{Class: "0", CSR: requests[i]}, nil }, n.lists/n.children+1)
	if err != nil {
		return err
	}
	if err := b.measure(ctx, "issue", issues, wantType(updown.TypeIssueResponse)); err != nil {
		return err
	}
	return b.s.Settle(ctx)
}

// letters makes so many messages of children to ca1.
func (b *bench) letters(n, children int, say func(child int) (updown.Payload, error), sent int) ([][]letter, error) {
	var list []words
	for i := range n {
		child := i % children
		p, err := say(child)
		if err != nil {
			return nil, err
		}
		xml, err := updown.Message{Sender: fmt.Sprint("kid", child), Recipient: "ca1", Payload: p}.Encode()
		if err != nil {
			return nil, err
		}
		list = append(list, words{path: "/rfc6492/ca1", content: xml, turn: sent + i/children})
	}
	signed, err := b.sign(list)
	return deal(signed, children), err
}

func request(child int) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	base := fmt.Sprintf("rsync://repo.example.net/kid%d/", child)
	return cert.SignRequest(cert.SIA{Repository: base, Manifest: base + "x.mft", Notify: "https://repo.example.net/notification.xml"}, key)
}

func wantType(kind string) func([]byte) error {
	return func(xml []byte) error {
		m, err := updown.Decode(xml, updown.Limits{})
		if err == nil && m.Payload.Type() != kind {
			err = fmt.Errorf("answered with %+v", m.Payload)
		}
		return err
	}
}

// publication measures one-object changes of many publishers.
func (b *bench) publication(ctx context.Context, n sizes) error {
	fmt.Printf("\n%d publishers\n", n.publishers)
	var list []words
	content := bytes.Repeat([]byte("x"), 1900) // about a ROA
	for i := range n.publishers {
		if err := b.post(ctx, "/api/v1/pubd/publishers", oob.PublisherRequest{PublisherHandle: fmt.Sprint("pub", i), IDCert: b.id.Raw}); err != nil {
			return err
		}
	}
	for i := range n.publishers * n.deltas {
		name, turn := fmt.Sprint("pub", i%n.publishers), i/n.publishers
		xml, err := publication.Query{Changes: []publication.Change{{
			URI: fmt.Sprintf("rsync://localhost/repo/%s/%d.roa", name, turn), Content: fmt.Appendf(content, "%d", i),
		}}}.Encode()
		if err != nil {
			return err
		}
		list = append(list, words{path: "/rfc8181/" + name + "/", content: xml, turn: turn})
	}
	signed, err := b.sign(list)
	if err != nil {
		return err
	}
	if err := b.measure(ctx, "changes of one object", deal(signed, n.publishers), wantSuccess); err != nil {
		return err
	}
	return b.s.Settle(ctx)
}

func wantSuccess(xml []byte) error {
	r, err := publication.DecodeReply(xml, publication.Limits{})
	if err == nil && !r.Success {
		err = fmt.Errorf("answered with %.300v", r.Errors)
	}
	return err
}

// largeMessage measures what the largest message costs in memory.
func (b *bench) largeMessage(ctx context.Context, n sizes) error {
	if err := b.post(ctx, "/api/v1/pubd/publishers", oob.PublisherRequest{PublisherHandle: "large", IDCert: b.id.Raw}); err != nil {
		return err
	}
	var q publication.Query
	const each = 3 << 18 // octets, a MiB in base64
	for i := range n.large {
		content := make([]byte, each)
		if _, err := rand.Read(content); err != nil {
			return err
		}
		q.Changes = append(q.Changes, publication.Change{URI: fmt.Sprintf("rsync://localhost/repo/large/%d.roa", i), Content: content})
	}
	xml, err := q.Encode()
	if err != nil {
		return err
	}
	signed, err := b.sign([]words{{path: "/rfc8181/large/", content: xml}})
	if err != nil {
		return err
	}
	before, err := b.memory("VmRSS")
	if err != nil {
		return err
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", b.s.PID()), []byte("5"), 0o200); err != nil {
		fmt.Println("  the largest size so far cannot be forgotten:", err)
	}
	fmt.Printf("\none message of %.1f MiB\n", float64(len(signed[0].raw))/(1<<20))
	if err := b.measure(ctx, "publication", [][]letter{signed}, wantSuccess); err != nil {
		return err
	}
	after, err := b.memory("VmHWM")
	if err != nil {
		return err
	}
	fmt.Printf("  resident: %d MiB before, at most %d MiB: %.1f times the message\n", before>>20, after>>20, float64(after-before)/float64(len(signed[0].raw)))
	return b.s.Settle(ctx)
}

// memory gives a line of the server's /proc/PID/status, in octets.
func (b *bench) memory(name string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.s.PID()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the size of the process is not told")
}

// resourcesOf gives each child a prefix of its own.
func resourcesOf(child int) (resources.Set, error) {
	v4, err := resources.ParseIPSet(fmt.Sprintf("10.%d.%d.0/24", child/256%256, child%256), resources.IPv4)
	return resources.Set{V4: v4}, err
}
