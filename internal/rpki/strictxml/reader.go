// Package strictxml reads the XML of the RPKI's protocols (RFC 8181, 8182,
// 8183, 6492) token by token. It refuses whatever those schemas do not have:
// document types, processing instructions, foreign namespaces, unknown or
// repeated attributes, text between elements, markup inside base64, a second
// root, anything after it, and characters outside US-ASCII, which only text may
// have and only where the caller allows it. Memory is bounded by the limits the
// caller gives, whatever the size of the document.
package strictxml

import (
	"bufio"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrLimit is wrapped by the error for a document that is larger than allowed.
var ErrLimit = errors.New("larger than allowed")

// maxSkipDepth bounds the nesting inside elements that are passed over.
const maxSkipDepth = 16

// maxQuoted bounds what an error repeats of a document.
const maxQuoted = 200

// Limits bound what a Reader takes in.
type Limits struct {
	Document int64 // octets in the whole document
	Token    int64 // octets in one tag, comment or piece of text
}

// Reader walks one document.
type Reader struct {
	dec    *xml.Decoder
	src    *source
	spaces []string
	depth  int
	space  string // namespace of the root, which all elements share
	packed []byte // base64 without white space, used again for each element
}

// NewReader reads a document whose elements are all in one of the namespaces.
func NewReader(r io.Reader, l Limits, namespaces ...string) *Reader {
	src := &source{r: bufio.NewReaderSize(r, 32<<10), document: l.Document, perToken: l.Token}
	dec := xml.NewDecoder(src)
	dec.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		switch strings.ToLower(charset) {
		case "us-ascii", "iso-8859-1": // source refuses what is not ASCII
			src.utf8 = false
			return in, nil
		}
		return nil, fmt.Errorf("character set %.80q is not supported", charset)
	}
	return &Reader{dec: dec, src: src, spaces: namespaces}
}

// AllowUTF8 lets text hold more than US-ASCII, unless the document declares
// another character set. Attributes never do.
func (r *Reader) AllowUTF8() { r.src.utf8 = true }

// Root reads up to the start of the document's root element.
func (r *Reader) Root() (*Element, error) {
	for first := true; ; first = false {
		tok, err := r.token()
		if err != nil {
			return nil, err
		}

		switch t := tok.(type) {
		case xml.ProcInst:
			if !first || t.Target != "xml" {
				return nil, errors.New("processing instruction")
			}
		case xml.StartElement:
			return r.start(t)
		default:
			if err := filler(tok); err != nil {
				return nil, err
			}
		}
	}
}

// Child reads the start of the next element inside the innermost open one. It
// gives nil when there is none left; the innermost element is then closed.
func (r *Reader) Child() (*Element, error) {
	for {
		tok, err := r.token()
		if err != nil {
			return nil, err
		}

		switch t := tok.(type) {
		case xml.StartElement:
			return r.start(t)
		case xml.EndElement:
			r.depth--
			return nil, nil
		default:
			if err := filler(tok); err != nil {
				return nil, err
			}
		}
	}
}

// Close reads the end of the innermost open element, which has no content.
func (r *Reader) Close() error {
	child, err := r.Child()
	if err == nil && child != nil {
		err = fmt.Errorf("element %.80q where none may be", child.Name)
	}
	return err
}

// Text reads the innermost open element to its end. It holds nothing but text.
func (r *Reader) Text() (string, error) {
	var text []byte
	err := r.eachText(func(piece []byte) { text = append(text, piece...) })
	if err != nil {
		return "", err
	}
	return string(text), nil
}

// Base64 reads the innermost open element to its end. It holds base64 (RFC
// 4648 section 4) with any white space; the result is never nil.
func (r *Reader) Base64() ([]byte, error) {
	r.packed = r.packed[:0]
	err := r.eachText(func(piece []byte) { r.packed = appendPacked(r.packed, piece) })
	if err != nil {
		return nil, err
	}

	content := make([]byte, base64.StdEncoding.DecodedLen(len(r.packed)))
	n, err := base64.StdEncoding.Strict().Decode(content, r.packed)
	if err != nil {
		return nil, fmt.Errorf("base64: %w", err)
	}
	return content[:n:n], nil
}

