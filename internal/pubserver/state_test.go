package pubserver

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
)

var (
	keyID  = cert.KeyID{0xab, 0xcd}
	opened = RepositoryInitialized{
		RRDPBase: "https://h/rrdp/", RsyncBase: "rsync://h/repo/", Session: "9df4b597-af9e-4dca-bdda-719cce2c4e28",
		KeyID: keyID, IDCert: []byte{1, 2, 3},
	}
	aliceAdded = PublisherAdded{Handle: "alice", IDCert: []byte{4, 5}, BaseURI: "rsync://h/repo/alice/"}
)

// The stored forms, which never change.
var stored1 = map[string]es.Event{
	`{"rrdp_base_uri":"https://h/rrdp/","rsync_base":"rsync://h/repo/","session":"9df4b597-af9e-4dca-bdda-719cce2c4e28","key_id":"ABCD000000000000000000000000000000000000","id_cert":"AQID"}`: opened,
	`{"handle":"alice","id_cert":"BAU=","base_uri":"rsync://h/repo/alice/"}`: aliceAdded,
	`{"handle":"alice"}`: PublisherRemoved{Handle: "alice"},
	`{}`:                 RepositoryCleared{},
}

func TestStoredForms(t *testing.T) {
	names := map[string]bool{}
	for text, event := range stored1 {
		got, err := json.Marshal(event)
		if err != nil || string(got) != text {
			t.Errorf("%s is stored as %s, %v", event.EventName(), got, err)
		}
		back, err := Type().Codec.Decode(event.EventName(), json.RawMessage(text))
		if err != nil || !reflect.DeepEqual(back, event) {
			t.Errorf("%s comes back as %+v, %v", event.EventName(), back, err)
		}
		names[event.EventName()] = true
	}
	if len(names) != len(Type().Codec) {
		t.Errorf("%d of %d events are pinned", len(names), len(Type().Codec))
	}
}

func FuzzStoredForms(f *testing.F) {
	for text, event := range stored1 {
		f.Add(event.EventName(), text)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		event, err := Type().Codec.Decode(name, json.RawMessage(text))
		if err != nil {
			return
		}
		again, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Type().Codec.Decode(name, again)
		if err != nil || !reflect.DeepEqual(back, event) {
			t.Errorf("%s: %+v comes back as %+v, %v", name, event, back, err)
		}
	})
}

func fold(events ...es.Event) *State {
	var s State
	for _, e := range events {
		Type().Apply(&s, es.Meta{}, e)
	}
	return &s
}

func TestCommands(t *testing.T) {
	for name, c := range map[string]struct {
		given []es.Event
		when  es.Command[State]
		then  []es.Event
		code  string
	}{
		"init":                     {when: InitRepository(opened), then: []es.Event{opened}},
		"init twice":               {given: []es.Event{opened}, when: InitRepository(opened), code: "pub-repo-initialized"},
		"init without slash":       {when: InitRepository{RRDPBase: "https://h/rrdp/", RsyncBase: "rsync://h/repo"}, code: "pub-uri-invalid"},
		"add before init":          {when: AddPublisher{Handle: "alice"}, code: "pub-repo-not-initialized"},
		"add twice":                {given: []es.Event{opened, aliceAdded}, when: AddPublisher{Handle: "alice"}, code: "pub-duplicate"},
		"add without certificate":  {given: []es.Event{opened}, when: AddPublisher{Handle: "alice"}, code: "rfc-8183-xml"},
		"remove":                   {given: []es.Event{opened, aliceAdded}, when: RemovePublisher{Handle: "alice"}, then: []es.Event{PublisherRemoved{Handle: "alice"}}},
		"remove before init":       {when: RemovePublisher{Handle: "alice"}, code: "pub-repo-not-initialized"},
		"remove unknown":           {given: []es.Event{opened}, when: RemovePublisher{Handle: "alice"}, code: "pub-unknown"},
		"remove twice":             {given: []es.Event{opened, aliceAdded, PublisherRemoved{Handle: "alice"}}, when: RemovePublisher{Handle: "alice"}, code: "pub-unknown"},
		"clear":                    {given: []es.Event{opened}, when: ClearRepository{}, then: []es.Event{RepositoryCleared{}}},
		"clear with publishers":    {given: []es.Event{opened, aliceAdded}, when: ClearRepository{}, code: "pub-repo-has-publishers"},
		"clear before init":        {when: ClearRepository{}, code: "pub-repo-not-initialized"},
		"init after it is cleared": {given: []es.Event{opened, RepositoryCleared{}}, when: InitRepository(opened), then: []es.Event{opened}},
	} {
		got, err := c.when.Process(fold(c.given...), time.Now())
		if fault.Code(err) != c.code || !reflect.DeepEqual(got, c.then) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestSnapshotsComeBackTheSame(t *testing.T) {
	for _, events := range [][]es.Event{
		nil, {opened}, {opened, aliceAdded}, {opened, aliceAdded, PublisherRemoved{Handle: "alice"}}, {opened, RepositoryCleared{}},
	} {
		s := fold(events...)
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back State
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(&back, s) {
			t.Errorf("%+v comes back as %+v, %v", s, back, err)
		}
	}
}

func TestTheTrustAnchorHasTheWholeRepository(t *testing.T) {
	s := fold(opened)
	if got := s.baseURI("ta"); got != "rsync://h/repo/" {
		t.Errorf("ta: got %s", got)
	}
	if got := s.baseURI("ta2"); got != "rsync://h/repo/ta2/" {
		t.Errorf("ta2: got %s", got)
	}
}
