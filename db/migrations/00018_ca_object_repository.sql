-- +goose Up
ALTER TABLE ca_object ADD COLUMN repository text NOT NULL DEFAULT '';
COMMENT ON COLUMN ca_object.repository IS 'Service URI of the repository where the object is published; empty: the one that the CA has now. A CA that moves publishes at two until its old keys are gone.';

-- Audit: what the new key of a roll signs, what the old one takes along, and who was left. In blocks, because the compiler
-- of the statements reads this file and does not know schema audit.
-- +goose StatementBegin
DO $views$ BEGIN
CREATE VIEW audit.key_retired AS
SELECT e.handle AS ca, e.stream_id, e.payload ->> 'class' AS class,
       coalesce(e.payload ->> 'old_key', e.payload ->> 'key_id') AS key_id,
       e.at AS retired_at, e.actor AS retired_by, e.version AS retired_version,
       CASE e.name WHEN 'key_roll_activated/1' THEN 'key_rolled' ELSE 'key_abandoned' END AS retired_how
FROM audit.event e
WHERE e.name IN ('key_roll_activated/1', 'key_roll_abandoned/1') AND e.kind = 'ca';

COMMENT ON VIEW audit.key_retired IS 'The keys that sign nothing any more, although their class lives on: all that they signed is revoked (RFC 6489).';
COMMENT ON COLUMN audit.key_retired.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.key_retired.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.key_retired.class IS 'Resource class of the CA.';
COMMENT ON COLUMN audit.key_retired.key_id IS 'Key identifier, hexadecimal.';
COMMENT ON COLUMN audit.key_retired.retired_at IS 'When another key took its place, or it was given up.';
COMMENT ON COLUMN audit.key_retired.retired_by IS 'Who caused that.';
COMMENT ON COLUMN audit.key_retired.retired_version IS 'Number of the command that recorded it.';
COMMENT ON COLUMN audit.key_retired.retired_how IS 'key_rolled, or key_abandoned if it never came into use.';

CREATE OR REPLACE VIEW audit.roa_object AS
SELECT o.ca, o.stream_id, o.class, o.name,
       ARRAY(SELECT jsonb_array_elements_text(o.object -> 'authorizations')) AS authorizations,
       (o.object ->> 'serial')::numeric AS serial, o.object ->> 'hash' AS hash,
       (o.object ->> 'not_before')::timestamptz AS not_before, (o.object ->> 'not_after')::timestamptz AS not_after,
       o.at AS issued_at, o.version AS issued_version,
       coalesce(o.next_at, r.retired_at, k.closed_at) AS withdrawn_at, coalesce(o.next_version, r.retired_version, k.closed_version) AS withdrawn_version,
       CASE WHEN o.next_replaces THEN 'replaced' WHEN o.next_at IS NOT NULL THEN 'withdrawn' ELSE coalesce(r.retired_how, k.closed_how) END AS withdrawn_how
