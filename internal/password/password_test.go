package password

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// known are entries that krillc config user 0.17.0-dev made.
var known = []struct{ id, password, hash, salt string }{
	{
		"joe@example.com", "geheim",
		"c4df1f917ff6baa68be09cb9d569460b47971d7292b98fd72a020e372561a2ac", "0ee96bbeb32175fbd870f700d0038c44c1543a2b9ec7de38c852624bce147b69",
	},
	{
		"Zo\u00eb \uff21 Smith", "  pa\u0301ss w\u00f6rd\ufb01  ", // a wide letter, a combining accent, a ligature, blanks around
		"6a396c13318abc7b2166b95a47fc269cfd6000953a50964b0b3320efa32510c2", "f8aebd8e19e1e57d75496bf0c14c24fb780d4e65627cfa8f2de199cf83761fd0",
	},
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	out, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHashesAreThoseOfKrill(t *testing.T) {
	for _, k := range known {
		got := hash(k.id, k.password, decode(t, k.salt))
		if hex.EncodeToString(got[:]) != k.hash {
			t.Errorf("%s: got %x", k.id, got)
		}
		h := Hashed{Hash: got, Salt: decode(t, k.salt)}
		for id, want := range map[string]bool{k.id: true, " " + k.id + "\t": true, CleanID(k.id): true, k.id + "x": false} {
			if h.Matches(id, k.password) != want {
				t.Errorf("%q: not %v", id, want)
			}
		}
		if h.Matches(k.id, k.password+"x") || h.Matches(k.id, "") {
			t.Errorf("%s: another password matches", k.id)
		}
	}
	composed := Hashed{Salt: decode(t, known[1].salt)}
	copy(composed.Hash[:], decode(t, known[1].hash))
	if !composed.Matches("Zo\u00eb A Smith", "p\u00e1ss w\u00f6rdfi") {
		t.Error("it matters how letters are composed")
	}
}

func TestNew(t *testing.T) {
	a, b := New("joe", "secret"), New("joe", "secret")
	if a.Hash == b.Hash || bytes.Equal(a.Salt, b.Salt) || len(a.Salt) != 32 {
		t.Error("two entries have the same salt")
	}
	if !a.Matches("joe", "secret") || a.Matches("jim", "secret") {
		t.Error("a new entry does not match its user alone")
	}
	if bytes.Equal(a.Mark(), b.Mark()) || !bytes.Equal(a.Mark(), Hashed{Hash: a.Hash, Salt: a.Salt}.Mark()) || len(a.Mark()) != 16 {
		t.Error("marks do not tell entries apart")
	}
	if Nobody().Matches("joe", "") {
		t.Error("nobody has a password")
	}
}
