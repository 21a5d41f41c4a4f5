package publication_test

import (
	"reflect"
	"testing"

	"baleen/internal/rpki/publication"
)

// What is accepted can be written, and then reads as the same.
func FuzzDecodeQuery(f *testing.F) {
	for _, doc := range documents(f) {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := publication.DecodeQuery(data, publication.Limits{})
		if err != nil {
			return
		}
		out, err := q.Encode()
		if err != nil {
			t.Fatalf("accepted %+v but cannot write it: %v", q, err)
		}
		if again, err := publication.DecodeQuery(out, publication.Limits{}); err != nil || !reflect.DeepEqual(again, q) {
			t.Errorf("accepted %+v but reads back %+v, %v", q, again, err)
		}
	})
}

// What is accepted can be written, and then reads as the same.
func FuzzDecodeReply(f *testing.F) {
	for _, doc := range documents(f) {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := publication.DecodeReply(data, publication.Limits{})
		if err != nil {
			return
		}
		out, err := r.Encode()
		if err != nil {
			t.Fatalf("accepted %+v but cannot write it: %v", r, err)
		}
		if again, err := publication.DecodeReply(out, publication.Limits{}); err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("accepted %+v but reads back %+v, %v", r, again, err)
		}
	})
}
