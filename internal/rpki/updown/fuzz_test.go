package updown_test

import (
	"reflect"
	"testing"

	"baleen/internal/rpki/updown"
)

// What is accepted can be written, and then reads as the same.
func FuzzDecode(f *testing.F) {
	for _, m := range messages(f) {
		f.Add(encode(f, m))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := updown.Decode(data, updown.Limits{})
		if err != nil {
			return
		}
		out, err := m.Encode()
		if err != nil {
			t.Fatalf("accepted %+v but cannot write it: %v", m, err)
		}
		if again, err := updown.Decode(out, updown.Limits{}); err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("accepted %+v but reads back %+v, %v", m, again, err)
		}
	})
}
