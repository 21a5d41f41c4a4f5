package obs

import (
	"strconv"
	"strings"
)

// Version is this program's version: MAJOR.MINOR.PATCH, perhaps with -SUFFIX.
// A release build sets it with -ldflags "-X baleen/internal/obs.Version=…".
var Version = "0.1.0-dev"

// parts splits a version into its three numbers; what cannot be read is 0.
func parts(version string) (n [3]int) {
	core, _, _ := strings.Cut(version, "-")
	for i, text := range strings.SplitN(core, ".", len(n)) {
		v, err := strconv.Atoi(text)
		if err != nil {
			return n
		}
		n[i] = v
	}
	return n
}
