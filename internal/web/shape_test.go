package web_test

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A shape says which fields a JSON value must have, and of which types. It is
// JSON itself: an object has the fields that must be there, with "*" for all
// others; an array has the shape of its elements and, where there must be any,
// "some" behind it; a string names a type or,
// behind @, another shape. A ? behind it allows null.

// shapes are those that have names: the types of the API as clients read them,
// who refuse an answer in which a field is missing.
var shapes = map[string]string{
	"resources": `{"asn":"string","ipv4":"string","ipv6":"string"}`,
	"idCert":    `{"public_key":"string","base64":"string","hash":"string"}`,
	"error":     `{"label":"string","msg":"string","args":{"*":"string"}}`,
	"repoInfo":  `{"sia_base":"string","rrdp_notification_uri":"string?"}`,
	"validity":  `{"not_before":"string","not_after":"string"}`,
	"handles":   `[{"handle":"string"}]`,
	"result":    `"Success"`,
	"certificate": `{"uri":"string","name":"string","resources":"@resources","limit":{},"subject":"string","validity":"@validity","serial":"string","ca_repository":"string",
		"rpki_manifest":"string","rpki_notify":"string?","key":"string","base64":"string","hash":"string","marker":"null"}`,
	"key": `{"key_id":"string","incoming_cert":"@certificate","request":"null"}`,

	"info":     `{"version":"string","started":"number"}`,
	"cas":      `{"cas":"@handles"}`,
	"ca":       `{"handle":"string","id_cert":"@idCert","repo_info":"@repoInfo?","parents":[{"handle":"string","kind":"string"}],"resources":"@resources","resource_classes":{"*":"@class"},"children":["string"],"suspended_children":["string"]}`,
	"class":    `{"name_space":"string","parent_handle":"string","keys":{"*":{}}}`,
	"activeCA": `{"handle":"string","resource_classes":{"0":{"name_space":"string","parent_handle":"string","keys":{"active":{"active_key":"@key"}}}}}`,
	"rollNew":  `{"resource_classes":{"0":{"keys":{"roll_new":{"new_key":"@key","active_key":"@key"}}}}}`,
	"issues":   `{"repo_issue":"@error?","parent_issues":[{"parent":"string","issue":"@error"}]}`,
	"bulk":     `{"cas":{"*":"@issues"}}`,

	"childRequest":       `{"id_cert":"string","child_handle":"string","tag":"string?"}`,
	"parentResponse":     `{"id_cert":"string","parent_handle":"string","child_handle":"string","service_uri":"string","tag":"string?"}`,
	"publisherRequest":   `{"id_cert":"string","publisher_handle":"string","tag":"string?"}`,
	"repositoryResponse": `{"id_cert":"string","publisher_handle":"string","service_uri":"string","repo_info":"@repoInfo","tag":"string?"}`,

	"child":           `{"state":"string","id_cert":"@idCert","entitled_resources":"@resources"}`,
	"connections":     `{"children":[{"handle":"string","last_exchange":"@seen?","state":"string"},"some"]}`,
	"seen":            `{"timestamp":"number","result":"@result","user_agent":"string?"}`,
	"parent":          `{"type":"string","service_uri":"string","parent_handle":"string","child_handle":"string","id_cert":"@idCert"}`,
	"parents":         `{"*":{"last_exchange":"@exchange?","last_success":"number?","all_resources":"@resources","classes":["@entitled"]}}`,
	"refusedByParent": `{"parent":{"last_exchange":{"timestamp":"number","uri":"string","result":{"Failure":"@error"}},"last_success":"number","all_resources":"@resources","classes":["@entitled"]}}`,
	"parentIssue":     `{"repo_issue":"null","parent_issues":[{"parent":"parent","issue":{"label":"string","msg":"string","args":{"*":"string"}}},"some"]}`,
	"exchange":        `{"timestamp":"number","uri":"string","result":"@result"}`,
	"entitled": `{"class_name":"string","resource_set":"@resources","not_after":"string","issued_certs":[{"uri":"string","req_limit":{},"cert":"string"}],
		"signing_cert":{"url":"string","cert":"string"}}`,
	"repo":       `{"contact":{"repo_info":"@repoInfo","server_info":{"public_key":"string","service_uri":"string"}}}`,
	"repoStatus": `{"last_exchange":"@exchange?","last_success":"number?","published":[{"uri":"string","base64":"string"},"some"]}`,

	"roas":       `[{"asn":"number","prefix":"string","max_length":"number","comment":"string?","roa_objects":[{"authorizations":["string"],"validity":"@validity","serial":"string","uri":"string","base64":"string","hash":"string"},"some"]},"some"]`,
	"noROAs":     `[{"none":"null"}]`,
	"report":     `[{"asn":"number","prefix":"string","state":"string"},"some"]`,
	"suggestion": `{"*":[{}]}`,
	"routerKeys": `[{"asn":"number","key_identifier":"string","csr":"string"},"some"]`,
	"aspas":      `[{"customer":"number","providers":["number","some"]},"some"]`,

	"history": `{"offset":"number","total":"number","commands":[{"actor":"string","timestamp":"number","handle":"string","version":"number",
		"summary":{"msg":"string","label":"string","args":{"*":"string"}},"effect":{"*":"any"}}]}`,
	"init":    `{"actor":"string","time":"string","handle":"string","version":"number","msg":"string","details":{"type":"string"},"effect":{"result":"string","init":{"msg":"string","details":{"id":{"cert":"@idCert"}}}}}`,
	"details": `{"actor":"string","time":"string","handle":"string","version":"number","msg":"string","details":{"type":"string"},"effect":{"result":"string","events":[{"msg":"string","details":{"type":"string"}}]}}`,

	"publishers": `{"publishers":"@handles"}`,
	"publisher":  `{"handle":"string","id_cert":"@idCert","base_uri":"string","current_files":[{"uri":"string","base64":"string"},"some"]}`,
	"repository": `{"publishers":{"*":{"objects":"number","size":"number","manifests":[{"uri":"string","this_update":"string"}]}},"session":"string","serial":"number","last_update":"string?","rsync_base":"string","rrdp_base":"string"}`,
}

