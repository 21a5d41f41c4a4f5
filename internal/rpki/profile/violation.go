// Package profile checks RPKI objects against the profiles of their RFCs, rule by
// rule: every broken rule is reported with the RFC and section that states it.
package profile

import (
	"errors"
	"fmt"
)

// Violation is one rule that an object breaks.
type Violation struct {
	RFC     string // such as "RFC 6487"
	Section string // such as "4.8.4"
	Rule    string // what the section demands or what was found instead
}

// String gives the violation on one line, such as "RFC 6487 section 4.1: version must be 3".
func (v Violation) String() string {
	return fmt.Sprintf("%s section %s: %s", v.RFC, v.Section, v.Rule)
}

// Error makes a Violation an error, so that several can be joined.
func (v Violation) Error() string { return v.String() }

// Join makes one error of all violations, or nil if there are none.
func Join(vs []Violation) error {
	errs := make([]error, len(vs))
	for i, v := range vs {
		errs[i] = v
	}
	return errors.Join(errs...)
}
