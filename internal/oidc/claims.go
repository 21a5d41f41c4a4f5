package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// rule is a ClaimRule that is ready to use.
type rule struct {
	ClaimRule
	expr *regexp.Regexp // nil: every value matches
}

// checkRules names what is wrong in the rules of an option.
func checkRules(option string, rules []ClaimRule) []string {
	var wrong []string
	if rules != nil && len(rules) == 0 {
		wrong = append(wrong, option+": without a rule nobody can log in")
	}
	for i, r := range rules {
		add := func(problem string) { wrong = append(wrong, fmt.Sprintf("%s, rule %d: %s", option, i+1, problem)) }
		switch {
		case r.Claim == "" && r.Match != "":
			add("match needs claim")
		case r.Claim == "" && r.Subst == nil:
			add("claim or subst must be set")
		case r.Claim == "" && *r.Subst == "":
			add("subst must not be empty where there is no claim")
		}
		if r.Source != "" && !slices.Contains(allSources, r.Source) {
			add(fmt.Sprintf("source %q is none of %s", r.Source, strings.Join(allSources, ", ")))
		}
		if _, err := regexp.Compile(r.Match); err != nil {
			add("match is no regular expression: " + err.Error())
		}
	}
	return wrong
}

// compile makes rules ready to use.
func compile(rules []ClaimRule) ([]rule, error) {
	ready := make([]rule, len(rules))
	for i, r := range rules {
		ready[i].ClaimRule = r
		if r.Match == "" {
			continue
		}
		expr, err := regexp.Compile(r.Match)
		if err != nil {
			return nil, fmt.Errorf("OpenID Connect: %w", err)
		}
		ready[i].expr = expr
	}
	return ready, nil
}

// allSources is the order in which a rule without a source searches.
var allSources = []string{SourceIDToken, SourceIDTokenAdditional, SourceUserInfo, SourceUserInfoAdditional}

// standardClaims are those that OpenID Connect Core 1.0 defines: sections 2,
// 3.1.3.6, 3.3.2.11 and 5.1.
var standardClaims = []string{
	"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash",
	"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "email",
	"email_verified", "gender", "birthdate", "zoneinfo", "locale", "phone_number", "phone_number_verified", "address", "updated_at",
}

// isStandard says whether a claim is a standard one, perhaps with a language tag
// (OpenID Connect Core 1.0 section 5.2).
func isStandard(claim string) bool {
	name, _, _ := strings.Cut(claim, "#")
	return slices.Contains(standardClaims, name)
}

// claims is what the provider says about a user.
type claims struct {
	idToken  map[string]any
	userInfo func() (map[string]any, error) // asks the provider, once, when the first rule needs it; nil without error: it offers none
}

// decodeClaims reads a JSON object. Numbers stay as they are written.
func decodeClaims(data []byte) (map[string]any, error) {
	var object map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&object); err != nil {
		return nil, errors.New("it is no JSON object")
	}
	if _, err := dec.Token(); err != io.EOF || object == nil {
		return nil, errors.New("it is no JSON object")
	}
	return object, nil
}

// text gives what the first matching rule makes of the claims; false: none matches.
func (c claims) text(rules []rule) (string, bool, error) {
	for _, r := range rules {
		if r.Claim == "" {
			return *r.Subst, true, nil
		}
		sources := allSources
		if r.Source != "" {
			sources = []string{r.Source}
		}
		for _, source := range sources {
			object, err := c.from(source, r.Claim)
			if err != nil {
				return "", false, err
			}
			if text, ok := r.apply(object[r.Claim]); ok {
				return text, true, nil
			}
		}
	}
	return "", false, nil
}

// from gives the claims of a source that may have the claim.
func (c claims) from(source, claim string) (map[string]any, error) {
	if isStandard(claim) && (source == SourceIDTokenAdditional || source == SourceUserInfoAdditional) {
		return nil, nil
	}
	if source == SourceIDToken || source == SourceIDTokenAdditional {
		return c.idToken, nil
	}
	return c.userInfo()
}

// apply gives what a rule makes of a claim's value; false: it does not match. Of
// a list the first element that matches counts. Objects never match.
func (r rule) apply(value any) (string, bool) {
	if list, ok := value.([]any); ok {
		for _, element := range list {
			if text, ok := r.applyOne(element); ok {
				return text, true
			}
		}
		return "", false
	}
	return r.applyOne(value)
}

func (r rule) applyOne(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return r.transform(value)
	case bool:
		return r.transform(fmt.Sprint(value))
	case json.Number:
		return r.transform(value.String())
	}
	return "", false
}

func (r rule) transform(value string) (string, bool) {
	if r.expr == nil {
		return value, true
	}
	found := r.expr.FindStringSubmatchIndex(value)
	switch {
	case found == nil:
		return "", false
	case r.Subst == nil:
		return value, true
	case !strings.Contains(*r.Subst, "$"):
		return value[:found[0]] + *r.Subst + value[found[1]:], true
	}
	return string(r.expr.ExpandString(nil, *r.Subst, value, found)), true
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
