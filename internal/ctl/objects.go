package ctl

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"baleen/api"
	"baleen/internal/rpki/gbr"
	"baleen/internal/rpki/rsc"
)

func (s *session) ghostbusters() *cobra.Command {
	return group("ghostbusters", "Manage the Ghostbusters records of a CA: whom to call about it (RFC 6493)",
		s.caDocument("list", "List the configured records", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/ghostbusters")), ghostbustersReport)
		}),
		s.ghostbustersAdd(), s.ghostbustersRemove(),
	)
}

func ghostbustersReport(r *report, answer []api.GhostbustersRecord) {
	for _, g := range answer {
		r.line(g.Name)
		for _, p := range g.Contact.Card() {
			r.line("  " + p.String())
		}
	}
	if len(answer) == 0 {
		r.line(none)
	}
}

func (s *session) ghostbustersAdd() *cobra.Command {
	var ca handle
	var g api.GhostbustersRecord
	var adr gbr.Address
	cmd := s.command("add", "Add a record, or replace the one of that name", func(ctx context.Context) error {
		if adr != (gbr.Address{}) {
			g.Contact.Adr = &adr
		}
		if _, err := g.Contact.Encode(); err != nil {
			return err
		}
		return s.tell(ctx, post(ca.path("/ghostbusters"), api.GhostbustersUpdates{Add: []api.GhostbustersRecord{g}, Remove: []string{}}))
	})
	cmd.Long = "Add a Ghostbusters record, or replace the one of that name. The world can read it: one or more of an address, a\n" +
		"telephone or fax number and an email address must be given."
	cmd.Example = `  baleenctl ghostbusters add --ca ca1 --name noc --fn "Network Operations" --email noc@example.net --tel tel:+1-666-555-1212`
	s.caFlag(cmd, &ca)
	f := cmd.Flags()
	f.StringVar(&g.Name, "name", "", "`name` of the record, and of its file")
	f.StringVar(&g.Contact.FN, "fn", "", "the person or role")
	f.StringVar(&g.Contact.Org, "org", "", "the organization")
	f.StringArrayVar(&g.Contact.Tel, "tel", nil, "telephone `number`, or a tel: URI (repeatable)")
	f.StringArrayVar(&g.Contact.Fax, "fax", nil, "fax `number`, or a tel: URI (repeatable)")
	f.StringArrayVar(&g.Contact.Email, "email", nil, "email `address` (repeatable)")
	f.StringVar(&adr.Street, "street", "", "of the postal address")
	f.StringVar(&adr.Locality, "locality", "", "city of the postal address")
	f.StringVar(&adr.Region, "region", "", "of the postal address")
	f.StringVar(&adr.Code, "postal-code", "", "of the postal address")
	f.StringVar(&adr.Country, "country", "", "of the postal address")
	mustRequire(cmd, "name", "fn")
	return cmd
}

func (s *session) ghostbustersRemove() *cobra.Command {
	var ca handle
	var names []string
	cmd := s.command("remove", "Remove records", func(ctx context.Context) error {
		return s.tell(ctx, post(ca.path("/ghostbusters"), api.GhostbustersUpdates{Add: []api.GhostbustersRecord{}, Remove: names}))
	})
	s.caFlag(cmd, &ca)
	cmd.Flags().StringArrayVar(&names, "name", nil, "`name` of the record (repeatable)")
	mustRequire(cmd, "name")
	return cmd
}

func (s *session) rsc() *cobra.Command {
	return group("rsc", "Sign checklists of files with the resources of a CA (RFC 9323)",
		s.rscSign(),
		s.caDocument("list", "List the signed checklists that are neither expired nor revoked", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/rscs")), checklistsReport)
		}),
		s.rscGet(), s.rscRevoke(),
	)
}

func checklistsReport(r *report, answer []api.Checklist) {
	for _, c := range answer {
		checklistReport(r, c)
	}
	if len(answer) == 0 {
		r.line(none)
	}
}

func checklistReport(r *report, c api.Checklist) {
	r.line("Serial: " + c.Serial)
	r.resources("  ", c.Resources)
	r.linef("  Valid: %s to %s", c.Validity.NotBefore, c.Validity.NotAfter)
	for _, f := range c.Files {
		r.line("  " + f.Hash + "  " + orNone(f.Name))
	}
}

