package trustanchor_test

import (
	"encoding/json"
	"testing"

	"baleen/internal/tasks"
	"baleen/internal/trustanchor"
)

// What stands in the queue of the last release is read by the next one: names,
// keys and arguments are frozen.
func TestTasksAreFrozen(t *testing.T) {
	for _, c := range []struct {
		task            tasks.Args
		kind, key, args string
	}{
		{trustanchor.Sign{}, "ta_sign", "ta", `{}`},
		{trustanchor.Sign{Renew: true, Number: 7}, "ta_sign", "ta renew", `{"renew":true,"number":7}`},
		{trustanchor.Publish{}, "ta_publish", "ta", `{}`},
		{trustanchor.Renew{}, "ta_renew", "ta", `{}`},
	} {
		raw, err := json.Marshal(c.task)
		if err != nil || string(raw) != c.args || c.task.Kind() != c.kind || c.task.Key() != c.key {
			t.Errorf("%T is stored as %s %q %s, %v; want %s %q %s", c.task, c.task.Kind(), c.task.Key(), raw, err, c.kind, c.key, c.args)
		}
	}
}
