package pubserver

import (
	"fmt"

	"baleen/internal/fault"
)

func errInitialized() error {
	return fault.New(fault.Exists, "pub-repo-initialized", "Publication Server already initialized")
}

func errNotInitialized() error {
	return fault.New(fault.NotFound, "pub-repo-not-initialized",
		"Publication Server not initialized, see 'krillc pubserver server init --help'")
}

func errHasPublishers() error {
	return fault.New(fault.Invalid, "pub-repo-has-publishers", "Publication Server cannot be removed, still has publishers")
}

func errDuplicate(publisher string) error {
	return &fault.Error{
		Kind: fault.Exists, Code: "pub-duplicate",
		Msg: fmt.Sprintf("Duplicate publisher '%s'", publisher), Args: map[string]string{"publisher": publisher},
	}
}

func errUnknown(publisher string) error {
	return &fault.Error{
		Kind: fault.NotFound, Code: "pub-unknown",
		Msg: fmt.Sprintf("Unknown publisher '%s'", publisher), Args: map[string]string{"publisher": publisher},
	}
}

func errBadRequest(cause error) error {
	return &fault.Error{
		Kind: fault.Invalid, Code: "rfc-8183-xml", Msg: fmt.Sprintf("RFC 8183 XML issue: %v", cause),
		Args: map[string]string{"cause": cause.Error()},
	}
}

func errBadURI(cause error) error {
	return &fault.Error{
		Kind: fault.Invalid, Code: "pub-uri-invalid", Msg: fmt.Sprintf("Invalid URI: %v", cause),
		Args: map[string]string{"cause": cause.Error()},
	}
}

func errBlocked(publisher, uri string) error {
	return &fault.Error{
		Kind: fault.Exists, Code: "pub-base-taken",
		Msg:  fmt.Sprintf("Cannot add publisher '%s': '%s' is already published in its place", publisher, uri),
		Args: map[string]string{"publisher": publisher, "uri": uri},
	}
}

// The errors of RFC 8181 section 2.5 that depend on what is published; each
// carries the URI it is about.
func errPermission(uri string) error {
	return refusal(fault.Denied, "permission_failure", uri, "'%s' is outside the publisher's URI space")
}

func errPresent(uri string) error {
	return refusal(fault.Exists, "object_already_present", uri, "'%s' is already published, and no hash was given")
}

func errAbsent(uri string) error {
	return refusal(fault.NotFound, "no_object_present", uri, "'%s' is not published")
}

func errHash(uri string) error {
	return refusal(fault.Conflict, "no_object_matching_hash", uri, "'%s' is published with another hash")
}

func errInconsistent(uri, format string) error {
	return refusal(fault.Invalid, "consistency_problem", uri, format)
}

func refusal(kind fault.Kind, code, uri, format string) error {
	return &fault.Error{Kind: kind, Code: code, Msg: fmt.Sprintf(format, uri), Args: map[string]string{"uri": uri}}
}
