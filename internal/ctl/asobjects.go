package ctl

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"baleen/api"
	"baleen/internal/rpki/cert"
)

// asNumber is the value of a flag that names an AS: 64496 or AS64496.
type asNumber uint32

// String gives the text form.
func (n *asNumber) String() string { return api.ASText(uint32(*n)) }

// Set takes either form.
func (n *asNumber) Set(text string) error {
	as, err := parseAS(text)
	*n = asNumber(as)
	return err
}

// Type is what help texts call the value.
func (*asNumber) Type() string { return "ASN" }

// asFlag defines a flag that names an AS.
func asFlag(cmd *cobra.Command, as *asNumber, name, short, usage string) {
	cmd.Flags().VarP(as, name, short, usage)
	cmd.Flags().Lookup(name).DefValue = "" // AS0 is no default
	mustRequire(cmd, name)
}

func parseAS(text string) (uint32, error) {
	number := strings.TrimSpace(text)
	if len(number) > 2 && strings.EqualFold(number[:2], "AS") {
		number = number[2:]
	}
	n, err := parseDecimal(number, 32)
	if err != nil {
		return 0, fmt.Errorf("AS number %w", err)
	}
	return uint32(n), nil // parsed as 32 bits
}

func parseASList(texts []string) ([]uint32, error) {
	out := make([]uint32, len(texts))
	for i, text := range texts {
		as, err := parseAS(text)
		if err != nil {
			return nil, err
		}
		out[i] = as
	}
	return out, nil
}

// parseASPA reads CUSTOMER => PROVIDER, PROVIDER. Space around each part is
// passed over, "AS" may stand before a number.
func parseASPA(text string) (api.ASPADefinition, error) {
	var d api.ASPADefinition
	customer, providers, ok := strings.Cut(text, "=>")
	if !ok {
		return d, fmt.Errorf("%q is not an ASPA of the form ASN => ASN, ASN", text)
	}
	var err error
	if d.Customer, err = parseAS(customer); err == nil && strings.TrimSpace(providers) != "" {
		d.Providers, err = parseASList(strings.Split(providers, ","))
	}
	switch {
	case err != nil:
		return d, fmt.Errorf("ASPA %q: %w", text, err)
	case len(d.Providers) == 0:
		return d, fmt.Errorf("ASPA %q: there must be at least one provider", text)
	case slices.Contains(d.Providers, d.Customer):
		return d, fmt.Errorf("ASPA %q: the customer cannot be one of its providers", text)
	}
	return d, nil
}

func (s *session) aspas() *cobra.Command {
	return group("aspas", "Manage the ASPAs of a CA: which ASes are the providers of its own",
		s.caDocument("list", "List the configured ASPAs", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/aspas")), aspasReport)
		}),
		s.aspaAdd(), s.aspaRemove(), s.aspaUpdate(), s.aspaApply(), s.export("Write the configured ASPAs as CSV", "/aspas"),
	)
}

func aspasReport(r *report, answer []api.ASPADefinition) {
	for _, d := range answer {
		r.line(d.String())
	}
	if len(answer) == 0 {
		r.line(none)
	}
}

func (s *session) aspaAdd() *cobra.Command {
	var ca handle
	var text string
	cmd := s.command("add", "Add an ASPA, or replace the one of the same customer", func(ctx context.Context) error {
		d, err := parseASPA(text)
		if err != nil {
			return err
		}
		return s.tell(ctx, post(ca.path("/aspas"), api.ASPADefinitionUpdates{AddOrReplace: []api.ASPADefinition{d}, Remove: []uint32{}}))
	})
	cmd.Example = `  baleenctl aspas add --ca ca1 --aspa "AS64496 => AS64497, AS64498"`
	s.caFlag(cmd, &ca)
	cmd.Flags().StringVar(&text, "aspa", "", "`ASPA`: the customer, =>, and its providers")
	mustRequire(cmd, "aspa")
	return cmd
}

