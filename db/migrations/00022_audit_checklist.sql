-- +goose Up

-- Signed checklists (RFC 9323). They are handed out and published nowhere: the
-- log alone knows who signed what, and audit.object has the octets.

CREATE VIEW audit.checklist AS
SELECT s.ca, s.stream_id, s.class, s.key_id, (s.list ->> 'serial')::numeric AS serial, s.list ->> 'hash' AS hash,
       s.list #>> '{resources,asn}' AS asn, s.list #>> '{resources,ipv4}' AS ipv4, s.list #>> '{resources,ipv6}' AS ipv6,
       jsonb_array_length(s.list -> 'files') AS files,
       (s.list ->> 'not_before')::timestamptz AS not_before, (s.list ->> 'not_after')::timestamptz AS not_after,
       s.at AS signed_at, s.actor AS signed_by, s.version AS signed_version,
       coalesce(r.at, k.closed_at) AS revoked_at, coalesce(r.actor, k.closed_by) AS revoked_by, coalesce(r.version, k.closed_version) AS revoked_version,
       coalesce(r.how, k.closed_how) AS revoked_how
FROM (
    SELECT e.handle AS ca, e.stream_id, e.payload ->> 'class' AS class, e.payload ->> 'key_id' AS key_id, e.payload -> 'checklist' AS list,
           e.version, e.ordinal, e.at, e.actor
    FROM audit.event e
    WHERE e.name = 'checklist_signed/1' AND e.kind = 'ca'
) s
LEFT JOIN LATERAL (
    SELECT x.at, x.actor, x.version, CASE x.name WHEN 'checklists_revoked/1' THEN x.payload ->> 'reason' ELSE 'key_rolled' END AS how
    FROM audit.event x
    WHERE x.name IN ('checklists_revoked/1', 'key_roll_activated/1') AND x.stream_id = s.stream_id AND x.payload ->> 'class' = s.class
      AND CASE x.name WHEN 'checklists_revoked/1' THEN x.payload -> 'serials' ? (s.list ->> 'serial') ELSE x.payload ->> 'old_key' = s.key_id END
      AND x.at < (s.list ->> 'not_after')::timestamptz
    ORDER BY x.version, x.ordinal LIMIT 1
) r ON true
LEFT JOIN audit.resource_class k ON k.stream_id = s.stream_id AND k.class = s.class AND k.closed_at < (s.list ->> 'not_after')::timestamptz;

COMMENT ON VIEW audit.checklist IS 'Every checklist that was signed (RFC 9323), by whom, and what became of it. It is published nowhere; audit.object has its octets, audit.checklist_file its files.';
COMMENT ON COLUMN audit.checklist.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.checklist.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.checklist.class IS 'Resource class of the CA; its certificate is in audit.certificate_received.';
COMMENT ON COLUMN audit.checklist.key_id IS 'Key identifier of the key that signed its certificate, hexadecimal.';
COMMENT ON COLUMN audit.checklist.serial IS 'Serial number of its certificate.';
COMMENT ON COLUMN audit.checklist.hash IS 'SHA-256 of the object, hexadecimal.';
COMMENT ON COLUMN audit.checklist.asn IS 'AS numbers that it was signed with.';
COMMENT ON COLUMN audit.checklist.ipv4 IS 'IPv4 addresses that it was signed with.';
COMMENT ON COLUMN audit.checklist.ipv6 IS 'IPv6 addresses that it was signed with.';
COMMENT ON COLUMN audit.checklist.files IS 'How many files it names.';
COMMENT ON COLUMN audit.checklist.not_before IS 'Its certificate is valid from then on.';
COMMENT ON COLUMN audit.checklist.not_after IS 'Its certificate is valid until then, unless it was revoked.';
COMMENT ON COLUMN audit.checklist.signed_at IS 'When it was signed.';
COMMENT ON COLUMN audit.checklist.signed_by IS 'Who wanted it.';
COMMENT ON COLUMN audit.checklist.signed_version IS 'Number of the command.';
COMMENT ON COLUMN audit.checklist.revoked_at IS 'When it was revoked; NULL if it is valid or just expired.';
COMMENT ON COLUMN audit.checklist.revoked_by IS 'Who did so.';
COMMENT ON COLUMN audit.checklist.revoked_version IS 'Number of the command that did so.';
COMMENT ON COLUMN audit.checklist.revoked_how IS 'removed (somebody revoked it), resources (the CA no longer held what it says), key_rolled (it ends with the key), class_removed or ca_deleted.';

CREATE VIEW audit.checklist_file AS
SELECT e.handle AS ca, e.stream_id, (e.payload #>> '{checklist,serial}')::numeric AS serial, f.ordinal, f.value ->> 'name' AS name, f.value ->> 'hash' AS hash
FROM audit.event e
CROSS JOIN LATERAL jsonb_array_elements(e.payload #> '{checklist,files}') WITH ORDINALITY AS f (value, ordinal)
WHERE e.name = 'checklist_signed/1' AND e.kind = 'ca';

COMMENT ON VIEW audit.checklist_file IS 'The files that signed checklists name.';
COMMENT ON COLUMN audit.checklist_file.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.checklist_file.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.checklist_file.serial IS 'Serial number of the checklist''s certificate.';
COMMENT ON COLUMN audit.checklist_file.ordinal IS 'Its place in the checklist, from 1.';
COMMENT ON COLUMN audit.checklist_file.name IS 'Name of the file; NULL if its digest stands alone.';
COMMENT ON COLUMN audit.checklist_file.hash IS 'SHA-256 of the file, hexadecimal.';

-- +goose Down
DROP VIEW audit.checklist_file;
DROP VIEW audit.checklist;
