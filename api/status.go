package api

import (
	"encoding/json"
	"errors"

	"baleen/internal/rpki/resources"
)

// ExchangeResult is how an exchange with a peer ended: "Success" or
// {"Failure":…}.
type ExchangeResult struct {
	Failure *ErrorResponse // nil: it succeeded
}

const success = "Success"

// MarshalJSON writes either form.
func (r ExchangeResult) MarshalJSON() ([]byte, error) {
	if r.Failure == nil {
		return Marshal(success)
	}
	return Marshal(struct {
		Failure *ErrorResponse `json:"Failure"`
	}{r.Failure})
}

// UnmarshalJSON reads either form.
func (r *ExchangeResult) UnmarshalJSON(data []byte) error {
	var word string
	if json.Unmarshal(data, &word) == nil && word == success {
		*r = ExchangeResult{}
		return nil
	}
	var in struct {
		Failure *ErrorResponse `json:"Failure"`
	}
	if err := json.Unmarshal(data, &in); err != nil || in.Failure == nil {
		return errors.New(`an exchange result is "Success" or {"Failure":…}`)
	}
	*r = ExchangeResult{Failure: in.Failure}
	return nil
}

// Exchange is the last exchange with a peer.
type Exchange struct {
	Timestamp int64          `json:"timestamp"` // Unix seconds
	URI       string         `json:"uri"`
	Result    ExchangeResult `json:"result"`
}

// ParentStatuses is the answer to GET /api/v1/cas/{ca}/parents, by the name
// that the CA gives to the parent.
type ParentStatuses map[string]ParentStatus

// ParentStatus is how a CA stands with a parent.
type ParentStatus struct {
	LastExchange *Exchange     `json:"last_exchange"`
	LastSuccess  *int64        `json:"last_success"`            // Unix seconds
	NextExchange *int64        `json:"next_exchange,omitempty"` // Unix seconds; nil: none is planned
	AllResources resources.Set `json:"all_resources"`
	Classes      []Entitlement `json:"classes"`
}

// Entitlement is a class that a parent offers (RFC 6492 section 3.3.2).
type Entitlement struct {
	ClassName   string        `json:"class_name"`
	ResourceSet resources.Set `json:"resource_set"`
	NotAfter    Time          `json:"not_after"`
	IssuedCerts []IssuedCert  `json:"issued_certs"`
	SigningCert SigningCert   `json:"signing_cert"`
}

// IssuedCert is a certificate that the parent says it issued.
type IssuedCert struct {
	URI      string        `json:"uri"`
	ReqLimit ResourceLimit `json:"req_limit"`
	Cert     []byte        `json:"cert"` // DER
}

// SigningCert is the parent's own certificate in a class.
type SigningCert struct {
	URL  string `json:"url"`
	Cert []byte `json:"cert"` // DER
}

// ChildrenConnectionStats is the answer to
// GET /api/v1/cas/{ca}/stats/children/connections.
type ChildrenConnectionStats struct {
	Children []ChildConnection `json:"children"`
}

// ChildConnection is how a CA stands with a child.
type ChildConnection struct {
	Handle       string         `json:"handle"`
	LastExchange *ChildExchange `json:"last_exchange"`
	State        string         `json:"state"` // "active" or "suspended"
}

// ChildExchange is the last exchange with a child.
type ChildExchange struct {
	Timestamp int64          `json:"timestamp"` // Unix seconds
	Result    ExchangeResult `json:"result"`
	UserAgent *string        `json:"user_agent"` // "local-child" for a CA of this server
}

// RepoStatus is the answer to GET /api/v1/cas/{ca}/repo/status.
type RepoStatus struct {
	LastExchange *Exchange       `json:"last_exchange"`
	LastSuccess  *int64          `json:"last_success"`            // Unix seconds
	NextExchange *int64          `json:"next_exchange,omitempty"` // Unix seconds; nil: none until something changes
	Published    []PublishedFile `json:"published"`
}

// PublishedFile is an object in a repository.
type PublishedFile struct {
	URI    string `json:"uri"`
	Base64 []byte `json:"base64"` // DER
}

// CAIssues is the answer to GET /api/v1/cas/{ca}/issues: the exchanges
// that failed last.
type CAIssues struct {
	RepoIssue    *ErrorResponse `json:"repo_issue"`
	ParentIssues []ParentIssue  `json:"parent_issues"`
}

// ParentIssue is a failed exchange with a parent.
type ParentIssue struct {
	Parent string        `json:"parent"`
	Issue  ErrorResponse `json:"issue"`
}

// AllCAIssues is the answer to GET /api/v1/bulk/cas/issues: the CAs that
// have issues.
type AllCAIssues struct {
	CAs map[string]CAIssues `json:"cas"`
}

// TaskReport is the answer to GET /api/v1/tasks.
type TaskReport struct {
	Kinds    map[string]TaskCounts `json:"kinds"`
	Problems []TaskProblem         `json:"problems"` // parked and failing tasks
}

// TaskCounts counts the tasks of one kind.
type TaskCounts struct {
	Waiting int64 `json:"waiting"` // for a time to come
	Due     int64 `json:"due"`     // could run now
	Running int64 `json:"running"`
	Failing int64 `json:"failing"` // failed and will be tried again; counted above too
	Parked  int64 `json:"parked"`  // will not run again by itself
}

// TaskProblem is a task that failed.
type TaskProblem struct {
	Kind     string    `json:"kind"`
	Key      string    `json:"key"` // such as the handle of the CA
	Failures int64     `json:"failures"`
	RunAt    *Time     `json:"run_at"` // the next try; null: parked
	Fault    TaskFault `json:"last_fault"`
}

// TaskFault is the last failure of a task.
type TaskFault struct {
	Kind string `json:"kind"` // what kind of error, such as "unavailable"
	Code string `json:"code"` // the error's label
	Msg  string `json:"msg"`
}
