package pubserver

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"baleen/internal/fault"
)

const at = "rsync://h/m/alice/x"

func sum(content string) *[32]byte {
	h := sha256.Sum256([]byte(content))
	return &h
}

func publish(content string) Change { return Change{URI: at, Content: []byte(content)} }
func update(old, content string) Change {
	return Change{URI: at, Old: sum(old), Content: []byte(content)}
}
func withdraw(old string) Change           { return Change{URI: at, Old: sum(old)} }
func theWorldHas(content string) *row      { return rowOf(content, false, false) }
func waits(content string) *row            { return rowOf(content, true, false) }
func isBeingWithdrawn(content string) *row { return rowOf(content, false, true) }

func rowOf(content string, staged, withdrawn bool) *row {
	h := sum(content)
	return &row{hash: h[:], size: int32(len(content)), staged: staged, withdrawn: withdrawn}
}

// memory is the table as one publisher sees it, in the form the tests need.
type memory map[string]holding

func (m memory) found() found {
	return found{holdings: m, owners: map[string]string{"rsync://h/m/alice/": "alice", "rsync://h/m/": "ta"}, publisher: "alice"}
}

// apply does what store does to the rows.
func (m memory) apply(s staging) {
	for _, uri := range s.dropped {
		m[uri] = holding{public: m[uri].public}
	}
	for _, uri := range s.withdraw {
		p := *m[uri].public
		p.withdrawn = true
		m[uri] = holding{public: &p, staged: m[uri].staged}
	}
	for _, uri := range s.restore {
		p := *m[uri].public
		p.withdrawn = false
		m[uri] = holding{public: &p, staged: m[uri].staged}
	}
	for _, o := range s.insert {
		h := o.hash
		m[o.uri] = holding{public: m[o.uri].public, staged: &row{hash: h[:], size: int32(len(o.der)), staged: true}}
	}
}

// freeze does what a serial does, and gives the size of its delta.
func (m memory) freeze() (changes int) {
	for uri, h := range m {
		gone := h.public != nil && h.public.withdrawn
		if gone || h.staged != nil {
			changes++
		}
		public := h.public
		if gone {
			public = nil
		}
		if h.staged != nil {
			public = &row{hash: h.staged.hash, size: h.staged.size}
		}
		m[uri] = holding{public: public}
	}
	return changes
}

