package rest

import "net/http"

// labelStatus gives the status of an error label that the API's reference
// knows. There what is taken or unknown is mostly a plain 400.
func labelStatus(label string) (status int, ok bool) {
	switch label {
	case "sys-internal", "sys-store", "sys-wal-store":
		return http.StatusInternalServerError, true
	case "sys-not-implemented":
		return http.StatusNotImplemented, true
	case "sys-unavailable":
		return http.StatusServiceUnavailable, true
	case "ca-unknown", "ca-child-unknown", "ca-parent-unknown", "pub-unknown":
		return http.StatusNotFound, true
	case "api-invalid-credentials", "api-login-error", "api-auth-permanent-error", "api-auth-transient-error", "api-auth-session-expired":
		return http.StatusUnauthorized, true
	case "api-insufficient-rights", "testbed-not-registered":
		return http.StatusForbidden, true
	case "testbed-limit", codeTooMany:
		return http.StatusTooManyRequests, true
	}
	if isPlain(label) {
		return http.StatusBadRequest, true
	}
	return 0, false
}

// isPlain says whether the reference answers 400 under this label.
func isPlain(label string) bool {
	switch label {
	case "general-error", "multiple-errors", "sys-http-client", "invalid-path",
		"api-unexpected-body", "api-json", "api-post-body-exceeds-limit", "api-post-body-cannot-read",
		"repo-not-set",
		"pub-duplicate", "pub-repo-not-initialized", "pub-repo-has-publishers", "pub-repo-initialized",
		"ca-duplicate", "ca-repo-same", "ca-repo-issue", "ca-repo-response-invalid-xml",
		"ca-parent-xml-duplicate", "ca-parent-response-invalid-xml", "ca-parent-sync",
		"rfc-8183-xml", "rfc6492-protocol", "rfc6492-not-performed-response", "rfc6492-invalid-csr",
		"ca-child-import-handle-mismatch", "ca-child-duplicate", "ca-child-resources-required", "ca-child-resources-extra",
		"ca-roa-delta-error",
		"ca-aspa-not-entitled", "ca-aspa-provider-as-empty", "ca-aspa-customer-as-provider", "ca-aspa-provider-duplicates", "ca-aspa-unknown-customer-as",
		"ca-bgpsec-unknown", "ca-bgpsec-invalidly-signed", "ca-bgpsec-not-entitled",
		"key-re-use", "key-no-current", "key-no-match", "key-no-cert", "key-roll-disallowed", "key-roll-pending-requests", "rc-unknown", "rc-missing-resources",
		"ta-name-reserved", "ta-not-initialized", "ta-initialized", "ta-has-repository", "ta-has-no-repository",
		"ta-has-no-signer", "ta-has-signer", "ta-has-different-signer", "ta-has-no-signer-req", "ta-has-signer-req", "ta-proxy-response-nonce":
		return true
	default:
		return false
	}
}
