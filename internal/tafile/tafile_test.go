package tafile_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
	"baleen/internal/tafile"
)

// golden compares a file of ours with its frozen form.
func golden(t *testing.T, name string, file []byte) {
	t.Helper()
	path := filepath.Join("testdata", "ours", name)
	if *update {
		if err := os.WriteFile(path, file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := must(os.ReadFile(path)); !bytes.Equal(file, want) {
		t.Errorf("%s: got\n%s", path, file)
	}
}

// Both sides end up with the same values that the other side had, whichever way
// the files went.
func TestExchangeOverFiles(t *testing.T) {
	w := newWorld(t)
	golden(t, "proxy-id.json", must(tafile.Encode(must(tafile.EncodeIdentity(w.proxyID)))))
	if got := must(tafile.DecodeIdentity(must(tafile.Encode(must(tafile.EncodeIdentity(w.proxyID)))), start)); !reflect.DeepEqual(got, w.proxyID) {
		t.Errorf("identity comes back as %+v", got)
	}
	golden(t, "proxy-repo.json", must(tafile.Encode(must(tafile.EncodeContact(*w.proxy.Repository)))))
	contact := must(tafile.DecodeContact(must(tafile.Encode(must(tafile.EncodeContact(*w.proxy.Repository))))))
	if !reflect.DeepEqual(contact, repo) {
		t.Errorf("repository comes back as %+v", contact)
	}
	info := must(tafile.Encode(must(tafile.EncodeSigner(w.signer.Info(), w.der))))
	golden(t, "signer-info.json", info)
	if got := must(tafile.DecodeSigner(info, start)); !reflect.DeepEqual(got.Signer, w.signer.Info()) || len(got.DER) != 3 {
		t.Errorf("signer comes back as %+v", got.Signer)
	}

	issue := w.csr()
	ask := w.ask("n1", issue)
	golden(t, "request1.json", ask)
	if got := must(tafile.Opener{From: w.proxyID, Now: start}.Request(ask)); !reflect.DeepEqual(got, *w.proxy.OpenRequest) || got.Seen != 1 {
		t.Errorf("request comes back as %+v", got)
	}
	answer := w.answer(ask)
	golden(t, "response1.json", answer)
	got := w.take(answer)
	if want, _ := w.signer.ResponseTo("n1"); !reflect.DeepEqual(got.Response, want) {
		t.Errorf("response comes back as\n%+v, want\n%+v", got.Response, want)
	}
	if !reflect.DeepEqual(w.proxy.Signer.Objects, w.signer.Objects) || len(got.DER) != 3 {
		t.Error("the two sides differ")
	}

	answer = w.answer(w.ask("n2", ta.RevokeRequest(ta.ClassName, issue.KeyID)))
	golden(t, "response2.json", answer)
	w.take(answer)
	if child := w.proxy.Children["online"]; child.Responses[issue.KeyID].Outcome != ta.Revoked || len(w.proxy.Signer.Objects.Revoked) != 1 {
		t.Errorf("after the revocation %+v", child)
	}
}

// Why a request failed reaches the proxy.
func TestReasonsTravel(t *testing.T) {
	w := newWorld(t)
	r := must(tafile.Opener{From: w.proxyID, Now: start}.Request(w.ask("n1")))
	odd := w.csr()
	odd.Class = "odd"
	r.Children = []ta.ChildRequests{{Child: "online", Resources: w.proxy.Children["online"].Resources, Requests: map[cert.KeyID]ta.ChildRequest{odd.KeyID: odd}}}
	made := w.sign(must(w.signer.PlanRequest(r, start, timing)), 2)
	file := must(tafile.Encode(must(w.bySigner().Response(made.Response(), w.signer.TA, w.der))))
	got := must(tafile.Opener{From: w.signerID, Now: start}.Response(file, w.root.DER)).Children["online"][odd.KeyID]
	if got.Outcome != ta.Failed || got.Reason != "Unknown resource class: 'odd'" {
		t.Errorf("got %+v", got)
	}
}

// What a reader does not know does not matter, nor in which order it comes.
func TestFilesAreReadTolerantly(t *testing.T) {
	w := newWorld(t)
	ask := w.ask("n1", w.csr())
	var file map[string]any // written back in the order of the alphabet
	if err := json.Unmarshal(ask, &file); err != nil {
		t.Fatal(err)
	}
	file["remark"] = map[string]any{"x": []int{1}}
	file["request"].(map[string]any)["more"] = "text"
	changed := must(json.Marshal(file))
	if got := must(tafile.Opener{From: w.proxyID, Now: start}.Request(changed)); !reflect.DeepEqual(got, *w.proxy.OpenRequest) {
		t.Errorf("got %+v", got)
	}
}

func TestFilesAreReadStrictly(t *testing.T) {
	w := newWorld(t)
	ask := w.ask("n1", w.csr())
	answer := w.answer(ask)
	info := must(tafile.Encode(must(tafile.EncodeSigner(w.signer.Info(), w.der))))
	request := func(file []byte) error {
		_, err := tafile.Opener{From: w.proxyID, Now: start}.Request(file)
		return err
	}
	response := func(file []byte) error {
		_, err := tafile.Opener{From: w.signerID, Now: start}.Response(file, w.root.DER)
		return err
	}
	signer := func(file []byte) error { _, err := tafile.DecodeSigner(file, start); return err }
	edit := func(file []byte, old, new string) []byte {
		if !bytes.Contains(file, []byte(old)) {
			t.Fatalf("there is no %s", old)
		}
		return bytes.Replace(file, []byte(old), []byte(new), 1)
	}
	other := w.root.Record.Hash.String()
	for name, c := range map[string]struct {
		err  error
		code string
	}{
		"nothing":                 {request(nil), "api-json"},
		"not JSON":                {request([]byte("<request/>")), "api-json"},
		"something behind":        {request(append(bytes.Clone(ask), '{')), "api-json"},
		"a response":              {request(answer), "api-json"},
		"a request":               {response(ask), "api-json"},
		"too large":               {request(bytes.Repeat([]byte(" "), tafile.MaxFile+1)), "general-error"},
		"other resources":         {request(edit(ask, `"::/0"`, `"2001:db8::/32"`)), "general-error"},
		"other nonce":             {request(edit(ask, `"n1"`, `"n2"`)), "general-error"},
		"other time":              {request(edit(ask, `"made_at": "2026`, `"made_at": "2027`)), "general-error"},
		"other seen number":       {request(edit(ask, `"seen_number": 1`, `"seen_number": 0`)), "general-error"},
		"no CMS":                  {request(edit(ask, `"message": "MII`, `"message": "AAA`)), "general-error"},
		"other response nonce":    {response(edit(answer, `"n1"`, `"n2"`)), "general-error"},
		"other number":            {response(edit(answer, `"number": 2`, `"number": 3`)), "general-error"},
		"info with other number":  {signer(edit(info, `"number": 2`, `"number": 3`)), "general-error"},
		"info with other base":    {signer(edit(info, `"base_uri": "rsync://example.net/repo/"`, `"base_uri": "rsync://example.net/"`)), "general-error"},
		"info with other hash":    {signer(edit(info, w.signer.Objects.CRL.Hash.String(), other)), "general-error"},
		"info with other key":     {signer(edit(info, `"encoded_ski": "MIIB`, `"encoded_ski": "AAAA`)), "general-error"},
		"info with other https":   {signer(edit(info, `"https://example.net/ta/ta.cer"`, `"http://example.net/ta/ta.cer"`)), "general-error"},
		"info with other rsync":   {signer(edit(info, `"rsync_uri": "rsync://example.net/ta/ta.cer"`, `"rsync_uri": "rsync://example.net/ta/x.cer"`)), "general-error"},
		"info with other cert at": {signer(edit(info, `"uri": "rsync://example.net/repo/`, `"uri": "rsync://example.net/x/`)), "general-error"},
		"info without a cert":     {signer(edit(info, w.signer.Objects.CRL.Hash.String(), "")), "general-error"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.err, c.code) })
	}
}