// The table of staging rules: what waits, what comes, what waits then. Where
// a message does not fit what the publisher has, it is refused.
func TestStaging(t *testing.T) {
	for name, c := range map[string]struct {
		has    holding
		comes  Change
		public *row // afterwards
		staged *row
		code   string
	}{
		"publish":                            {has: holding{}, comes: publish("a"), staged: waits("a")},
		"publish over public":                {has: holding{public: theWorldHas("a")}, comes: publish("b"), code: "object_already_present"},
		"update":                             {has: holding{public: theWorldHas("a")}, comes: update("a", "b"), public: isBeingWithdrawn("a"), staged: waits("b")},
		"update with the same":               {has: holding{public: theWorldHas("a")}, comes: update("a", "a"), public: theWorldHas("a")},
		"update with wrong hash":             {has: holding{public: theWorldHas("a")}, comes: update("x", "b"), code: "no_object_matching_hash"},
		"update of nothing":                  {has: holding{}, comes: update("a", "b"), code: "no_object_present"},
		"withdraw":                           {has: holding{public: theWorldHas("a")}, comes: withdraw("a"), public: isBeingWithdrawn("a")},
		"withdraw with wrong hash":           {has: holding{public: theWorldHas("a")}, comes: withdraw("x"), code: "no_object_matching_hash"},
		"withdraw of nothing":                {has: holding{}, comes: withdraw("a"), code: "no_object_present"},
		"publish, publish":                   {has: holding{staged: waits("a")}, comes: publish("b"), code: "object_already_present"},
		"publish, update":                    {has: holding{staged: waits("a")}, comes: update("a", "b"), staged: waits("b")},
		"publish, same update":               {has: holding{staged: waits("a")}, comes: update("a", "a"), staged: waits("a")},
		"publish, update with wrong hash":    {has: holding{staged: waits("a")}, comes: update("x", "b"), code: "no_object_matching_hash"},
		"publish, withdraw":                  {has: holding{staged: waits("a")}, comes: withdraw("a")},
		"update, update":                     {has: holding{public: isBeingWithdrawn("a"), staged: waits("b")}, comes: update("b", "c"), public: isBeingWithdrawn("a"), staged: waits("c")},
		"update, update with the old hash":   {has: holding{public: isBeingWithdrawn("a"), staged: waits("b")}, comes: update("a", "c"), code: "no_object_matching_hash"},
		"update, update back":                {has: holding{public: isBeingWithdrawn("a"), staged: waits("b")}, comes: update("b", "a"), public: theWorldHas("a")},
		"update, withdraw":                   {has: holding{public: isBeingWithdrawn("a"), staged: waits("b")}, comes: withdraw("b"), public: isBeingWithdrawn("a")},
		"update, publish":                    {has: holding{public: isBeingWithdrawn("a"), staged: waits("b")}, comes: publish("c"), code: "object_already_present"},
		"withdraw, publish":                  {has: holding{public: isBeingWithdrawn("a")}, comes: publish("b"), public: isBeingWithdrawn("a"), staged: waits("b")},
		"withdraw, publish the same":         {has: holding{public: isBeingWithdrawn("a")}, comes: publish("a"), public: theWorldHas("a")},
		"withdraw, update":                   {has: holding{public: isBeingWithdrawn("a")}, comes: update("a", "b"), code: "no_object_present"},
		"withdraw, withdraw":                 {has: holding{public: isBeingWithdrawn("a")}, comes: withdraw("a"), code: "no_object_present"},
		"an empty object":                    {has: holding{}, comes: Change{URI: at, Content: []byte{}}, staged: waits("")},
		"an empty object in place of a full": {has: holding{public: theWorldHas("a")}, comes: Change{URI: at, Old: sum("a"), Content: []byte{}}, public: isBeingWithdrawn("a"), staged: waits("")},
	} {
		t.Run(name, func(t *testing.T) {
			m := memory{at: c.has}
			before := c.has
			s, err := stage([]Change{c.comes}, m.found())
			if fault.Code(err) != c.code {
				t.Fatalf("got %v, want code %q", err, c.code)
			}
			m.apply(s)
			want := holding{public: c.public, staged: c.staged}
			if c.code != "" {
				want = before
			}
			if got := show(m[at]); got != show(want) {
				t.Errorf("got %s, want %s", got, show(want))
			}
			if same := show(before) == show(want); c.code == "" && s.unchanged != same {
				t.Errorf("unchanged is %v, the rows are the same: %v", s.unchanged, same)
			}
		})
	}
}

func show(h holding) string {
	one := func(r *row) string {
		if r == nil {
			return "-"
		}
		return fmt.Sprintf("%x/%d/%v/%v", r.hash[:4], r.size, r.staged, r.withdrawn)
	}
	return one(h.public) + " " + one(h.staged)
}

