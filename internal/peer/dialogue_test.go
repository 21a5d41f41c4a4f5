package peer_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/fault"
	"baleen/internal/rpki/updown"
)

// What a proved child sends that is no XML, or is not for this parent, gets no
// signed answer (RFC 6492 section 3.2, checks 2 and 3), and is noted.
func TestProvisionNoMessage(t *testing.T) {
	n := newNursery(t)
	list := words(t, updown.List{})
	for name, c := range map[string]struct {
		xml  []byte
		code string
	}{
		"no XML":            {[]byte("hello"), "rfc6492-xml"},
		"nothing":           {[]byte{}, "rfc6492-xml"},
		"half a message":    {list[:len(list)-5], "rfc6492-xml"},
		"a message, and on": {append(bytes.Clone(list), "<"...), "rfc6492-xml"},
		"deep nesting":      {bytes.Replace(list, []byte("</message>"), []byte(strings.Repeat("<a>", 50_000)+"</message>"), 1), "rfc6492-xml"},
		"another recipient": {bytes.Replace(list, []byte(`"testbed"`), []byte(`"testbet"`), 1), "rfc6492-parties"},
	} {
		t.Run(name, func(t *testing.T) {
			n.log.Take()
			before := n.mark()
			answer, err := n.send(n.kid.write(c.xml, n.Now()).sign(t))
			if answer != nil || fault.Code(err) != c.code || fault.Of(err) != fault.Invalid {
				t.Fatalf("answered with %d octets, %v, want %s", len(answer), err, c.code)
			}
			n.log.WantLine(t, map[string]string{"level": "WARN", "ca": "testbed", "peer": "kid", "remote": "192.0.2.7", "code": c.code})
			if after := n.mark(); after != before {
				t.Errorf("it changed %s to %s", before, after)
			}
			var outcome, code string
			must(t, n.DB.QueryRow(t.Context(), "SELECT outcome, code FROM audit.peer_exchange ORDER BY at DESC, id DESC LIMIT 1").Scan(&outcome, &code))
			if outcome != "refused" || code != c.code {
				t.Errorf("noted as %s, code %q", outcome, code)
			}
		})
	}
	if got := n.ask(list); got.Type() != updown.TypeListResponse {
		t.Errorf("got %+v", got)
	}
}

// A child has one request carried out at a time: others get 1101 meanwhile (RFC
// 6492 section 3), those of its sister do not.
func TestProvisionOneAfterTheOther(t *testing.T) {
	n := newNursery(t)
	list := words(t, updown.List{})
	first := n.kid.write(list, n.Now()).sign(t)
	bySister := n.sister.write(bytes.Replace(list, []byte(`"kid"`), []byte(`"sister"`), 1), n.Now()).sign(t)

	tx, err := n.DB.Begin(t.Context())
	must(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), "LOCK TABLE ca_child_status IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	type reply struct {
		raw []byte
		err error
	}
	slow, other := make(chan reply, 1), make(chan reply, 1)
	go func() { raw, err := n.send(first); slow <- reply{raw, err} }()
	n.waitForTable(tx, 1)
	if got, ok := n.ask(list).(updown.ErrorResponse); !ok || got.Status != updown.StatusBusy {
		t.Errorf("a second request meanwhile: got %+v", got)
	}
	go func() { raw, err := n.send(bySister); other <- reply{raw, err} }()
	n.waitForTable(tx, 2) // it was let in
	must(t, tx.Commit(t.Context()))
	for _, done := range []chan reply{slow, other} {
		r := <-done
		must(t, r.err)
		m, err := updown.Decode(n.said(r.raw, n.State("testbed").Identity.Cert), updown.Limits{})
		if err != nil || m.Payload.Type() != updown.TypeListResponse {
			t.Errorf("got %+v, %v", m, err)
		}
	}
	if got := n.ask(list); got.Type() != updown.TypeListResponse {
		t.Errorf("afterwards: got %+v", got)
	}
}

// waitForTable waits until so many statements wait for the table that tx holds.
func (n nursery) waitForTable(tx pgx.Tx, want int) {
	n.T.Helper()
	for {
		var waiting int
		err := tx.QueryRow(n.T.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'ca_child_status'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&waiting)
		must(n.T, err)
		if waiting >= want {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
