package tactl

import (
	"strings"
	"unicode"

	"baleen/internal/fault"
)

// waysOut says what to do about what package ta refuses.
var waysOut = map[string]string{
	"ta-request-replayed":     "The answer is there already: `baleen-ta last --out response.json` gives it again if it was the last one.",
	"ta-request-out-of-order": "Fetch the open request from the proxy.",
	"ta-request-from-future":  "Compare the clocks of this machine and of the server.",
	"ta-signer-behind": "1. Restore the newest backup of the whole folder, if there is a newer one.\n" +
		"2. Otherwise take in every response that this signer gave and this folder lacks, the oldest first:\n" +
		"   `baleen-ta recover --response FILE`. The last one alone is enough to go on.\n" +
		"3. If there is none: `baleen-ta recover --signer-info FILE` with a description of the signer (`show`) that is as new as what the proxy has.\n" +
		"4. Only if the lost exchanges issued and revoked nothing: `--ta-mft-number-override N` with N above the number that the proxy has\n" +
		"   seen. Otherwise the server refuses the response: certificates would vanish, or come back after they were revoked.",
}

func wayOutOf(err error) string { return waysOut[fault.Code(err)] }

// printable leaves nothing in a text that could steer a terminal: some of it
// comes from the other side.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