func TestMessagesAreRefusedAsAWhole(t *testing.T) {
	in := func(uri string) Change { return Change{URI: uri, Content: []byte("x")} }
	h := found{
		holdings: memory{"rsync://h/m/alice/file": {public: theWorldHas("a")}},
		owners: map[string]string{
			"rsync://h/m/": "ta", "rsync://h/m/alice/": "alice", "rsync://h/m/alice/sub/": "alice/sub", "rsync://h/m/alic/": "alic",
		},
		publisher: "alice",
	}
	for name, c := range map[string]struct {
		changes []Change
		code    string
		uri     string
	}{
		"good":                 {changes: []Change{in(at), in("rsync://h/m/alice/a/b/c")}},
		"case of host":         {changes: []Change{in("RSYNC://H/m/alice/z")}},
		"outside":              {changes: []Change{in(at), in("rsync://h/m/bob/x")}, code: "permission_failure", uri: "rsync://h/m/bob/x"},
		"prefix of a name":     {changes: []Change{in("rsync://h/m/alice2/x")}, code: "permission_failure", uri: "rsync://h/m/alice2/x"},
		"case of path":         {changes: []Change{in("rsync://h/m/Alice/x")}, code: "permission_failure", uri: "rsync://h/m/Alice/x"},
		"the base itself":      {changes: []Change{in("rsync://h/m/alice/")}, code: "permission_failure", uri: "rsync://h/m/alice/"},
		"the base as a file":   {changes: []Change{in("rsync://h/m/alice")}, code: "permission_failure", uri: "rsync://h/m/alice"},
		"climbing out":         {changes: []Change{in("rsync://h/m/alice/../bob/x")}, code: "permission_failure", uri: "rsync://h/m/alice/../bob/x"},
		"climbing, encoded":    {changes: []Change{in("rsync://h/m/alice/%2e%2e/bob")}, code: "permission_failure", uri: "rsync://h/m/alice/%2e%2e/bob"},
		"other host":           {changes: []Change{in("rsync://g/m/alice/x")}, code: "permission_failure", uri: "rsync://g/m/alice/x"},
		"other module":         {changes: []Change{in("rsync://h/n/alice/x")}, code: "permission_failure", uri: "rsync://h/n/alice/x"},
		"in another's space":   {changes: []Change{in("rsync://h/m/alice/sub/x")}, code: "permission_failure", uri: "rsync://h/m/alice/sub/x"},
		"twice":                {changes: []Change{in(at), in(at)}, code: "consistency_problem", uri: at},
		"twice, in other case": {changes: []Change{in(at), in("rsync://H/m/alice/x")}, code: "consistency_problem", uri: "rsync://H/m/alice/x"},
		"withdraw, no hash":    {changes: []Change{{URI: at}}, code: "consistency_problem", uri: at},
		"below an object":      {changes: []Change{in("rsync://h/m/alice/file/x")}, code: "consistency_problem", uri: "rsync://h/m/alice/file/x"},
		"below a new object":   {changes: []Change{in(at), in(at + "/y")}, code: "consistency_problem", uri: at + "/y"},
		"below a withdrawn":    {changes: []Change{{URI: "rsync://h/m/alice/file", Old: sum("a")}, in("rsync://h/m/alice/file/x")}},
	} {
		changes, err := normalise(c.changes)
		if err == nil {
			_, err = stage(changes, h)
		}
		var f *fault.Error
		if err != nil {
			f = err.(*fault.Error)
		}
		if fault.Code(err) != c.code || f != nil && f.Args["uri"] != c.uri {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Whatever messages come, in whatever rhythm serials are made: what the world
// then has is what the messages say, and a delta is never empty.
func TestStagingProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := memory{}
		want := map[string]string{} // what the publisher has by its own book
		names := []string{"rsync://h/m/alice/1", "rsync://h/m/alice/2", "rsync://h/m/alice/3/x"}
		var objects int
		var octets int64
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "freeze") == 0 {
				staged := slices.ContainsFunc(slices.Collect(maps.Values(m)), func(h holding) bool {
					return h.staged != nil || h.public != nil && h.public.withdrawn
				})
				if n := m.freeze(); (n > 0) != staged {
					t.Fatalf("staged %v, but %d changes in the delta", staged, n)
				}
				continue
			}
			var changes []Change
			for _, uri := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID).Draw(t, "uris") {
				c := Change{URI: uri}
				if have, ok := want[uri]; ok {
					c.Old = sum(have)
				}
				if c.Old == nil || rapid.Bool().Draw(t, "publish") {
					c.Content = []byte(rapid.SampledFrom([]string{"", "a", "bb"}).Draw(t, "content"))
				}
				changes = append(changes, c)
			}
			s, err := stage(changes, m.found())
			if err != nil {
				t.Fatal(err)
			}
			m.apply(s)
			objects, octets = objects+s.objects, octets+s.bytes
			for _, c := range changes {
				delete(want, c.URI)
				if c.Content != nil {
					want[c.URI] = string(c.Content)
				}
			}
		}
		checkHas(t, m, want, objects, octets)
	})
}

func checkHas(t *rapid.T, m memory, want map[string]string, objects int, octets int64) {
	n, size := 0, int64(0)
	for uri, h := range m {
		cur := h.current()
		content, ok := want[uri]
		if (cur != nil) != ok || ok && string(cur.hash) != string(sum(content)[:]) {
			t.Fatalf("%s: has %s, want %q (%v)", uri, show(h), content, ok)
		}
		if cur != nil {
			n++
			size += int64(cur.size)
		}
		if h.public != nil && h.staged != nil && string(h.public.hash) == string(h.staged.hash) {
			t.Fatalf("%s: replaced by itself", uri)
		}
	}
	if n != len(want) || n != objects || size != octets {
		t.Fatalf("counted %d objects, %d octets; there are %d, %d", objects, octets, n, size)
	}
}
