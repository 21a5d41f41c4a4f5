package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Row is one setting as `baleen config` shows it.
type Row struct {
	Name    string // of the variable
	Value   string // what is used; secrets are masked
	Origin  string // FromEnvironment or FromDefault
	Meaning string
}

// Table gives every setting, in the order of the documentation.
func (c Config) Table() []Row {
	var rows []Row
	walk(&c, func(f field) {
		origin := c.origin[f.name]
		if origin == "" {
			origin = FromDefault
		}
		rows = append(rows, Row{Name: f.name, Value: shown(f), Origin: origin, Meaning: f.tag.Get("desc")})
	})
	return rows
}

// shown is a value as people may see it.
func shown(f field) string {
	value := f.value.Interface()
	text := fmt.Sprint(value)
	if list, ok := value.([]string); ok {
		text = strings.Join(list, ",")
	}
	switch {
	case text == "":
		return ""
	case f.tag.Get("secret") == "true":
		return mask
	case f.tag.Get("secret") == "password":
		return maskPassword(text)
	}
	return text
}

const mask = "********"

var passwordKeyword = regexp.MustCompile(`(?i)\b(password|sslpassword)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&]*)`)

// maskPassword hides the passwords in a connection string of either form.
func maskPassword(text string) string {
	if u, err := url.Parse(text); err == nil && u.Scheme != "" && u.Host+u.Path != "" {
		if _, has := u.User.Password(); has {
			u.User = url.UserPassword(u.User.Username(), mask)
		}
		// Only a mask as such would be escaped.
		text = strings.ReplaceAll(u.String(), url.QueryEscape(mask), mask)
	}
	return passwordKeyword.ReplaceAllString(text, "$1="+mask)
}

// Markdown is docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(head)
	group := ""
	walk(&Config{}, func(f field) {
		if f.group != group {
			group = f.group
			fmt.Fprintf(&b, "\n## %s\n\n| variable | default | meaning |\n|---|---|---|\n", group)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.name, documentedDefault(f), f.tag.Get("desc"))
	})
	return b.String()
}

func documentedDefault(f field) string {
	if text := f.tag.Get("computed"); text != "" {
		return text
	}
	if text := f.tag.Get("default"); text != "" {
		return "`" + text + "`"
	}
	return "empty"
}

const head = `# Configuration

Everything is set by environment variables. Their names are those of Krill's options, in capitals and after ` + "`BALEEN_`" + `,
with the same meaning, unit and default. A variable that is empty counts as unset. A list is separated by commas.

A name that does not exist or a value that is wrong stops the start, with a list of all that is wrong.
` + "`baleen config`" + ` shows every setting, its value, where that comes from and what it means. Variables that begin with
` + "`BALEEN_CLI_`" + ` belong to ` + "`baleenctl`" + ` and are left alone.

This page is generated from ` + "`internal/config/config.go`" + `.
`
