package rest

import (
	"fmt"
	"strconv"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/cert"
)

// describeKeys tells of commands about keys, and about parties that are changed
// or left.
func describeKeys(cmd pgstore.StoredCommand) (described, error) {
	switch cmd.Name {
	case "initiate_key_roll":
		return described{
			kind: "key_roll_initiate", label: "cmd-ca-keyroll-init", msg: "Initiate key roll for keys older than '0' seconds",
			args: map[string]string{"seconds": "0"}, fields: map[string]any{"older_than_seconds": 0},
		}, nil
	case "activate_key_roll":
		return described{
			kind: "key_roll_activate", label: "cmd-ca-keyroll-activate", msg: "Activate new keys staging longer than '0' seconds",
			args: map[string]string{"seconds": "0"}, fields: map[string]any{"staged_for_seconds": 0},
		}, nil
	case "switch_keys":
		return read(cmd, func(c ca.SwitchKeys) described {
			return ofKey("key_roll_switch", "cmd-ca-keyroll-switch", "Let key '"+c.Key.String()+"' follow the current key in RC '"+c.Class+"'", c.Class, c.Key)
		})
	case "request_revocation":
		return read(cmd, func(c ca.RequestRevocation) described {
			return ofKey("key_roll_revoke", "cmd-ca-keyroll-revoke", "Request revocation of old key '"+c.Key.String()+"' in RC '"+c.Class+"'", c.Class, c.Key)
		})
	case "finish_revocation":
		return read(cmd, func(c ca.FinishRevocation) described { return describeFinish(c, cmd) })
	case "drop_key":
		return read(cmd, func(c ca.DropKey) described { return describeDrop(c, cmd) })
	case "leave_repository":
		return read(cmd, func(c ca.LeaveRepository) described {
			return described{
				kind: "repo_leave", label: "cmd-ca-repo-leave", msg: "Leave former repository at: " + c.ServiceURI,
				args: map[string]string{"service_uri": c.ServiceURI}, fields: map[string]any{"service_uri": c.ServiceURI, "given_up": c.GivenUp},
			}
		})
	default:
		return describeParties(cmd)
	}
}

// ofKey describes a command about one key of a class.
func ofKey(kind, label, msg, class string, key cert.KeyID) described {
	return described{
		kind: kind, label: label, msg: msg, args: map[string]string{"class_name": class, "key": key.String()},
		fields: map[string]any{"resource_class_name": class, "ki": key},
	}
}

// describeFinish goes by what happened: the end of a roll, or of a key that
// nobody knew.
func describeFinish(c ca.FinishRevocation, cmd pgstore.StoredCommand) described {
	for _, e := range cmd.Events {
		if _, ok := e.(ca.UnexpectedKeyRevoked); ok {
			return ofKey("unexpected_key_revoke", "cmd-ca-unexpected-key-revoke", "Unexpected key '"+c.Key.String()+"' was revoked in RC '"+c.Class+"'", c.Class, c.Key)
		}
	}
	return described{
		kind: "key_roll_finish", label: "cmd-ca-keyroll-finish", msg: "Retire old revoked key in RC '" + c.Class + "'",
		args: map[string]string{"class_name": c.Class}, fields: map[string]any{"resource_class_name": c.Class},
	}
}

// describeDrop goes by what happened: the second key of a class was given up,
// or the class.
func describeDrop(c ca.DropKey, cmd pgstore.StoredCommand) described {
	d := described{
		kind: "drop_resource_class", label: "cmd-ca-rc-drop", msg: "Removing resource class '" + c.Class + "' because of reason: " + c.Reason,
		args: map[string]string{"class_name": c.Class, "reason": c.Reason}, fields: map[string]any{"resource_class_name": c.Class, "reason": c.Reason},
	}
	for _, e := range cmd.Events {
		if _, ok := e.(ca.KeyRollAbandoned); ok {
			d.kind, d.label = "key_roll_abandon", "cmd-ca-keyroll-abandon"
			d.msg = "Give up new key '" + c.Key.String() + "' in RC '" + c.Class + "' because of reason: " + c.Reason
		}
	}
	return d
}