FROM (
    SELECT s.ca, s.stream_id, s.class, s.signer, l.name, l.object, s.version, s.at,
           lead(s.at) OVER w AS next_at, lead(s.version) OVER w AS next_version, lead(l.object IS NOT NULL) OVER w AS next_replaces
    FROM (
        -- Each event with the key that signed: the new key of a roll, or the current one at that moment.
        SELECT g.*, CASE WHEN g.event = 'roas_staged/1' THEN g.key_id ELSE first_value(
                   CASE WHEN g.event IN ('resource_class_added/1', 'key_roll_activated/1') THEN g.key_id END)
                   OVER (PARTITION BY g.ca, g.stream_id, g.class, g.generation ORDER BY g.version, g.ordinal) END AS signer
        FROM (
            SELECT e.handle AS ca, e.stream_id, e.payload ->> 'class' AS class, e.payload ->> 'key_id' AS key_id, e.name AS event,
                   e.payload, e.version, e.ordinal, e.at, e.actor,
                   count(*) FILTER (WHERE e.name = 'key_roll_activated/1') OVER (
                       PARTITION BY e.handle, e.stream_id, e.payload ->> 'class' ORDER BY e.version, e.ordinal) AS generation
            FROM audit.event e
            WHERE e.name IN ('roas_issued/1', 'roas_staged/1', 'resource_class_added/1', 'key_roll_activated/1') AND e.kind = 'ca'
        ) g
    ) s
    CROSS JOIN LATERAL (
        SELECT r.value AS name, NULL::jsonb AS object
        FROM jsonb_array_elements_text(nullif(s.payload -> 'withdrawn', 'null')) AS r (value)
        UNION ALL
        SELECT i.value ->> 'name', i.value
        FROM jsonb_array_elements(nullif(s.payload -> 'issued', 'null')) AS i (value)
    ) l
    -- In one event, what is withdrawn goes before what is issued.
    WINDOW w AS (PARTITION BY s.ca, s.stream_id, s.class, s.signer, l.name ORDER BY s.version, s.ordinal, l.object IS NOT NULL)
) o
LEFT JOIN audit.key_retired r ON r.stream_id = o.stream_id AND r.class = o.class AND r.key_id = o.signer
LEFT JOIN audit.resource_class k ON k.stream_id = o.stream_id AND k.class = o.class
WHERE o.object IS NOT NULL;
COMMENT ON COLUMN audit.roa_object.withdrawn_how IS 'replaced (by another of the same name), withdrawn, key_rolled (signed again with the next key), key_abandoned, class_removed or ca_deleted.';

