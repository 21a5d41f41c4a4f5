package profile_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/profile"
)

// sinceSuite lists the rules that are younger than the suite, which is of 2011
// and keeps to RFC 6482, 6486 and 6488. Nearly all of its objects break them;
// they neither spoil a good object nor count as what is wrong with a bad one.
var sinceSuite = []profile.Violation{
	// RFC 9589 section 4 (2024) made optional into mandatory.
	{RFC: "RFC 9589", Section: "4", Rule: "signing-time must be present"},
	// RFC 9582 section 5 (2024); RFC 6482 had AS resources ignored.
	{RFC: "RFC 9582", Section: "5", Rule: "the EE certificate must not have the AS identifier delegation extension"},
}

// decidedOtherwise lists bad objects that a newer RFC makes good.
var decidedOtherwise = map[string]string{
	"badCMSSigInfoWrongSigAlg.roa": "its signatureAlgorithm is rsaEncryption, which RFC 6485 forbade and RFC 7935 section 2 prescribes",
}

// badObjects says which rule each bad object must be found to break.
var badObjects = map[string]string{
	"badCMS2Certs.roa":                             "RFC 6488 2.1.4",
	"badCMS2SigInfo.roa":                           "RFC 6488 2.1.6",
	"badCMSHasCRL.roa":                             "RFC 6488 2.1.5",
	"badCMSNoSigInfo.roa":                          "RFC 6488 2.1.6",
	"badCMSSigInfoAttrs2BinSigTime.roa":            "RFC 9589 4",
	"badCMSSigInfoAttrs2ContType.roa":              "RFC 6488 2.1.6.4.1",
	"badCMSSigInfoAttrsContType0Val.roa":           "RFC 6488 2.1.6.4",
	"badCMSSigInfoAttrsContTypeOid.roa":            "RFC 6488 2.1.6.4.1",
	"badCMSSigInfoAttrsMsgDigest2Val.roa":          "RFC 6488 2.1.6.4",
	"badCMSSigInfoAttrsNoContType.roa":             "RFC 6488 2.1.6.4.1",
	"badCMSSigInfoAttrsNoMsgDigest.roa":            "RFC 6488 2.1.6.4.2",
	"badCMSSigInfoAttrsSigTime0Val.roa":            "RFC 6488 2.1.6.4",
	"badCMSSigInfoBadSid.roa":                      "RFC 6488 2.1.6.2",
	"badCMSSigInfoHashAlg.roa":                     "RFC 6488 2.1.6.3",
	"badCMSSigInfoNoAttrs.roa":                     "RFC 6488 2.1.6.4",
	"badCMSSigInfoNoSid.roa":                       "RFC 5652 5.3",
	"badCMSSigInfoNoSig.roa":                       "RFC 5652 5.3",
	"badCMSSigInfoUnSigAttrs.roa":                  "RFC 6488 2.1.6.7",
	"badEEBadSig.roa":                              "RFC 6487 7.2",
	"badEEKeyUsageCABits.roa":                      "RFC 6487 4.8.4",
	"badEEKeyUsageHasCRLSign.roa":                  "RFC 6487 4.8.4",
	"badEEKeyUsageHasKeyCertSignCABool.roa":        "RFC 6487 4.8.1",
	"badEEKeyUsageNoDigitalSig.roa":                "RFC 6487 4.8.4",
	"badEESIANoRsync.roa":                          "RFC 6487 4.8.8.2",
	"badROAASIDLarge.roa":                          "RFC 9582 4.2",
	"badROAASIDSmall.roa":                          "RFC 9582 4.2",
	"badROAFamilyLth.roa":                          "RFC 9582 4.3.1",
	"badROAIPv4ExtraPfxAbovePfx.roa":               "RFC 9582 5",
	"badROAIPv4GoodIPv6Bad.roa":                    "RFC 9582 5",
	"badROAIPv4MaxLthLong.roa":                     "RFC 9582 4.3.2.2",
	"badROAIPv4MaxLthShort.roa":                    "RFC 9582 4.3.2.2",
	"badROAIPv4OnlyPfxBelowPfxNoGap.roa":           "RFC 9582 5",
	"badROAIPv4OnlyPfxBetweenPfxPfxNoGaps.roa":     "RFC 9582 5",
	"badROAIPv4OnlyPfxBetweenRangePfxNoGaps.roa":   "RFC 9582 5",
	"badROAIPv4OnlyPfxBetweenRangeRangeNoGaps.roa": "RFC 9582 5",
	"badROAIPv4OnlyPfxOverlapHighRange.roa":        "RFC 9582 5",
	"badROAIPv4OnlyPfxOverlapLowRange.roa":         "RFC 9582 5",
	"badROAIPv4OnlyPfxSupersetHighPfx.roa":         "RFC 9582 5",
	"badROAIPv4OnlyPfxSupersetHighRange.roa":       "RFC 9582 5",
	"badROAIPv4OnlyPfxSupersetLowPfx.roa":          "RFC 9582 5",
	"badROAIPv6ExtraPfxBelowRange.roa":             "RFC 9582 5",
	"badROAIPv6GoodIPv4Bad.roa":                    "RFC 9582 5",
	"badROAIPv6Inherit.roa":                        "RFC 9582 5",
	"badROAIPv6OnlyPfxBelowPfxNoGap.roa":           "RFC 9582 5",
	"badROAIPv6OnlyPfxBetweenRangePfxNoGaps.roa":   "RFC 9582 5",
	"badROAIPv6OnlyPfxBetweenRangeRangeNoGaps.roa": "RFC 9582 5",
	"badROAIPv6OnlyPfxOverlapHighRange.roa":        "RFC 9582 5",
	"badROAIPv6OnlyPfxOverlapLowRange.roa":         "RFC 9582 5",
	"badROAIPv6OnlyPfxSpanPfxes.roa":               "RFC 9582 5",
	"badROAIPv6OnlyPfxSupersetLowRange.roa":        "RFC 9582 5",
	"badROAVersionV1ExplicitBadSig.roa":            "RFC 9582 4.1",
	"badROAWrongType.roa":                          "RFC 9582 3",
	"badGBRASNotInherit.gbr":                       "RFC 6493 6",
	"badGBRIPv4NotInherit.gbr":                     "RFC 6493 6",
	"badGBRNoContact.gbr":                          "RFC 6493 5",
	"badMFTASNotInherit.mft":                       "RFC 9286 5.1",
	"badMFTDuplicateFileTwoHashes.mft":             "RFC 9286 4.2.1",
	"badMFTFileHashShort.mft":                      "RFC 9286 4.2.1",
	"badMFTFileNotIA5.mft":                         "RFC 9286 4.2.1",
	"badMFTHashAlg.mft":                            "RFC 9286 4.2.1",
	"badMFTHashOctetStr.mft":                       "RFC 9286 4.2.1",
	"badMFTIPv6NotInherit.mft":                     "RFC 9286 5.1",
	"badMFTNoNum.mft":                              "RFC 9286 4.2.1",
	"badMFTNumTooBig.mft":                          "RFC 9286 4.2.1",
	"badMFTStartCrossed.mft":                       "RFC 9286 5.1",
	"badMFTThisUpdUTC.mft":                         "RFC 9286 4.2.1",
	"badMFTUpdCrossed.mft":                         "RFC 9286 4.2.1",
}

