package rest

import (
	"fmt"
	"strconv"
	"strings"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
)

// describeObjects tells of commands about Ghostbusters records and signed
// checklists; ok is false for others.
func describeObjects(cmd pgstore.StoredCommand) (d described, ok bool, err error) {
	switch cmd.Name {
	case "configure_ghostbusters":
		d, err = read(cmd, describeConfigureGhostbusters)
	case "record_ghostbusters":
		d, err = read(cmd, func(c ca.RecordGhostbusters) described {
			return describeRecorded("ghostbusters_issued", "cmd-ca-ghostbusters-issued", "Ghostbusters records", c.Class, len(c.Issued), len(c.Withdrawn))
		})
	case "sign_checklist":
		d, err = read(cmd, describeSignChecklist)
	case "revoke_checklist":
		d, err = read(cmd, func(c ca.RevokeChecklist) described {
			return described{
				kind: "rsc_revoke", label: "cmd-ca-rsc-revoke", msg: "Revoke signed checklist " + c.Serial,
				args: map[string]string{"serial": c.Serial}, fields: map[string]any{"serial": c.Serial},
			}
		})
	case "revoke_checklists":
		d = described{kind: "rscs_revoked", label: "cmd-ca-rscs-revoked", msg: "Revoke signed checklists whose resources are no longer held"}
	default:
		return d, false, nil
	}
	return d, true, err
}

func describeConfigureGhostbusters(c ca.ConfigureGhostbusters) described {
	var names []string
	for _, g := range c.Add {
		names = append(names, g.Name)
	}
	msg := "Update Ghostbusters records:"
	if len(names) > 0 {
		msg += " add or replace: " + strings.Join(names, ", ")
	}
	if len(c.Remove) > 0 {
		msg += " remove: " + strings.Join(c.Remove, ", ")
	}
	return described{
		kind: "ghostbusters_update", label: "cmd-ca-ghostbusters-update", msg: msg,
		fields: map[string]any{"add": ghostbustersRecords(c.Add), "remove": append([]string{}, c.Remove...)},
	}
}

func describeSignChecklist(c ca.SignChecklist) described {
	files := strconv.Itoa(len(c.Files))
	return described{
		kind: "rsc_sign", label: "cmd-ca-rsc-sign", msg: "Sign a checklist of " + files + " files with " + c.Resources.String(),
		args:   resourceArgs(c.Resources, map[string]string{"files": files}),
		fields: map[string]any{"resources": c.Resources, "files": checklistFiles(c.Files), "not_after": api.Time{Time: c.NotAfter}},
	}
}

// describeObjectEvent tells what happened to Ghostbusters records and signed
// checklists; ok is false for other events.
func describeObjectEvent(e es.Event, ders map[ca.Hash][]byte) (told []happened, ok bool) {
	switch e := e.(type) {
	case ca.GhostbustersConfigured:
		return describeRecords(e), true
	case ca.GhostbustersIssued:
		return describeRecordsIssued(e, ders), true
	case ca.GhostbustersStaged:
		return []happened{staged("Ghostbusters records", e.Class, len(e.Issued), len(e.Withdrawn))}, true
	case ca.ChecklistSigned:
		r := e.Checklist
		return []happened{{
			"rsc_signed", fmt.Sprintf("signed checklist %s of %d files under resource class '%s'", r.Serial, len(r.Files), e.Class),
			map[string]any{
				"resource_class_name": e.Class, "serial": r.Serial, "resources": r.Resources, "files": checklistFiles(r.Files),
				"validity": validity(r.NotBefore, r.NotAfter), "hash": r.Hash.String(), "base64": ders[r.Hash],
			},
		}}, true
	case ca.ChecklistsRevoked:
		return []happened{{
			"rscs_revoked", "revoked signed checklists under resource class '" + e.Class + "': " + strings.Join(e.Serials, " "),
			map[string]any{"resource_class_name": e.Class, "serials": e.Serials, "reason": e.Reason},
		}}, true
	}
	return nil, false
}

// describeRecords tells of each record by itself.
func describeRecords(e ca.GhostbustersConfigured) []happened {
	var out []happened
	for _, name := range e.Removed {
		out = append(out, happened{"ghostbusters_removed", "removed Ghostbusters record: " + name, map[string]any{"name": name}})
	}
	for _, r := range ghostbustersRecords(e.Added) {
		out = append(out, happened{"ghostbusters_added", "added Ghostbusters record: " + r.Name, map[string]any{"record": r}})
	}
	for _, r := range ghostbustersRecords(e.Updated) {
		out = append(out, happened{"ghostbusters_updated", "updated Ghostbusters record: " + r.Name, map[string]any{"record": r}})
	}
	return out
}

func describeRecordsIssued(e ca.GhostbustersIssued, ders map[ca.Hash][]byte) []happened {
	var infos []map[string]any
	var files, removed []string
	for _, g := range e.Issued {
		files = append(files, g.FileName())
		infos = append(infos, map[string]any{
			"name": g.Name, "validity": validity(g.NotBefore, g.NotAfter), "serial": g.Serial,
			"uri": objectURI(ders[g.Hash]), "base64": ders[g.Hash], "hash": g.Hash.String(),
		})
	}
	for _, name := range e.Withdrawn {
		removed = append(removed, ca.Ghostbusters{Name: name}.FileName())
	}
	msg := "updated Ghostbusters records under resource class '" + e.Class + "'"
	if len(files) > 0 {
		msg += " updated: " + strings.Join(files, " ")
	}
	if len(removed) > 0 {
		msg += " removed: " + strings.Join(removed, " ")
	}
	updates := map[string]any{}
	put(updates, "updated", infos, len(infos))
	put(updates, "removed", e.Withdrawn, len(e.Withdrawn))
	return []happened{{"ghostbusters_objects_updated", msg, map[string]any{"resource_class_name": e.Class, "updates": updates}}}
}
