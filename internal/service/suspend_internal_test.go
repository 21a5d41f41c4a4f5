package service

import "testing"

// Software qualifies by what it says that it is; Krill writes its version in
// either form (defect D6).
func TestMayBeSuspended(t *testing.T) {
	for agent, want := range map[string]bool{
		"local-child": true, "local-child/1": false,
		"baleen/0.1.0": true, "baleen": true,
		"krill/0.17.0": true, "krill/{}0.17.0-dev": true, "krill/0.9.2": true, "krill/0.9.2-rc2": true, "krill/0.10.0-rc1": true, "krill/1.0.0": true,
		"krill/0.9.1": false, "krill/0.9.0": false, "krill/{}0.9.1": false, "krill/0.8.9": false, "krill": false, "krill/": false, "krill/x.y.z": false,
		"krill/0.17": false, "krill/99999999999999999999.0.0": false,
		"": false, "curl/8.5.0": false, "rpkid": false, "Krill/0.17.0": false,
	} {
		if got := mayBeSuspended(agent); got != want {
			t.Errorf("%q: %v", agent, got)
		}
	}
}
