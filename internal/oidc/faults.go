package oidc

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"baleen/internal/fault"
)

// The codes of this package's errors.
const (
	CodeIncomplete = "api-invalid-credentials"  // what came back from the provider is no answer to an authorization request
	CodeLogin      = "api-login-error"          // this login is refused; another may succeed
	CodePermanent  = "api-auth-permanent-error" // nobody can log in until the configuration, here or at the provider, is changed
	CodeTransient  = "api-auth-transient-error" // the provider cannot be reached or says that it has a problem: try again later
	CodeExpired    = "api-auth-session-expired" // the session cannot be renewed: log in again
)

// loginError refuses a login.
func loginError(cause string, err error) error {
	return newFault(fault.Denied, CodeLogin, "Login error: ", cause, err)
}

// permanent says what is wrong in the set-up.
func permanent(cause string, err error) error {
	return newFault(fault.Invalid, CodePermanent, "Authentication error: ", cause, err)
}

// transient says what passes by itself.
func transient(cause string, err error) error {
	return newFault(fault.Unavailable, CodeTransient, "Transient authentication error: ", cause, err)
}

// expired ends a session.
func expired(cause string, err error) error {
	return newFault(fault.Denied, CodeExpired, "Session expired: ", cause, err)
}

func newFault(kind fault.Kind, code, prefix, cause string, err error) error {
	return &fault.Error{Kind: kind, Code: code, Msg: prefix + cause, Args: map[string]string{"cause": cause}, Err: err}
}

// maxLines is how many failed logins a minute the log shows at level warn: who
// makes them need not be anybody.
const maxLines = 20

// complaints counts lines of the log.
type complaints struct {
	mu     sync.Mutex
	minute time.Time
	lines  int
}

// level gives that of the next line.
func (c *complaints) level(now time.Time) slog.Level {
	c.mu.Lock()
	defer c.mu.Unlock()
	if minute := now.Truncate(time.Minute); !minute.Equal(c.minute) {
		c.minute, c.lines = minute, 0
	}
	if c.lines++; c.lines > maxLines {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// complain logs what went wrong with its cause, which only the log may have.
// What was no login at all is nobody's failure.
func (p *Provider) complain(ctx context.Context, what string, err error) {
	if err == nil || fault.Code(err) == CodeIncomplete {
		return
	}
	attrs := []any{"issuer", p.config.issuer(), "error", err}
	if cause := errors.Unwrap(err); cause != nil {
		attrs = append(attrs, "cause", cause)
	}
	p.log.Log(ctx, p.complaints.level(p.now()), what, attrs...)
}

// isTransient says whether an error of this package passes by itself.
func isTransient(err error) bool { return fault.Of(err) == fault.Unavailable }

// unreachable is the error of a request that got no complete answer. The log is
// told how it failed; that may be nobody else's business.
func (p *Provider) unreachable(what string, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) { // it repeats method and address
		err = wrapped.Err
	}
	cause := "the OpenID Connect provider " + p.config.issuer() + " cannot be reached (" + what + "): try again later"
	switch {
	case errors.Is(err, context.Canceled):
		cause = "the request ended before the OpenID Connect provider " + p.config.issuer() + " answered (" + what + ")"
	case isTimeout(err):
		cause = "the OpenID Connect provider " + p.config.issuer() + " did not answer in time (" + what + "): try again later"
	case errors.Is(err, errTooLong):
		return permanent("the OpenID Connect provider "+p.config.issuer()+" gave an answer that is too long ("+what+")", err)
	}
	return transient(cause, err)
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// said is what a provider says went wrong (RFC 6749 sections 4.1.2.1 and 5.2),
// without secrets that it may repeat.
func said(code, description string, secrets ...string) string {
	text := printable(code)
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret)} {
			if form != "" {
				description = strings.ReplaceAll(description, form, hidden)
			}
		}
	}
	if description = printable(description); description != "" {
		text += ": " + description
	}
	return text
}

// maxShown is how much of a provider's words is shown, in octets.
const maxShown = 200

// printable makes a provider's words safe for messages: one line, no control characters.
func printable(text string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7f || r == '\uFFFD' || r >= 0x80 && r < 0xa0:
			return -1
		}
		return r
	}, text[:min(len(text), maxShown)])
	return strings.TrimSpace(strings.ToValidUTF8(clean, ""))
}
