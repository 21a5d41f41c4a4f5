-- +goose Up

-- What auditors, analysts and on-call engineers read. The promise: columns are
-- added, never changed or taken away. Nothing here writes, and nothing shows a
-- key. The views run with the rights of their owner, so a reader needs nothing
-- but this schema.
CREATE SCHEMA audit;
COMMENT ON SCHEMA audit IS 'The log and what follows from it, for people: read only, with columns that stay. Times are timestamptz; a period is valid from its first time inclusive to its last time exclusive, and NULL as its end means that it lasts.';

-- +goose StatementBegin
CREATE FUNCTION audit.roa_prefix(roa text) RETURNS cidr LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT network(split_part(roa, '-', 1)::inet) $$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.roa_prefix(text) IS 'The prefix of a route in the text form of the log, such as 10.0.0.0/16-24 => 64496.';

-- +goose StatementBegin
CREATE FUNCTION audit.roa_max_length(roa text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT split_part(split_part(roa, '-', 2), ' ', 1)::integer $$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.roa_max_length(text) IS 'The maximum length of a route in the text form of the log; never left out there.';

-- +goose StatementBegin
CREATE FUNCTION audit.roa_asid(roa text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT split_part(roa, ' => ', 2)::bigint $$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.roa_asid(text) IS 'The AS number of a route in the text form of the log.';

-- +goose StatementBegin
CREATE FUNCTION audit.prefix_bits(prefix inet) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT family(prefix) || left(('x' || encode(substr(inet_send(prefix), 5), 'hex'))::bit(128)::text, masklen(prefix)) $$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.prefix_bits(inet) IS 'A prefix as text: 4 or 6, then its bits. One prefix covers another exactly if its text begins the other''s.';

-- +goose StatementBegin
CREATE FUNCTION audit.roa_lines(payload jsonb) RETURNS TABLE (change text, roa text, comment text) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT 'removed', r.value, NULL
    FROM jsonb_array_elements_text(nullif(payload -> 'removed', 'null')) AS r (value)
    UNION ALL
    SELECT 'added', a.value ->> 'roa', a.value ->> 'comment'
    FROM jsonb_array_elements(nullif(payload -> 'added', 'null')) AS a (value)
    UNION ALL
    SELECT 'commented', m.value ->> 'roa', m.value ->> 'comment'
    FROM jsonb_array_elements(nullif(payload -> 'commented', 'null')) AS m (value)
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.roa_lines(jsonb) IS 'The routes that a roas_configured/1 event, or a configure_roas command, names, with what is done to each: removed, added or commented.';

-- The index below must never make a write fail: a tsvector has an upper bound
-- on its size, so a delta of very many routes has one term for all of them, and
-- every search looks at those too. What a search finds is compared with the
-- routes themselves afterwards.
-- +goose StatementBegin
CREATE FUNCTION audit.roa_terms(payload jsonb) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS
$$
    SELECT CASE WHEN count(*) > 2000 THEN 'many'::tsvector ELSE array_to_tsvector(coalesce(array_agg(t.term), '{}')) END
    FROM (
        SELECT DISTINCT audit.prefix_bits(split_part(l.roa, '-', 1)::inet) AS term
        FROM audit.roa_lines(payload) l
        WHERE l.roa ~ '^[0-9a-f.:]+/[0-9]+-'
    ) t
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.roa_terms(jsonb) IS 'Search terms for the prefixes that a roas_configured/1 event names; "many" if there are more than 2,000. The index es_event_roa is built on it.';

-- +goose StatementBegin
CREATE FUNCTION audit.prefix_query(prefix cidr, match text) RETURNS tsquery LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
    bits  text := audit.prefix_bits(prefix);
    above text := (SELECT string_agg(left(bits, n), ' | ') FROM generate_series(1, length(bits)) n);
BEGIN
    CASE match
        WHEN 'equal' THEN RETURN (bits || ' | many')::tsquery;
        WHEN 'covering' THEN RETURN (above || ' | many')::tsquery;
        WHEN 'covered' THEN RETURN (bits || ':* | many')::tsquery;
        WHEN 'related' THEN RETURN (above || ' | ' || bits || ':* | many')::tsquery;
        ELSE RAISE EXCEPTION 'match must be equal, covering, covered or related, not %', match
            USING ERRCODE = 'invalid_parameter_value';
    END CASE;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.prefix_query(cidr, text) IS 'The search that finds, by audit.roa_terms, every event that may name a prefix which equals, covers, is covered by or is related to (any of these) the given one.';

-- "Who changed this prefix": one entry for each route of a change. Without
-- fastupdate a search never has to read a list of what is not sorted in yet,
-- and no writer ever has to sort it in for others.
CREATE INDEX es_event_roa ON es_event USING gin (audit.roa_terms(payload)) WITH (fastupdate = off) WHERE name = 'roas_configured/1';
-- All events of a kind; equal names share one entry, so it is small.
CREATE INDEX es_event_name ON es_event (name);
-- All commands of a period: rows lie in the order of time, more or less.
CREATE INDEX es_command_at ON es_command USING brin (at) WITH (autosummarize = on);
-- When a revision was made.
CREATE INDEX rrdp_serial_revision ON rrdp_serial (repository, revision, at);

CREATE VIEW audit.command AS
SELECT s.kind, s.handle, c.stream_id, c.version, c.at, c.actor, c.actor_key_id,
       CASE WHEN strpos(c.actor, ':') > 0 THEN split_part(c.actor, ':', 1) ELSE c.actor END AS actor_kind,
       c.name AS command, c.outcome, c.fault ->> 'code' AS fault_code, c.fault ->> 'msg' AS fault_msg,
       c.repeats, c.payload, c.epoch, encode(c.hash, 'hex') AS hash
FROM es_command c
JOIN es_stream s ON s.id = c.stream_id;

COMMENT ON VIEW audit.command IS 'Every command that changed something or was refused: who asked for what, when, and what became of it.';
COMMENT ON COLUMN audit.command.kind IS 'What the command was given to: ca, ta_proxy, ta_signer or repository.';
COMMENT ON COLUMN audit.command.handle IS 'Its name. A name may have belonged to another one before: see stream_id.';
COMMENT ON COLUMN audit.command.stream_id IS 'Tells apart those that had the same name one after the other.';
COMMENT ON COLUMN audit.command.version IS 'Number of the command in its stream: from 0, without gaps.';
COMMENT ON COLUMN audit.command.at IS 'When it was decided, by the clock of the active node.';
COMMENT ON COLUMN audit.command.actor IS 'Who asked: user:NAME, child:HANDLE, task:KIND for what the server does by itself, or baleen.';
COMMENT ON COLUMN audit.command.actor_key_id IS 'Key identifier of the certificate that signed the request, for protocol peers; else NULL.';
COMMENT ON COLUMN audit.command.actor_kind IS 'The actor up to the colon: user, child, task or baleen.';
COMMENT ON COLUMN audit.command.command IS 'Name of the command, such as configure_roas.';
COMMENT ON COLUMN audit.command.outcome IS 'ok or refused.';
COMMENT ON COLUMN audit.command.fault_code IS 'Why it was refused, in the words of the API; NULL if it was not.';
COMMENT ON COLUMN audit.command.fault_msg IS 'The same for people.';
COMMENT ON COLUMN audit.command.repeats IS 'How often a peer repeated this same refused request.';
COMMENT ON COLUMN audit.command.payload IS 'The command as it was asked.';
COMMENT ON COLUMN audit.command.epoch IS 'Number of the take-over by which the node that wrote it became active.';
COMMENT ON COLUMN audit.command.hash IS 'SHA-256 of the chain up to this command, hexadecimal; baleen verify recomputes it.';

CREATE VIEW audit.event AS
SELECT s.kind, s.handle, e.stream_id, e.version, e.ordinal, c.at, c.actor, c.actor_key_id, e.name, e.payload
FROM es_event e
JOIN es_command c ON c.stream_id = e.stream_id AND c.version = e.version
JOIN es_stream s ON s.id = e.stream_id;

COMMENT ON VIEW audit.event IS 'Every fact of the log, in full. The other views are made of these.';
COMMENT ON COLUMN audit.event.kind IS 'What it happened to: ca, ta_proxy, ta_signer or repository.';
COMMENT ON COLUMN audit.event.handle IS 'Its name.';
COMMENT ON COLUMN audit.event.stream_id IS 'Tells apart those that had the same name one after the other.';
COMMENT ON COLUMN audit.event.version IS 'Of the command that caused it.';
COMMENT ON COLUMN audit.event.ordinal IS 'Position among the events of its command, from 0.';
COMMENT ON COLUMN audit.event.at IS 'When it happened, by the clock of the active node.';
COMMENT ON COLUMN audit.event.actor IS 'Who asked for the command.';
COMMENT ON COLUMN audit.event.actor_key_id IS 'Key identifier of the certificate that signed the request, for protocol peers; else NULL.';
COMMENT ON COLUMN audit.event.name IS 'Name and form, such as roas_configured/1.';
COMMENT ON COLUMN audit.event.payload IS 'What happened; its form never changes under one name.';

CREATE VIEW audit.ca AS
SELECT s.handle AS ca, s.kind, s.id AS stream_id, s.created_at, c.actor AS created_by,
       s.deleted_at, d.actor AS deleted_by, s.version
FROM es_stream s
JOIN es_command c ON c.stream_id = s.id AND c.version = 0
LEFT JOIN es_command d ON d.stream_id = s.id AND d.version = s.version AND s.deleted_at IS NOT NULL
WHERE s.kind IN ('ca', 'ta_proxy');

COMMENT ON VIEW audit.ca IS 'Every CA there is or was, and the trust anchor. A name that was used twice has two rows.';
COMMENT ON COLUMN audit.ca.ca IS 'Handle of the CA; ta is the trust anchor.';
COMMENT ON COLUMN audit.ca.kind IS 'ca, or ta_proxy for the trust anchor.';
COMMENT ON COLUMN audit.ca.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.ca.created_at IS 'When it was created.';
COMMENT ON COLUMN audit.ca.created_by IS 'Who created it.';
COMMENT ON COLUMN audit.ca.deleted_at IS 'When it was deleted; NULL while it exists.';
COMMENT ON COLUMN audit.ca.deleted_by IS 'Who deleted it.';
COMMENT ON COLUMN audit.ca.version IS 'Number of its newest command.';

CREATE VIEW audit.roa_change AS
SELECT e.handle AS ca, e.stream_id, e.version, e.ordinal, e.at, e.actor, e.actor_key_id, l.change,
       audit.roa_prefix(l.roa) AS prefix, audit.roa_max_length(l.roa) AS max_length, audit.roa_asid(l.roa) AS asid, l.comment
FROM audit.event e
CROSS JOIN LATERAL audit.roa_lines(e.payload) l
WHERE e.name = 'roas_configured/1' AND e.kind = 'ca';

COMMENT ON VIEW audit.roa_change IS 'Every change of the routes that CAs authorise, one row for each route. In one change, what is removed goes before what is added.';
COMMENT ON COLUMN audit.roa_change.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.roa_change.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.roa_change.version IS 'Number of the command.';
COMMENT ON COLUMN audit.roa_change.ordinal IS 'Number of the event in the command.';
COMMENT ON COLUMN audit.roa_change.at IS 'When.';
COMMENT ON COLUMN audit.roa_change.actor IS 'Who.';
COMMENT ON COLUMN audit.roa_change.actor_key_id IS 'Key identifier of the certificate that signed the request, for protocol peers; else NULL.';
COMMENT ON COLUMN audit.roa_change.change IS 'added, removed, or commented: the route stayed and its comment changed.';
COMMENT ON COLUMN audit.roa_change.prefix IS 'Prefix of the route.';
COMMENT ON COLUMN audit.roa_change.max_length IS 'Maximum length (RFC 9582), always given.';
COMMENT ON COLUMN audit.roa_change.asid IS 'AS number that may originate the route.';
COMMENT ON COLUMN audit.roa_change.comment IS 'The comment from then on; NULL: none.';

CREATE VIEW audit.roa_configuration AS
SELECT l.ca, l.stream_id, l.prefix, l.max_length, l.asid, l.comment, l.valid_from,
       coalesce(l.removed_at, a.deleted_at) AS valid_to, l.added_by, coalesce(l.removed_by, a.deleted_by) AS removed_by,
       l.added_version, coalesce(l.removed_version, CASE WHEN a.deleted_at IS NOT NULL THEN a.version END) AS removed_version
FROM (
    SELECT k.ca, k.stream_id, k.prefix, k.max_length, k.asid,
           (array_agg(k.comment ORDER BY k.version DESC, k.ordinal DESC) FILTER (WHERE k.change <> 'removed'))[1] AS comment,
           min(k.at) FILTER (WHERE k.change = 'added') AS valid_from,
           min(k.actor) FILTER (WHERE k.change = 'added') AS added_by,
           min(k.version) FILTER (WHERE k.change = 'added') AS added_version,
           min(k.at) FILTER (WHERE k.change = 'removed') AS removed_at,
           min(k.actor) FILTER (WHERE k.change = 'removed') AS removed_by,
           min(k.version) FILTER (WHERE k.change = 'removed') AS removed_version
    FROM (
        -- The n-th life of a route: from when it was added for the n-th time.
        SELECT c.*, count(*) FILTER (WHERE c.change = 'added') OVER (
            PARTITION BY c.ca, c.stream_id, c.prefix, c.max_length, c.asid
            ORDER BY c.version, c.ordinal, c.change = 'removed' DESC) AS life
        FROM audit.roa_change c
    ) k
    GROUP BY k.ca, k.stream_id, k.prefix, k.max_length, k.asid, k.life
) l
JOIN audit.ca a ON a.stream_id = l.stream_id;

COMMENT ON VIEW audit.roa_configuration IS 'The routes that CAs authorise, past and present, one row for each period. A change of the comment does not begin a new period: see audit.roa_change.';
COMMENT ON COLUMN audit.roa_configuration.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.roa_configuration.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.roa_configuration.prefix IS 'Prefix of the route.';
COMMENT ON COLUMN audit.roa_configuration.max_length IS 'Maximum length (RFC 9582), always given.';
COMMENT ON COLUMN audit.roa_configuration.asid IS 'AS number that may originate the route.';
COMMENT ON COLUMN audit.roa_configuration.comment IS 'The last comment of the period; NULL: none.';
COMMENT ON COLUMN audit.roa_configuration.valid_from IS 'When it was added.';
COMMENT ON COLUMN audit.roa_configuration.valid_to IS 'When it was removed, or its CA deleted; NULL while it is configured.';
COMMENT ON COLUMN audit.roa_configuration.added_by IS 'Who added it.';
COMMENT ON COLUMN audit.roa_configuration.removed_by IS 'Who removed it, or deleted its CA.';
COMMENT ON COLUMN audit.roa_configuration.added_version IS 'Number of the command that added it.';
COMMENT ON COLUMN audit.roa_configuration.removed_version IS 'Number of the command that removed it.';

CREATE VIEW audit.resource_class AS
SELECT e.handle AS ca, e.stream_id, e.payload ->> 'class' AS class, e.payload ->> 'parent' AS parent, e.payload ->> 'parent_class' AS parent_class,
       e.at AS opened_at, e.version AS opened_version,
       coalesce(x.at, a.deleted_at) AS closed_at, coalesce(x.actor, a.deleted_by) AS closed_by,
       coalesce(x.version, CASE WHEN a.deleted_at IS NOT NULL THEN a.version END) AS closed_version,
       CASE WHEN x.at IS NOT NULL THEN 'class_removed' WHEN a.deleted_at IS NOT NULL THEN 'ca_deleted' END AS closed_how
FROM audit.event e
JOIN audit.ca a ON a.stream_id = e.stream_id
LEFT JOIN audit.event x ON x.name = 'resource_class_removed/1' AND x.stream_id = e.stream_id AND x.payload -> 'class' = e.payload -> 'class'
WHERE e.name = 'resource_class_added/1' AND e.kind = 'ca';

COMMENT ON VIEW audit.resource_class IS 'The resource classes of CAs: what one parent certifies under one name (RFC 6492). A CA never uses the name of a class again.';
COMMENT ON COLUMN audit.resource_class.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.resource_class.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.resource_class.class IS 'Name of the class here.';
COMMENT ON COLUMN audit.resource_class.parent IS 'The parent, as the CA names it.';
COMMENT ON COLUMN audit.resource_class.parent_class IS 'Name of the class at the parent.';
COMMENT ON COLUMN audit.resource_class.opened_at IS 'When the parent offered it first.';
COMMENT ON COLUMN audit.resource_class.opened_version IS 'Number of the command that opened it.';
COMMENT ON COLUMN audit.resource_class.closed_at IS 'When the parent no longer offered it, or the CA was deleted; NULL while it is open.';
COMMENT ON COLUMN audit.resource_class.closed_by IS 'Who caused that.';
COMMENT ON COLUMN audit.resource_class.closed_version IS 'Number of the command that closed it.';
COMMENT ON COLUMN audit.resource_class.closed_how IS 'class_removed or ca_deleted.';

CREATE VIEW audit.roa_object AS
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

COMMENT ON VIEW audit.roa_object IS 'Every ROA object that was signed (RFC 9582). Whether and when the world saw it: audit.publication has the same hash.';
COMMENT ON COLUMN audit.roa_object.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.roa_object.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.roa_object.class IS 'Resource class of the CA; its certificate is in audit.certificate_received.';
COMMENT ON COLUMN audit.roa_object.name IS 'File name.';
COMMENT ON COLUMN audit.roa_object.authorizations IS 'The routes in it, as 10.0.0.0/16-24 => 64496.';
COMMENT ON COLUMN audit.roa_object.serial IS 'Serial number of its certificate.';
COMMENT ON COLUMN audit.roa_object.hash IS 'SHA-256 of the object, hexadecimal.';
COMMENT ON COLUMN audit.roa_object.not_before IS 'Its certificate is valid from then on.';
COMMENT ON COLUMN audit.roa_object.not_after IS 'Its certificate is valid until then.';
COMMENT ON COLUMN audit.roa_object.issued_at IS 'When it was recorded as issued.';
COMMENT ON COLUMN audit.roa_object.issued_version IS 'Number of the command that recorded it.';
COMMENT ON COLUMN audit.roa_object.withdrawn_at IS 'When it was replaced or withdrawn, and with that revoked; NULL while it is in use.';
COMMENT ON COLUMN audit.roa_object.withdrawn_version IS 'Number of the command that did so.';
COMMENT ON COLUMN audit.roa_object.withdrawn_how IS 'replaced (by another of the same name), withdrawn, class_removed or ca_deleted.';

CREATE VIEW audit.certificate_issued AS
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

COMMENT ON VIEW audit.certificate_issued IS 'Every certificate that a CA or the trust anchor issued to a child, and when it was revoked.';
COMMENT ON COLUMN audit.certificate_issued.ca IS 'Handle of the issuer; ta is the trust anchor.';
COMMENT ON COLUMN audit.certificate_issued.stream_id IS 'Tells apart issuers that had the same name one after the other.';
COMMENT ON COLUMN audit.certificate_issued.class IS 'Resource class of the issuer.';
COMMENT ON COLUMN audit.certificate_issued.child IS 'Handle of the child, as its parent names it.';
COMMENT ON COLUMN audit.certificate_issued.key_id IS 'Key identifier of the child''s key (RFC 6487 section 4.8.2), hexadecimal.';
COMMENT ON COLUMN audit.certificate_issued.serial IS 'Serial number.';
COMMENT ON COLUMN audit.certificate_issued.uri IS 'Where the issuer publishes it.';
COMMENT ON COLUMN audit.certificate_issued.hash IS 'SHA-256 of the certificate, hexadecimal.';
COMMENT ON COLUMN audit.certificate_issued.asn IS 'AS numbers in it.';
COMMENT ON COLUMN audit.certificate_issued.ipv4 IS 'IPv4 addresses in it.';
COMMENT ON COLUMN audit.certificate_issued.ipv6 IS 'IPv6 addresses in it.';
COMMENT ON COLUMN audit.certificate_issued.not_before IS 'Valid from then on.';
COMMENT ON COLUMN audit.certificate_issued.not_after IS 'Valid until then.';
COMMENT ON COLUMN audit.certificate_issued.issued_at IS 'When it was recorded as issued; for the trust anchor, when the response of its signer came.';
COMMENT ON COLUMN audit.certificate_issued.issued_by IS 'Who caused it: child:HANDLE if the child asked, a task if its resources shrank.';
COMMENT ON COLUMN audit.certificate_issued.issued_version IS 'Number of the command that recorded it.';
COMMENT ON COLUMN audit.certificate_issued.revoked_at IS 'When it was taken out of use; NULL while it is in use, and if it just expired.';
COMMENT ON COLUMN audit.certificate_issued.revoked_by IS 'Who caused that.';
COMMENT ON COLUMN audit.certificate_issued.revoked_how IS 'replaced (by another for the same key), revoked, class_removed (the issuer lost the class) or ca_deleted.';

CREATE VIEW audit.certificate_received AS
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

COMMENT ON VIEW audit.certificate_received IS 'Every certificate that a CA received from a parent: what it held, and when.';
COMMENT ON COLUMN audit.certificate_received.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.certificate_received.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.certificate_received.class IS 'Resource class of the CA.';
COMMENT ON COLUMN audit.certificate_received.parent IS 'The parent, as the CA names it.';
COMMENT ON COLUMN audit.certificate_received.parent_class IS 'The class, as the parent names it.';
COMMENT ON COLUMN audit.certificate_received.key_id IS 'Key identifier of the CA''s key, hexadecimal.';
COMMENT ON COLUMN audit.certificate_received.serial IS 'Serial number.';
COMMENT ON COLUMN audit.certificate_received.uri IS 'Where the parent publishes it.';
COMMENT ON COLUMN audit.certificate_received.hash IS 'SHA-256 of the certificate, hexadecimal.';
COMMENT ON COLUMN audit.certificate_received.asn IS 'AS numbers in it.';
COMMENT ON COLUMN audit.certificate_received.ipv4 IS 'IPv4 addresses in it.';
COMMENT ON COLUMN audit.certificate_received.ipv6 IS 'IPv6 addresses in it.';
COMMENT ON COLUMN audit.certificate_received.not_before IS 'Valid from then on.';
COMMENT ON COLUMN audit.certificate_received.not_after IS 'Valid until then.';
COMMENT ON COLUMN audit.certificate_received.received_at IS 'When it was recorded.';
COMMENT ON COLUMN audit.certificate_received.received_version IS 'Number of the command that recorded it.';
COMMENT ON COLUMN audit.certificate_received.replaced_at IS 'When another took its place, the class was removed or the CA deleted; NULL while it is in use.';

CREATE VIEW audit.child AS
SELECT e.handle AS ca, e.stream_id, e.payload ->> 'child' AS child,
       e.payload #>> '{resources,asn}' AS asn, e.payload #>> '{resources,ipv4}' AS ipv4, e.payload #>> '{resources,ipv6}' AS ipv6,
       e.at AS valid_from, coalesce(lead(e.at) OVER w, a.deleted_at) AS valid_to, e.actor AS changed_by, e.version,
       first_value(e.payload ->> 'id_cert') OVER w AS id_cert
FROM audit.event e
JOIN audit.ca a ON a.stream_id = e.stream_id
WHERE e.name IN ('child_added/1', 'child_resources_updated/1')
WINDOW w AS (PARTITION BY e.handle, e.stream_id, e.payload ->> 'child' ORDER BY e.version, e.ordinal);

COMMENT ON VIEW audit.child IS 'The children of CAs and of the trust anchor, and what each was entitled to, one row for each period.';
COMMENT ON COLUMN audit.child.ca IS 'Handle of the parent; ta is the trust anchor.';
COMMENT ON COLUMN audit.child.stream_id IS 'Tells apart parents that had the same name one after the other.';
COMMENT ON COLUMN audit.child.child IS 'Handle of the child, as its parent names it.';
COMMENT ON COLUMN audit.child.asn IS 'AS numbers it was entitled to.';
COMMENT ON COLUMN audit.child.ipv4 IS 'IPv4 addresses it was entitled to.';
COMMENT ON COLUMN audit.child.ipv6 IS 'IPv6 addresses it was entitled to.';
COMMENT ON COLUMN audit.child.valid_from IS 'When the child was added, or its entitlement changed.';
COMMENT ON COLUMN audit.child.valid_to IS 'When it changed next, or the parent was deleted; NULL: it holds.';
COMMENT ON COLUMN audit.child.changed_by IS 'Who added the child or changed its entitlement.';
COMMENT ON COLUMN audit.child.version IS 'Number of the command.';
COMMENT ON COLUMN audit.child.id_cert IS 'The child''s identity certificate (RFC 8183), base64 of its DER.';

CREATE VIEW audit.parent AS
SELECT e.handle AS ca, e.stream_id, e.payload ->> 'parent' AS parent,
       e.payload #>> '{contact,service_uri}' AS service_uri, e.payload #>> '{contact,parent_handle}' AS parent_handle,
       e.payload #>> '{contact,child_handle}' AS child_handle, e.payload #>> '{contact,id_cert}' AS id_cert,
       e.at AS valid_from, coalesce(lead(e.at) OVER w, a.deleted_at) AS valid_to, e.actor AS changed_by, e.version
FROM audit.event e
JOIN audit.ca a ON a.stream_id = e.stream_id
WHERE e.name IN ('parent_added/1', 'parent_updated/1') AND e.kind = 'ca'
WINDOW w AS (PARTITION BY e.handle, e.stream_id, e.payload ->> 'parent' ORDER BY e.version, e.ordinal);

COMMENT ON VIEW audit.parent IS 'The parents of CAs and how to reach them, one row for each period.';
COMMENT ON COLUMN audit.parent.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.parent.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.parent.parent IS 'The parent, as the CA names it.';
COMMENT ON COLUMN audit.parent.service_uri IS 'Where the parent answers (RFC 6492).';
COMMENT ON COLUMN audit.parent.parent_handle IS 'What the parent calls itself.';
COMMENT ON COLUMN audit.parent.child_handle IS 'What the parent calls this CA.';
COMMENT ON COLUMN audit.parent.id_cert IS 'The parent''s identity certificate (RFC 8183), base64 of its DER.';
COMMENT ON COLUMN audit.parent.valid_from IS 'When the parent was added, or changed.';
COMMENT ON COLUMN audit.parent.valid_to IS 'When it changed next, or the CA was deleted; NULL: it holds.';
COMMENT ON COLUMN audit.parent.changed_by IS 'Who did so.';
COMMENT ON COLUMN audit.parent.version IS 'Number of the command.';

CREATE VIEW audit.exchange AS
SELECT s.handle AS ca, s.id AS stream_id, 'parent' AS peer_kind, x.parent AS peer, x.uri, x.at,
       CASE WHEN x.fault IS NULL THEN 'ok' ELSE 'failed' END AS outcome,
       x.fault ->> 'label' AS fault_code, x.fault ->> 'msg' AS fault_msg, x.last_success
FROM ca_parent_status x
JOIN es_stream s ON s.id = x.stream_id
UNION ALL
SELECT s.handle, s.id, 'repository', NULL, x.uri, x.at,
       CASE WHEN x.fault IS NULL THEN 'ok' ELSE 'failed' END, x.fault ->> 'label', x.fault ->> 'msg', x.last_success
FROM ca_repo_status x
JOIN es_stream s ON s.id = x.stream_id;

COMMENT ON VIEW audit.exchange IS 'The last exchange of each CA with each of its parents (RFC 6492) and with its repository (RFC 8181). Earlier ones are not kept; what they changed is in the log.';
COMMENT ON COLUMN audit.exchange.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.exchange.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.exchange.peer_kind IS 'parent or repository.';
COMMENT ON COLUMN audit.exchange.peer IS 'The parent, as the CA names it; NULL for the repository.';
COMMENT ON COLUMN audit.exchange.uri IS 'Where the peer was asked.';
COMMENT ON COLUMN audit.exchange.at IS 'When.';
COMMENT ON COLUMN audit.exchange.outcome IS 'ok or failed.';
COMMENT ON COLUMN audit.exchange.fault_code IS 'What went wrong, in the words of the API; NULL if nothing did.';
COMMENT ON COLUMN audit.exchange.fault_msg IS 'The same for people.';
COMMENT ON COLUMN audit.exchange.last_success IS 'When an exchange succeeded last; NULL: never.';

CREATE VIEW audit.restore AS
SELECT e.handle AS ca, e.stream_id, e.at, (e.payload ->> 'epoch')::bigint AS epoch, e.payload ->> 'reason' AS reason, e.version
FROM audit.event e
WHERE e.name = 'restore_noted/1';

COMMENT ON VIEW audit.restore IS 'When the server noticed that the database had gone back to an earlier moment, such as by a restored dump or a fail-over: one row for each CA, which then overtook what the world may have seen.';
COMMENT ON COLUMN audit.restore.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.restore.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.restore.at IS 'When it was noticed.';
COMMENT ON COLUMN audit.restore.epoch IS 'Number of the take-over by which the node that noticed became active.';
COMMENT ON COLUMN audit.restore.reason IS 'What had changed.';
COMMENT ON COLUMN audit.restore.version IS 'Number of the command.';

CREATE VIEW audit.repository AS
SELECT e.handle AS repository, e.stream_id, e.payload ->> 'rsync_base' AS rsync_base, e.payload ->> 'rrdp_base_uri' AS rrdp_base_uri,
       e.at AS created_at, e.actor AS created_by, x.at AS cleared_at, x.actor AS cleared_by
FROM audit.event e
LEFT JOIN audit.event x ON x.name = 'repository_cleared/1' AND x.stream_id = e.stream_id
WHERE e.name = 'repository_initialized/1';

COMMENT ON VIEW audit.repository IS 'The repository of this server, and those it had before.';
COMMENT ON COLUMN audit.repository.repository IS 'Its name.';
COMMENT ON COLUMN audit.repository.stream_id IS 'Tells apart repositories that had the same name one after the other.';
COMMENT ON COLUMN audit.repository.rsync_base IS 'Everything is published below this URI.';
COMMENT ON COLUMN audit.repository.rrdp_base_uri IS 'The notification file is below this URI (RFC 8182).';
COMMENT ON COLUMN audit.repository.created_at IS 'When it was created.';
COMMENT ON COLUMN audit.repository.created_by IS 'Who created it.';
COMMENT ON COLUMN audit.repository.cleared_at IS 'When it was cleared for good; NULL while it exists.';
COMMENT ON COLUMN audit.repository.cleared_by IS 'Who cleared it.';

CREATE VIEW audit.publisher AS
SELECT o.repository, o.stream_id, o.publisher, o.base_uri, o.id_cert, o.at AS added_at, o.actor AS added_by,
       o.next_at AS removed_at, o.next_actor AS removed_by
FROM (
    SELECT e.handle AS repository, e.stream_id, e.name, e.payload ->> 'handle' AS publisher, e.payload ->> 'base_uri' AS base_uri,
           e.payload ->> 'id_cert' AS id_cert, e.at, e.actor, lead(e.at) OVER w AS next_at, lead(e.actor) OVER w AS next_actor
    FROM audit.event e
    WHERE e.name IN ('publisher_added/1', 'publisher_removed/1') AND e.kind = 'repository'
    WINDOW w AS (PARTITION BY e.handle, e.stream_id, e.payload ->> 'handle' ORDER BY e.version, e.ordinal)
) o
WHERE o.name = 'publisher_added/1';

COMMENT ON VIEW audit.publisher IS 'Who may publish in the repository of this server, and who might.';
COMMENT ON COLUMN audit.publisher.repository IS 'Name of the repository.';
COMMENT ON COLUMN audit.publisher.stream_id IS 'Tells apart repositories that had the same name one after the other.';
COMMENT ON COLUMN audit.publisher.publisher IS 'Handle of the publisher.';
COMMENT ON COLUMN audit.publisher.base_uri IS 'It may publish below this.';
COMMENT ON COLUMN audit.publisher.id_cert IS 'Its identity certificate (RFC 8183), base64 of its DER.';
COMMENT ON COLUMN audit.publisher.added_at IS 'When it was added.';
COMMENT ON COLUMN audit.publisher.added_by IS 'Who added it.';
COMMENT ON COLUMN audit.publisher.removed_at IS 'When it was removed; NULL while it may publish.';
COMMENT ON COLUMN audit.publisher.removed_by IS 'Who removed it.';

CREATE VIEW audit.publication AS
SELECT p.repository, p.publisher, p.uri, encode(p.hash, 'hex') AS hash, p.size,
       (SELECT min(r.at) FROM rrdp_serial r WHERE r.repository = p.repository AND r.revision = p.from_revision) AS published_at,
       (SELECT min(r.at) FROM rrdp_serial r WHERE r.repository = p.repository AND r.revision = p.to_revision) AS withdrawn_at,
       (SELECT r.session FROM rrdp_serial r WHERE r.repository = p.repository AND r.revision = p.from_revision
        ORDER BY r.at, r.serial DESC LIMIT 1) AS session,
       (SELECT r.serial FROM rrdp_serial r WHERE r.repository = p.repository AND r.revision = p.from_revision
        ORDER BY r.at, r.serial DESC LIMIT 1) AS serial,
       p.from_revision AS revision, p.to_revision AS withdrawn_revision
FROM pub_object p
WHERE p.from_revision IS NOT NULL;

COMMENT ON VIEW audit.publication IS 'Everything that this server published, for each object the period in which the world could fetch it.';
COMMENT ON COLUMN audit.publication.repository IS 'Name of the repository.';
COMMENT ON COLUMN audit.publication.publisher IS 'Handle of the publisher.';
COMMENT ON COLUMN audit.publication.uri IS 'URI of the object.';
COMMENT ON COLUMN audit.publication.hash IS 'SHA-256 of the object, hexadecimal.';
COMMENT ON COLUMN audit.publication.size IS 'Octets of the object.';
COMMENT ON COLUMN audit.publication.published_at IS 'When the first RRDP serial with it was made (RFC 8182).';
COMMENT ON COLUMN audit.publication.withdrawn_at IS 'When the first RRDP serial without it was made; NULL while it is published.';
COMMENT ON COLUMN audit.publication.session IS 'RRDP session of the first serial with it.';
COMMENT ON COLUMN audit.publication.serial IS 'First RRDP serial with it.';
COMMENT ON COLUMN audit.publication.revision IS 'First revision with it: see audit.rrdp_serial. A search by revision is faster than one by time.';
COMMENT ON COLUMN audit.publication.withdrawn_revision IS 'First revision without it; NULL while it is published.';

CREATE VIEW audit.rrdp_serial AS
SELECT r.repository, r.session, r.serial, r.revision, r.at,
       (SELECT count(*) FROM pub_object p WHERE p.repository = r.repository AND p.from_revision = r.revision AND NOT n.again) AS published,
       (SELECT count(*) FROM pub_object p WHERE p.repository = r.repository AND p.to_revision = r.revision AND NOT n.again) AS withdrawn
FROM rrdp_serial r
CROSS JOIN LATERAL (
    SELECT r.serial = 1 AND EXISTS (
        SELECT FROM rrdp_serial f
        WHERE f.repository = r.repository AND f.revision = r.revision AND f.session <> r.session AND f.at <= r.at
    ) AS again
) n;

COMMENT ON VIEW audit.rrdp_serial IS 'Every RRDP serial there was (RFC 8182).';
COMMENT ON COLUMN audit.rrdp_serial.repository IS 'Name of the repository.';
COMMENT ON COLUMN audit.rrdp_serial.session IS 'RRDP session.';
COMMENT ON COLUMN audit.rrdp_serial.serial IS 'Serial in the session.';
COMMENT ON COLUMN audit.rrdp_serial.revision IS 'Counts the contents the world has seen. It goes on when a session is reset; the first serial of the new session repeats the revision before it.';
COMMENT ON COLUMN audit.rrdp_serial.at IS 'When it was made.';
COMMENT ON COLUMN audit.rrdp_serial.published IS 'Objects that came with it, replacements included.';
COMMENT ON COLUMN audit.rrdp_serial.withdrawn IS 'Objects that left with it, replaced ones included.';

CREATE VIEW audit.vrp AS
SELECT audit.roa_prefix(a.roa) AS prefix, audit.roa_max_length(a.roa) AS max_length, audit.roa_asid(a.roa) AS asid,
       e.handle AS ca, e.stream_id, p.uri, p.hash, p.published_at AS published_from, p.withdrawn_at AS published_to,
       (i.value ->> 'not_before')::timestamptz AS not_before, (i.value ->> 'not_after')::timestamptz AS not_after,
       p.repository, p.revision, p.withdrawn_revision
FROM audit.event e
CROSS JOIN LATERAL jsonb_array_elements(nullif(e.payload -> 'issued', 'null')) AS i (value)
CROSS JOIN LATERAL jsonb_array_elements_text(i.value -> 'authorizations') AS a (roa)
JOIN audit.publication p ON p.hash = i.value ->> 'hash'
WHERE e.name = 'roas_issued/1' AND e.kind = 'ca';

COMMENT ON VIEW audit.vrp IS 'What the world could take for authorised: one row for each route in each ROA object of this server''s CAs and each period in which it was published here.';
COMMENT ON COLUMN audit.vrp.prefix IS 'Prefix of the route.';
COMMENT ON COLUMN audit.vrp.max_length IS 'Maximum length (RFC 9582).';
COMMENT ON COLUMN audit.vrp.asid IS 'AS number that may originate the route.';
COMMENT ON COLUMN audit.vrp.ca IS 'Handle of the CA that issued it.';
COMMENT ON COLUMN audit.vrp.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.vrp.uri IS 'URI of the ROA object.';
COMMENT ON COLUMN audit.vrp.hash IS 'SHA-256 of the ROA object, hexadecimal.';
COMMENT ON COLUMN audit.vrp.published_from IS 'When it was published.';
COMMENT ON COLUMN audit.vrp.published_to IS 'When it was withdrawn; NULL while it is published.';
COMMENT ON COLUMN audit.vrp.not_before IS 'The object is valid from then on.';
COMMENT ON COLUMN audit.vrp.not_after IS 'The object is valid until then, whether it is withdrawn or not.';
COMMENT ON COLUMN audit.vrp.repository IS 'Name of the repository.';
COMMENT ON COLUMN audit.vrp.revision IS 'First revision with it: see audit.rrdp_serial.';
COMMENT ON COLUMN audit.vrp.withdrawn_revision IS 'First revision without it; NULL while it is published.';

CREATE VIEW audit.object AS
SELECT encode(o.hash, 'hex') AS hash, o.der FROM der_object o;

COMMENT ON VIEW audit.object IS 'Signed objects and certificates, octet for octet.';
COMMENT ON COLUMN audit.object.hash IS 'SHA-256 of the object, hexadecimal.';
COMMENT ON COLUMN audit.object.der IS 'The object.';

CREATE VIEW audit.configuration_change AS
SELECT e.at, e.kind, e.handle, e.stream_id, e.version, e.ordinal, e.actor, e.actor_key_id, l.change, l.subject, l.detail
FROM audit.event e
CROSS JOIN LATERAL (
    SELECT 'roa_' || r.change AS change, r.roa AS subject, r.comment AS detail
    FROM audit.roa_lines(e.payload) r WHERE e.name = 'roas_configured/1'
    UNION ALL
    SELECT v.change, v.subject, v.detail
    FROM (VALUES
        ('ca_initialized/1', 'ca_created', NULL, NULL),
        ('repository_configured/1', 'repository_configured', e.payload #>> '{repository,sia_base}', e.payload #>> '{repository,service_uri}'),
        ('parent_added/1', 'parent_added', e.payload ->> 'parent', e.payload #>> '{contact,service_uri}'),
        ('parent_updated/1', 'parent_updated', e.payload ->> 'parent', e.payload #>> '{contact,service_uri}'),
        ('child_added/1', 'child_added', e.payload ->> 'child', e.payload ->> 'resources'),
        ('child_resources_updated/1', 'child_resources_updated', e.payload ->> 'child', e.payload ->> 'resources'),
        ('ta_proxy_initialized/1', 'ta_created', NULL, NULL),
        ('repository_added/1', 'repository_configured', e.payload #>> '{repository,sia_base}', e.payload #>> '{repository,service_uri}'),
        ('signer_added/1', 'ta_signer_added', e.payload #>> '{signer,ta,key_id}', NULL),
        ('signer_updated/1', 'ta_signer_updated', e.payload #>> '{signer,ta,key_id}', NULL),
        ('repository_initialized/1', 'repository_created', e.payload ->> 'rsync_base', e.payload ->> 'rrdp_base_uri'),
        ('repository_cleared/1', 'repository_cleared', NULL, NULL),
        ('publisher_added/1', 'publisher_added', e.payload ->> 'handle', e.payload ->> 'base_uri'),
        ('publisher_removed/1', 'publisher_removed', e.payload ->> 'handle', NULL)
    ) AS v (name, change, subject, detail)
    WHERE v.name = e.name
) l
UNION ALL
SELECT a.deleted_at, a.kind, a.ca, a.stream_id, a.version, NULL, a.deleted_by, NULL, 'ca_deleted', NULL, NULL
FROM audit.ca a
WHERE a.deleted_at IS NOT NULL;

COMMENT ON VIEW audit.configuration_change IS 'Every change of what operators configure, of all CAs, the trust anchor and the repository. What the server does by itself, such as issuing, is not here.';
COMMENT ON COLUMN audit.configuration_change.at IS 'When.';
COMMENT ON COLUMN audit.configuration_change.kind IS 'What was changed: ca, ta_proxy or repository.';
COMMENT ON COLUMN audit.configuration_change.handle IS 'Its name.';
COMMENT ON COLUMN audit.configuration_change.stream_id IS 'Tells apart those that had the same name one after the other.';
COMMENT ON COLUMN audit.configuration_change.version IS 'Number of the command.';
COMMENT ON COLUMN audit.configuration_change.ordinal IS 'Number of the event in the command; NULL if there is none of its own.';
COMMENT ON COLUMN audit.configuration_change.actor IS 'Who.';
COMMENT ON COLUMN audit.configuration_change.actor_key_id IS 'Key identifier of the certificate that signed the request, for protocol peers; else NULL.';
COMMENT ON COLUMN audit.configuration_change.change IS 'What was done, such as roa_added, child_resources_updated or publisher_removed.';
COMMENT ON COLUMN audit.configuration_change.subject IS 'To what: a route, a child, a parent, a publisher.';
COMMENT ON COLUMN audit.configuration_change.detail IS 'More about it: the comment of a route, the resources of a child, the URI of a parent.';

-- +goose StatementBegin
CREATE FUNCTION audit.roas_at(ca text, at timestamptz DEFAULT now())
RETURNS TABLE (stream_id uuid, prefix cidr, max_length integer, asid bigint, comment text, since timestamptz, added_by text)
LANGUAGE sql STABLE SET jit = off AS
$$
    SELECT k.stream_id, k.prefix, k.max_length, k.asid, k.comment, k.since, k.added_by
    FROM (
        SELECT c.stream_id, c.prefix, c.max_length, c.asid,
               (array_agg(c.change ORDER BY c.version DESC, c.ordinal DESC, c.change = 'removed'))[1] AS last_change,
               (array_agg(c.comment ORDER BY c.version DESC, c.ordinal DESC, c.change = 'removed'))[1] AS comment,
               (array_agg(c.at ORDER BY c.version DESC, c.ordinal DESC) FILTER (WHERE c.change = 'added'))[1] AS since,
               (array_agg(c.actor ORDER BY c.version DESC, c.ordinal DESC) FILTER (WHERE c.change = 'added'))[1] AS added_by
        FROM audit.roa_change c
        WHERE c.ca = roas_at.ca AND c.at <= roas_at.at
        GROUP BY c.stream_id, c.prefix, c.max_length, c.asid
    ) k
    JOIN audit.ca a ON a.stream_id = k.stream_id
    WHERE k.last_change <> 'removed' AND (a.deleted_at IS NULL OR a.deleted_at > roas_at.at)
    ORDER BY k.prefix, k.max_length, k.asid
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.roas_at(text, timestamptz) IS 'The routes that a CA authorised at a time, with the comment of that time; by default now.';

-- +goose StatementBegin
CREATE FUNCTION audit.revision_at(repository text, at timestamptz) RETURNS bigint LANGUAGE sql STABLE AS
$$
    SELECT max(r.revision) FROM audit.rrdp_serial r WHERE r.repository = revision_at.repository AND r.at <= revision_at.at
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.revision_at(text, timestamptz) IS 'The revision of a repository that the world could fetch at a time; NULL before the first.';

-- +goose StatementBegin
CREATE FUNCTION audit.published_at(at timestamptz DEFAULT now())
RETURNS TABLE (repository text, publisher text, uri text, hash text, size integer)
LANGUAGE sql STABLE SET jit = off AS
$$
    WITH revision AS MATERIALIZED (
        SELECT DISTINCT p.repository, audit.revision_at(p.repository, published_at.at) AS at FROM audit.repository p
    )
    SELECT p.repository, p.publisher, p.uri, p.hash, p.size
    FROM revision r
    JOIN audit.publication p ON p.repository = r.repository AND p.revision <= r.at
        AND (p.withdrawn_revision IS NULL OR p.withdrawn_revision > r.at)
    ORDER BY p.repository, p.uri
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.published_at(timestamptz) IS 'The objects that the world could fetch here at a time; by default now.';

-- +goose StatementBegin
CREATE FUNCTION audit.vrps_at(at timestamptz DEFAULT now())
RETURNS TABLE (prefix cidr, max_length integer, asid bigint, ca text, stream_id uuid, uri text, hash text, not_after timestamptz)
LANGUAGE sql STABLE SET jit = off AS
$$
    WITH revision AS MATERIALIZED (
        SELECT DISTINCT p.repository, audit.revision_at(p.repository, vrps_at.at) AS at FROM audit.repository p
    )
    SELECT v.prefix, v.max_length, v.asid, v.ca, v.stream_id, v.uri, v.hash, v.not_after
    FROM revision r
    JOIN audit.vrp v ON v.repository = r.repository AND v.revision <= r.at AND (v.withdrawn_revision IS NULL OR v.withdrawn_revision > r.at)
    WHERE v.not_before <= vrps_at.at AND v.not_after >= vrps_at.at
    ORDER BY v.prefix, v.max_length, v.asid, v.uri
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.vrps_at(timestamptz) IS 'The routes in the ROA objects of this server''s CAs that were published here and not expired at a time; by default now. A route in two objects has two rows.';

-- The planner cannot know how few events a search finds. It is told to follow
-- the index, row by row, and not to prepare for millions.
-- +goose StatementBegin
CREATE FUNCTION audit.who_changed(prefix cidr, match text DEFAULT 'equal')
RETURNS TABLE (at timestamptz, ca text, stream_id uuid, version bigint, actor text, actor_key_id text, change text,
               changed cidr, max_length integer, asid bigint, comment text)
LANGUAGE sql STABLE SET jit = off SET max_parallel_workers_per_gather = 0 SET enable_hashjoin = off SET enable_mergejoin = off AS
$$
    WITH found AS MATERIALIZED (
        SELECT e.* FROM audit.event e
        WHERE e.name = 'roas_configured/1' AND audit.roa_terms(e.payload) @@ audit.prefix_query(who_changed.prefix, who_changed.match)
    ), line AS MATERIALIZED (
        SELECT f.at, f.handle, f.stream_id, f.version, f.ordinal, f.actor, f.actor_key_id, l.change, p.prefix, l.roa, l.comment
        FROM found f
        CROSS JOIN LATERAL audit.roa_lines(f.payload) l
        CROSS JOIN LATERAL audit.roa_prefix(l.roa) p (prefix)
        WHERE (who_changed.match = 'equal' AND p.prefix = who_changed.prefix)
           OR (who_changed.match IN ('covering', 'related') AND p.prefix >>= who_changed.prefix)
           OR (who_changed.match IN ('covered', 'related') AND p.prefix <<= who_changed.prefix)
    ), ended AS (
        SELECT DISTINCT ON (l.stream_id, l.roa) l.* FROM line l
        ORDER BY l.stream_id, l.roa, l.version DESC, l.ordinal DESC, l.change = 'removed'
    )
    SELECT w.at, w.handle, w.stream_id, w.version, w.actor, w.actor_key_id, w.change,
           w.prefix, audit.roa_max_length(w.roa), audit.roa_asid(w.roa), w.comment
    FROM (
        SELECT l.at, l.handle, l.stream_id, l.version, l.ordinal, l.actor, l.actor_key_id, l.change, l.prefix, l.roa, l.comment
        FROM line l
        UNION ALL
        SELECT a.deleted_at, l.handle, l.stream_id, a.version, 0, a.deleted_by, NULL, 'ca_deleted', l.prefix, l.roa, NULL
        FROM ended l JOIN audit.ca a ON a.stream_id = l.stream_id
        WHERE l.change <> 'removed' AND a.deleted_at IS NOT NULL
    ) w
    ORDER BY w.at, w.handle, w.stream_id, w.version, w.ordinal, w.change <> 'removed', w.prefix, w.roa
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.who_changed(cidr, text) IS 'Who changed routes for a prefix, oldest first. match: equal (the default), covering (the prefix and what covers it), covered (the prefix and all in it) or related (both). A route that ended because its CA was deleted has a row ca_deleted.';

-- Readers. A user who may not create roles leaves this to the DBA: docs/dba.md.
-- +goose StatementBegin
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'baleen_audit') THEN
        CREATE ROLE baleen_audit NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- made by another migration in this moment
    WHEN insufficient_privilege THEN
        RAISE WARNING 'role baleen_audit is missing: nobody but the owner can read schema audit until it is made and granted (docs/dba.md)';
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'baleen_audit') THEN
        GRANT USAGE ON SCHEMA audit TO baleen_audit;
        GRANT SELECT ON ALL TABLES IN SCHEMA audit TO baleen_audit;
        ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT SELECT ON TABLES TO baleen_audit;
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP INDEX rrdp_serial_revision;
DROP INDEX es_command_at;
DROP INDEX es_event_name;
DROP INDEX es_event_roa;
DROP SCHEMA audit CASCADE;
