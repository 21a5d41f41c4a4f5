package rrdp_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baleen/internal/rpki/rrdp"
	"baleen/internal/rpki/strictxml"
	"baleen/internal/testvectors"
)

const session = "9df4b597-af9e-4dca-bdda-719cce2c4e28"

var header = rrdp.Header{Session: session, Serial: 3}

func hash(s string) *[32]byte {
	h := sha256.Sum256([]byte(s))
	return &h
}

func notification() rrdp.Notification {
	return rrdp.Notification{
		Session: session, Serial: 3,
		Snapshot: rrdp.Ref{URI: "https://host.example/s/snapshot.xml?a=1&b=2", Hash: *hash("s")},
		Deltas: []rrdp.DeltaRef{
			{Serial: 3, Ref: rrdp.Ref{URI: "https://host.example/3/delta.xml", Hash: *hash("3")}},
			{Serial: 2, Ref: rrdp.Ref{URI: "https://host.example/2/delta.xml", Hash: *hash("2")}},
		},
	}
}

func elements() []rrdp.Element {
	return []rrdp.Element{
		{URI: "rsync://host.example/m/new.cer", Content: []byte("new")},
		{URI: "rsync://host.example/m/empty.cer", Content: []byte{}},
		{URI: "rsync://host.example/m/it's&changed.cer", Hash: hash("old"), Content: bytes.Repeat([]byte{0, 255}, 9000)},
		{URI: "rsync://host.example/m/gone.cer", Hash: hash("gone")},
	}
}

