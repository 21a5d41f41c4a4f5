package rest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
)

// happened is an event in the words of the API's history.
type happened struct {
	kind   string // "type" of its details
	msg    string
	fields map[string]any
}

// namedObjects gives the objects that must be at hand to describe events.
func namedObjects(events []es.Event) []ca.Hash {
	var out []ca.Hash
	for _, e := range events {
		switch e := e.(type) {
		case ca.CertificateReceived:
			out = append(out, e.Cert.Hash)
		case ca.KeyStaged:
			out = append(out, e.Cert.Hash)
		case ca.ChildCertificatesIssued:
			for _, c := range e.Certs {
				out = append(out, c.Hash)
			}
		case ca.ROAsIssued:
			for _, r := range e.Issued {
				out = append(out, r.Hash)
			}
		case ca.ASPAsIssued:
			for _, a := range e.Issued {
				out = append(out, a.Hash)
			}
		case ca.RouterCertsIssued:
			for _, r := range e.Issued {
				out = append(out, r.Hash)
			}
		case ca.GhostbustersIssued:
			for _, g := range e.Issued {
				out = append(out, g.Hash)
			}
		case ca.ChecklistSigned:
			out = append(out, e.Checklist.Hash)
		}
	}
	return out
}

// describeInit tells how a CA began.
func describeInit(events []es.Event) (*api.EventDetails, error) {
	for _, e := range events {
		init, ok := e.(ca.Initialized)
		if !ok {
			continue
		}
		id, err := idCertInfo(init.Identity.Cert)
		if err != nil {
			return nil, err
		}
		details, err := sorted(map[string]any{"id": map[string]any{"cert": id}})
		return &api.EventDetails{Msg: "Initialized with ID key hash: " + init.Identity.KeyID.String(), Details: details}, err
	}
	return nil, errors.New("the history of the CA does not begin with its creation")
}

// describeEvents tells what happened at a time, in order. One stored event may
// be told as several.
func describeEvents(events []es.Event, at time.Time, ders map[ca.Hash][]byte) ([]api.EventDetails, error) {
	var out []api.EventDetails
	for _, e := range events {
		told, ok, err := describeASEvent(e, at, ders)
		if !ok {
			told, ok = describeObjectEvent(e, ders)
		}
		if !ok {
			told, err = describeEvent(e, ders)
		}
		if err != nil {
			return nil, fmt.Errorf("event %s in the history: %w", e.EventName(), err)
		}
		for _, h := range told {
			details, err := typed(h.kind, h.fields)
			if err != nil {
				return nil, err
			}
			out = append(out, api.EventDetails{Msg: h.msg, Details: details})
		}
	}
	return out, nil
}

func describeEvent(e es.Event, ders map[ca.Hash][]byte) ([]happened, error) {
	switch e := e.(type) {
	case ca.RepositoryConfigured:
		contact, err := repositoryContact(&e.Repository)
		return one(happened{"repo_updated", "updated repository to remote server: " + e.Repository.ServiceURI, map[string]any{"contact": contact}}, err)
	case ca.ParentAdded:
		contact, err := parentContact(e.Contact)
		return one(happened{"parent_added", "added parent '" + e.Parent + "' ", map[string]any{"parent": e.Parent, "contact": contact}}, err)
	case ca.ParentUpdated:
		contact, err := parentContact(e.Contact)
		return one(happened{"parent_updated", "updated parent '" + e.Parent + "'", map[string]any{"parent": e.Parent, "contact": contact}}, err)
	case ca.ChildAdded:
		return describeChildAdded(e)
	case ca.ChildResourcesUpdated:
		return one(happened{
			"child_updated_resources", "updated child '" + e.Child + "' resources to '" + e.Resources.String() + "'",
			map[string]any{"child": e.Child, "resources": e.Resources},
		}, nil)
	case ca.ChildCertificatesIssued:
		return describeCertsIssued(e, ders)
	case ca.ChildCertificatesRevoked:
		return one(describeCertsRevoked(e), nil)
	case ca.ChildSuspended:
		return one(happened{"child_suspended", "suspended child '" + e.Child + "'", map[string]any{"child": e.Child}}, nil)
	case ca.ChildUnsuspended:
		return describeUnsuspended(e), nil
	case ca.ROAsConfigured:
		return describeRoutes(e), nil
	case ca.ROAsIssued:
		return describeROAsIssued(e, ders)
	case ca.IssuingPaused:
		return one(happened{"issuing_paused", "ROAs that are not issued yet are held", nil}, nil)
	case ca.IssuingResumed:
		return one(happened{"issuing_resumed", "ROAs are issued again", nil}, nil)
	case ca.RestoreNoted:
		return one(happened{"restore_noted", "the database was restored or went back: " + e.Reason, map[string]any{"reason": e.Reason}}, nil)
	default:
		return describeClassEvent(e, ders)
	}
}

