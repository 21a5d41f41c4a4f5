// Package dertest takes DER apart and puts it together again with something changed, so
// that tests can make objects which the packages under test refuse to make.
package dertest

import (
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// Node is one element: either Children or, if it is primitive, Content.
type Node struct {
	Tag      byte
	Content  []byte
	Children []*Node
}

// Parse reads exactly one element of DER with everything in it, and fails the test if
// that cannot be done.
func Parse(t testing.TB, der []byte) *Node {
	t.Helper()
	in := cryptobyte.String(der)
	n, ok := read(&in)
	if !ok || !in.Empty() {
		t.Fatalf("not DER: %x", der)
	}
	return n
}

func read(in *cryptobyte.String) (*Node, bool) {
	var body cryptobyte.String
	var kind tag.Tag
	if !in.ReadAnyASN1(&body, &kind) {
		return nil, false
	}
	n := &Node{Tag: byte(kind)}
	if kind&0x20 == 0 {
		n.Content = slices.Clone(body)
		return n, true
	}
	for !body.Empty() {
		child, ok := read(&body)
		if !ok {
			return nil, false
		}
		n.Children = append(n.Children, child)
	}
	return n, true
}

// New makes an element of a tag and its contents octet by octet, whatever they are.
func New(kind byte, content ...byte) *Node { return &Node{Tag: kind, Content: content} }

// Of makes a constructed element.
func Of(kind byte, children ...*Node) *Node { return &Node{Tag: kind, Children: children} }

// DER gives the element with everything in it.
func (n *Node) DER() []byte {
	content := slices.Clone(n.Content)
	for _, c := range n.Children {
		content = append(content, c.DER()...)
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(tag.Tag(n.Tag), func(b *cryptobyte.Builder) { b.AddBytes(content) })
	return b.BytesOrPanic()
}

// At follows the path of child indexes; a negative index counts from the end.
func (n *Node) At(path ...int) *Node {
	for _, i := range path {
		if i < 0 {
			i += len(n.Children)
		}
		n = n.Children[i]
	}
	return n
}

// Remove takes child i out.
func (n *Node) Remove(i int) { n.Children = slices.Delete(n.Children, i, i+1) }

// Insert puts c before child i, or at the end if i is the number of children.
func (n *Node) Insert(i int, c *Node) { n.Children = slices.Insert(n.Children, i, c) }

// Extension gives the extension with this DER-encoded identifier in a list of extensions,
// and its place in the list; nil if there is none.
func (n *Node) Extension(id []byte) (*Node, int) {
	for i, e := range n.Children {
		if slices.Equal(e.Children[0].DER(), id) {
			return e, i
		}
	}
	return nil, -1
}
