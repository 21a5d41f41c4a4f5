package ctl

import (
	"context"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"baleen/api"
)

const casPath = "/api/v1/cas"

// path gives a path below a CA.
func (h handle) path(rest string) string { return casPath + "/" + h.segment() + rest }

func get(path string) call { return call{method: http.MethodGet, path: path} }

func post(path string, body any) call { return call{method: http.MethodPost, path: path, body: body} }

func remove(path string) call { return call{method: http.MethodDelete, path: path} }

func (s *session) health() *cobra.Command {
	return s.command("health", "Tell whether the server takes calls and the token", func(ctx context.Context) error {
		return s.tell(ctx, get("/api/v1/authorized"))
	})
}

func (s *session) info() *cobra.Command {
	return s.command("info", "Show the server's version and when it was started", func(ctx context.Context) error {
		return ask(ctx, s, get("/stats/info"), func(r *report, answer api.ServerInfo) {
			r.linef("Version: %s", answer.Version)
			r.linef("Started: %s", unixTime(answer.Started))
		})
	})
}

func (s *session) list() *cobra.Command {
	return s.command("list", "List the CAs", func(ctx context.Context) error {
		return ask(ctx, s, get(casPath), func(r *report, answer api.CAList) {
			for _, ca := range answer.CAs {
				r.line(ca.Handle)
			}
		})
	})
}

func (s *session) show() *cobra.Command {
	var ca handle
	cmd := s.command("show", "Show a CA: identity, repository, parents, resources, keys and children", func(ctx context.Context) error {
		return ask(ctx, s, get(ca.path("")), caReport)
	})
	s.caFlag(cmd, &ca)
	return cmd
}

func (s *session) add() *cobra.Command {
	var ca handle
	cmd := s.command("add", "Create a CA", func(ctx context.Context) error {
		return s.tell(ctx, post(casPath, api.Handle{Handle: string(ca)}))
	})
	s.caFlag(cmd, &ca)
	return cmd
}

func (s *session) deleteCA() *cobra.Command {
	cmd := s.caDocument("delete", "Delete a CA: its certificates are revoked and its objects withdrawn", func(ctx context.Context, ca handle) error {
		return s.tell(ctx, remove(ca.path("")))
	})
	cmd.Long = "Delete a CA. Its parents are asked to revoke its certificates, its objects are withdrawn, and its keys are destroyed.\n" +
		"There is no way back. Its children and its entry at the publication server stay."
	return cmd
}

func (s *session) keyroll() *cobra.Command {
	return group("keyroll", "Roll the keys of a CA",
		s.caDocument("init", "Give each class a new key and ask for a certificate for it", func(ctx context.Context, ca handle) error {
			return s.tell(ctx, post(ca.path("/keys/roll_init"), nil))
		}),
		s.caDocument("activate", "Let the new keys follow the current ones", func(ctx context.Context, ca handle) error {
			return s.tell(ctx, post(ca.path("/keys/roll_activate"), nil))
		}),
	)
}

func (s *session) identity() *cobra.Command {
	renew := s.caDocument("update", "Give a CA a new identity key and certificate", func(ctx context.Context, ca handle) error {
		return s.tell(ctx, post(ca.path("/id"), nil))
	})
	renew.Long = "Give a CA a new identity key and certificate, in place of the old.\n\n" +
		"Parents, children and repositories on other servers refuse the CA until they have its new child request,\n" +
		"parent response or publisher request."
	return group("id", "Manage the identity of a CA", renew)
}

func (s *session) issues() *cobra.Command {
	var ca handle
	cmd := s.command("issues", "Show failed exchanges with parents and repositories, of one CA or of all", func(ctx context.Context) error {
		if ca == "" {
			return ask(ctx, s, get("/api/v1/bulk/cas/issues"), allIssuesReport)
		}
		return ask(ctx, s, get(ca.path("/issues")), issuesReport)
	})
	handleFlag(cmd, &ca, handleOption{name: "ca", short: "c", usage: "only this CA"})
	return cmd
}

func (s *session) tasks() *cobra.Command {
	cmd := s.command("tasks", "Show the work that waits, runs or fails in the background", func(ctx context.Context) error {
		return ask(ctx, s, get("/api/v1/tasks"), tasksReport)
	})
	cmd.AddCommand(s.tasksRetry())
	return cmd
}

func (s *session) tasksRetry() *cobra.Command {
	var kind, key string
	cmd := s.command("retry", "Run a task now that waits, backs off or is parked", func(ctx context.Context) error {
		return s.tell(ctx, post("/api/v1/tasks/"+url.PathEscape(kind)+"/retry?key="+url.QueryEscape(key), nil))
	})
	cmd.Flags().StringVar(&kind, "kind", "", "the `kind` of the task, such as ca_publish")
	cmd.Flags().StringVar(&key, "key", "", "the `key` of the task, such as the handle of a CA")
	mustRequire(cmd, "kind", "key")
	return cmd
}

func (s *session) bulk() *cobra.Command {
	each := func(use, short, path string) *cobra.Command {
		return s.command(use, short, func(ctx context.Context) error { return s.tell(ctx, post("/api/v1/bulk/cas/"+path, nil)) })
	}
	return group("bulk", "Do something for all CAs",
		each("refresh", "Ask all parents for certificates", "sync/parent"),
		each("publish", "Re-issue the manifests and CRLs that are due", "publish"),
		each("sync", "Compare all repositories with what is to be published", "sync/repo"),
		each("suspend", "Suspend the children that have been silent for too long", "suspend"),
		each("force-reissue", "Sign again all that the CAs issued", "force_reissue"),
		s.bulkImport(), s.bulkImports(), s.bulkAbandon(),
	)
}
