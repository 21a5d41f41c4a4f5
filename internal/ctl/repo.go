package ctl

import (
	"context"

	"github.com/spf13/cobra"

	"baleen/api"
	"baleen/internal/rpki/oob"
)

func (s *session) repo() *cobra.Command {
	return group("repo", "Manage where a CA publishes",
		s.caDocument("request", "Print the RFC 8183 publisher request to give to a repository", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/id/publisher_request.json")), document[api.PublisherRequest])
		}),
		s.caDocument("show", "Show the repository of a CA", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/repo")), repoReport)
		}),
		s.caDocument("status", "Show the last exchange with the repository", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/repo/status")), repoStatusReport)
		}),
		s.repoConfigure(),
	)
}

func (s *session) repoConfigure() *cobra.Command {
	var ca handle
	var file string
	cmd := s.command("configure", "Let a CA publish in a repository, or move it to another one", func(ctx context.Context) error {
		response, err := readDocument(file, oob.DecodeRepositoryResponse)
		if err != nil {
			return err
		}
		return s.tell(ctx, post(ca.path("/repo"), api.RepositoryUpdate{RepositoryResponse: response}))
	})
	cmd.Long = "Let a CA publish in a repository, or move it to another one.\n\n" +
		"Moving is a key roll: new keys publish at the new repository. When they have their certificates, 'keyroll activate'\n" +
		"moves everything; the old repository is emptied when the old keys are revoked."
	s.caFlag(cmd, &ca)
	fileFlag(cmd, &file, handleOption{name: "response", short: "r", usage: "`file` with the RFC 8183 repository response", required: true})
	return cmd
}