// eachText reads the innermost open element to its end, piece by piece.
func (r *Reader) eachText(take func(piece []byte)) error {
	for size := int64(0); ; {
		tok, err := r.token()
		if err != nil {
			return err
		}

		switch t := tok.(type) {
		case xml.CharData:
			if size += int64(len(t)); size > r.src.perToken {
				return fmt.Errorf("text: %w", ErrLimit)
			}
			take(t)
		case xml.EndElement:
			r.depth--
			return nil
		default:
			return errors.New("markup inside text")
		}
	}
}

// Skip reads the innermost open element to its end, whatever it holds.
func (r *Reader) Skip() error {
	for outer := r.depth - 1; r.depth > outer; {
		tok, err := r.token()
		if err != nil {
			return err
		}

		switch tok.(type) {
		case xml.StartElement:
			r.depth++
			if r.depth-outer > maxSkipDepth {
				return fmt.Errorf("nesting: %w", ErrLimit)
			}
		case xml.EndElement:
			r.depth--
		case xml.Directive, xml.ProcInst:
			return errors.New("processing instruction or document type")
		}
	}
	return nil
}

// End reads to the end of the document, after the root has been closed.
func (r *Reader) End() error {
	for {
		tok, err := r.token()
		if errors.Is(err, io.EOF) && r.depth == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if err := filler(tok); err != nil {
			return fmt.Errorf("after the root element: %w", err)
		}
	}
}

func (r *Reader) token() (xml.Token, error) {
	r.src.token = r.src.perToken
	tok, err := r.dec.Token()
	if errors.Is(err, io.EOF) && r.depth > 0 {
		return nil, io.ErrUnexpectedEOF
	}

	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) && len(syntax.Msg) > maxQuoted {
		syntax.Msg = strings.ToValidUTF8(syntax.Msg[:maxQuoted], "")
	}
	return tok, err
}

func (r *Reader) start(t xml.StartElement) (*Element, error) {
	if r.depth == 0 {
		for _, s := range r.spaces {
			if s == t.Name.Space {
				r.space = s
			}
		}
	}
	if r.space == "" || t.Name.Space != r.space {
		return nil, fmt.Errorf("element %.80q is in namespace %.80q", t.Name.Local, t.Name.Space)
	}

	r.depth++
	return newElement(t)
}

// filler refuses what may not stand between elements.
func filler(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.Comment:
		return nil
	case xml.CharData:
		if strings.TrimSpace(string(t)) == "" {
			return nil
		}
		return errors.New("text between elements")
	case xml.StartElement:
		return fmt.Errorf("element %.80q where none may be", t.Name.Local)
	}
	return errors.New("processing instruction or document type")
}

// DecodeBase64 decodes base64 with padding (RFC 4648 section 4), passing over
// the white space of XML. Stray bits are refused. The result is never nil.
func DecodeBase64(text string) ([]byte, error) {
	packed := appendPacked(make([]byte, 0, len(text)), text)
	n, err := base64.StdEncoding.Strict().Decode(packed, packed)
	if err != nil {
		return nil, fmt.Errorf("base64: %w", err)
	}
	return packed[:n:n], nil
}

// appendPacked appends text without the white space of XML.
func appendPacked[T string | []byte](b []byte, text T) []byte {
	for i := range len(text) {
		switch c := text[i]; c {
		case ' ', '\t', '\r', '\n':
		default:
			b = append(b, c)
		}
	}
	return b
}

// source counts and checks every octet before the XML decoder sees it.
type source struct {
	r        *bufio.Reader
	document int64 // octets left for the document
	perToken int64
	token    int64 // octets left for the token being read
	utf8     bool  // octets above US-ASCII are left to the decoder to check
}

// ReadByte makes the decoder read octet by octet, so that none is read ahead.
func (s *source) ReadByte() (byte, error) {
	c, err := s.r.ReadByte()
	if err != nil {
		return 0, err
	}

	s.document--
	s.token--
	switch {
	case s.document < 0:
		return 0, fmt.Errorf("document: %w", ErrLimit)
	case s.token < 0:
		return 0, fmt.Errorf("token: %w", ErrLimit)
	case c == 0x7f || c > 0x7f && !s.utf8 || c < 0x20 && c != '\n' && c != '\r' && c != '\t':
		return 0, fmt.Errorf("octet %#02x is not printable US-ASCII", c)
	}
	return c, nil
}

// Read exists because the decoder's interface asks for it.
func (s *source) Read(p []byte) (int, error) {
	for i := range p {
		c, err := s.ReadByte()
		if err != nil {
			return i, err
		}
		p[i] = c
	}
	return len(p), nil
}
