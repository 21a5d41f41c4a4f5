package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/resources"
)

// described is a command in the words of the API's history.
type described struct {
	kind   string // "type" of its details
	label  string
	msg    string
	args   map[string]string
	fields map[string]any // of its details
}

// describeCommand tells what a stored command was. Commands that another
// program stored are shown by their name.
func describeCommand(cmd pgstore.StoredCommand) (described, error) {
	d, err := describe(cmd)
	if err != nil {
		return d, fmt.Errorf("command %d (%s) in the history: %w", cmd.Version, cmd.Name, err)
	}
	if d.args == nil {
		d.args = map[string]string{}
	}
	return d, nil
}

func describe(cmd pgstore.StoredCommand) (described, error) {
	switch cmd.Name {
	case "init":
		return described{kind: "init", label: "cmd-ca-init", msg: "Create CA"}, nil
	case "add_child":
		return read(cmd, describeAddChild)
	case "update_child_resources":
		return read(cmd, describeUpdateChildResources)
	case "suspend_child":
		return read(cmd, func(c ca.SuspendChild) described {
			return describeSuspension("child_suspend_inactive", "cmd-ca-child-suspend-inactive", "Suspend", c.Child)
		})
	case "unsuspend_child":
		return read(cmd, func(c ca.UnsuspendChild) described {
			return describeSuspension("child_unsuspend", "cmd-ca-child-unsuspend", "Unsuspend", c.Child)
		})
	case "record_child_certs":
		return read(cmd, describeChildCerts)
	case "configure_roas":
		return read(cmd, describeConfigureROAs)
	case "record_roas":
		return read(cmd, describeRecordROAs)
	case "set_parent":
		return read(cmd, func(c ca.SetParent) described { return describeSetParent(c, cmd) })
	case "configure_repository":
		return read(cmd, describeConfigureRepository)
	case "update_entitlements":
		return read(cmd, describeUpdateEntitlements)
	case "receive_certificate":
		return read(cmd, describeReceiveCertificate)
	case "note_restore":
		return read(cmd, func(c ca.NoteRestore) described {
			return described{
				kind: "note_restore", label: "cmd-ca-restore-noted", msg: "The database was restored or went back (" + c.Reason + "): issue everything again",
				args: map[string]string{"reason": c.Reason}, fields: map[string]any{"reason": c.Reason},
			}
		})
	case "pause_issuing":
		return described{kind: "issuing_pause", label: "cmd-ca-issuing-pause", msg: "Hold ROAs that are not issued yet"}, nil
	case "resume_issuing":
		return described{kind: "issuing_resume", label: "cmd-ca-issuing-resume", msg: "Go on issuing ROAs"}, nil
	default:
		if d, ok, err := describeASObjects(cmd); ok || err != nil {
			return d, err
		}
		if d, ok, err := describeObjects(cmd); ok || err != nil {
			return d, err
		}
		return describeKeys(cmd)
	}
}

// unnamed shows a command by its name.
func unnamed(cmd pgstore.StoredCommand) described {
	return described{kind: cmd.Name, label: "cmd-" + strings.ReplaceAll(cmd.Name, "_", "-"), msg: cmd.Name}
}

// read decodes a payload for the function that describes it.
func read[C any](cmd pgstore.StoredCommand, describe func(C) described) (described, error) {
	var c C
	if err := json.Unmarshal(cmd.Payload, &c); err != nil {
		return described{}, err
	}
	return describe(c), nil
}

// resourceArgs are the arguments by which the history names resources.
func resourceArgs(set resources.Set, others map[string]string) map[string]string {
	args := map[string]string{
		"resources": set.String(), "asn_blocks": strconv.Itoa(set.AS.Blocks()),
		"ipv4_blocks": strconv.Itoa(set.V4.Blocks()), "ipv6_blocks": strconv.Itoa(set.V6.Blocks()),
	}
	maps.Copy(args, others)
	return args
}

func describeAddChild(c ca.AddChild) described {
	key := c.IDKey.String()
	return described{
		kind: "child_add", label: "cmd-ca-child-add",
		msg:    "Add child '" + c.Child + "' with RFC8183 key '" + key + "' and resources '" + c.Resources.Summary() + "'",
		args:   resourceArgs(c.Resources, map[string]string{"child": c.Child, "id_key": key}),
		fields: map[string]any{"child": c.Child, "ski": key, "resources": c.Resources},
	}
}

func describeUpdateChildResources(c ca.UpdateChildResources) described {
	return described{
		kind: "child_update_resources", label: "cmd-ca-child-update-res",
		msg:    "Update resources for child '" + c.Child + "' to: " + c.Resources.Summary(),
		args:   resourceArgs(c.Resources, map[string]string{"child": c.Child}),
		fields: map[string]any{"child": c.Child, "resources": c.Resources},
	}
}

func describeSuspension(kind, label, verb, child string) described {
	return described{
		kind: kind, label: label, msg: verb + " child '" + child + "'",
		args: map[string]string{"child": child}, fields: map[string]any{"child": child},
	}
}

