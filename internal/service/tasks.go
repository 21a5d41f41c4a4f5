package service

import (
	"baleen/internal/tasks"
	"baleen/internal/trustanchor"
)

// All tasks of the service. Kind and Key merge pending twins; running a task
// twice is harmless, because the second plan is empty.

// RefreshCA asks every parent of a CA what it is entitled to or, if Batch is
// set, a number of them: those that were not asked for longest.
type RefreshCA struct {
	CA    string `json:"ca"`
	Batch bool   `json:"batch,omitempty"`
}

// SyncParent asks one parent, and fetches the certificates that are due.
type SyncParent struct {
	CA     string `json:"ca"`
	Parent string `json:"parent"`
}

// IssueCA signs what the CA's configuration wants and is not issued yet.
type IssueCA struct {
	CA string `json:"ca"`
}

// PublishCA makes new manifests and CRLs where what they cover changed.
type PublishCA struct {
	CA    string `json:"ca"`
	Force bool   `json:"force,omitempty"`
}

// SyncRepo brings a CA's repository to what the CA wants published.
type SyncRepo struct {
	CA string `json:"ca"`
}

// AskParent is SyncParent for a parent outside this server: it may take long to
// answer, and must not hold up what needs no peer.
type AskParent struct {
	CA     string `json:"ca"`
	Parent string `json:"parent"`
}

// SendRepo is SyncRepo for a repository outside this server.
type SendRepo struct {
	CA string `json:"ca"`
}

// DestroyKeys destroys the keys of a class that is gone.
type DestroyKeys struct {
	CA   string   `json:"ca"`
	Keys []string `json:"keys"`
}

// Republish looks for manifests that come close to their nextUpdate.
type Republish struct{}

// Renew looks for signed objects that come close to their expiry.
type Renew struct{}

// Kind names the task in the queue.
func (RefreshCA) Kind() string { return "ca_refresh" }

// Key merges twins of one CA; one for a batch stands for itself.
func (a RefreshCA) Key() string {
	if a.Batch {
		return a.CA + " batch"
	}
	return a.CA
}

// Kind names the task in the queue.
func (SyncParent) Kind() string { return "ca_sync_parent" }

// Key merges twins of one CA and parent.
func (a SyncParent) Key() string { return a.CA + " " + a.Parent }

// Kind names the task in the queue.
func (IssueCA) Kind() string { return "ca_issue" }

// Key merges twins of one CA.
func (a IssueCA) Key() string { return a.CA }

// Kind names the task in the queue.
func (PublishCA) Kind() string { return "ca_publish" }

// Key merges twins of one CA; a forced one stands for itself.
func (a PublishCA) Key() string {
	if a.Force {
		return a.CA + " force"
	}
	return a.CA
}

// Kind names the task in the queue.
func (SyncRepo) Kind() string { return "repo_sync" }

// Key merges twins of one CA.
func (a SyncRepo) Key() string { return a.CA }

// Kind names the task in the queue.
func (AskParent) Kind() string { return "ca_ask_parent" }

// Key merges twins of one CA and parent.
func (a AskParent) Key() string { return a.CA + " " + a.Parent }

// Kind names the task in the queue.
func (SendRepo) Kind() string { return "repo_send" }

// Key merges twins of one CA.
func (a SendRepo) Key() string { return a.CA }

// Kind names the task in the queue.
func (DestroyKeys) Kind() string { return "keys_destroy" }

// Key keeps the keys of different classes apart.
func (a DestroyKeys) Key() string {
	if len(a.Keys) == 0 {
		return a.CA
	}
	return a.CA + " " + a.Keys[0]
}

// Kind names the task in the queue.
func (Republish) Kind() string { return "cas_republish" }

// Key is the same for all: there is one.
func (Republish) Key() string { return "all" }

// Kind names the task in the queue.
func (Renew) Kind() string { return "cas_renew" }

// Key is the same for all: there is one.
func (Renew) Key() string { return "all" }

// Register tells the workers how to run every task. What waits for peers outside
// this server goes to a worker of its own, so that slow ones hold up only each
// other; the two may be the same.
func (s *Service) Register(w, peers *tasks.Worker) {
	tasks.Register(peers, s.askParent)
	tasks.Register(peers, s.sendRepo)
	tasks.Register(peers, s.revokeKeys)
	tasks.Register(peers, s.leaveRepos)
	tasks.Register(w, s.refreshCA)
	tasks.Register(w, s.syncParent)
	tasks.Register(w, s.issueCA)
	tasks.Register(w, s.publishCA)
	tasks.Register(w, s.syncRepo)
	tasks.Register(w, s.destroyKeys)
	tasks.Register(w, s.emptyRepo)
	tasks.Register(w, s.republish)
	tasks.Register(w, s.renew)
	tasks.Register(w, s.updateRRDP)
	tasks.Register(w, s.expireTestbed)
	tasks.Register(w, s.snapshotLog)
	tasks.Register(w, s.archiveLog)
	tasks.Register(w, s.startCAs)
	tasks.Register(w, s.suspendSilent)
	tasks.Register(w, s.suspendCA)
	tasks.Register(w, s.refreshAnnouncements)
	tasks.Register(w, s.forceReissue)
	tasks.Register(w, s.clearRepository)
	trustanchor.Register(w, s.TA)
}
