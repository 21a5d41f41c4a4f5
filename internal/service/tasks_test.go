package service_test

import (
	"encoding/json"
	"testing"

	"baleen/internal/pubserver"
	"baleen/internal/service"
	"baleen/internal/tasks"
)

// What stands in the queue of the last release is read by the next one: names,
// keys and arguments are frozen. New fields are left out where they are not set.
func TestTasksAreFrozen(t *testing.T) {
	for _, c := range []struct {
		task            tasks.Args
		kind, key, args string
	}{
		{service.RefreshCA{CA: "a"}, "ca_refresh", "a", `{"ca":"a"}`},
		{service.SyncParent{CA: "a", Parent: "p"}, "ca_sync_parent", "a p", `{"ca":"a","parent":"p"}`},
		{service.IssueCA{CA: "a"}, "ca_issue", "a", `{"ca":"a"}`},
		{service.PublishCA{CA: "a"}, "ca_publish", "a", `{"ca":"a"}`},
		{service.PublishCA{CA: "a", Force: true}, "ca_publish", "a force", `{"ca":"a","force":true}`},
		{service.SyncRepo{CA: "a"}, "repo_sync", "a", `{"ca":"a"}`},
		{service.AskParent{CA: "a", Parent: "p"}, "ca_ask_parent", "a p", `{"ca":"a","parent":"p"}`},
		{service.SendRepo{CA: "a"}, "repo_send", "a", `{"ca":"a"}`},
		{service.LeaveRepos{CA: "a"}, "repo_leave", "a", `{"ca":"a"}`},
		{service.EmptyRepo{CA: "a", ServiceURI: "https://r/"}, "repo_empty", "a https://r/", `{"ca":"a","service_uri":"https://r/"}`},
		{service.DestroyKeys{CA: "a", Keys: []string{"K", "L"}}, "keys_destroy", "a K", `{"ca":"a","keys":["K","L"]}`},
		{service.Republish{}, "cas_republish", "all", `{}`},
		{service.Renew{}, "cas_renew", "all", `{}`},
		{service.SnapshotLog{}, "log_snapshot", "all", `{}`},
		{service.ArchiveLog{}, "log_archive", "all", `{}`},
		{service.ExpireTestbed{}, "testbed_expire", "testbed", `{}`},
		{pubserver.UpdateRRDP{Repository: "0"}, "rrdp_update", "0", `{"repository":"0"}`},
	} {
		raw, err := json.Marshal(c.task)
		if err != nil || string(raw) != c.args || c.task.Kind() != c.kind || c.task.Key() != c.key {
			t.Errorf("%T is stored as %s %q %s, %v; want %s %q %s", c.task, c.task.Kind(), c.task.Key(), raw, err, c.kind, c.key, c.args)
		}
	}
}
