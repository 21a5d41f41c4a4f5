-- +goose Up

-- What CAs say about AS numbers: ASPAs and the keys of BGPsec routers. Events of
-- these kinds are few beside those of routes: es_event_name finds them, and what
-- is asked about one CA or one AS is passed down to the events.

-- +goose StatementBegin
CREATE FUNCTION audit.aspa_lines(payload jsonb) RETURNS TABLE (change text, customer bigint, providers bigint[]) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT 'removed', r.value::bigint, NULL::bigint[]
    FROM jsonb_array_elements_text(nullif(payload -> 'removed', 'null')) AS r (value)
    UNION ALL
    SELECT c.change, (c.value ->> 'customer')::bigint, ARRAY(SELECT p.value::bigint FROM jsonb_array_elements_text(c.value -> 'providers') AS p (value))
    FROM (
        SELECT 'added', a.value FROM jsonb_array_elements(nullif(payload -> 'added', 'null')) AS a (value)
        UNION ALL
        SELECT 'updated', u.value FROM jsonb_array_elements(nullif(payload -> 'updated', 'null')) AS u (value)
    ) AS c (change, value)
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.aspa_lines(jsonb) IS 'The customers that an aspas_configured/1 event names, with what is done to each (removed, added or updated) and all providers it has then.';

-- +goose StatementBegin
CREATE FUNCTION audit.router_asid(router text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT ('x' || substr(router, 8, 8))::bit(32)::bigint $$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.router_asid(text) IS 'The AS number of a router key in the text form of the log: ROUTER-, eight hexadecimal digits of the AS number, - and the key identifier.';

-- +goose StatementBegin
CREATE FUNCTION audit.router_key_id(router text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT substr(router, 17) $$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.router_key_id(text) IS 'The key identifier of a router key in the text form of the log.';

-- +goose StatementBegin
CREATE FUNCTION audit.router_lines(payload jsonb) RETURNS TABLE (change text, router text, csr text) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT 'removed', r.value, NULL
    FROM jsonb_array_elements_text(nullif(payload -> 'removed', 'null')) AS r (value)
    UNION ALL
    SELECT 'added', a.value ->> 'router', a.value ->> 'csr'
    FROM jsonb_array_elements(nullif(payload -> 'added', 'null')) AS a (value)
    UNION ALL
    SELECT 'updated', u.value ->> 'router', u.value ->> 'csr'
    FROM jsonb_array_elements(nullif(payload -> 'updated', 'null')) AS u (value)
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.router_lines(jsonb) IS 'The router keys that a router_keys_configured/1 event names, with what is done to each: removed, added or updated (it came with another request).';

CREATE VIEW audit.aspa_configuration AS
SELECT l.ca, l.stream_id, l.customer, l.providers, l.at AS valid_from, coalesce(l.next_at, a.deleted_at) AS valid_to,
       l.actor AS set_by, coalesce(l.next_actor, a.deleted_by) AS ended_by,
       l.version AS set_version, coalesce(l.next_version, CASE WHEN a.deleted_at IS NOT NULL THEN a.version END) AS ended_version
FROM (
    SELECT e.handle AS ca, e.stream_id, c.customer, c.providers, e.at, e.actor, e.version,
           lead(e.at) OVER w AS next_at, lead(e.actor) OVER w AS next_actor, lead(e.version) OVER w AS next_version
    FROM audit.event e
    CROSS JOIN LATERAL audit.aspa_lines(e.payload) c
    WHERE e.name = 'aspas_configured/1' AND e.kind = 'ca'
    WINDOW w AS (PARTITION BY e.handle, e.stream_id, c.customer ORDER BY e.version, e.ordinal)
) l
JOIN audit.ca a ON a.stream_id = l.stream_id
WHERE l.providers IS NOT NULL;

COMMENT ON VIEW audit.aspa_configuration IS 'The providers that CAs authorise for their ASes, past and present, one row for each period in which a customer had the same providers.';
COMMENT ON COLUMN audit.aspa_configuration.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.aspa_configuration.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.aspa_configuration.customer IS 'AS number of the customer.';
COMMENT ON COLUMN audit.aspa_configuration.providers IS 'AS numbers of its providers, ascending.';
COMMENT ON COLUMN audit.aspa_configuration.valid_from IS 'When the customer got these providers.';
COMMENT ON COLUMN audit.aspa_configuration.valid_to IS 'When that changed, the definition was removed, or the CA deleted; NULL while it is configured.';
COMMENT ON COLUMN audit.aspa_configuration.set_by IS 'Who did so.';
COMMENT ON COLUMN audit.aspa_configuration.ended_by IS 'Who ended that.';
COMMENT ON COLUMN audit.aspa_configuration.set_version IS 'Number of the command by which it began.';
COMMENT ON COLUMN audit.aspa_configuration.ended_version IS 'Number of the command by which it ended.';

CREATE VIEW audit.aspa_object AS
SELECT o.ca, o.stream_id, o.class, o.customer,
       ARRAY(SELECT p.value::bigint FROM jsonb_array_elements_text(o.object -> 'providers') AS p (value)) AS providers,
       (o.object ->> 'serial')::numeric AS serial, o.object ->> 'hash' AS hash,
       (o.object ->> 'not_before')::timestamptz AS not_before, (o.object ->> 'not_after')::timestamptz AS not_after,
       o.at AS issued_at, o.version AS issued_version,
       coalesce(o.next_at, r.at, k.closed_at) AS withdrawn_at, coalesce(o.next_version, r.version, k.closed_version) AS withdrawn_version,
       CASE WHEN o.next_replaces THEN 'replaced' WHEN o.next_at IS NOT NULL THEN 'withdrawn' ELSE coalesce(r.how, k.closed_how) END AS withdrawn_how
FROM (
    SELECT e.handle AS ca, e.stream_id, e.class, e.key_id, l.customer, l.object, e.version, e.at,
           lead(e.at) OVER w AS next_at, lead(e.version) OVER w AS next_version, lead(l.object IS NOT NULL) OVER w AS next_replaces
    FROM (
        -- The key that signed: the new one of a roll has it in the event; the
        -- current one became so by the last roll, and the first has no name here.
        SELECT i.handle, i.stream_id, i.payload ->> 'class' AS class, i.payload, i.at, i.version, i.ordinal,
               coalesce(i.payload ->> 'key_id', (
                   SELECT a.payload ->> 'key_id' FROM audit.event a
                   WHERE a.name = 'key_roll_activated/1' AND a.stream_id = i.stream_id AND a.payload -> 'class' = i.payload -> 'class'
                     AND (a.version, a.ordinal) < (i.version, i.ordinal)
                   ORDER BY a.version DESC, a.ordinal DESC LIMIT 1)) AS key_id
        FROM audit.event i
        WHERE i.name IN ('aspas_issued/1', 'aspas_staged/1') AND i.kind = 'ca'
    ) e
    CROSS JOIN LATERAL (
        SELECT r.value::bigint AS customer, NULL::jsonb AS object
        FROM jsonb_array_elements_text(nullif(e.payload -> 'withdrawn', 'null')) AS r (value)
        UNION ALL
        SELECT (i.value ->> 'customer')::bigint, i.value
        FROM jsonb_array_elements(nullif(e.payload -> 'issued', 'null')) AS i (value)
    ) l
    -- In one event, what is withdrawn goes before what is issued.
    WINDOW w AS (PARTITION BY e.handle, e.stream_id, e.class, e.key_id, l.customer ORDER BY e.version, e.ordinal, l.object IS NOT NULL)
) o
LEFT JOIN LATERAL (
    SELECT x.at, x.version, CASE x.name WHEN 'key_roll_activated/1' THEN 'key_rolled' ELSE 'roll_abandoned' END AS how
    FROM audit.event x
    WHERE x.name IN ('key_roll_activated/1', 'key_roll_abandoned/1') AND x.stream_id = o.stream_id AND x.payload ->> 'class' = o.class
      AND CASE x.name WHEN 'key_roll_activated/1' THEN o.key_id IS NULL OR x.payload ->> 'old_key' = o.key_id ELSE x.payload ->> 'key_id' = o.key_id END
    ORDER BY x.version, x.ordinal LIMIT 1
) r ON true
LEFT JOIN audit.resource_class k ON k.stream_id = o.stream_id AND k.class = o.class
WHERE o.object IS NOT NULL;

COMMENT ON VIEW audit.aspa_object IS 'Every ASPA object that was signed (ASPA profile). Whether and when the world saw it: audit.publication has the same hash.';
COMMENT ON COLUMN audit.aspa_object.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.aspa_object.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.aspa_object.class IS 'Resource class of the CA; its certificate is in audit.certificate_received.';
COMMENT ON COLUMN audit.aspa_object.customer IS 'AS number of the customer.';
COMMENT ON COLUMN audit.aspa_object.providers IS 'AS numbers of its providers, ascending.';
COMMENT ON COLUMN audit.aspa_object.serial IS 'Serial number of its certificate.';
COMMENT ON COLUMN audit.aspa_object.hash IS 'SHA-256 of the object, hexadecimal.';
COMMENT ON COLUMN audit.aspa_object.not_before IS 'Its certificate is valid from then on.';
COMMENT ON COLUMN audit.aspa_object.not_after IS 'Its certificate is valid until then.';
COMMENT ON COLUMN audit.aspa_object.issued_at IS 'When it was recorded as issued; by the new key of a roll, before that roll was activated.';
COMMENT ON COLUMN audit.aspa_object.issued_version IS 'Number of the command that recorded it.';
COMMENT ON COLUMN audit.aspa_object.withdrawn_at IS 'When it was replaced or withdrawn, and with that revoked; NULL while it is in use.';
COMMENT ON COLUMN audit.aspa_object.withdrawn_version IS 'Number of the command that did so.';
COMMENT ON COLUMN audit.aspa_object.withdrawn_how IS 'replaced (by another for the same customer), withdrawn, key_rolled (another key took the place of the one that signed it), roll_abandoned, class_removed or ca_deleted.';

CREATE VIEW audit.router_key AS
SELECT l.ca, l.stream_id, audit.router_asid(l.router) AS asid, audit.router_key_id(l.router) AS key_id, l.csr, l.at AS valid_from, coalesce(l.next_at, a.deleted_at) AS valid_to,
       l.actor AS set_by, coalesce(l.next_actor, a.deleted_by) AS ended_by,
       l.version AS set_version, coalesce(l.next_version, CASE WHEN a.deleted_at IS NOT NULL THEN a.version END) AS ended_version
FROM (
    SELECT e.handle AS ca, e.stream_id, c.router, c.csr, e.at, e.actor, e.version,
           lead(e.at) OVER w AS next_at, lead(e.actor) OVER w AS next_actor, lead(e.version) OVER w AS next_version
    FROM audit.event e
    CROSS JOIN LATERAL audit.router_lines(e.payload) c
    WHERE e.name = 'router_keys_configured/1' AND e.kind = 'ca'
    WINDOW w AS (PARTITION BY e.handle, e.stream_id, c.router ORDER BY e.version, e.ordinal)
) l
JOIN audit.ca a ON a.stream_id = l.stream_id
WHERE l.csr IS NOT NULL;

COMMENT ON VIEW audit.router_key IS 'The keys that BGPsec routers may use (RFC 8209), past and present, one row for each period in which a key had the same request.';
COMMENT ON COLUMN audit.router_key.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.router_key.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.router_key.asid IS 'AS number of the router.';
COMMENT ON COLUMN audit.router_key.key_id IS 'Key identifier of its key, hexadecimal.';
COMMENT ON COLUMN audit.router_key.csr IS 'The request that the key came with (PKCS #10), base64 of its DER.';
COMMENT ON COLUMN audit.router_key.valid_from IS 'When the key or another request for it came.';
COMMENT ON COLUMN audit.router_key.valid_to IS 'When another request came, the key was removed, or the CA deleted; NULL while it is configured.';
COMMENT ON COLUMN audit.router_key.set_by IS 'Who did so.';
COMMENT ON COLUMN audit.router_key.ended_by IS 'Who ended that.';
COMMENT ON COLUMN audit.router_key.set_version IS 'Number of the command by which it began.';
COMMENT ON COLUMN audit.router_key.ended_version IS 'Number of the command by which it ended.';

CREATE VIEW audit.router_certificate AS
SELECT o.ca, o.stream_id, o.class, audit.router_asid(o.router) AS asid, audit.router_key_id(o.router) AS key_id,
       (o.object ->> 'serial')::numeric AS serial, o.object ->> 'hash' AS hash,
       (o.object ->> 'not_before')::timestamptz AS not_before, (o.object ->> 'not_after')::timestamptz AS not_after,
       o.at AS issued_at, o.version AS issued_version,
       coalesce(o.next_at, r.at, k.closed_at) AS withdrawn_at, coalesce(o.next_version, r.version, k.closed_version) AS withdrawn_version,
       CASE WHEN o.next_replaces THEN 'replaced' WHEN o.next_at IS NOT NULL THEN 'withdrawn' ELSE coalesce(r.how, k.closed_how) END AS withdrawn_how
FROM (
    SELECT e.handle AS ca, e.stream_id, e.class, e.key_id, l.router, l.object, e.version, e.at,
           lead(e.at) OVER w AS next_at, lead(e.version) OVER w AS next_version, lead(l.object IS NOT NULL) OVER w AS next_replaces
    FROM (
        -- The key that signed: the new one of a roll has it in the event; the
        -- current one became so by the last roll, and the first has no name here.
        SELECT i.handle, i.stream_id, i.payload ->> 'class' AS class, i.payload, i.at, i.version, i.ordinal,
               coalesce(i.payload ->> 'key_id', (
                   SELECT a.payload ->> 'key_id' FROM audit.event a
                   WHERE a.name = 'key_roll_activated/1' AND a.stream_id = i.stream_id AND a.payload -> 'class' = i.payload -> 'class'
                     AND (a.version, a.ordinal) < (i.version, i.ordinal)
                   ORDER BY a.version DESC, a.ordinal DESC LIMIT 1)) AS key_id
        FROM audit.event i
        WHERE i.name IN ('router_certs_issued/1', 'router_certs_staged/1') AND i.kind = 'ca'
    ) e
    CROSS JOIN LATERAL (
        SELECT r.value AS router, NULL::jsonb AS object
        FROM jsonb_array_elements_text(nullif(e.payload -> 'withdrawn', 'null')) AS r (value)
        UNION ALL
        SELECT i.value ->> 'router', i.value
        FROM jsonb_array_elements(nullif(e.payload -> 'issued', 'null')) AS i (value)
    ) l
    -- In one event, what is withdrawn goes before what is issued.
    WINDOW w AS (PARTITION BY e.handle, e.stream_id, e.class, e.key_id, l.router ORDER BY e.version, e.ordinal, l.object IS NOT NULL)
) o
LEFT JOIN LATERAL (
    SELECT x.at, x.version, CASE x.name WHEN 'key_roll_activated/1' THEN 'key_rolled' ELSE 'roll_abandoned' END AS how
    FROM audit.event x
    WHERE x.name IN ('key_roll_activated/1', 'key_roll_abandoned/1') AND x.stream_id = o.stream_id AND x.payload ->> 'class' = o.class
      AND CASE x.name WHEN 'key_roll_activated/1' THEN o.key_id IS NULL OR x.payload ->> 'old_key' = o.key_id ELSE x.payload ->> 'key_id' = o.key_id END
    ORDER BY x.version, x.ordinal LIMIT 1
) r ON true
LEFT JOIN audit.resource_class k ON k.stream_id = o.stream_id AND k.class = o.class
WHERE o.object IS NOT NULL;

COMMENT ON VIEW audit.router_certificate IS 'Every BGPsec router certificate that was signed (RFC 8209). Whether and when the world saw it: audit.publication has the same hash.';
COMMENT ON COLUMN audit.router_certificate.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.router_certificate.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.router_certificate.class IS 'Resource class of the CA; its certificate is in audit.certificate_received.';
COMMENT ON COLUMN audit.router_certificate.asid IS 'AS number of the router.';
COMMENT ON COLUMN audit.router_certificate.key_id IS 'Key identifier of its key, hexadecimal.';
COMMENT ON COLUMN audit.router_certificate.serial IS 'Serial number.';
COMMENT ON COLUMN audit.router_certificate.hash IS 'SHA-256 of the certificate, hexadecimal.';
COMMENT ON COLUMN audit.router_certificate.not_before IS 'Valid from then on.';
COMMENT ON COLUMN audit.router_certificate.not_after IS 'Valid until then.';
COMMENT ON COLUMN audit.router_certificate.issued_at IS 'When it was recorded as issued; by the new key of a roll, before that roll was activated.';
COMMENT ON COLUMN audit.router_certificate.issued_version IS 'Number of the command that recorded it.';
COMMENT ON COLUMN audit.router_certificate.withdrawn_at IS 'When it was replaced or withdrawn, and with that revoked; NULL while it is in use.';
COMMENT ON COLUMN audit.router_certificate.withdrawn_version IS 'Number of the command that did so.';
COMMENT ON COLUMN audit.router_certificate.withdrawn_how IS 'replaced (by another for the same key), withdrawn, key_rolled (another key took the place of the one that signed it), roll_abandoned, class_removed or ca_deleted.';

CREATE OR REPLACE VIEW audit.configuration_change AS
SELECT e.at, e.kind, e.handle, e.stream_id, e.version, e.ordinal, e.actor, e.actor_key_id, l.change, l.subject, l.detail
FROM audit.event e
CROSS JOIN LATERAL (
    SELECT 'roa_' || r.change AS change, r.roa AS subject, r.comment AS detail
    FROM audit.roa_lines(e.payload) r WHERE e.name = 'roas_configured/1'
    UNION ALL
    SELECT 'aspa_' || a.change, 'AS' || a.customer, (SELECT string_agg('AS' || p, ', ' ORDER BY p) FROM unnest(a.providers) p)
    FROM audit.aspa_lines(e.payload) a WHERE e.name = 'aspas_configured/1'
    UNION ALL
    SELECT 'router_key_' || r.change, r.router, NULL
    FROM audit.router_lines(e.payload) r WHERE e.name = 'router_keys_configured/1'
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

-- +goose Down
CREATE OR REPLACE VIEW audit.configuration_change AS
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

DROP VIEW audit.router_certificate;
DROP VIEW audit.router_key;
DROP VIEW audit.aspa_object;
DROP VIEW audit.aspa_configuration;
DROP FUNCTION audit.router_lines(jsonb);
DROP FUNCTION audit.router_key_id(text);
DROP FUNCTION audit.router_asid(text);
DROP FUNCTION audit.aspa_lines(jsonb);