func (s *session) aspaRemove() *cobra.Command {
	var ca handle
	var customer asNumber
	cmd := s.command("remove", "Remove the ASPA of a customer", func(ctx context.Context) error {
		return s.tell(ctx, post(ca.path("/aspas"), api.ASPADefinitionUpdates{AddOrReplace: []api.ASPADefinition{}, Remove: []uint32{uint32(customer)}}))
	})
	s.caFlag(cmd, &ca)
	asFlag(cmd, &customer, "customer", "", "the customer AS")
	return cmd
}

func (s *session) aspaUpdate() *cobra.Command {
	var ca handle
	var customer asNumber
	var add, remove []string
	cmd := s.command("update", "Add and remove providers of a customer", func(ctx context.Context) error {
		added, err := parseASList(add)
		if err != nil {
			return err
		}
		removed, err := parseASList(remove)
		if err != nil {
			return err
		}
		if len(added)+len(removed) == 0 {
			return errors.New("nothing to change: give --add or --remove")
		}
		return s.tell(ctx, post(ca.path("/aspas/as/"+customer.String()), api.ASPAProvidersUpdate{Added: added, Removed: removed}))
	})
	cmd.Long = "Add and remove providers of a customer. An ASPA that is not there is made; one that has no provider left is removed."
	cmd.Example = `  baleenctl aspas update --ca ca1 --customer AS64496 --add AS64499 --remove AS64497`
	s.caFlag(cmd, &ca)
	asFlag(cmd, &customer, "customer", "", "the customer AS")
	cmd.Flags().StringArrayVar(&add, "add", nil, "provider `ASN` to add (repeatable)")
	cmd.Flags().StringArrayVar(&remove, "remove", nil, "provider `ASN` to remove (repeatable)")
	return cmd
}

func (s *session) bgpsec() *cobra.Command {
	return group("bgpsec", "Manage the keys of BGPsec routers",
		s.caDocument("list", "List the configured router keys", func(ctx context.Context, ca handle) error {
			return ask(ctx, s, get(ca.path("/bgpsec")), bgpsecReport)
		}),
		s.routerAdd(), s.routerRemove(),
	)
}

func bgpsecReport(r *report, answer []api.RouterKey) {
	r.line("ASN, key identifier, CSR base64")
	for _, k := range answer {
		r.linef("%s, %s, %s", api.ASText(k.ASN), k.KeyIdentifier, base64.StdEncoding.EncodeToString(k.CSR))
	}
}

func (s *session) routerAdd() *cobra.Command {
	var ca handle
	var as asNumber
	var file string
	cmd := s.command("add", "Add the key of a router", func(ctx context.Context) error {
		csr, err := readCSR(file)
		if err != nil {
			return err
		}
		return s.tell(ctx, post(ca.path("/bgpsec"), api.RouterKeyUpdates{Add: []api.RouterCSR{{ASN: uint32(as), CSR: csr}}, Remove: []string{}}))
	})
	cmd.Long = "Add the key of a router. The file is the router's certification request (RFC 8209), in DER or PEM; its signature is checked."
	s.caFlag(cmd, &ca)
	asFlag(cmd, &as, "asn", "a", "the AS of the router")
	fileFlag(cmd, &file, handleOption{name: "csr", usage: "`file` with the router's certification request", required: true})
	return cmd
}

// readCSR reads the request of a router, and checks its signature.
func readCSR(file string) ([]byte, error) {
	der, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(der); block != nil && bytes.HasPrefix(bytes.TrimSpace(der), []byte("-----BEGIN")) {
		der = block.Bytes
	}
	req, err := cert.DecodeRouterRequest(der)
	if err == nil {
		err = req.CheckSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return der, nil
}

func (s *session) routerRemove() *cobra.Command {
	var ca handle
	var as asNumber
	var key string
	cmd := s.command("remove", "Remove the key of a router", func(ctx context.Context) error {
		id, err := cert.ParseKeyID(key)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("ROUTER-%08X-%s", uint32(as), id)
		return s.tell(ctx, post(ca.path("/bgpsec"), api.RouterKeyUpdates{Add: []api.RouterCSR{}, Remove: []string{name}}))
	})
	s.caFlag(cmd, &ca)
	asFlag(cmd, &as, "asn", "a", "the AS of the router")
	cmd.Flags().StringVar(&key, "key", "", "`identifier` of the key, as the list has it")
	mustRequire(cmd, "key")
	return cmd
}
