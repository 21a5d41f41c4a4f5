package tactl

import (
	"fmt"
	"strconv"

	"baleen/internal/ta"
)

// timingFrom reads the settings that proxy and signer must agree on. They have
// the same names as those of the server.
func timingFrom(getenv func(string) string) (ta.Timing, error) {
	t := ta.DefaultTiming()
	for _, v := range []struct {
		name  string
		value *int
		least int
		most  int
	}{
		{"CERTIFICATE_VALIDITY_YEARS", &t.CertificateValidityYears, 1, 1000},
		{"ISSUED_CERTIFICATE_VALIDITY_WEEKS", &t.IssuedValidityWeeks, 2, 5_300},
		{"ISSUED_CERTIFICATE_REISSUE_WEEKS_BEFORE", &t.IssuedReissueWeeksBefore, 1, 5_300},
		{"MFT_NEXT_UPDATE_WEEKS", &t.MftNextUpdateWeeks, 1, 5_300},
		{"SIGNED_MESSAGE_VALIDITY_DAYS", &t.SignedMessageValidityDays, 1, 366},
	} {
		name := "BALEEN_TA_TIMING_" + v.name
		text := getenv(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < v.least || n > v.most {
			return t, fmt.Errorf("%s must be a number from %d to %d", name, v.least, v.most)
		}
		*v.value = n
	}
	if t.IssuedReissueWeeksBefore >= t.IssuedValidityWeeks {
		return t, fmt.Errorf("BALEEN_TA_TIMING_ISSUED_CERTIFICATE_REISSUE_WEEKS_BEFORE (%d) must be less than BALEEN_TA_TIMING_ISSUED_CERTIFICATE_VALIDITY_WEEKS (%d)",
			t.IssuedReissueWeeksBefore, t.IssuedValidityWeeks)
	}
	return t, nil
}
