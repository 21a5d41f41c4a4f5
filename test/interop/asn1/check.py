"""Checks signed objects with an ASN.1 library that Baleen has nothing to do with.

usage: check.py FOLDER...

Every .asa, .roa, .mft and .cer below the folders must decode as the ASN.1 of
its RFC says, leave nothing over, and be the same octets when encoded in DER
again: as a whole and, for signed objects, the content and the EE certificate
too. ASPAs and certificates of routers are looked at in detail. Prints how many
of each kind there are; exit status 1 if one is wrong or there is no ASPA or
router certificate at all.
"""
import pathlib
import sys

from pyasn1.codec.der.decoder import decode
from pyasn1.codec.der.encoder import encode
from pyasn1.type import constraint, namedtype, tag, univ
from pyasn1_alt_modules import rfc3779, rfc5280, rfc5480, rfc5652, rfc8209, rfc9286, rfc9582

UINT32 = constraint.ValueRangeConstraint(0, 2**32 - 1)


class ASID(univ.Integer):
    subtypeSpec = UINT32


class Providers(univ.SequenceOf):
    componentType = ASID()
    sizeSpec = subtypeSpec = constraint.ValueSizeConstraint(1, 2**16)


class ASProviderAttestation(univ.Sequence):
    """ASProviderAttestation of draft-ietf-sidrops-aspa-profile, section 3."""

    componentType = namedtype.NamedTypes(
        namedtype.DefaultedNamedType(
            "version", univ.Integer(0).subtype(explicitTag=tag.Tag(tag.tagClassContext, tag.tagFormatSimple, 0))
        ),
        namedtype.NamedType("customerASID", ASID()),
        namedtype.NamedType("providers", Providers()),
    )


ID_CT_ASPA = univ.ObjectIdentifier("1.2.840.113549.1.9.16.1.49")
CONTENT = {
    ".asa": (ID_CT_ASPA, ASProviderAttestation()),
    ".roa": (rfc9582.id_ct_routeOriginAuthz, rfc9582.RouteOriginAttestation()),
    ".mft": (rfc9286.id_ct_rpkiManifest, rfc9286.Manifest()),
}
ID_CP_IPADDR_ASNUMBER = univ.ObjectIdentifier("1.3.6.1.5.5.7.14.2")


def must(ok, what):
    if not ok:
        raise ValueError(what)


def exactly(der, spec):
    value, rest = decode(der, asn1Spec=spec)
    must(not rest, "octets are left over")
    must(encode(value) == der, "not the same when encoded again")
    return value


def extensions(certificate):
    found = {}
    for e in certificate["tbsCertificate"]["extensions"]:
        must(e["extnID"] not in found, f"extension {e['extnID']} is there twice")
        found[e["extnID"]] = (bool(e["critical"]), bytes(e["extnValue"]))
    return found


def as_numbers(exts):
    """The AS resources, which must be listed one by one; none of IP (RFC 3779)."""
    critical, der = exts[rfc3779.id_pe_autonomousSysIds]
    must(critical, "AS resources are not critical")
    must(rfc3779.id_pe_ipAddrBlocks not in exts, "IP resources beside AS resources")
    ids = exactly(der, rfc3779.ASIdentifiers())
    must(ids["asnum"].getName() == "asIdsOrRanges", "AS resources are inherited")
    return [int(a["id"]) for a in ids["asnum"]["asIdsOrRanges"]]


def aspa(content, ee):
    must(int(content["version"]) == 1, "the version is not 1")
    providers = [int(p) for p in content["providers"]]
    must(providers == sorted(set(providers)), "providers are not in ascending order")
    must(int(content["customerASID"]) not in providers, "the customer is among its providers")
    must(as_numbers(extensions(ee)) == [int(content["customerASID"])], "the EE certificate is not for the customer alone")


def signed(der, suffix):
    info = exactly(der, rfc5652.ContentInfo())
    must(info["contentType"] == rfc5652.id_signedData, "no signed data")
    data = exactly(bytes(info["content"]), rfc5652.SignedData())
    must(int(data["version"]) == 3 and len(data["signerInfos"]) == 1, "RFC 6488 section 2.1")
    must(int(data["signerInfos"][0]["version"]) == 3, "the signer is not named by its key")
    must(not data["crls"].isValue or len(data["crls"]) == 0, "CRLs in a signed object")
    must(len(data["certificates"]) == 1, "not exactly one EE certificate")
    kind, spec = CONTENT[suffix]
    must(data["encapContentInfo"]["eContentType"] == kind, f"content of type {data['encapContentInfo']['eContentType']}")
    content = exactly(bytes(data["encapContentInfo"]["eContent"]), spec)
    ee = exactly(encode(data["certificates"][0]["certificate"]), rfc5280.Certificate())
    if suffix == ".asa":
        aspa(content, ee)


def router(exts, key):
    """A router's certificate (RFC 8209 section 3.1)."""
    must(key["algorithm"]["algorithm"] == rfc5480.id_ecPublicKey, "not a key for ECDSA")
    must(exactly(bytes(key["algorithm"]["parameters"]), univ.ObjectIdentifier()) == rfc5480.secp256r1, "not on P-256")
    _, der = exts[rfc5280.id_ce_extKeyUsage]
    must(rfc8209.id_kp_bgpsec_router in list(exactly(der, rfc5280.ExtKeyUsageSyntax())), "not for BGPsec")
    must(rfc5280.id_ce_basicConstraints not in exts, "a router is no CA")
    must(rfc5280.id_pe_subjectInfoAccess not in exts, "a router publishes nothing")
    must(len(as_numbers(exts)) == 1, "not one AS")


def certificate(der, path):
    c = exactly(der, rfc5280.Certificate())
    exts = extensions(c)
    critical, policies = exts[rfc5280.id_ce_certificatePolicies]
    listed = exactly(policies, rfc5280.CertificatePolicies())
    must(critical and [p["policyIdentifier"] for p in listed] == [ID_CP_IPADDR_ASNUMBER], "RFC 6487 section 4.8.9")
    if path.name.startswith("ROUTER-"):
        router(exts, c["tbsCertificate"]["subjectPublicKeyInfo"])


def main(folders):
    seen, wrong = {}, 0
    for path in sorted(p for f in folders for p in pathlib.Path(f).rglob("*")):
        kind = "router" if path.name.startswith("ROUTER-") else path.suffix
        if path.suffix not in CONTENT and path.suffix != ".cer":
            continue
        seen[kind] = seen.get(kind, 0) + 1
        try:
            if path.suffix == ".cer":
                certificate(path.read_bytes(), path)
            else:
                signed(path.read_bytes(), path.suffix)
        except Exception as e:  # whatever the library cannot read is wrong
            wrong += 1
            print(f"{path}: {type(e).__name__}: {e}", file=sys.stderr)
    print("asn1: " + ", ".join(f"{n} {kind}" for kind, n in sorted(seen.items())) + f"; {wrong} wrong")
    return 1 if wrong or not seen.get(".asa") or not seen.get("router") else 0


sys.exit(main(sys.argv[1:]))