// A signer that lacks what the proxy has seen must not sign.
func TestSignerThatIsBehind(t *testing.T) {
	w := newWorld(t)
	old := w.signer
	w.take(w.answer(w.ask("n1", w.csr())))
	r := must(tafile.Opener{From: w.proxyID, Now: start}.Request(w.ask("n2")))
	w.signer = old
	plan := must(w.signer.PlanRequest(r, start, timing))
	refused(t, plan.CheckSeen(), "ta-signer-behind")
	if _, err := plan.Sign(ta.Keys{}); err == nil || !strings.Contains(err.Error(), "has seen manifest number 2") {
		t.Errorf("got %v", err)
	}
	if err := must(plan.WithNumber(10)).CheckSeen(); err != nil {
		t.Errorf("with a number that the proxy has not seen: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	ask := w.ask("n1", w.csr())
	f.Add(ask)
	f.Add(w.answer(ask))
	for _, name := range []string{"request1.json", "request3.json", "response3.json", "response4.json"} {
		f.Add(krillFile(f, name))
	}
	proxy := must(tafile.DecodeIdentity(krillFile(f, "proxy-id.json"), recorded))
	signer := krillSigner(f, "signer-info.json")
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, from := range []ta.Identity{proxy, w.proxyID} {
			if r, err := (tafile.Opener{From: from}).Request(file); err == nil && r.Nonce == "" {
				t.Errorf("got %+v", r)
			}
		}
		if r, err := (tafile.Opener{From: signer.Identity}).Response(file, signer.DER[signer.TA.Hash]); err == nil && r.Objects.Number == 0 {
			t.Errorf("got %+v", r)
		}
	})
}

