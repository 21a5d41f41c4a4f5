package ctl

import (
	"context"

	"github.com/spf13/cobra"

	"baleen/api"
	"baleen/internal/rpki/oob"
)

func (s *session) parents() *cobra.Command {
	return group("parents", "Manage the parents of a CA",
		s.caDocument("request", "Print the RFC 8183 child request to give to a parent", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/id/child_request.json")), document[api.ChildRequest])
		}),
		s.parentAdd(),
		s.parentContact(),
		s.caDocument("statuses", "Show the last exchange with each parent and what it entitles to", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/parents")), parentStatusesReport)
		}),
		s.caDocument("refresh", "Ask the parents of a CA for certificates now", func(ctx context.Context, ca handle) error {
			return s.tell(ctx, post(ca.path("/sync/parents"), nil))
		}),
		s.parentRemove(),
	)
}

// caDocument makes a command that takes nothing but a CA.
func (s *session) caDocument(use, short string, run func(ctx context.Context, ca handle) error) *cobra.Command {
	var ca handle
	cmd := s.command(use, short, func(ctx context.Context) error { return run(ctx, ca) })
	s.caFlag(cmd, &ca)
	return cmd
}

func (s *session) parentAdd() *cobra.Command {
	var ca, parent handle
	var file string
	cmd := s.command("add", "Add a parent, or change how it is reached", func(ctx context.Context) error {
		response, err := readDocument(file, oob.DecodeParentResponse)
		if err != nil {
			return err
		}
		return s.tell(ctx, post(ca.path("/parents"), api.ParentRequest{Handle: string(parent), Response: response}))
	})
	s.caFlag(cmd, &ca)
	handleFlag(cmd, &parent, handleOption{name: "parent", usage: "the name by which this CA calls the parent", required: true})
	fileFlag(cmd, &file, handleOption{name: "response", short: "r", usage: "`file` with the parent's RFC 8183 parent response", required: true})
	return cmd
}

func (s *session) parentContact() *cobra.Command {
	var ca, parent handle
	cmd := s.command("contact", "Show how a parent is reached", func(ctx context.Context) error {
		return ask(ctx, s, get(ca.path("/parents/"+parent.segment())), parentContactReport)
	})
	s.caFlag(cmd, &ca)
	handleFlag(cmd, &parent, handleOption{name: "parent", usage: "the name by which this CA calls the parent", required: true})
	return cmd
}

func (s *session) parentRemove() *cobra.Command {
	var ca, parent handle
	cmd := s.command("remove", "Remove a parent, with all that was issued under it", func(ctx context.Context) error {
		return s.tell(ctx, remove(ca.path("/parents/"+parent.segment())))
	})
	s.caFlag(cmd, &ca)
	handleFlag(cmd, &parent, handleOption{name: "parent", usage: "the name by which this CA calls the parent", required: true})
	return cmd
}
