package ctl

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"baleen/api"
	"baleen/internal/rpki/oob"
)

const publishersPath = "/api/v1/pubd/publishers"

func (s *session) pubserver() *cobra.Command {
	return group("pubserver", "Manage the publication server",
		group("publishers", "Manage who may publish",
			s.publisherList(),
			s.publisherAdd(),
			s.publisher("response", "Print the RFC 8183 repository response for a publisher", func(ctx context.Context, p handle) error {
				return ask(ctx, s, get(p.publisherPath("/response.json")), document[api.RepositoryResponse])
			}),
			s.publisher("show", "Show a publisher and what it publishes", func(ctx context.Context, p handle) error {
				return ask(ctx, s, get(p.publisherPath("")), publisherReport)
			}),
			s.publisher("remove", "Remove a publisher and all that it publishes", func(ctx context.Context, p handle) error {
				return s.tell(ctx, remove(p.publisherPath("")))
			}),
		),
		group("server", "Manage the server itself", s.serverInit(), s.serverStats(), s.sessionReset(), s.serverClear()),
		s.pubserverDelete(),
	)
}

func (h handle) publisherPath(rest string) string { return publishersPath + "/" + h.segment() + rest }

// publisher makes a command about one publisher.
func (s *session) publisher(use, short string, run func(ctx context.Context, publisher handle) error) *cobra.Command {
	var p handle
	cmd := s.command(use, short, func(ctx context.Context) error { return run(ctx, p) })
	handleFlag(cmd, &p, handleOption{name: "publisher", short: "p", usage: "the publisher", required: true})
	return cmd
}

func (s *session) publisherList() *cobra.Command {
	return s.command("list", "List the publishers", func(ctx context.Context) error {
		return ask(ctx, s, get(publishersPath), func(r *report, answer api.PublisherList) {
			names := make([]string, 0, len(answer.Publishers))
			for _, p := range answer.Publishers {
				names = append(names, p.Handle)
			}
			r.linef("Publishers: %s", strings.Join(names, ", "))
		})
	})
}

func (s *session) publisherAdd() *cobra.Command {
	var p handle
	var file string
	cmd := s.command("add", "Add a publisher and print the repository response for it", func(ctx context.Context) error {
		request, err := readDocument(file, oob.DecodePublisherRequest)
		if err != nil {
			return err
		}
		if p != "" {
			request.PublisherHandle = string(p)
		}
		return ask(ctx, s, post(publishersPath, request), document[api.RepositoryResponse])
	})
	handleFlag(cmd, &p, handleOption{name: "publisher", short: "p", usage: "another name for it than the request has"})
	fileFlag(cmd, &file, handleOption{name: "request", usage: "`file` with the RFC 8183 publisher request", required: true})
	return cmd
}

func (s *session) serverInit() *cobra.Command {
	var uris api.PublicationServerURIs
	cmd := s.command("init", "Open the publication server", func(ctx context.Context) error {
		uris.RRDPBaseURI, uris.RsyncJail = withSlash(uris.RRDPBaseURI), withSlash(uris.RsyncJail)
		return s.tell(ctx, post("/api/v1/pubd/init", uris))
	})
	cmd.Flags().StringVar(&uris.RRDPBaseURI, "rrdp", "", "https `URI` under which relying parties find RRDP files")
	cmd.Flags().StringVar(&uris.RsyncJail, "rsync", "", "rsync `URI` under which relying parties find objects")
	mustRequire(cmd, "rrdp", "rsync")
	return cmd
}

func (s *session) serverStats() *cobra.Command {
	return s.command("stats", "Show where the repository is and how much is in it", func(ctx context.Context) error {
		return ask(ctx, s, get("/stats/repo"), statsReport)
	})
}

func (s *session) sessionReset() *cobra.Command {
	return s.command("session-reset", "Start a new RRDP session", func(ctx context.Context) error {
		return s.tell(ctx, post("/api/v1/pubd/session_reset", nil))
	})
}

func withSlash(uri string) string { return strings.TrimSuffix(uri, "/") + "/" }