func (s *session) rscSign() *cobra.Command {
	var ca handle
	var held resourceFlags
	var days int
	var nameless bool
	var out string
	cmd := s.command("sign", "Sign a checklist of files and write it to a file", nil)
	cmd.Use, cmd.Args = "sign FILE…", cobra.MinimumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		set, err := held.set()
		if err != nil {
			return err
		}
		body := api.ChecklistRequest{Resources: set, NotAfter: api.Time{Time: time.Now().Add(time.Duration(days) * 24 * time.Hour).UTC().Truncate(time.Second)}}
		switch body.Files, err = digests(files, nameless); {
		case err != nil:
			return err
		case set.IsEmpty():
			return errors.New("no resources: give --asn, --ipv4 or --ipv6")
		case days < 1:
			return errors.New("--days must be at least 1")
		}
		return s.sign(cmd.Context(), post(ca.path("/rscs"), body), out)
	}
	cmd.Long = "Sign a checklist: the SHA-256 digests of files, with resources of a CA. The files stay here; what is written is the\n" +
		"object to hand out with them. It is published nowhere."
	cmd.Example = `  baleenctl rsc sign --ca ca1 --asn AS64496 --ipv4 192.0.2.0/24 --days 30 --out letter.sig letter.pdf`
	s.caFlag(cmd, &ca)
	held.bind(cmd)
	cmd.Flags().IntVar(&days, "days", 30, "`days` for which it is valid")
	cmd.Flags().BoolVar(&nameless, "no-names", false, "leave the names of the files out")
	cmd.Flags().StringVarP(&out, "out", "o", "", "`file` to write the checklist to")
	mustRequire(cmd, "out")
	return cmd
}

// sign has a checklist signed and writes the object.
func (s *session) sign(ctx context.Context, q call, out string) error {
	if s.opt.api {
		return s.printCall(q)
	}
	var made api.SignedChecklist
	raw, err := s.client.fetch(ctx, q, &made)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, made.Base64, 0o644); err != nil {
		return fmt.Errorf("checklist %s was signed, and is not written: %w", made.Serial, err)
	}
	switch s.opt.format {
	case formatNone:
		return nil
	case formatJSON:
		return s.printJSON(raw)
	}
	var r report
	checklistReport(&r, made.Checklist)
	r.line("Written to " + out)
	return s.print(r.b.Bytes())
}

// digests reads files, and names them as in their folders.
func digests(files []string, nameless bool) ([]api.ChecklistFile, error) {
	out := make([]api.ChecklistFile, len(files))
	for i, file := range files {
		hash, err := digest(file)
		if err != nil {
			return nil, err
		}
		out[i].Hash = hash
		if nameless {
			continue
		}
		if out[i].Name = filepath.Base(file); !rsc.IsPortable(out[i].Name) {
			return nil, fmt.Errorf("%s: a checklist can only name files by letters, digits, periods, underscores and hyphens: rename it, or give --no-names", file)
		}
	}
	return out, nil
}

func digest(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (s *session) rscGet() *cobra.Command {
	var ca handle
	var serial, out string
	cmd := s.command("get", "Write a checklist that was signed to a file", func(ctx context.Context) error {
		q := get(ca.path("/rscs/" + serial))
		if s.opt.api {
			return s.printCall(q)
		}
		der, err := s.client.do(ctx, q)
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, der, 0o644); err != nil {
			return err
		}
		return s.done()
	})
	s.caFlag(cmd, &ca)
	serialFlag(cmd, &serial)
	cmd.Flags().StringVarP(&out, "out", "o", "", "`file` to write the checklist to")
	mustRequire(cmd, "out")
	return cmd
}

func (s *session) rscRevoke() *cobra.Command {
	var ca handle
	var serial string
	cmd := s.command("revoke", "Revoke a checklist: it is on the CA's next CRL", func(ctx context.Context) error {
		return s.tell(ctx, remove(ca.path("/rscs/"+serial)))
	})
	s.caFlag(cmd, &ca)
	serialFlag(cmd, &serial)
	return cmd
}

// serialNumber is the value of a flag that names a checklist.
type serialNumber struct{ to *string }

// String gives the number.
func (n serialNumber) String() string {
	if n.to == nil {
		return ""
	}
	return *n.to
}

// Set takes a decimal number.
func (n serialNumber) Set(text string) error {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return fmt.Errorf("%q is not a decimal number", text)
	}
	*n.to = text
	return nil
}

// Type is what help texts call the value.
func (serialNumber) Type() string { return "number" }

func serialFlag(cmd *cobra.Command, serial *string) {
	cmd.Flags().Var(serialNumber{serial}, "serial", "serial `number`, as the list has it")
	mustRequire(cmd, "serial")
}