CREATE OR REPLACE VIEW audit.certificate_issued AS
WITH certificate AS (
    SELECT o.ca, o.stream_id, o.class, o.key_id, o.cert, o.at, o.actor, o.version,
           coalesce(o.next_at, r.retired_at, k.closed_at) AS gone_at, coalesce(o.next_actor, r.retired_by, k.closed_by) AS gone_by,
           CASE WHEN o.next_replaces THEN 'replaced' WHEN o.next_at IS NOT NULL THEN 'revoked' ELSE coalesce(r.retired_how, k.closed_how) END AS gone_how
    FROM (
        SELECT s.ca, s.stream_id, s.class, s.signer, l.key_id, l.cert, s.version, s.at, s.actor,
               lead(s.at) OVER w AS next_at, lead(s.actor) OVER w AS next_actor, lead(l.cert IS NOT NULL) OVER w AS next_replaces
        FROM (
            SELECT g.*, CASE WHEN g.event = 'child_certificates_staged/1' THEN g.key_id ELSE first_value(
                       CASE WHEN g.event IN ('resource_class_added/1', 'key_roll_activated/1') THEN g.key_id END)
                       OVER (PARTITION BY g.ca, g.stream_id, g.class, g.generation ORDER BY g.version, g.ordinal) END AS signer
            FROM (
                SELECT e.handle AS ca, e.stream_id, e.payload ->> 'class' AS class, e.payload ->> 'key_id' AS key_id, e.name AS event,
                       e.payload, e.version, e.ordinal, e.at, e.actor,
                       count(*) FILTER (WHERE e.name = 'key_roll_activated/1') OVER (
                           PARTITION BY e.handle, e.stream_id, e.payload ->> 'class' ORDER BY e.version, e.ordinal) AS generation
                FROM audit.event e
                WHERE e.name IN ('child_certificates_issued/1', 'child_certificates_revoked/1', 'child_certificates_staged/1', 'resource_class_added/1', 'key_roll_activated/1') AND e.kind = 'ca'
            ) g
        ) s
        CROSS JOIN LATERAL (
            SELECT i.value ->> 'key_id' AS key_id, i.value AS cert
            FROM jsonb_array_elements(nullif(s.payload -> 'certs', 'null')) AS i (value)
            UNION ALL
            SELECT r.value, NULL::jsonb
            FROM jsonb_array_elements_text(nullif(coalesce(s.payload -> 'keys', s.payload -> 'withdrawn'), 'null')) AS r (value)
        ) l
        -- In one event, what is taken out of use goes before what is issued.
        WINDOW w AS (PARTITION BY s.ca, s.stream_id, s.class, s.signer, l.key_id ORDER BY s.version, s.ordinal, l.cert IS NOT NULL)
    ) o
    LEFT JOIN audit.key_retired r ON r.stream_id = o.stream_id AND r.class = o.class AND r.key_id = o.signer
    LEFT JOIN audit.resource_class k ON k.stream_id = o.stream_id AND k.class = o.class
    WHERE o.cert IS NOT NULL
    UNION ALL
    -- With each exchange the trust anchor tells all that it has issued. What
    -- is no longer there was revoked, unless it had expired by then.
    SELECT t.ca, t.stream_id, 'default', t.key_id, t.cert, t.at, t.actor, t.version,
           CASE WHEN t.dropped THEN t.gone_at END, CASE WHEN t.dropped THEN t.gone_by END,
           CASE WHEN t.dropped AND t.gone_issued ? t.key_id THEN 'replaced' WHEN t.dropped THEN 'revoked' END
    FROM (
        SELECT i.ca, i.stream_id, i.key_id, i.cert, i.at, i.actor, i.version, i.gone_at, i.gone_by, i.gone_issued,
               (i.cert ->> 'not_after')::timestamptz > i.gone_at AS dropped
        FROM (
            SELECT b.ca, b.stream_id, b.version, b.at, b.actor, c.key AS key_id, c.value AS cert,
                   row_number() OVER w AS n, last_value(b.next_at) OVER w AS gone_at,
                   last_value(b.next_actor) OVER w AS gone_by, last_value(b.next_issued) OVER w AS gone_issued
            FROM (
                SELECT a.*, lead(a.at) OVER x AS next_at, lead(a.actor) OVER x AS next_actor, lead(a.issued) OVER x AS next_issued
                FROM (
                    SELECT e.handle AS ca, e.stream_id, e.version, e.ordinal, e.at, e.actor,
                           coalesce(e.payload #> '{response,objects,issued}', e.payload #> '{signer,objects,issued}') AS issued
                    FROM audit.event e
                    WHERE e.name IN ('signer_added/1', 'signer_updated/1', 'signer_response_received/1') AND e.kind = 'ta_proxy'
                ) a
                WINDOW x AS (PARTITION BY a.ca, a.stream_id ORDER BY a.version, a.ordinal)
            ) b
            CROSS JOIN LATERAL jsonb_each(nullif(b.issued, 'null')) AS c (key, value)
            WINDOW w AS (PARTITION BY b.ca, b.stream_id, c.value ->> 'hash' ORDER BY b.version, b.ordinal
                         ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
        ) i
        WHERE i.n = 1
    ) t
)
SELECT c.ca, c.stream_id, c.class, c.cert ->> 'child' AS child, c.key_id,
       (c.cert ->> 'serial')::numeric AS serial, c.cert ->> 'uri' AS uri, c.cert ->> 'hash' AS hash,
       c.cert #>> '{resources,asn}' AS asn, c.cert #>> '{resources,ipv4}' AS ipv4, c.cert #>> '{resources,ipv6}' AS ipv6,
       (c.cert ->> 'not_before')::timestamptz AS not_before, (c.cert ->> 'not_after')::timestamptz AS not_after,
       c.at AS issued_at, c.actor AS issued_by, c.version AS issued_version,
       c.gone_at AS revoked_at, c.gone_by AS revoked_by, c.gone_how AS revoked_how
FROM certificate c;
COMMENT ON COLUMN audit.certificate_issued.revoked_how IS 'replaced (by another for the same key), revoked, key_rolled (signed again with the next key of the issuer), key_abandoned, class_removed (the issuer lost the class) or ca_deleted.';

CREATE OR REPLACE VIEW audit.certificate_received AS
SELECT o.ca, o.stream_id, o.class, k.parent, k.parent_class, o.key_id,
       (o.cert ->> 'serial')::numeric AS serial, o.cert ->> 'uri' AS uri, o.cert ->> 'hash' AS hash,
       o.cert #>> '{resources,asn}' AS asn, o.cert #>> '{resources,ipv4}' AS ipv4, o.cert #>> '{resources,ipv6}' AS ipv6,
       (o.cert ->> 'not_before')::timestamptz AS not_before, (o.cert ->> 'not_after')::timestamptz AS not_after,
       o.at AS received_at, o.version AS received_version, coalesce(o.next_at, k.closed_at) AS replaced_at
FROM (
    SELECT e.handle AS ca, e.stream_id, e.payload ->> 'class' AS class, e.payload ->> 'key_id' AS key_id, e.payload -> 'cert' AS cert,
           e.version, e.at,
           lead(e.at) OVER (PARTITION BY e.handle, e.stream_id, e.payload ->> 'class', e.payload ->> 'key_id' ORDER BY e.version, e.ordinal) AS next_at
    FROM audit.event e
    WHERE e.name IN ('certificate_received/1', 'key_staged/1', 'key_roll_finished/1', 'key_roll_abandoned/1') AND e.kind = 'ca'
) o
LEFT JOIN audit.resource_class k ON k.stream_id = o.stream_id AND k.class = o.class
WHERE o.cert IS NOT NULL;
COMMENT ON COLUMN audit.certificate_received.replaced_at IS 'When another took its place, its key was revoked or given up, the class was removed or the CA deleted; NULL while it is in use.';

CREATE OR REPLACE VIEW audit.child AS
SELECT o.ca, o.stream_id, o.child,
       o.resources ->> 'asn' AS asn, o.resources ->> 'ipv4' AS ipv4, o.resources ->> 'ipv6' AS ipv6,
       o.at AS valid_from, coalesce(o.next_at, a.deleted_at) AS valid_to, o.actor AS changed_by, o.version, o.id_cert
FROM (
    -- What an event does not tell stays as it was.
    SELECT i.*, first_value(i.payload -> 'resources') OVER (PARTITION BY i.ca, i.stream_id, i.child, i.nth_set ORDER BY i.version, i.ordinal) AS resources,
           first_value(i.payload ->> 'id_cert') OVER (PARTITION BY i.ca, i.stream_id, i.child, i.nth_cert ORDER BY i.version, i.ordinal) AS id_cert
    FROM (
        SELECT e.handle AS ca, e.stream_id, e.payload ->> 'child' AS child, e.name AS event, e.payload, e.version, e.ordinal, e.at, e.actor,
               lead(e.at) OVER w AS next_at, lead(e.version) OVER w AS next_version,
               count(e.payload -> 'resources') OVER w AS nth_set, count(e.payload -> 'id_cert') OVER w AS nth_cert
        FROM audit.event e
        WHERE e.name IN ('child_added/1', 'child_resources_updated/1', 'child_id_cert_updated/1', 'child_removed/1')
        WINDOW w AS (PARTITION BY e.handle, e.stream_id, e.payload ->> 'child' ORDER BY e.version, e.ordinal)
    ) i
) o
JOIN audit.ca a ON a.stream_id = o.stream_id
WHERE o.event <> 'child_removed/1' AND o.next_version IS DISTINCT FROM o.version;
COMMENT ON VIEW audit.child IS 'The children of CAs and of the trust anchor, and what each was entitled to and spoke as, one row for each period.';
COMMENT ON COLUMN audit.child.valid_to IS 'When it changed next, the child was removed or the parent deleted; NULL: it holds.';

CREATE OR REPLACE VIEW audit.parent AS
SELECT o.ca, o.stream_id, o.parent,
       o.contact ->> 'service_uri' AS service_uri, o.contact ->> 'parent_handle' AS parent_handle,
       o.contact ->> 'child_handle' AS child_handle, o.contact ->> 'id_cert' AS id_cert,
       o.at AS valid_from, coalesce(o.next_at, a.deleted_at) AS valid_to, o.actor AS changed_by, o.version
FROM (
    SELECT e.handle AS ca, e.stream_id, e.payload ->> 'parent' AS parent, e.payload -> 'contact' AS contact, e.name AS event,
           e.version, e.at, e.actor, lead(e.at) OVER (PARTITION BY e.handle, e.stream_id, e.payload ->> 'parent' ORDER BY e.version, e.ordinal) AS next_at
    FROM audit.event e
    WHERE e.name IN ('parent_added/1', 'parent_updated/1', 'parent_removed/1') AND e.kind = 'ca'
) o
JOIN audit.ca a ON a.stream_id = o.stream_id
WHERE o.event <> 'parent_removed/1';
COMMENT ON COLUMN audit.parent.valid_to IS 'When it changed next, it was removed or the CA was deleted; NULL: it holds.';
END $views$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DO $views$ BEGIN
CREATE OR REPLACE VIEW audit.roa_object AS
SELECT o.ca, o.stream_id, o.class, o.name,
       ARRAY(SELECT jsonb_array_elements_text(o.object -> 'authorizations')) AS authorizations,
       (o.object ->> 'serial')::numeric AS serial, o.object ->> 'hash' AS hash,
       (o.object ->> 'not_before')::timestamptz AS not_before, (o.object ->> 'not_after')::timestamptz AS not_after,
       o.at AS issued_at, o.version AS issued_version,
       coalesce(o.next_at, k.closed_at) AS withdrawn_at, coalesce(o.next_version, k.closed_version) AS withdrawn_version,
       CASE WHEN o.next_replaces THEN 'replaced' WHEN o.next_at IS NOT NULL THEN 'withdrawn' ELSE k.closed_how END AS withdrawn_how
FROM (
    SELECT e.handle AS ca, e.stream_id, e.payload ->> 'class' AS class, l.name, l.object, e.version, e.at,
           lead(e.at) OVER w AS next_at, lead(e.version) OVER w AS next_version, lead(l.object IS NOT NULL) OVER w AS next_replaces
    FROM audit.event e
    CROSS JOIN LATERAL (
        SELECT r.value AS name, NULL::jsonb AS object
        FROM jsonb_array_elements_text(nullif(e.payload -> 'withdrawn', 'null')) AS r (value)
        UNION ALL
        SELECT i.value ->> 'name', i.value
        FROM jsonb_array_elements(nullif(e.payload -> 'issued', 'null')) AS i (value)
    ) l
    WHERE e.name = 'roas_issued/1' AND e.kind = 'ca'
    -- In one event, what is withdrawn goes before what is issued.
    WINDOW w AS (PARTITION BY e.handle, e.stream_id, e.payload ->> 'class', l.name ORDER BY e.version, e.ordinal, l.object IS NOT NULL)
) o
LEFT JOIN audit.resource_class k ON k.stream_id = o.stream_id AND k.class = o.class
WHERE o.object IS NOT NULL;
COMMENT ON COLUMN audit.roa_object.withdrawn_how IS 'replaced (by another of the same name), withdrawn, class_removed or ca_deleted.';
CREATE OR REPLACE VIEW audit.certificate_issued AS
WITH certificate AS (
    SELECT o.ca, o.stream_id, o.class, o.key_id, o.cert, o.at, o.actor, o.version,
           coalesce(o.next_at, k.closed_at) AS gone_at, coalesce(o.next_actor, k.closed_by) AS gone_by,
           CASE WHEN o.next_replaces THEN 'replaced' WHEN o.next_at IS NOT NULL THEN 'revoked' ELSE k.closed_how END AS gone_how
    FROM (
        SELECT e.handle AS ca, e.stream_id, e.payload ->> 'class' AS class, l.key_id, l.cert, e.version, e.at, e.actor,
               lead(e.at) OVER w AS next_at, lead(e.actor) OVER w AS next_actor, lead(l.cert IS NOT NULL) OVER w AS next_replaces
        FROM audit.event e
        CROSS JOIN LATERAL (
            SELECT i.value ->> 'key_id' AS key_id, i.value AS cert
            FROM jsonb_array_elements(nullif(e.payload -> 'certs', 'null')) AS i (value)
            UNION ALL
            SELECT r.value, NULL::jsonb
            FROM jsonb_array_elements_text(nullif(e.payload -> 'keys', 'null')) AS r (value)
        ) l
        WHERE e.name IN ('child_certificates_issued/1', 'child_certificates_revoked/1') AND e.kind = 'ca'
        WINDOW w AS (PARTITION BY e.handle, e.stream_id, e.payload ->> 'class', l.key_id ORDER BY e.version, e.ordinal)
    ) o
    LEFT JOIN audit.resource_class k ON k.stream_id = o.stream_id AND k.class = o.class
    WHERE o.cert IS NOT NULL
    UNION ALL
    -- With each exchange the trust anchor tells all that it has issued. What
    -- is no longer there was revoked, unless it had expired by then.
    SELECT t.ca, t.stream_id, 'default', t.key_id, t.cert, t.at, t.actor, t.version,
           CASE WHEN t.dropped THEN t.gone_at END, CASE WHEN t.dropped THEN t.gone_by END,
           CASE WHEN t.dropped AND t.gone_issued ? t.key_id THEN 'replaced' WHEN t.dropped THEN 'revoked' END
    FROM (
        SELECT i.ca, i.stream_id, i.key_id, i.cert, i.at, i.actor, i.version, i.gone_at, i.gone_by, i.gone_issued,
               (i.cert ->> 'not_after')::timestamptz > i.gone_at AS dropped
        FROM (
            SELECT b.ca, b.stream_id, b.version, b.at, b.actor, c.key AS key_id, c.value AS cert,
                   row_number() OVER w AS n, last_value(b.next_at) OVER w AS gone_at,
                   last_value(b.next_actor) OVER w AS gone_by, last_value(b.next_issued) OVER w AS gone_issued
            FROM (
                SELECT a.*, lead(a.at) OVER x AS next_at, lead(a.actor) OVER x AS next_actor, lead(a.issued) OVER x AS next_issued
                FROM (
                    SELECT e.handle AS ca, e.stream_id, e.version, e.ordinal, e.at, e.actor,
                           coalesce(e.payload #> '{response,objects,issued}', e.payload #> '{signer,objects,issued}') AS issued
                    FROM audit.event e
                    WHERE e.name IN ('signer_added/1', 'signer_updated/1', 'signer_response_received/1') AND e.kind = 'ta_proxy'
                ) a
                WINDOW x AS (PARTITION BY a.ca, a.stream_id ORDER BY a.version, a.ordinal)
            ) b
            CROSS JOIN LATERAL jsonb_each(nullif(b.issued, 'null')) AS c (key, value)
            WINDOW w AS (PARTITION BY b.ca, b.stream_id, c.value ->> 'hash' ORDER BY b.version, b.ordinal
                         ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
        ) i
        WHERE i.n = 1
    ) t
)
SELECT c.ca, c.stream_id, c.class, c.cert ->> 'child' AS child, c.key_id,
       (c.cert ->> 'serial')::numeric AS serial, c.cert ->> 'uri' AS uri, c.cert ->> 'hash' AS hash,
       c.cert #>> '{resources,asn}' AS asn, c.cert #>> '{resources,ipv4}' AS ipv4, c.cert #>> '{resources,ipv6}' AS ipv6,
       (c.cert ->> 'not_before')::timestamptz AS not_before, (c.cert ->> 'not_after')::timestamptz AS not_after,
       c.at AS issued_at, c.actor AS issued_by, c.version AS issued_version,
       c.gone_at AS revoked_at, c.gone_by AS revoked_by, c.gone_how AS revoked_how
FROM certificate c;
COMMENT ON COLUMN audit.certificate_issued.revoked_how IS 'replaced (by another for the same key), revoked, class_removed (the issuer lost the class) or ca_deleted.';
CREATE OR REPLACE VIEW audit.certificate_received AS
SELECT o.ca, o.stream_id, o.class, k.parent, k.parent_class, o.key_id,
       (o.cert ->> 'serial')::numeric AS serial, o.cert ->> 'uri' AS uri, o.cert ->> 'hash' AS hash,
       o.cert #>> '{resources,asn}' AS asn, o.cert #>> '{resources,ipv4}' AS ipv4, o.cert #>> '{resources,ipv6}' AS ipv6,
       (o.cert ->> 'not_before')::timestamptz AS not_before, (o.cert ->> 'not_after')::timestamptz AS not_after,
       o.at AS received_at, o.version AS received_version, coalesce(o.next_at, k.closed_at) AS replaced_at
FROM (
    SELECT e.handle AS ca, e.stream_id, e.payload ->> 'class' AS class, e.payload ->> 'key_id' AS key_id, e.payload -> 'cert' AS cert,
           e.version, e.at,
           lead(e.at) OVER (PARTITION BY e.handle, e.stream_id, e.payload ->> 'class', e.payload ->> 'key_id' ORDER BY e.version, e.ordinal) AS next_at
    FROM audit.event e
    WHERE e.name = 'certificate_received/1' AND e.kind = 'ca'
) o
LEFT JOIN audit.resource_class k ON k.stream_id = o.stream_id AND k.class = o.class;
COMMENT ON COLUMN audit.certificate_received.replaced_at IS 'When another took its place, the class was removed or the CA deleted; NULL while it is in use.';
CREATE OR REPLACE VIEW audit.child AS
SELECT e.handle AS ca, e.stream_id, e.payload ->> 'child' AS child,
       e.payload #>> '{resources,asn}' AS asn, e.payload #>> '{resources,ipv4}' AS ipv4, e.payload #>> '{resources,ipv6}' AS ipv6,
       e.at AS valid_from, coalesce(lead(e.at) OVER w, a.deleted_at) AS valid_to, e.actor AS changed_by, e.version,
       first_value(e.payload ->> 'id_cert') OVER w AS id_cert
FROM audit.event e
JOIN audit.ca a ON a.stream_id = e.stream_id
WHERE e.name IN ('child_added/1', 'child_resources_updated/1')
WINDOW w AS (PARTITION BY e.handle, e.stream_id, e.payload ->> 'child' ORDER BY e.version, e.ordinal);
COMMENT ON VIEW audit.child IS 'The children of CAs and of the trust anchor, and what each was entitled to, one row for each period.';
COMMENT ON COLUMN audit.child.valid_to IS 'When it changed next, or the parent was deleted; NULL: it holds.';
CREATE OR REPLACE VIEW audit.parent AS
SELECT e.handle AS ca, e.stream_id, e.payload ->> 'parent' AS parent,
       e.payload #>> '{contact,service_uri}' AS service_uri, e.payload #>> '{contact,parent_handle}' AS parent_handle,
       e.payload #>> '{contact,child_handle}' AS child_handle, e.payload #>> '{contact,id_cert}' AS id_cert,
       e.at AS valid_from, coalesce(lead(e.at) OVER w, a.deleted_at) AS valid_to, e.actor AS changed_by, e.version
FROM audit.event e
JOIN audit.ca a ON a.stream_id = e.stream_id
WHERE e.name IN ('parent_added/1', 'parent_updated/1') AND e.kind = 'ca'
WINDOW w AS (PARTITION BY e.handle, e.stream_id, e.payload ->> 'parent' ORDER BY e.version, e.ordinal);
COMMENT ON COLUMN audit.parent.valid_to IS 'When it changed next, or the CA was deleted; NULL: it holds.';
DROP VIEW audit.key_retired;
END $views$;
-- +goose StatementEnd

ALTER TABLE ca_object DROP COLUMN repository;
