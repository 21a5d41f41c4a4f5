package rest

import "baleen/internal/ca"

// describeImportChild tells of a child that came from another CA.
func describeImportChild(c ca.ImportChild) described {
	d := describeAddChild(ca.AddChild{Child: c.Child, IDKey: c.IDKey, Resources: c.Resources})
	d.kind, d.label = "child_import", "cmd-ca-child-import"
	d.msg = "Import child '" + c.Child + "' with RFC8183 key '" + c.IDKey.String() + "' and resources '" + c.Resources.Summary() + "'"
	return d
}