func one(h happened, err error) ([]happened, error) { return []happened{h}, err }

// describeClassEvent tells of resource classes and their keys.
func describeClassEvent(e es.Event, ders map[ca.Hash][]byte) ([]happened, error) {
	switch e := e.(type) {
	case ca.ResourceClassAdded:
		return one(happened{"resource_class_added", "added resource class with name '" + e.Class + "'", map[string]any{
			"resource_class_name": e.Class, "parent": e.Parent, "parent_resource_class_name": e.ParentClass, "pending_key": e.KeyID,
		}}, nil)
	case ca.ResourceClassRemoved:
		revoke := make([]any, len(e.Keys))
		for i, k := range e.Keys {
			revoke[i] = map[string]string{"class_name": e.Class, "key": k.String()}
		}
		return one(happened{
			"resource_class_removed", "removed resource class with name '" + e.Class + "' under parent '" + e.Parent + "'",
			map[string]any{"resource_class_name": e.Class, "parent": e.Parent, "revoke_requests": revoke},
		}, nil)
	case ca.CertificateRequested:
		return one(happened{
			"certificate_requested", "requested certificate for key (hash) '" + e.KeyID.String() + "' under resource class '" + e.Class + "'",
			map[string]any{"resource_class_name": e.Class, "ki": e.KeyID, "req": map[string]any{"class_name": e.Class, "limit": api.ResourceLimit{}, "csr": nil}},
		}, nil)
	case ca.CertificateReceived:
		info, err := certInfo(e.Cert, ders[e.Cert.Hash])
		return one(happened{
			"certificate_received", "received certificate for key (hash) '" + e.KeyID.String() + "' under resource class '" + e.Class + "'",
			map[string]any{"resource_class_name": e.Class, "ki": e.KeyID, "rcvd_cert": info},
		}, err)
	default:
		return describeKeyEvent(e, ders)
	}
}

// untold shows an event by its name.
func untold(e es.Event) ([]happened, error) {
	name, _, _ := strings.Cut(e.EventName(), "/")
	return one(happened{kind: name, msg: strings.ReplaceAll(name, "_", " ")}, nil)
}

func describeChildAdded(e ca.ChildAdded) ([]happened, error) {
	id, err := idCertInfo(e.IDCert)
	if err != nil {
		return nil, err
	}
	key, err := keyIDOf(e.IDCert)
	return one(happened{
		"child_added", "added child '" + e.Child + "' with resources '" + e.Resources.String() + ", id (hash): " + key,
		map[string]any{"child": e.Child, "id_cert": id, "resources": e.Resources},
	}, err)
}

func describeCertsIssued(e ca.ChildCertificatesIssued, ders map[ca.Hash][]byte) ([]happened, error) {
	var out []happened
	infos := make([]api.CertInfo, len(e.Certs))
	keys := make([]string, len(e.Certs))
	for i, c := range e.Certs {
		info, err := certInfo(c.CertRecord, ders[c.Hash])
		if err != nil {
			return nil, err
		}
		infos[i], keys[i] = info, c.KeyID.String()
		out = append(out, happened{
			"child_certificate_issued", "issued certificate to child '" + c.Child + "' for class '" + e.Class + "' and pub key '" + keys[i] + "'",
			map[string]any{"child": c.Child, "resource_class_name": e.Class, "ki": keys[i]},
		})
	}
	updated := certsUpdated(e.Class, keys, nil)
	updated.fields["updates"] = map[string]any{"issued": infos}
	return append(out, updated), nil
}

// certsUpdated tells how the published certificates of children changed.
func certsUpdated(class string, issued, removed []string) happened {
	msg := "updated child certificates in resource class " + class
	updates := map[string]any{}
	if len(issued) > 0 {
		msg += " issued keys:  " + strings.Join(issued, " ")
	}
	if len(removed) > 0 {
		msg += " revoked keys:  " + strings.Join(removed, " ")
		updates["removed"] = removed
	}
	return happened{"child_certificates_updated", msg, map[string]any{"resource_class_name": class, "updates": updates}}
}

// describeCertsRevoked tells of certificates that were withdrawn, for good or
// until their child is active again.
func describeCertsRevoked(e ca.ChildCertificatesRevoked) happened {
	if !e.Suspended {
		return certsUpdated(e.Class, nil, texts(e.Keys))
	}
	h := certsUpdated(e.Class, nil, nil)
	h.msg += " suspended keys:  " + strings.Join(texts(e.Keys), " ")
	h.fields["updates"] = map[string]any{"suspended": texts(e.Keys)}
	return h
}

