package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"baleen/api"
	"baleen/internal/rpki/oob"
)

const taPath = "/api/v1/ta/proxy"

func (s *session) ta() *cobra.Command {
	return group("ta", "Operate a trust anchor", group("proxy", "Operate the online part of a trust anchor",
		s.command("init", "Make the online part of a trust anchor", func(ctx context.Context) error {
			return s.tell(ctx, post(taPath+"/init", nil))
		}),
		s.command("id", "Show the identity that the signer must know; -f json gives the file for it", func(ctx context.Context) error {
			return ask(ctx, s, get(taPath+"/id"), identityReport)
		}),
		s.taRepo(), s.taSigner(), s.taChildren(),
	))
}

func (s *session) taRepo() *cobra.Command {
	var file string
	configure := s.command("configure", "Say where the trust anchor publishes, once and for all", func(ctx context.Context) error {
		response, err := readDocument(file, oob.DecodeRepositoryResponse)
		if err != nil {
			return err
		}
		return s.tell(ctx, post(taPath+"/repo", api.RepositoryUpdate{RepositoryResponse: response}))
	})
	fileFlag(configure, &file, handleOption{name: "response", short: "r", usage: "`file` with the RFC 8183 repository response", required: true})
	return group("repo", "Manage where the trust anchor publishes",
		s.command("request", "Print the RFC 8183 publisher request to give to a repository", func(ctx context.Context) error {
			return ask(ctx, s, get(taPath+"/repo/request.json"), document[api.PublisherRequest])
		}),
		s.command("contact", "Show the repository; -f json gives the file for the signer", func(ctx context.Context) error {
			return ask(ctx, s, get(taPath+"/repo"), contactReport)
		}),
		configure,
	)
}

func (s *session) taSigner() *cobra.Command {
	return group("signer", "Exchange files with the trust anchor's signer",
		s.command("show", "Show what is known of the signer; -f json gives the file for a signer that lacks exchanges", func(ctx context.Context) error {
			return ask(ctx, s, get(taPath+"/signer"), taSignerReport)
		}),
		s.taFile("init", "Tie the trust anchor to its signer", taFlag{"info", "i", "`file` that the signer wrote about itself", "/signer/add"}),
		s.taFile("update", "Take over what changed at the signer outside an exchange", taFlag{"info", "i", "`file` that the signer wrote about itself", "/signer/update"}),
		s.command("make-request", "Make a request for the signer of all that the children ask for", func(ctx context.Context) error {
			return ask(ctx, s, post(taPath+"/signer/request", nil), taRequestReport)
		}),
		s.command("show-request", "Show the open request; -f json gives the file for the signer", func(ctx context.Context) error {
			return ask(ctx, s, get(taPath+"/signer/request"), taRequestReport)
		}),
		s.taFile("process-response", "Take in the signer's answer to the open request", taFlag{"response", "r", "`file` with the signer's answer", "/signer/response"}),
	)
}

// taFlag is the flag of a file for a path of the API.
type taFlag struct{ name, short, usage, path string }

// taFile makes a command that sends a file of the signer as it is.
func (s *session) taFile(use, short string, f taFlag) *cobra.Command {
	var name string
	cmd := s.command(use, short, func(ctx context.Context) error {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if !json.Valid(text) {
			return fmt.Errorf("%s is not JSON", name)
		}
		return s.tell(ctx, post(taPath+f.path, json.RawMessage(text)))
	})
	fileFlag(cmd, &name, handleOption{name: f.name, short: f.short, usage: f.usage, required: true})
	return cmd
}

func (s *session) taChildren() *cobra.Command {
	return group("children", "Manage the children of the trust anchor",
		s.taChildAdd(), s.taChildList(), s.taChildUpdate(),
		s.taChild("remove", "Remove a child; the next exchange revokes what it holds", func(ctx context.Context, child handle) error {
			return s.tell(ctx, remove(child.taPath("")))
		}),
		s.taChild("response", "Print the RFC 8183 parent response for a child", func(ctx context.Context, child handle) error {
			return ask(ctx, s, get(child.taPath("/parent_response.json")), document[api.ParentResponse])
		}),
	)
}