// TestConformanceObjects runs every ROA, manifest and Ghostbusters record of the
// suite, also those that accompany certificate and CRL cases and are good.
func TestConformanceObjects(t *testing.T) {
	dir := conformance(t)
	files := slices.Concat(
		glob(t, filepath.Join(dir, "root", "*.roa")),
		glob(t, filepath.Join(dir, "root", "*.gbr")),
		glob(t, filepath.Join(dir, "root", "*.mft")),
		glob(t, filepath.Join(dir, "root", "*", "*.mft")),
	)
	unseen := len(badObjects) + len(decidedOtherwise)
	for _, file := range files {
		name := filepath.Base(file)
		want, bad := badObjects[name]
		reason, good := decidedOtherwise[name]
		if bad || good {
			unseen--
		} else if strings.HasPrefix(name, "bad") {
			t.Errorf("%s stands in neither table", name)
		}
		t.Run(name, func(t *testing.T) {
			broken := slices.DeleteFunc(objectViolations(t, file), func(v profile.Violation) bool {
				return slices.Contains(sinceSuite, v)
			})
			switch {
			case bad && !slices.ContainsFunc(broken, func(v profile.Violation) bool { return v.RFC+" "+v.Section == want }):
				t.Errorf("got %v, want %s among them", broken, want)
			case !bad && len(broken) > 0:
				t.Errorf("got %v, want nothing (%s)", broken, reason)
			}
		})
	}
	if unseen != 0 {
		t.Errorf("%d cases of the tables were not in the suite", unseen)
	}
}

// objectViolations gives what is wrong with an object under its issuer: the
// root, or for folder/x.mft the certificate folder.cer.
func objectViolations(t *testing.T, file string) []profile.Violation {
	t.Helper()
	issuerFile := filepath.Dir(file) + ".cer"
	if _, err := os.Stat(issuerFile); err != nil {
		t.Fatal(err)
	}
	issuer, err := cert.Decode(read(t, issuerFile))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(file, ".mft") {
		s, broken := profile.Manifest(read(t, file))
		if s.EE == nil {
			t.Fatal(broken)
		}
		return append(append(broken, profile.Issued(s.EE, issuer, conformanceTime())...), profile.Current(s, conformanceTime())...)
	}
	var ee *cert.Certificate
	var broken []profile.Violation
	if strings.HasSuffix(file, ".gbr") {
		s, violations := profile.Ghostbusters(read(t, file))
		ee, broken = s.EE, violations
	} else {
		s, violations := profile.ROA(read(t, file))
		ee, broken = s.EE, violations
	}
	if ee != nil {
		broken = append(broken, profile.Issued(ee, issuer, conformanceTime())...)
	}
	return broken
}