func describeUnsuspended(e ca.ChildUnsuspended) []happened {
	h := happened{"child_unsuspended", "unsuspended child '" + e.Child + "'", map[string]any{"child": e.Child}}
	if len(e.Dropped) > 0 {
		h.msg += ", without the certificates of keys:  " + strings.Join(texts(e.Dropped), " ")
		h.fields["dropped"] = texts(e.Dropped)
	}
	return []happened{h}
}

func texts(keys []cert.KeyID) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.String()
	}
	return out
}

// describeRoutes tells of each route by itself.
func describeRoutes(e ca.ROAsConfigured) []happened {
	var out []happened
	tell := func(kind, msg string, r ca.ROA) {
		out = append(out, happened{kind, msg + " '" + r.String() + "'", map[string]any{"auth": r.String()}})
	}
	comment := func(r ca.ConfiguredROA) {
		if r.Comment == "" {
			tell("route_authorization_comment", "removed comment from ROA:", r.ROA)
		} else {
			tell("route_authorization_comment", "added comment to ROA:", r.ROA)
			out[len(out)-1].msg += " => " + r.Comment
		}
		out[len(out)-1].fields["comment"] = optional(r.Comment)
	}
	for _, r := range e.Added {
		tell("route_authorization_added", "added ROA:", r.ROA)
		if r.Comment != "" {
			comment(r)
		}
	}
	for _, r := range e.Commented {
		comment(r)
	}
	for _, r := range e.Removed {
		tell("route_authorization_removed", "removed ROA:", r)
	}
	return out
}

func describeROAsIssued(e ca.ROAsIssued, ders map[ca.Hash][]byte) ([]happened, error) {
	msg := "updated ROA objects under resource class '" + e.Class + "'"
	simple, aggregate := map[string]any{}, map[string]any{}
	var files, removed, aggregateRemoved []string
	for _, r := range e.Issued {
		info := roaInfo(r, objectURI(ders[r.Hash]))
		info.Base64 = ders[r.Hash]
		files = append(files, r.Name)
		if as, ok := aggregateOf(r.Name); ok {
			aggregate[as] = info
		} else {
			simple[strings.Join(info.Authorizations, ", ")] = info
		}
	}
	for _, name := range e.Withdrawn {
		if as, ok := aggregateOf(name); ok {
			aggregateRemoved = append(aggregateRemoved, as)
		} else {
			removed = append(removed, routeInName(name))
		}
	}
	if len(files) > 0 {
		msg += " added: " + strings.Join(files, " ") + " "
	}
	if len(e.Withdrawn) > 0 {
		msg += " removed: " + strings.Join(e.Withdrawn, " ") + " "
	}
	updates := map[string]any{}
	put(updates, "updated", simple, len(simple))
	put(updates, "removed", removed, len(removed))
	put(updates, "aggregate_updated", aggregate, len(aggregate))
	put(updates, "aggregate_removed", aggregateRemoved, len(aggregateRemoved))
	return one(happened{"roas_updated", msg, map[string]any{"resource_class_name": e.Class, "updates": updates}}, nil)
}

// put leaves out what is empty.
func put(to map[string]any, name string, list any, n int) {
	if n > 0 {
		to[name] = list
	}
}

// aggregateOf gives the AS of an object that holds all routes of one AS.
func aggregateOf(file string) (as string, ok bool) {
	as = strings.TrimSuffix(file, ".roa")
	return as, strings.HasPrefix(as, "AS")
}

// routeInName gives the route of an object that holds one: its file name is
// the route's text in hexadecimal.
func routeInName(file string) string {
	text, err := hex.DecodeString(strings.TrimSuffix(file, ".roa"))
	if err != nil {
		return file
	}
	return string(text)
}

// objectURI gives where a signed object says that it is published (RFC 6487
// section 4.8.8.2); empty if it cannot be read.
func objectURI(der []byte) string {
	obj, err := cms.Decode(der)
	if err != nil {
		return ""
	}
	ee, err := cert.Decode(obj.EE)
	if err != nil {
		return ""
	}
	return ee.SIA.SignedObject
}

// keyIDOf gives the identifier of a certificate's key.
func keyIDOf(der []byte) (string, error) {
	_, spki, err := subjectAndKey(der)
	if err != nil {
		return "", err
	}
	id, err := cert.KeyIDOfSPKI(spki)
	return id.String(), err
}
