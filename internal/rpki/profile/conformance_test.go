package profile_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/profile"
)

// conformance gives the folder of the BBN conformance suite, which lies beside the project
// and not in it, or skips the test.
func conformance(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "..", "shared", "vectors", "conformance")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the RPKI conformance suite is not in ../shared/vectors/conformance: skipped")
	}
	return dir
}

// conformanceTime is when the suite's objects are valid, unless their names say otherwise.
func conformanceTime() time.Time { return time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC) }

func read(t testing.TB, name string) []byte {
	t.Helper()
	der, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// The bad cases and the rule that each breaks, perhaps among others. No newer RFC
// decides otherwise about any certificate or revocation list of the suite.
var badCertificates = map[string]string{
	"badCert2ASNum.cer":              "RFC 5280 4.2",
	"badCert2BasicConstr.cer":        "RFC 5280 4.2",
	"badCert2Cpol.cer":               "RFC 5280 4.2",
	"badCert2KeyUsage.cer":           "RFC 5280 4.2",
	"badCert2SKI.cer":                "RFC 5280 4.2",
	"badCertAIA2x.cer":               "RFC 5280 4.2",
	"badCertAKIHasACIACSN.cer":       "RFC 6487 4.8.3",
	"badCertAKIHash.cer":             "RFC 6487 4.8.3",
	"badCertAKILong.cer":             "RFC 6487 4.8.3",
	"badCertAKIShort.cer":            "RFC 6487 4.8.3",
	"badCertBadSig.cer":              "RFC 6487 7.2",
	"badCertBasicConstrNoCA.cer":     "RFC 6487 4.8.1",
	"badCertBasicConstrNoCrit.cer":   "RFC 6487 4.8.1",
	"badCertCRLDPReasons.cer":        "RFC 6487 4.8.6",
	"badCertCpol2oid1correct.cer":    "RFC 6487 4.8.9",
	"badCertCpol2oid2correct.cer":    "RFC 6487 4.8.9",
	"badCertCpolBadOid.cer":          "RFC 6487 4.8.9",
	"badCertCpolNoCrit.cer":          "RFC 6487 4.8.9",
	"badCertCpolQualCpsUnotice.cer":  "RFC 7318 2",
	"badCertCpolQualUnotice.cer":     "RFC 7318 2",
	"badCertInnerSigAlg.cer":         "RFC 5280 4.1.1.2",
	"badCertIssUID.cer":              "RFC 6487 4",
	"badCertIssuer2ComName.cer":      "RFC 6487 4.4",
	"badCertIssuer2SetComName.cer":   "RFC 6487 4.4",
	"badCertIssuerOID.cer":           "RFC 6487 4.4",
	"badCertIssuerSeq2SerNums.cer":   "RFC 6487 4.4",
	"badCertIssuerSerNum.cer":        "RFC 6487 4.4",
	"badCertIssuerSet2SerNums.cer":   "RFC 6487 4.4",
	"badCertIssuerUtf.cer":           "RFC 6487 4.4",
	"badCertKUsageNoCrit.cer":        "RFC 6487 4.8.4",
	"badCertNoAIA.cer":               "RFC 6487 4.8.7",
	"badCertNoBasicConstr.cer":       "RFC 6487 4.8.1",
	"badCertNoCRLDP.cer":             "RFC 6487 4.8.6",
	"badCertNoSIA.cer":               "RFC 6487 4.8.8",
	"badCertPubKeyAlg.cer":           "RFC 6487 4.7",
	"badCertResourcesASEmpty.cer":    "RFC 6487 4.8.11",
	"badCertResourcesASNoCrit.cer":   "RFC 6487 4.8.11",
	"badCertResourcesBadAFI.cer":     "RFC 6487 4.8.10",
	"badCertResourcesBadV4Order.cer": "RFC 6487 4.8.10",
	"badCertResourcesBadV6Order.cer": "RFC 6487 4.8.10",
	"badCertResourcesIPNoCrit.cer":   "RFC 6487 4.8.10",
	"badCertSIAMFTNoRsync.cer":       "RFC 6487 4.8.8.1",
	"badCertSIANoRepo.cer":           "RFC 6487 4.8.8.1",
	"badCertSIARepoNoRsync.cer":      "RFC 6487 4.8.8.1",
	"badCertSKILong.cer":             "RFC 6487 4.8.2",
	"badCertSerNumTooBig.cer":        "RFC 5280 4.1.2.2",
	"badCertSubjUID.cer":             "RFC 6487 4",
	"badCertSubjectSerNum.cer":       "RFC 6487 4.5",
	"badCertUnkExtension.cer":        "RFC 6487 4.8",
	"badCertValCrossed.cer":          "RFC 6487 4.6",
	"badCertValFromFuture.cer":       "RFC 6487 7.2",
	"badCertValToTyp.cer":            "RFC 6487 4.6.2",
	"badCertVersion1.cer":            "RFC 6487 4.1",
	"badCertVersion4.cer":            "RFC 6487 4.1",
}

var badCRLs = map[string]string{
	"badCRL2CRLNums.crl":          "RFC 6487 5",
	"badCRLDeltaCRLInd.crl":       "RFC 6487 5",
	"badCRLEntryHasExtension.crl": "RFC 6487 5",
	"badCRLEntrySerNumNeg.crl":    "RFC 5280 4.1.2.2",
	"badCRLEntrySerNumTooBig.crl": "RFC 5280 4.1.2.2",
	"badCRLIssDistPt.crl":         "RFC 6487 5",
	"badCRLIssuer2Seq.crl":        "RFC 6487 4.4",
	"badCRLIssuer2Sets.crl":       "RFC 6487 4.4",
	"badCRLIssuerOID.crl":         "RFC 6487 4.4",
	"badCRLIssuerSeq2SerNums.crl": "RFC 6487 4.4",
	"badCRLIssuerSerNum.crl":      "RFC 6487 4.4",
	"badCRLIssuerSet2SerNums.crl": "RFC 6487 4.4",
	"badCRLIssuerUTF.crl":         "RFC 6487 4.4",
	"badCRLNextUpdateTyp.crl":     "RFC 5280 5.1.2.5",
	"badCRLNoCRLNum.crl":          "RFC 6487 5",
	"badCRLNumberNeg.crl":         "RFC 5280 5.2.3",
	"badCRLSigAlgOuter.crl":       "RFC 6487 5",
	"badCRLThisUpdateTyp.crl":     "RFC 5280 5.1.2.4",
	"badCRLUpdatesCrossed.crl":    "RFC 6487 5",
	"badCRLVersion0.crl":          "RFC 6487 5",
}

// broken takes the error of a check apart.
func broken(err error) []profile.Violation {
	var out []profile.Violation
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range all.Unwrap() {
			out = append(out, one.(profile.Violation))
		}
	}
	return out
}