func describeParties(cmd pgstore.StoredCommand) (described, error) {
	switch cmd.Name {
	case "remove_parent":
		return read(cmd, func(c ca.RemoveParent) described {
			return described{
				kind: "remove_parent", label: "cmd-ca-parent-remove", msg: "Remove parent '" + c.Parent + "'",
				args: map[string]string{"parent": c.Parent}, fields: map[string]any{"parent": c.Parent},
			}
		})
	case "remove_child":
		return read(cmd, func(c ca.RemoveChild) described {
			return described{
				kind: "child_remove", label: "cmd-ca-child-remove", msg: "Remove child '" + c.Child + "' and revoke & remove its certs",
				args: map[string]string{"child": c.Child}, fields: map[string]any{"child": c.Child},
			}
		})
	case "update_child":
		return read(cmd, describeUpdateChild)
	case "import_child":
		return read(cmd, describeImportChild)
	case "force_reissue":
		return described{kind: "force_reissue", label: "cmd-ca-force-reissue", msg: "Force re-issuance of objects"}, nil
	case "revoke_child_key":
		return read(cmd, func(c ca.RevokeChildKey) described {
			key := c.Key.String()
			return described{
				kind: "child_revoke_key", label: "cmd-ca-child-revoke",
				msg:    "Revoke certificates for child '" + c.Child + "' for key '" + key + "' in RC " + c.Class,
				args:   map[string]string{"child": c.Child, "class_name": c.Class, "key": key},
				fields: map[string]any{"child": c.Child, "revoke_req": map[string]string{"class_name": c.Class, "key": key}},
			}
		})
	case "renew_identity":
		return described{kind: "generate_new_id_key", label: "cmd-ca-generate-new-id", msg: "Generate a new RFC8183 ID."}, nil
	case "delete":
		return described{kind: "delete", label: "cmd-ca-delete", msg: "Delete CA"}, nil
	default:
		return unnamed(cmd), nil
	}
}

// describeUpdateChild tells of a change of one thing as clients know it, and of
// several as one change.
func describeUpdateChild(c ca.UpdateChild) described {
	id, key := len(c.IDCert) > 0, c.IDKey.String()
	switch {
	case c.Suspend != nil: // with others, or it is a command of its own
	case id && c.Resources == nil && c.Class == nil:
		return described{
			kind: "child_update_id", label: "cmd-ca-child-update-id", msg: "Update child '" + c.Child + "' RFC 8183 key '" + key + "'",
			args: map[string]string{"child": c.Child, "id_key": key}, fields: map[string]any{"child": c.Child, "ski": key},
		}
	case !id && c.Resources != nil && c.Class == nil:
		return describeUpdateChildResources(ca.UpdateChildResources{Child: c.Child, Resources: *c.Resources})
	case !id && c.Resources == nil && c.Class != nil:
		return described{
			kind: "child_update_resource_class_name_mapping", label: "cmd-ca-child-update-rcn-mapping",
			msg:    "Update child '" + c.Child + "' map parent RC '" + c.Class.Ours + "' to '" + c.Class.Theirs + "' for child",
			args:   map[string]string{"child": c.Child, "parent_rcn": c.Class.Ours, "child_rcn": c.Class.Theirs},
			fields: map[string]any{"child": c.Child, "mapping": mapping(c.Class.Ours, c.Class.Theirs)},
		}
	}
	d := described{
		kind: "child_update", label: "cmd-ca-child-update", msg: "Update child '" + c.Child + "'",
		args: map[string]string{"child": c.Child}, fields: map[string]any{"child": c.Child},
	}
	if id {
		d.args["id_key"], d.fields["ski"] = key, key
		d.msg += ", RFC 8183 key '" + key + "'"
	}
	if c.Resources != nil {
		d.args["resources"], d.fields["resources"] = c.Resources.String(), c.Resources
		d.msg += ", resources " + c.Resources.Summary()
	}
	if c.Suspend != nil {
		d.fields["suspend"] = *c.Suspend
		d.msg += map[bool]string{true: ", suspend", false: ", unsuspend"}[*c.Suspend]
	}
	if c.Class != nil {
		d.args["parent_rcn"], d.args["child_rcn"] = c.Class.Ours, c.Class.Theirs
		d.fields["mapping"] = mapping(c.Class.Ours, c.Class.Theirs)
		d.msg += ", map parent RC '" + c.Class.Ours + "' to '" + c.Class.Theirs + "'"
	}
	return d
}

func mapping(ours, theirs string) api.ResourceClassNameMapping {
	return api.ResourceClassNameMapping{NameInParent: ours, NameForChild: theirs}
}