func writeDelta(t testing.TB, es []rrdp.Element) []byte {
	t.Helper()
	var b bytes.Buffer
	w := rrdp.NewDeltaWriter(&b, header)
	for _, e := range es {
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writeSnapshot(t testing.TB, es []rrdp.Element) []byte {
	t.Helper()
	var b bytes.Buffer
	w := rrdp.NewSnapshotWriter(&b, header)
	for _, e := range es {
		if err := w.Publish(e.URI, e.Content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readDelta(data []byte) (h rrdp.Header, es []rrdp.Element, err error) {
	h, err = rrdp.ParseDelta(bytes.NewReader(data), rrdp.DefaultLimits(), func(e rrdp.Element) error {
		es = append(es, e)
		return nil
	})
	return h, es, err
}

func readSnapshot(data []byte) (h rrdp.Header, es []rrdp.Element, err error) {
	h, err = rrdp.ParseSnapshot(bytes.NewReader(data), rrdp.DefaultLimits(), func(uri string, content []byte) error {
		es = append(es, rrdp.Element{URI: uri, Content: content})
		return nil
	})
	return h, es, err
}

func readNotification(data []byte) (rrdp.Notification, error) {
	return rrdp.ParseNotification(bytes.NewReader(data), rrdp.DefaultLimits())
}

func TestRoundTrips(t *testing.T) {
	n, err := readNotification(notification().Encode())
	if err != nil || !reflect.DeepEqual(n, notification()) {
		t.Errorf("notification: got %+v, %v", n, err)
	}

	h, es, err := readDelta(writeDelta(t, elements()))
	if err != nil || h != header || !reflect.DeepEqual(es, elements()) {
		t.Errorf("delta: got %+v, %+v, %v", h, es, err)
	}

	h, es, err = readSnapshot(writeSnapshot(t, elements()[:2]))
	if err != nil || h != header || !reflect.DeepEqual(es, elements()[:2]) {
		t.Errorf("snapshot: got %+v, %+v, %v", h, es, err)
	}

	if h, es, err := readSnapshot(writeSnapshot(t, nil)); err != nil || h != header || len(es) != 0 {
		t.Errorf("empty snapshot: got %+v, %+v, %v", h, es, err)
	}
}

func TestSchemaOfRFC8182AcceptsWhatWeWrite(t *testing.T) {
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	schema := testvectors.Find("schemas/rrdp.rng")
	if schema == "" {
		t.Skip("no vectors beside the project: schemas/rrdp.rng")
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"notification.xml": notification().Encode(),
		"delta.xml":        writeDelta(t, elements()),
		"snapshot.xml":     writeSnapshot(t, elements()[:2]),
		"empty.xml":        writeSnapshot(t, nil),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(lint, "--noout", "--huge", "--relaxng", schema, file).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestDeltasMayStandInAnyOrder(t *testing.T) {
	n := notification()
	n.Deltas[0], n.Deltas[1] = n.Deltas[1], n.Deltas[0]
	got, err := readNotification(n.Encode())
	if err != nil || !reflect.DeepEqual(got, notification()) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReadersTakeOtherSpellings(t *testing.T) {
	h := strings.Repeat("AB", 32)
	doc := `<?xml version="1.0" encoding="us-ascii"?><r:notification xmlns:r="http://www.ripe.net/rpki/rrdp" serial="1"
	  session_id="` + strings.ToUpper(session) + `" version="1"><!-- --><r:snapshot hash="` + h + `" uri="HTTPS://host.example/x"></r:snapshot></r:notification>`
	n, err := readNotification([]byte(doc))
	if err != nil || n.Session != session || n.Snapshot.Hash[0] != 0xab {
		t.Errorf("got %+v, %v", n, err)
	}
}

// replace gives the document with one text replaced, which must occur.
func replace(t *testing.T, doc []byte, old, with string) []byte {
	t.Helper()
	if !bytes.Contains(doc, []byte(old)) {
		t.Fatalf("%q does not occur", old)
	}
	return bytes.Replace(doc, []byte(old), []byte(with), 1)
}

func TestNotificationRefuses(t *testing.T) {
	for name, edit := range map[string][2]string{
		"version":            {`version="1"`, `version="2"`},
		"session":            {session, "9df4b597-af9e-1dca-bdda-719cce2c4e28"},
		"session variant":    {session, "9df4b597-af9e-4dca-fdda-719cce2c4e28"},
		"session characters": {session, "9df4b597-af9e-4dca-bdda-719cce2c4e2g"},
		"serial":             {`serial="3"`, `serial="0"`},
		"root":               {"<notification", "<snapshot"},
		"two snapshots":      {"<delta serial=\"3\"", "<snapshot"},
		"gap":                {`delta serial="2"`, `delta serial="1"`},
		"repetition":         {`delta serial="2"`, `delta serial="3"`},
		"after the serial":   {`delta serial="3"`, `delta serial="4"`},
		"short hash":         {`hash="`, `hash="00`},
		"no hexadecimal":     {`hash="0`, `hash="x`},
		"http":               {`uri="https://host.example/3`, `uri="http://host.example/3`},
		"rsync":              {`uri="https://host.example/3`, `uri="rsync://host.example/3`},
		"no host":            {`uri="https://host.example/3`, `uri="https:///3`},
		"space in URI":       {`uri="https://host.example/3`, `uri="https://host.example/ 3`},
		"attribute":          {"<delta ", `<delta x="y" `},
		"element":            {"</notification>", "<thing/></notification>"},
		"content":            {"/>\n  <delta", "><a/></snapshot><delta"},
		"tail":               {"</notification>", "</notification><a/>"},
	} {
		doc := notification().Encode()
		if name == "no hexadecimal" {
			n := notification()
			n.Snapshot.Hash = [32]byte{}
			doc = n.Encode()
		}
		if n, err := readNotification(replace(t, doc, edit[0], edit[1])); err == nil {
			t.Errorf("%s: accepted as %+v", name, n)
		}
	}
	if _, err := readNotification([]byte(`<notification xmlns="` + rrdp.Namespace + `" version="1" session_id="` + session + `" serial="1"/>`)); err == nil {
		t.Error("accepted without a snapshot")
	}
}

func TestSnapshotRefuses(t *testing.T) {
	for name, edit := range map[string][2]string{
		"hash":        {"new.cer\"", `new.cer" hash="` + strings.Repeat("00", 32) + `"`},
		"withdraw":    {"<publish", "<withdraw"},
		"no uri":      {"uri=", "ury="},
		"scheme":      {"rsync://host", "https://host"},
		"base64":      {">bmV3<", ">bmV3=<"},
		"child":       {">bmV3<", "><a/>bmV3<"},
		"as delta":    {"snapshot", "delta"},
		"truncated":   {"</snapshot>", ""},
		"line in URI": {"new.cer", "new\n.cer"},
	} {
		if _, es, err := readSnapshot(replace(t, writeSnapshot(t, elements()[:1]), edit[0], edit[1])); err == nil {
			t.Errorf("%s: accepted as %+v", name, es)
		}
	}
}

func TestDeltaRefuses(t *testing.T) {
	for name, edit := range map[string][2]string{
		"withdraw without hash": {`gone.cer" hash="` + hexOf("gone") + `"`, `gone.cer"`},
		"withdraw with content": {`hash="` + hexOf("gone") + `"/>`, `hash="` + hexOf("gone") + `">AAAA</withdraw>`},
		"bad hash":              {hexOf("old"), "zz" + hexOf("old")[2:]},
		"unknown element":       {"<withdraw", "<remove"},
		"scheme":                {"rsync://host.example/m/gone", "file://host.example/m/gone"},
		"unknown attribute":     {`hash="` + hexOf("gone"), `tag="" hash="` + hexOf("gone")},
	} {
		if _, es, err := readDelta(replace(t, writeDelta(t, elements()), edit[0], edit[1])); err == nil {
			t.Errorf("%s: accepted as %d elements", name, len(es))
		}
	}
	empty := `<delta xmlns="` + rrdp.Namespace + `" version="1" session_id="` + session + `" serial="1"/>`
	if _, _, err := readDelta([]byte(empty)); err == nil {
		t.Error("accepted an empty delta")
	}
}

func hexOf(s string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range hash(s) {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

func TestWritersRefuse(t *testing.T) {
	w := rrdp.NewDeltaWriter(io.Discard, header)
	if err := w.Close(); err == nil {
		t.Error("wrote an empty delta")
	}
	if err := rrdp.NewDeltaWriter(io.Discard, header).Add(rrdp.Element{URI: "rsync://h/m/a"}); err == nil {
		t.Error("wrote a withdraw without hash")
	}
}

type failing struct{ after int }

var errFull = errors.New("disk full")

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteErrorsStick(t *testing.T) {
	for after := range 3 {
		w := rrdp.NewSnapshotWriter(&failing{after}, header)
		_ = w.Publish("rsync://h/m/a", []byte("a"))
		if err := w.Close(); !errors.Is(err, errFull) {
			t.Errorf("after %d writes: got %v", after, err)
		}
	}
}

func TestReadersKeepLimits(t *testing.T) {
	doc := writeSnapshot(t, []rrdp.Element{{URI: "rsync://h/m/a", Content: make([]byte, 100_000)}})
	for name, l := range map[string]rrdp.Limits{
		"object":   {Document: 1 << 30, Object: 99_999},
		"token":    {Document: 1 << 30, Object: 10_000},
		"document": {Document: 50_000, Object: 1 << 20},
	} {
		_, err := rrdp.ParseSnapshot(bytes.NewReader(doc), l, func(string, []byte) error { return nil })
		if !errors.Is(err, strictxml.ErrLimit) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := rrdp.ParseSnapshot(bytes.NewReader(doc), rrdp.Limits{Document: 1 << 30, Object: 100_000}, func(string, []byte) error { return nil }); err != nil {
		t.Errorf("at the limit: got %v", err)
	}
}

func TestCallbackErrorsComeBack(t *testing.T) {
	_, err := rrdp.ParseSnapshot(bytes.NewReader(writeSnapshot(t, elements()[:1])), rrdp.DefaultLimits(), func(string, []byte) error { return errFull })
	if err != errFull {
		t.Errorf("snapshot: got %v", err)
	}
	_, err = rrdp.ParseDelta(bytes.NewReader(writeDelta(t, elements()[:1])), rrdp.DefaultLimits(), func(rrdp.Element) error { return errFull })
	if err != errFull {
		t.Errorf("delta: got %v", err)
	}
}

func FuzzNotification(f *testing.F) {
	f.Add(notification().Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := readNotification(data)
		if err != nil {
			return
		}
		again, err := readNotification(n.Encode())
		if err != nil || !reflect.DeepEqual(again, n) {
			t.Errorf("accepted %+v but reads back %+v, %v", n, again, err)
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	f.Add(writeSnapshot(f, elements()[:2]))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, es, err := readSnapshot(data)
		if err != nil {
			return
		}
		var b bytes.Buffer
		w := rrdp.NewSnapshotWriter(&b, h)
		for _, e := range es {
			_ = w.Publish(e.URI, e.Content)
		}
		_ = w.Close()
		h2, es2, err := readSnapshot(b.Bytes())
		if err != nil || h2 != h || !reflect.DeepEqual(es2, es) {
			t.Errorf("accepted %+v but reads back %+v, %v", es, es2, err)
		}
	})
}

func FuzzDelta(f *testing.F) {
	f.Add(writeDelta(f, elements()))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, es, err := readDelta(data)
		if err != nil {
			return
		}
		var b bytes.Buffer
		w := rrdp.NewDeltaWriter(&b, h)
		for _, e := range es {
			_ = w.Add(e)
		}
		_ = w.Close()
		h2, es2, err := readDelta(b.Bytes())
		if err != nil || h2 != h || !reflect.DeepEqual(es2, es) {
			t.Errorf("accepted %+v but reads back %+v, %v", es, es2, err)
		}
	})
}
