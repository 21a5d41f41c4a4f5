package trustanchor_test

import (
	"bytes"
	"testing"

	"baleen/internal/ta"
	"baleen/internal/tasks"
	"baleen/internal/testworld"
	"baleen/internal/trustanchor"
)

// interrupted is a world whose database takes no event of one name.
type interrupted struct{ *testworld.World }

func (w interrupted) refuse(event string) {
	w.Exec(`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.name = TG_ARGV[0] THEN RAISE EXCEPTION 'refused: %', NEW.name; END IF; RETURN NEW; END $$`)
	w.Exec(`CREATE TRIGGER refuse BEFORE INSERT ON es_event FOR EACH ROW EXECUTE FUNCTION refuse('` + event + `')`)
}

func (w interrupted) allow() { w.Exec(`DROP TRIGGER refuse ON es_event`) }

// root is where the certificate of the trust anchor is found.
var root = trustanchor.Root{Rsync: testworld.Testbed.TAAIA, HTTPS: testworld.Testbed.TAURI, Number: 7}

// A trust anchor that was cut off after any step of its making goes on there:
// nothing is made twice.
func TestEnsureGoesOn(t *testing.T) {
	w := interrupted{testworld.New(t)}
	ctx := t.Context()
	w.Must(w.InitPublicationServer(ctx, testworld.Operator, testworld.Testbed.RRDPBaseURI, testworld.Testbed.RsyncJail))
	for _, event := range []string{"ta_proxy_initialized/1", "publisher_added/1", "repository_added/1", "ta_signer_initialized/1", "signer_added/1"} {
		w.refuse(event)
		if err := w.TA().Ensure(ctx, testworld.Operator, root); err == nil {
			t.Errorf("made, although %s was refused", event)
		}
		w.allow()
	}
	if here := testworld.Got[bool](w.World)(w.TA().SignerIsHere(ctx)); !here {
		t.Error("the signer is not there, although it was made before what was refused last")
	}
	w.Must(w.TA().Ensure(ctx, testworld.Operator, root))
	cer := testworld.Got[[]byte](w.World)(w.TA().Certificate(ctx))
	w.Must(w.TA().Ensure(ctx, testworld.Operator, trustanchor.Root{Rsync: "rsync://other/ta.cer", HTTPS: "https://other/ta.cer"}))
	if again := testworld.Got[[]byte](w.World)(w.TA().Certificate(ctx)); !bytes.Equal(cer, again) {
		t.Error("a trust anchor that is there was made again")
	}
	w.Settle()
	if n := w.ManifestNumber(ta.Handle); n != 7 {
		t.Errorf("the first manifest has number %d, want 7", n)
	}
	w.WantPublished(ta.Handle, 1, 0, 0)
}

// An exchange with the embedded signer that was cut off after any step goes on
// there: one request, one answer, one manifest.
func TestExchangeGoesOn(t *testing.T) {
	w := interrupted{testworld.New(t)}
	w.Start()
	before := w.ManifestNumber(ta.Handle)
	w.refuse("signer_request_made/1")
	w.Must(tasks.Enqueue(t.Context(), w.DB, w.Now(), tasks.Scheduled{Args: trustanchor.Sign{Renew: true}}))
	w.Settle()
	for _, event := range []string{"request_processed/1", "signer_response_received/1"} {
		w.allow()
		w.refuse(event)
		w.Run(trustanchor.Sign{Renew: true})
		if n := w.ManifestNumber(ta.Handle); n != before {
			t.Errorf("%s was refused, and manifest %d published, after %d", event, n, before)
		}
	}
	w.allow()
	w.Run(trustanchor.Sign{Renew: true})
	w.Settle()
	if n := w.ManifestNumber(ta.Handle); n != before+1 {
		t.Errorf("manifest %d after %d", n, before)
	}
	if n := w.Count(`es_event WHERE name = 'request_processed/1'`); n != 2 { // with the one for the testbed's certificate
		t.Errorf("the signer answered %d times", n)
	}
	w.Routes()
	w.Verified()
}