func TestConformanceCertificates(t *testing.T) {
	dir := conformance(t)
	root, err := cert.Decode(read(t, filepath.Join(dir, "root.cer")))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range glob(t, filepath.Join(dir, "root", "*.cer")) {
		err := profile.CheckCACertificate(read(t, name), root, conformanceTime())
		judge(t, filepath.Base(name), err, badCertificates[filepath.Base(name)])
	}
	for _, name := range glob(t, filepath.Join(dir, "*.cer")) {
		judge(t, filepath.Base(name), profile.CheckTrustAnchor(read(t, name), conformanceTime()), "")
	}
}

func TestConformanceCRLs(t *testing.T) {
	dir := conformance(t)
	files := append(glob(t, filepath.Join(dir, "root", "*", "*.crl")), filepath.Join(dir, "root", "root.crl"))
	for _, name := range files {
		issuer, err := cert.Decode(read(t, filepath.Dir(name)+".cer"))
		if err != nil {
			t.Fatal(err)
		}
		err = profile.CheckCRL(read(t, name), issuer, conformanceTime())
		judge(t, filepath.Base(name), err, badCRLs[filepath.Base(name)])
	}
}

// judge compares a verdict with a case's name and with the rule that it is said to break.
func judge(t *testing.T, name string, err error, want string) {
	t.Helper()
	switch bad := strings.HasPrefix(name, "bad"); {
	case bad && want == "":
		t.Errorf("%s stands in no table: %v", name, err)
	case !bad && err != nil:
		t.Errorf("%s: got %v, want nothing", name, err)
	case bad && !slices.ContainsFunc(broken(err), func(v profile.Violation) bool { return v.RFC+" "+v.Section == want }):
		t.Errorf("%s: got %v, want %s among them", name, err, want)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v files, %v", pattern, len(names), err)
	}
	return names
}
