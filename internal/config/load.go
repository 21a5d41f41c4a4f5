package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// Where a value comes from.
const (
	FromEnvironment = "environment"
	FromDefault     = "default"
)

// Error lists all that is wrong with a configuration.
type Error struct {
	Problems []string // each begins with the name of a variable
}

// Error gives one line for each problem.
func (e *Error) Error() string {
	head := "the configuration has a problem:"
	if n := len(e.Problems); n != 1 {
		head = fmt.Sprintf("the configuration has %d problems:", n)
	}
	return head + "\n  " + strings.Join(e.Problems, "\n  ")
}

// FromEnv reads the environment of this process. An error is an *Error.
func FromEnv() (Config, error) {
	env := make(map[string]string)
	for _, e := range os.Environ() {
		if name, value, ok := strings.Cut(e, "="); ok {
			env[name] = value
		}
	}
	l := newLoader(env)
	l.process = true
	return l.load()
}

// FromMap is FromEnv for an environment that is given by name and value.
func FromMap(env map[string]string) (Config, error) {
	return newLoader(env).load()
}

// host is what defaults depend on besides the environment.
type host struct {
	root bool
	name string
}

func thisHost() host {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return host{root: os.Geteuid() == 0, name: name}
}

type loader struct {
	env      map[string]string
	process  bool // env is the environment of this process
	host     host
	cfg      Config
	bad      map[string]bool // variables that have a problem already
	problems []string
}

func newLoader(env map[string]string) *loader {
	return &loader{env: env, host: thisHost(), bad: map[string]bool{}, cfg: Config{origin: map[string]string{}}}
}

func (l *loader) load() (Config, error) {
	walk(&l.cfg, l.read)
	l.unknown()
	l.derive()
	l.check()
	if len(l.problems) > 0 {
		slices.Sort(l.problems)
		return Config{}, &Error{Problems: l.problems}
	}
	return l.cfg, nil
}

// field is one setting of a Config.
type field struct {
	name  string // of its variable
	tag   reflect.StructTag
	group string
	value reflect.Value // addressable
}

// walk calls f for each setting, in the order of the declaration.
func walk(c *Config, f func(field)) {
	group := ""
	var in func(v reflect.Value, prefix string)
	in = func(v reflect.Value, prefix string) {
		for i := range v.NumField() {
			sf := v.Type().Field(i)
			if g := sf.Tag.Get("group"); g != "" {
				group = g
			}
			name := prefix + sf.Tag.Get("envconfig")
			switch {
			case sf.Tag.Get("envconfig") == "":
				continue
			case sf.Type.Kind() == reflect.Struct:
				in(v.Field(i), name+"_")
			default:
				f(field{name: name, tag: sf.Tag, group: group, value: v.Field(i)})
			}
		}
	}
	in(reflect.ValueOf(c).Elem(), Prefix)
}

// read has envconfig read one setting. A variable that is empty counts as unset:
// that is what a compose file makes of one that nobody set.
func (l *loader) read(f field) {
	value := l.env[f.name]
	tag := `envconfig:"` + f.name + `"`
	l.cfg.origin[f.name] = FromEnvironment
	if value == "" {
		value = f.tag.Get("default")
		l.cfg.origin[f.name] = FromDefault
	}
	if l.cfg.origin[f.name] == FromDefault || !l.process {
		// No environment has a variable of this name, so that envconfig takes the default: the value we have.
		tag = `envconfig:"=" default:` + strconv.Quote(value)
	}
	one := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "V", Type: f.value.Type(), Tag: reflect.StructTag(tag)}}))
	if err := envconfig.Process("", one.Interface()); err != nil {
		l.problem(f.name, "%s", explain(f, value, err))
		return
	}
	f.value.Set(one.Elem().Field(0))
}

// explain says what is wrong with a value, without showing a secret.
func explain(f field, value string, err error) string {
	var parse *envconfig.ParseError
	if errors.As(err, &parse) {
		err = parse.Err
	}
	shown := strconv.Quote(value)
	if f.tag.Get("secret") != "" {
		shown = "the value"
	}
	switch kind := f.value.Kind(); {
	case f.value.Type().String() == "time.Duration":
		return shown + " is not a duration such as 90s, 5m or 1h30m"
	case kind == reflect.Bool:
		return shown + " is neither true nor false"
	case f.value.CanInt():
		return shown + " is not a whole number"
	case f.value.CanUint():
		return shown + " is not a whole number from 0 to " + strconv.FormatUint(1<<f.value.Type().Bits()-1, 10)
	}
	return shown + " " + err.Error()
}

// problem notes what is wrong with a variable.
func (l *loader) problem(name, format string, args ...any) {
	l.bad[name] = true
	l.problems = append(l.problems, name+": "+fmt.Sprintf(format, args...))
}

// isSet says whether the operator gave the variable a value.
func (l *loader) isSet(name string) bool { return l.cfg.origin[name] == FromEnvironment }

// absolute makes a path absolute.
func (l *loader) absolute(name string, path *string) {
	if *path == "" {
		return
	}
	abs, err := filepath.Abs(*path)
	if err != nil {
		l.problem(name, "%v", err)
		return
	}
	*path = abs
}
