package ctl

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"baleen/api"
	"baleen/internal/rpki/oob"
)

func (s *session) children() *cobra.Command {
	return group("children", "Manage the children of a CA",
		s.childAdd(), s.childUpdate(), s.childInfo(), s.childResponse(), s.childRemove(), s.childExport(), s.childImport(),
		s.caDocument("connections", "Show when each child last talked to the CA, with which software", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/stats/children/connections")), connectionsReport)
		}),
		s.childSuspend("suspend", "Withdraw the certificates of a child until it speaks again", true),
		s.childSuspend("unsuspend", "Give a suspended child its certificates again", false),
	)
}

// childFlags are those of every command about one child.
type childFlags struct{ ca, child handle }

func (s *session) bindChild(cmd *cobra.Command, f *childFlags) *cobra.Command {
	s.caFlag(cmd, &f.ca)
	handleFlag(cmd, &f.child, handleOption{name: "child", usage: "the child", required: true})
	return cmd
}

func (f childFlags) path(rest string) string {
	return f.ca.path("/children/" + f.child.segment() + rest)
}

func (s *session) childAdd() *cobra.Command {
	var f childFlags
	var wanted resourceFlags
	var file string
	cmd := s.command("add", "Add a child and print the parent response for it", func(ctx context.Context) error {
		request, err := readDocument(file, oob.DecodeChildRequest)
		if err != nil {
			return err
		}
		set, err := wanted.set()
		if err != nil {
			return err
		}
		body := api.AddChildRequest{Handle: string(f.child), Resources: set, IDCert: request.IDCert, Tag: request.Tag}
		return ask(ctx, s, post(f.ca.path("/children"), body), document[api.ParentResponse])
	})
	wanted.bind(cmd)
	fileFlag(cmd, &file, handleOption{name: "request", short: "r", usage: "`file` with the child's RFC 8183 child request", required: true})
	return s.bindChild(cmd, &f)
}

func (s *session) childUpdate() *cobra.Command {
	var f childFlags
	var wanted resourceFlags
	var file string
	var cmd *cobra.Command
	cmd = s.command("update", "Change the resources or the identity certificate of a child", func(ctx context.Context) error {
		var body api.UpdateChildRequest
		if wanted.given(cmd) {
			set, err := wanted.set()
			if err != nil {
				return err
			}
			body.Resources = &set
		}
		if file != "" {
			request, err := readDocument(file, oob.DecodeChildRequest)
			if err != nil {
				return err
			}
			body.IDCert = request.IDCert
		}
		if body.Resources == nil && body.IDCert == nil {
			return errors.New("nothing to change: give resources or --request")
		}
		return s.tell(ctx, post(f.path(""), body))
	})
	cmd.Long = "Change the resources or the identity certificate of a child.\n\n" +
		"Without --asn, --ipv4 and --ipv6 the resources stay as they are. With any of them the whole set is replaced:\n" +
		"a family that is not mentioned becomes empty."
	wanted.bind(cmd)
	fileFlag(cmd, &file, handleOption{name: "request", short: "r", usage: "`file` with the child's new RFC 8183 child request"})
	return s.bindChild(cmd, &f)
}

func (s *session) childInfo() *cobra.Command {
	var f childFlags
	cmd := s.command("info", "Show a child's identity, resources and state", func(ctx context.Context) error {
		return ask(ctx, s, get(f.path("")), childReport)
	})
	return s.bindChild(cmd, &f)
}

func (s *session) childResponse() *cobra.Command {
	var f childFlags
	cmd := s.command("response", "Print the RFC 8183 parent response for a child", func(ctx context.Context) error {
		return ask(ctx, s, get(f.path("/contact")), document[api.ParentResponse])
	})
	return s.bindChild(cmd, &f)
}

func (s *session) childRemove() *cobra.Command {
	var f childFlags
	cmd := s.command("remove", "Remove a child and revoke its certificates", func(ctx context.Context) error {
		return s.tell(ctx, remove(f.path("")))
	})
	return s.bindChild(cmd, &f)
}

// childSuspend makes the command that suspends a child, or its opposite.
func (s *session) childSuspend(use, short string, suspend bool) *cobra.Command {
	var f childFlags
	cmd := s.command(use, short, func(ctx context.Context) error {
		return s.tell(ctx, post(f.path(""), api.UpdateChildRequest{Suspend: &suspend}))
	})
	return s.bindChild(cmd, &f)
}

// connectionsReport writes lines of comma-separated values (RFC 4180), for a
// child names its software as it likes.
func connectionsReport(r *report, answer api.ChildrenConnectionStats) {
	r.csv("handle", "user_agent", "last_exchange", "result", "state")
	for _, child := range answer.Children {
		agent, last, result := notApplicable, "never", notApplicable
		if x := child.LastExchange; x != nil {
			if x.UserAgent != nil {
				agent = *x.UserAgent
			}
			last, result = unixTime(x.Timestamp), exchangeResult(x.Result)
		}
		r.csv(child.Handle, agent, last, result, child.State)
	}
}

func childReport(r *report, answer api.ChildInfo) {
	r.certificate(answer.IDCert.Base64)
	r.linef("SHA-256: %s", sha256Hex(answer.IDCert.Base64))
	r.linef("resources: %s", answer.EntitledResources)
	r.linef("state: %s", answer.State)
}