// describeKeyEvent tells what happened to keys.
func describeKeyEvent(e es.Event, ders map[ca.Hash][]byte) ([]happened, error) {
	switch e := e.(type) {
	case ca.KeyRollInitiated:
		return one(happened{
			"key_roll_pending_key_added", "key roll: added pending key '" + e.KeyID.String() + "' under resource class '" + e.Class + "'",
			map[string]any{"resource_class_name": e.Class, "pending_key_id": e.KeyID},
		}, nil)
	case ca.KeyStaged:
		info, err := certInfo(e.Cert, ders[e.Cert.Hash])
		return one(happened{
			"key_pending_to_new", "key roll: moving pending key '" + e.KeyID.String() + "' to new state under resource class '" + e.Class + "'",
			map[string]any{"resource_class_name": e.Class, "new_key": api.CertifiedKeyInfo{KeyID: e.KeyID.String(), IncomingCert: info}},
		}, err)
	case ca.KeyActivationStarted:
		return one(keyEvent("key_activation_started", "key roll: signing everything with new key '%s' under resource class '%s'", e.Class, e.KeyID), nil)
	case ca.ROAsStaged:
		return one(staged("ROA objects", e.Class, len(e.Issued), len(e.Withdrawn)), nil)
	case ca.ChildCertificatesStaged:
		return one(staged("child certificates", e.Class, len(e.Certs), len(e.Withdrawn)), nil)
	case ca.KeyRollActivated:
		return one(happened{
			"key_roll_activated", "key roll: activated new key, requested revocation of '" + e.OldKey.String() + "' under resource class '" + e.Class + "'",
			map[string]any{"resource_class_name": e.Class, "revoke_req": map[string]string{"class_name": e.Class, "key": e.OldKey.String()}},
		}, nil)
	case ca.KeyRevocationRequested:
		return one(keyEvent("key_revocation_requested", "key roll: asking the parent to revoke old key '%s' under resource class '%s'", e.Class, e.KeyID), nil)
	case ca.KeyRollFinished:
		return one(happened{"key_roll_finished", "key roll: finished for resource class '" + e.Class + "'", map[string]any{"resource_class_name": e.Class}}, nil)
	case ca.KeyRollAbandoned:
		return one(keyEvent("key_roll_abandoned", "key roll: gave up key '%s' under resource class '%s': "+e.Reason, e.Class, e.KeyID), nil)
	case ca.UnexpectedKeyFound:
		return one(happened{
			"unexpected_key_found", "Found unexpected key in resource class '" + e.Class + "', will try to revoke key id: '" + e.KeyID.String() + "'",
			map[string]any{"resource_class_name": e.Class, "revoke_req": map[string]string{"class_name": e.Class, "key": e.KeyID.String()}},
		}, nil)
	case ca.UnexpectedKeyRevoked:
		return one(keyEvent("unexpected_key_revoked", "unexpected key '%s' was revoked under resource class '%s'", e.Class, e.KeyID), nil)
	default:
		return describePartyEvent(e)
	}
}

// keyEvent describes an event about one key; msg has a place for the key and
// one for the class.
func keyEvent(kind, msg, class string, key cert.KeyID) happened {
	return happened{kind, fmt.Sprintf(msg, key, class), map[string]any{"resource_class_name": class, "ki": key}}
}

// staged tells how many objects the new key of a roll signed.
func staged(what, class string, issued, withdrawn int) happened {
	return happened{
		"objects_staged", "key roll: staged " + what + " under resource class '" + class + "': " + strconv.Itoa(issued) + " signed, " + strconv.Itoa(withdrawn) + " withdrawn",
		map[string]any{"resource_class_name": class, "issued": issued, "withdrawn": withdrawn},
	}
}

// describePartyEvent tells what became of parents, children, repositories and
// the identity.
func describePartyEvent(e es.Event) ([]happened, error) {
	switch e := e.(type) {
	case ca.RepositoryLeft:
		return one(happened{"repo_left", "left former repository: " + e.ServiceURI, map[string]any{"service_uri": e.ServiceURI, "given_up": e.GivenUp}}, nil)
	case ca.ParentRemoved:
		return one(happened{"parent_removed", "removed parent '" + e.Parent + "'", map[string]any{"parent": e.Parent}}, nil)
	case ca.ChildIDCertUpdated:
		id, err := idCertInfo(e.IDCert)
		if err != nil {
			return nil, err
		}
		key, err := keyIDOf(e.IDCert)
		return one(happened{"child_updated_id_cert", "updated child '" + e.Child + "' id (hash) '" + key + "'", map[string]any{"child": e.Child, "id_cert": id}}, err)
	case ca.ChildClassMapped:
		return one(happened{
			"child_updated_resource_class_name_mapping", "updated child '" + e.Child + "' map parent RC name '" + e.Class + "' to '" + e.Name + "' for child",
			map[string]any{"child": e.Child, "name_in_parent": e.Class, "name_for_child": e.Name},
		}, nil)
	case ca.ReissueForced:
		return one(happened{"reissue_forced", "marked all issued objects to be issued again", nil}, nil)
	case ca.ChildRemoved:
		return one(happened{"child_removed", "removed child '" + e.Child + "'", map[string]any{"child": e.Child}}, nil)
	case ca.IdentityRenewed:
		id, err := idCertInfo(e.Identity.Cert)
		return one(happened{"id_updated", "updated RFC8183 id to key '" + e.Identity.KeyID.String() + "'", map[string]any{"id": map[string]any{"cert": id}}}, err)
	default:
		return untold(e)
	}
}
