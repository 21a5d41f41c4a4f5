package ctl

import (
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
)

// handle is the value of a flag that names a CA, child, parent or publisher.
type handle string

// String gives the handle.
func (h *handle) String() string { return string(*h) }

// Set takes a handle of the form that RFC 8183 allows.
func (h *handle) Set(text string) error {
	if err := oob.CheckHandle(text); err != nil {
		return err
	}
	*h = handle(text)
	return nil
}

// Type is what help texts call the value.
func (*handle) Type() string { return "handle" }

// segment gives the handle as one segment of a path.
func (h handle) segment() string { return url.PathEscape(string(h)) }

// caFlag defines --ca, which the environment can supply.
func (s *session) caFlag(cmd *cobra.Command, ca *handle) {
	required := ca.Set(s.env.Getenv("BALEEN_CLI_MY_CA")) != nil
	handleFlag(cmd, ca, handleOption{name: "ca", short: "c", usage: "the CA", required: required})
}

type handleOption struct {
	name, short, usage string
	required           bool
}

func handleFlag(cmd *cobra.Command, h *handle, o handleOption) {
	cmd.Flags().VarP(h, o.name, o.short, o.usage)
	if o.required {
		mustRequire(cmd, o.name)
	}
}

// fileFlag defines a flag that names a file to read.
func fileFlag(cmd *cobra.Command, name *string, o handleOption) {
	cmd.Flags().StringVarP(name, o.name, o.short, "", o.usage)
	if o.required {
		mustRequire(cmd, o.name)
	}
}

// mustRequire marks a flag that was just defined; cobra only fails for others.
func mustRequire(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		_ = cmd.MarkFlagRequired(name)
	}
}

// resourceFlags are --asn, --ipv4 and --ipv6.
type resourceFlags struct{ asn, ipv4, ipv6 string }

func (f *resourceFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.asn, "asn", "a", "", "AS numbers, such as `AS64496,AS64500-AS64510`")
	f.bindIP(cmd)
}

// bindIP defines the flags of addresses alone.
func (f *resourceFlags) bindIP(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.ipv4, "ipv4", "4", "", "IPv4 `blocks`, such as 192.0.2.0/24,198.51.100.0-198.51.100.9")
	cmd.Flags().StringVarP(&f.ipv6, "ipv6", "6", "", "IPv6 `blocks`, such as 2001:db8::/32")
}

// given tells whether any of the three was used.
func (f *resourceFlags) given(cmd *cobra.Command) bool {
	return cmd.Flags().Changed("asn") || cmd.Flags().Changed("ipv4") || cmd.Flags().Changed("ipv6")
}

// set gives the resources; a family that was not mentioned is empty.
func (f *resourceFlags) set() (resources.Set, error) {
	as, err := resources.ParseASSet(f.asn)
	if err != nil {
		return resources.Set{}, err
	}
	v4, err := resources.ParseIPSet(f.ipv4, resources.IPv4)
	if err != nil {
		return resources.Set{}, err
	}
	v6, err := resources.ParseIPSet(f.ipv6, resources.IPv6)
	if err != nil {
		return resources.Set{}, err
	}
	return resources.Set{AS: as, V4: v4, V6: v6}, nil
}

// readDocument reads a set-up document of RFC 8183 from a file.
func readDocument[T any](file string, decode func([]byte) (T, error)) (T, error) {
	var nothing T
	text, err := os.ReadFile(file)
	if err != nil {
		return nothing, err
	}
	return decode(text)
}