// fits holds a JSON text against a named shape, and says where it differs.
func fits(name, text string) error {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	return fit(name, "@"+name, v)
}

func fit(at string, shape, v any) error {
	switch s := shape.(type) {
	case string:
		return fitNamed(at, s, v)
	case []any:
		list, ok := v.([]any)
		if !ok || len(s) == 2 && len(list) == 0 {
			return fmt.Errorf("%s is no list, or empty: %v", at, v)
		}
		for i, e := range list {
			if err := fit(fmt.Sprintf("%s[%d]", at, i), s[0], e); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		object, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is no object: %v", at, v)
		}
		return fitObject(at, s, object)
	default:
		return fmt.Errorf("%s: the shape cannot be read: %v", at, shape)
	}
}

func fitObject(at string, shape, object map[string]any) error {
	for name, want := range shape {
		if got, ok := object[name]; ok && name != "*" {
			if err := fit(at+"."+name, want, got); err != nil {
				return err
			}
		} else if name != "*" {
			return fmt.Errorf("%s has no field %s: %v", at, name, object)
		}
	}
	if want, ok := shape["*"]; ok {
		for name, got := range object {
			if _, named := shape[name]; named {
				continue
			}
			if err := fit(at+"."+name, want, got); err != nil {
				return err
			}
		}
	}
	return nil
}

// fitNamed holds a value against the name of a type or of a shape, or against
// the very text.
func fitNamed(at, name string, v any) error {
	name, nullable := strings.CutSuffix(name, "?")
	if nullable && v == nil {
		return nil
	}
	if other, ok := strings.CutPrefix(name, "@"); ok {
		var shape any
		if err := json.Unmarshal([]byte(shapes[other]), &shape); err != nil {
			return fmt.Errorf("shape %s: %w", other, err)
		}
		return fit(at, shape, v)
	}
	ok := false
	switch name {
	case "any":
		ok = true
	case "null":
		ok = v == nil
	case "string":
		_, ok = v.(string)
	case "number":
		_, ok = v.(float64)
	default:
		ok = v == name
	}
	if !ok {
		return fmt.Errorf("%s is not %s: %v", at, name, v)
	}
	return nil
}