// What is taken comes back value for value when it is written again.
func FuzzDecodeSigner(f *testing.F) {
	w := newWorld(f)
	f.Add(must(tafile.Encode(must(tafile.EncodeSigner(w.signer.Info(), w.der)))))
	f.Add(krillFile(f, "signer-info.json"))
	f.Add(krillFile(f, "signer-info4.json"))
	f.Add(krillFile(f, "proxy-id.json"))
	f.Add(krillFile(f, "proxy-repo.json"))
	f.Fuzz(func(t *testing.T, file []byte) {
		_, _ = tafile.DecodeIdentity(file, recorded)
		_, _ = tafile.DecodeContact(file)
		got, err := tafile.DecodeSigner(file, recorded)
		if err != nil {
			return
		}
		text := must(tafile.Encode(must(tafile.EncodeSigner(got.Signer, got.DER))))
		back, err := tafile.DecodeSigner(text, recorded)
		if err != nil || !reflect.DeepEqual(back.Signer, got.Signer) {
			t.Errorf("%+v comes back as %+v, %v", got.Signer, back.Signer, err)
		}
	})
}

// Of a child, a request says when its certificate ends (the predecessor says
// when its identity certificate does).
func TestRenewTimesAreThoseOfTheCertificates(t *testing.T) {
	w := newWorld(t)
	if first := must(tafile.DescribeRequest(openRequest(w, "n1"), timing)); len(first.RenewTimes) > 0 {
		t.Errorf("nothing was issued, and renewed is %v", first.RenewTimes)
	}
	w = newWorld(t)
	w.take(w.answer(w.ask("n1", w.csr())))
	got := must(tafile.DescribeRequest(openRequest(w, "n2"), timing))
	issued := w.signer.Objects.Issued[w.csr().KeyID]
	if len(got.RenewTimes) != 1 || got.RenewTimes[0].KeyID != issued.KeyID.String() || !got.RenewTimes[0].Time.Equal(issued.NotAfter) {
		t.Errorf("got %v, want the end of %v at %v", got.RenewTimes, issued.KeyID, issued.NotAfter)
	}
	if got.TARenewTime == nil || !got.TARenewTime.Equal(w.root.Record.NotAfter) {
		t.Errorf("the trust anchor's certificate ends at %v, want %v", got.TARenewTime, w.root.Record.NotAfter)
	}
}

func openRequest(w *world, nonce string) *ta.ProxyState {
	fold(&w.proxy, ta.ProxyType(), ta.MakeSignerRequest{Nonce: nonce})
	return &w.proxy
}
