package ca

import (
	"fmt"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// ImportChild takes in a child that had another parent, with a certificate for
// the key that it uses: when it asks here for the first time, all is there.
type ImportChild struct {
	Child     string        `json:"child"`
	IDCert    []byte        `json:"id_cert"` // DER, checked by the caller
	IDKey     cert.KeyID    `json:"id_key"`
	Resources resources.Set `json:"resources"`
	ClassName string        `json:"class_name,omitempty"` // the child's name for our class; empty: it is ours
	Key       cert.KeyID    `json:"key,omitzero"`         // of ours, that signed
	Cert      *IssuedCert   `json:"cert,omitempty"`       // nil: nothing was signed yet
}

// CommandName names the command in the log.
func (ImportChild) CommandName() string { return "import_child" }

// Process refuses what AddChild refuses, and all by which a certificate is
// refused; what was signed with another key than the current one is a Conflict.
func (c ImportChild) Process(s *State, now time.Time) ([]es.Event, error) {
	class, added, err := s.checkImport(c, now)
	if err != nil {
		return nil, err
	}
	if c.Cert == nil || c.Key != class.Current.KeyID {
		return nil, fault.New(fault.Conflict, "cert-plan-stale", "the resource class changed while the certificate of child '"+c.Child+"' was signed")
	}
	if !class.Current.Cert.Resources.Intersect(c.Resources).Equal(c.Cert.Resources) {
		return nil, fault.New(fault.Conflict, "cert-plan-stale", "the resources of the CA changed while the certificate of child '"+c.Child+"' was signed")
	}
	if s.keyTaken(c.Child, class.Name, c.Cert.KeyID) {
		return nil, keyReuse()
	}
	events := added
	if c.ClassName != "" && c.ClassName != class.Name {
		events = append(events, ChildClassMapped{Child: c.Child, Class: class.Name, Name: c.ClassName})
	}
	return append(events, ChildCertificatesIssued{Class: class.Name, Certs: []IssuedCert{*c.Cert}}), nil
}

// PlanChildImport says what to sign for a child that is to be imported with the
// key of this request.
func (s *State) PlanChildImport(c ImportChild, req *cert.Request, now time.Time) (PlannedCert, error) {
	class, _, err := s.checkImport(c, now)
	if err != nil {
		return PlannedCert{}, err
	}
	if s.keyTaken(c.Child, class.Name, req.KeyID) {
		return PlannedCert{}, keyReuse()
	}
	return PlannedCert{
		Child: c.Child, Class: class.Name, Key: class.Current.KeyID, Subject: req.KeyID,
		Resources: class.Current.Cert.Resources.Intersect(c.Resources),
		SIA:       SIA{Repository: req.SIA.Repository, Manifest: req.SIA.Manifest, Notify: req.SIA.Notify},
		URI:       class.Current.Cert.SIA.Repository + req.KeyID.String() + ".cer",
	}, nil
}

// checkImport wants a CA with one class that has a certificate, and a child that
// could be added. It gives the class, and what adding decides.
func (s *State) checkImport(c ImportChild, now time.Time) (*Class, []es.Event, error) {
	class, err := s.OnlyClass()
	if err != nil {
		return nil, nil, err
	}
	added, err := AddChild{Child: c.Child, IDCert: c.IDCert, IDKey: c.IDKey, Resources: c.Resources}.Process(s, now)
	switch {
	case err != nil:
		return nil, nil, err
	case len(c.ClassName) > maxClassName:
		return nil, nil, fault.New(fault.Invalid, "general-error", fmt.Sprintf("class name of child '%s': a name has 1 to %d characters", c.Child, maxClassName))
	case class.Current == nil:
		return nil, nil, fault.New(fault.Unavailable, "key-no-current", "No current key in resource class")
	}
	return class, added, nil
}

// OnlyClass gives the one resource class of a CA that has exactly one: of such a
// CA a child can be exported, and into such a CA it can be imported.
func (s *State) OnlyClass() (*Class, error) {
	if len(s.Classes) != 1 {
		return nil, fault.New(fault.Invalid, "general-error", fmt.Sprintf("CA '%s' has %d resource classes: only with exactly one a child can be exported or imported", s.Handle, len(s.Classes)))
	}
	for _, c := range s.Classes {
		return c, nil
	}
	return nil, nil
}

// ExportedCert gives the one certificate of a child that can be exported, and
// the child's name for its class; empty where that is ours.
func (s *State) ExportedCert(handle string) (issued IssuedCert, className string, err error) {
	child := s.Children[handle]
	if child == nil {
		return issued, "", ChildUnknown(s.Handle, handle)
	}
	class, err := s.OnlyClass()
	if err != nil {
		return issued, "", err
	}
	keys := class.keysOf(handle)
	if len(keys) != 1 {
		return issued, "", fault.New(fault.Invalid, "general-error", fmt.Sprintf("child '%s' of CA '%s' has %d certificates: only with exactly one it can be exported", handle, s.Handle, len(keys)))
	}
	if name := child.nameOf(class.Name); name != class.Name {
		className = name
	}
	return class.Certs[keys[0]], className, nil
}

func keyReuse() error { return fault.New(fault.Exists, "key-re-use", "Attempt at re-using keys") }