func (h handle) taPath(rest string) string { return taPath + "/children/" + h.segment() + rest }

// taChild makes a command about one child.
func (s *session) taChild(use, short string, run func(ctx context.Context, child handle) error) *cobra.Command {
	var child handle
	cmd := s.command(use, short, func(ctx context.Context) error { return run(ctx, child) })
	handleFlag(cmd, &child, handleOption{name: "child", usage: "the child", required: true})
	return cmd
}

func (s *session) taChildAdd() *cobra.Command {
	var wanted resourceFlags
	var info, request string
	var child handle
	cmd := s.command("add", "Add a child and print the parent response for it", func(ctx context.Context) error {
		body, err := childToAdd(info, request, child)
		if err != nil {
			return err
		}
		if body.Resources, err = wanted.set(); err != nil {
			return err
		}
		return ask(ctx, s, post(taPath+"/children", body), document[api.ParentResponse])
	})
	cmd.Long = "Add a child and print the parent response for it.\n\n" +
		"A CA of this server is described by what 'baleenctl -f json show' prints (--info), any CA by its RFC 8183 child\n" +
		"request (--request). Unless resources are given the child may have all."
	wanted.bind(cmd)
	wanted.asn, wanted.ipv4, wanted.ipv6 = "AS0-AS4294967295", "0.0.0.0/0", "::/0"
	fileFlag(cmd, &info, handleOption{name: "info", short: "i", usage: "`file` with the JSON of 'show' for a CA of this server"})
	fileFlag(cmd, &request, handleOption{name: "request", short: "r", usage: "`file` with the child's RFC 8183 child request"})
	handleFlag(cmd, &child, handleOption{name: "child", usage: "another name for it than the file has"})
	return cmd
}

// childToAdd reads who the child is from one of two files.
func childToAdd(info, request string, child handle) (api.AddChildRequest, error) {
	var body api.AddChildRequest
	switch {
	case (info == "") == (request == ""):
		return body, errors.New("give either --info or --request")
	case request != "":
		r, err := readDocument(request, oob.DecodeChildRequest)
		if err != nil {
			return body, err
		}
		body.Handle, body.IDCert = r.ChildHandle, r.IDCert
	default:
		ca, err := readDocument(info, func(text []byte) (ca api.CAInfo, err error) { return ca, json.Unmarshal(text, &ca) })
		if err != nil {
			return body, fmt.Errorf("%s: %w", info, err)
		}
		body.Handle, body.IDCert = ca.Handle, ca.IDCert.Base64
	}
	if child != "" {
		body.Handle = string(child)
	}
	return body, nil
}

func (s *session) taChildList() *cobra.Command {
	return s.command("list", "List the children, with what they hold and what waits for the signer", func(ctx context.Context) error {
		return ask(ctx, s, get(taPath+"/children"), taChildrenReport)
	})
}

func (s *session) taChildUpdate() *cobra.Command {
	var wanted resourceFlags
	var request string
	var child handle
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
		if request != "" {
			r, err := readDocument(request, oob.DecodeChildRequest)
			if err != nil {
				return err
			}
			body.IDCert = r.IDCert
		}
		if body.Resources == nil && body.IDCert == nil {
			return errors.New("nothing to change: give resources or --request")
		}
		return s.tell(ctx, post(child.taPath(""), body))
	})
	cmd.Long = "Change the resources or the identity certificate of a child.\n\n" +
		"Without --asn, --ipv4 and --ipv6 the resources stay as they are. With any of them the whole set is replaced.\n" +
		"Fewer resources are asked of the signer with the next request, more when the child asks."
	wanted.bind(cmd)
	fileFlag(cmd, &request, handleOption{name: "request", short: "r", usage: "`file` with the child's new RFC 8183 child request"})
	handleFlag(cmd, &child, handleOption{name: "child", usage: "the child", required: true})
	return cmd
}