// describeChildCerts tells of one certificate as the child's request, and of
// several as what follows when resources shrink.
func describeChildCerts(c ca.RecordChildCerts) described {
	if len(c.Issued) == 1 && len(c.Revoked) == 0 {
		child, key := c.Issued[0].Child, c.Issued[0].KeyID.String()
		return described{
			kind: "child_certify", label: "cmd-ca-child-certify",
			msg:    "Issue certificate to child '" + child + "' for key '" + key + "'",
			args:   map[string]string{"child": child, "class_name": c.Class, "key": key},
			fields: map[string]any{"child": child, "resource_class_name": c.Class, "limit": api.ResourceLimit{}, "ki": key},
		}
	}
	issued, revoked := len(c.Issued), len(c.Revoked)
	return described{
		kind: "child_certificates_update", label: "cmd-ca-child-certificates-update",
		msg:    fmt.Sprintf("Update certificates of children in RC '%s': %d issued, %d revoked", c.Class, issued, revoked),
		args:   map[string]string{"class_name": c.Class, "issued": strconv.Itoa(issued), "revoked": strconv.Itoa(revoked)},
		fields: map[string]any{"resource_class_name": c.Class, "issued": issued, "revoked": revoked},
	}
}

func describeConfigureROAs(c ca.ConfigureROAs) described {
	updates := api.ROAConfigurationUpdates{Added: roaConfigurations(c.Added), Removed: roaPayloads(c.Removed)}
	var msg strings.Builder
	msg.WriteString("Update ROAs")
	if len(updates.Added) > 0 {
		msg.WriteString("  ADD:")
		for _, r := range updates.Added {
			msg.WriteString(" " + r.String())
		}
	}
	if len(updates.Removed) > 0 {
		msg.WriteString("  REMOVE:")
		for _, r := range updates.Removed {
			msg.WriteString(" " + r.String())
		}
	}
	return described{
		kind: "roa_definition_updates", label: "cmd-ca-roas-updated", msg: msg.String(),
		args:   map[string]string{"added": strconv.Itoa(len(c.Added)), "removed": strconv.Itoa(len(c.Removed))},
		fields: map[string]any{"updates": updates},
	}
}

// describeRecordROAs tells of the objects that follow a change of the routes:
// an entry of the server's own.
func describeRecordROAs(c ca.RecordROAs) described {
	return describeRecorded("roas_issued", "cmd-ca-roas-issued", "ROA objects", c.Class, len(c.Issued), len(c.Withdrawn))
}

// describeSetParent goes by what happened: a new parent or a new contact.
func describeSetParent(c ca.SetParent, cmd pgstore.StoredCommand) described {
	const contact = "RFC 6492 Parent"
	d := described{
		kind: "add_parent", label: "cmd-ca-parent-add", msg: "Add parent '" + c.Parent + "' as '" + contact + "'",
		args:   map[string]string{"parent": c.Parent, "parent_contact": contact},
		fields: map[string]any{"parent": c.Parent, "contact": parentKind},
	}
	for _, e := range cmd.Events {
		if _, ok := e.(ca.ParentUpdated); ok {
			d.kind, d.label = "update_parent_contact", "cmd-ca-parent-update"
			d.msg = "Update contact for parent '" + c.Parent + "' to '" + contact + "'"
		}
	}
	return d
}

func describeConfigureRepository(c ca.ConfigureRepository) described {
	uri := c.Repository.ServiceURI
	return described{
		kind: "repo_update", label: "cmd-ca-repo-update", msg: "Update repo to server at: " + uri,
		args: map[string]string{"service_uri": uri}, fields: map[string]any{"service_uri": uri},
	}
}

func describeUpdateEntitlements(c ca.UpdateEntitlements) described {
	type entitlement struct {
		Class     string        `json:"resource_class_name"`
		Resources resources.Set `json:"resources"`
	}
	list := make([]entitlement, len(c.Entitlements))
	msg := "Update entitlements under parent '" + c.Parent + "': "
	for i, e := range c.Entitlements {
		list[i] = entitlement{Class: e.Class, Resources: e.Resources}
		msg += e.Class + " => " + e.Resources.String() + " "
	}
	return described{
		kind: "update_resource_entitlements", label: "cmd-ca-parent-entitlements", msg: msg,
		args: map[string]string{"parent": c.Parent}, fields: map[string]any{"parent": c.Parent, "entitlements": list},
	}
}

func describeReceiveCertificate(c ca.ReceiveCertificate) described {
	set := c.Cert.Resources
	return described{
		kind: "update_rcvd_cert", label: "cmd-ca-rcn-receive",
		msg:    "Update received cert in RC '" + c.Class + "', with resources '" + set.Summary() + "'",
		args:   resourceArgs(set, map[string]string{"class_name": c.Class}),
		fields: map[string]any{"resource_class_name": c.Class, "resources": set},
	}
}

// typed gives an object of the history: its fields beside "type", with the
// names sorted at every level.
func typed(kind string, fields map[string]any) (json.RawMessage, error) {
	object := maps.Clone(fields)
	if object == nil {
		object = map[string]any{}
	}
	object["type"] = kind
	return sorted(object)
}

// sorted writes a value with all names sorted, whatever types it is made of.
func sorted(v any) (json.RawMessage, error) {
	text, err := api.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var plain any
	if err := dec.Decode(&plain); err != nil {
		return nil, err
	}
	return api.Marshal(plain)
}
