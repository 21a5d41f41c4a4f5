package rest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/cert"
)

// describeASObjects tells of commands about ASPAs and router keys; ok is false
// for others.
func describeASObjects(cmd pgstore.StoredCommand) (d described, ok bool, err error) {
	switch cmd.Name {
	case "configure_aspas":
		d, err = read(cmd, describeConfigureASPAs)
	case "update_aspa":
		d, err = read(cmd, describeUpdateASPA)
	case "record_aspas":
		d, err = read(cmd, func(c ca.RecordASPAs) described {
			return describeRecorded("aspas_issued", "cmd-ca-aspas-issued", "ASPA objects", c.Class, len(c.Issued), len(c.Withdrawn))
		})
	case "configure_router_keys":
		d = described{kind: "bgp_sec_definition_updates", label: "cmd-bgpsec-update", msg: "Update BGPSec definitions"}
	case "record_router_certs":
		d, err = read(cmd, func(c ca.RecordRouterCerts) described {
			return describeRecorded("router_certs_issued", "cmd-bgpsec-issued", "router certificates", c.Class, len(c.Issued), len(c.Withdrawn))
		})
	default:
		return d, false, nil
	}
	return d, true, err
}

func describeConfigureASPAs(c ca.ConfigureASPAs) described {
	updates := api.ASPADefinitionUpdates{AddOrReplace: aspaDefinitions(c.AddOrReplace), Remove: list(c.Remove)}
	return described{
		kind: "aspas_update", label: "cmd-ca-aspas-update", msg: "Update ASPA definitions: " + updates.String(),
		fields: map[string]any{"updates": updates},
	}
}

func describeUpdateASPA(c ca.UpdateASPA) described {
	update := api.ASPAProvidersUpdate{Added: list(c.Added), Removed: list(c.Removed)}
	return described{
		kind: "aspas_update_existing", label: "cmd-ca-aspas-update-existing",
		msg:    "update ASPA for customer AS: " + api.ASText(c.Customer) + update.String(),
		fields: map[string]any{"customer": c.Customer, "update": update},
	}
}

// list gives a list that is never null.
func list(ases []uint32) []uint32 { return append([]uint32{}, ases...) }

// describeRecorded tells of the objects that follow a change: an entry of the
// server's own.
func describeRecorded(kind, label, what, class string, issued, withdrawn int) described {
	return described{
		kind: kind, label: label, msg: fmt.Sprintf("Update %s in RC '%s': %d issued, %d withdrawn", what, class, issued, withdrawn),
		args:   map[string]string{"class_name": class, "issued": strconv.Itoa(issued), "withdrawn": strconv.Itoa(withdrawn)},
		fields: map[string]any{"resource_class_name": class, "issued": issued, "withdrawn": withdrawn},
	}
}

// describeASEvent tells what happened to ASPAs and router keys; ok is false for
// other events.
func describeASEvent(e es.Event, at time.Time, ders map[ca.Hash][]byte) (told []happened, ok bool, err error) {
	switch e := e.(type) {
	case ca.ASPAsConfigured:
		told = describeDefinitions(e)
	case ca.ASPAsIssued:
		told = describeASPAsIssued(e, ders)
	case ca.ASPAsStaged:
		told = []happened{staged("ASPA objects", e.Class, len(e.Issued), len(e.Withdrawn))}
	case ca.RouterCertsStaged:
		told = []happened{staged("router certificates", e.Class, len(e.Issued), len(e.Withdrawn))}
	case ca.RouterKeysConfigured:
		told, err = describeRouterKeys(e, at)
	case ca.RouterCertsIssued:
		told, err = describeRouterCerts(e, ders)
	default:
		return nil, false, nil
	}
	return told, true, err
}

// describeDefinitions tells of each customer by itself.
func describeDefinitions(e ca.ASPAsConfigured) []happened {
	var out []happened
	for _, customer := range e.Removed {
		out = append(out, happened{"aspa_config_removed", "removed ASPA config for customer ASN: " + api.ASText(customer), map[string]any{"customer": customer}})
	}
	for _, a := range e.Added {
		d := api.ASPADefinition(a)
		out = append(out, happened{"aspa_config_added", d.String(), map[string]any{"aspa_config": d}})
	}
	for _, a := range e.Updated {
		update := api.ASPAProvidersUpdate{Added: list(a.Added), Removed: list(a.Removed)}
		out = append(out, happened{
			"aspa_config_updated", "updated ASPA config for customer ASN: " + api.ASText(a.Customer) + update.String(),
			map[string]any{"customer": a.Customer, "update": update},
		})
	}
	return out
}

func describeASPAsIssued(e ca.ASPAsIssued, ders map[ca.Hash][]byte) []happened {
	var infos []api.ASPAInfo
	var files, removed []string
	for _, a := range e.Issued {
		files = append(files, a.FileName())
		infos = append(infos, api.ASPAInfo{
			Definition: api.ASPADefinition(a.ASPA), Validity: validity(a.NotBefore, a.NotAfter), Serial: a.Serial,
			URI: objectURI(ders[a.Hash]), Base64: ders[a.Hash], Hash: a.Hash.String(),
		})
	}
	for _, customer := range e.Withdrawn {
		removed = append(removed, ca.ASPA{Customer: customer}.FileName())
	}
	msg := "updated ASPA objects under resource class '" + e.Class + "'"
	if len(files) > 0 {
		msg += " updated: " + strings.Join(files, " ")
	}
	if len(removed) > 0 {
		msg += " removed: " + strings.Join(removed, " ")
	}
	updates := map[string]any{}
	put(updates, "updated", infos, len(infos))
	put(updates, "removed", e.Withdrawn, len(e.Withdrawn))
	return []happened{{"aspa_objects_updated", msg, map[string]any{"resource_class_name": e.Class, "updates": updates}}}
}

// describeRouterKeys tells of each key by itself.
func describeRouterKeys(e ca.RouterKeysConfigured, at time.Time) ([]happened, error) {
	var out []happened
	tell := func(kind, msg string, r ca.RouterKey) {
		out = append(out, happened{
			kind, msg + " BGPSec definition for ASN: " + api.ASText(r.ASID) + " and key id: " + r.KeyID.String(), map[string]any{"key": r.String()},
		})
	}
	for _, r := range e.Removed {
		tell("bgp_sec_definition_removed", "removed", r)
	}
	for _, added := range e.Added {
		tell("bgp_sec_definition_added", "added", added.Router)
		if err := addRequest(&out[len(out)-1], added.CSR, at); err != nil {
			return nil, err
		}
	}
	for _, updated := range e.Updated {
		tell("bgp_sec_definition_updated", "updated CSR for", updated.Router)
		if err := addRequest(&out[len(out)-1], updated.CSR, at); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func addRequest(h *happened, csr []byte, at time.Time) error {
	req, err := cert.DecodeRouterRequest(csr)
	if err != nil {
		return err
	}
	h.fields["csr"] = map[string]any{"since": api.Time{Time: at}, "key": req.SPKI, "csr": csr}
	return nil
}

func describeRouterCerts(e ca.RouterCertsIssued, ders map[ca.Hash][]byte) ([]happened, error) {
	var infos []api.RouterCertInfo
	var files, removed []string
	for _, issued := range e.Issued {
		der := ders[issued.Hash]
		_, spki, err := subjectAndKey(der)
		if err != nil {
			return nil, err
		}
		files = append(files, issued.Router.FileName())
		infos = append(infos, api.RouterCertInfo{
			ASN: issued.Router.ASID, PublicKey: spki, Serial: issued.Serial, Expires: api.Time{Time: issued.NotAfter}, Base64: der,
		})
	}
	for _, r := range e.Withdrawn {
		removed = append(removed, r.FileName())
	}
	msg := "updated BGPSec certificates under resource class '" + e.Class
	if len(files) > 0 {
		msg += " added: " + strings.Join(files, " ") + " "
	}
	if len(removed) > 0 {
		msg += " removed: " + strings.Join(removed, " ") + " "
	}
	updates := map[string]any{}
	put(updates, "updated", infos, len(infos))
	put(updates, "removed", e.Withdrawn, len(e.Withdrawn))
	return []happened{{"bgp_sec_certificates_updated", msg + "'", map[string]any{"resource_class_name": e.Class, "updates": updates}}}, nil
}
