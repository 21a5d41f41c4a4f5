-- +goose Up

-- Ghostbusters records (RFC 6493): whom CAs name to be called, and what they
-- signed to say so.

-- +goose StatementBegin
CREATE FUNCTION audit.ghostbusters_lines(payload jsonb) RETURNS TABLE (change text, name text, contact jsonb) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT 'removed', r.value, NULL::jsonb
    FROM jsonb_array_elements_text(nullif(payload -> 'removed', 'null')) AS r (value)
    UNION ALL
    SELECT c.change, c.value ->> 'name', c.value -> 'contact'
    FROM (
        SELECT 'added', a.value FROM jsonb_array_elements(nullif(payload -> 'added', 'null')) AS a (value)
        UNION ALL
        SELECT 'updated', u.value FROM jsonb_array_elements(nullif(payload -> 'updated', 'null')) AS u (value)
    ) AS c (change, value)
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION audit.ghostbusters_lines(jsonb) IS 'The records that a ghostbusters_configured/1 event names, with what is done to each (removed, added or updated) and what it says then.';

CREATE VIEW audit.ghostbusters_configuration AS
SELECT l.ca, l.stream_id, l.name, l.contact ->> 'fn' AS fn, l.contact, l.at AS valid_from, coalesce(l.next_at, a.deleted_at) AS valid_to,
       l.actor AS set_by, coalesce(l.next_actor, a.deleted_by) AS ended_by,
       l.version AS set_version, coalesce(l.next_version, CASE WHEN a.deleted_at IS NOT NULL THEN a.version END) AS ended_version
FROM (
    SELECT e.handle AS ca, e.stream_id, c.name, c.contact, e.at, e.actor, e.version,
           lead(e.at) OVER w AS next_at, lead(e.actor) OVER w AS next_actor, lead(e.version) OVER w AS next_version
    FROM audit.event e
    CROSS JOIN LATERAL audit.ghostbusters_lines(e.payload) c
    WHERE e.name = 'ghostbusters_configured/1' AND e.kind = 'ca'
    WINDOW w AS (PARTITION BY e.handle, e.stream_id, c.name ORDER BY e.version, e.ordinal)
) l
JOIN audit.ca a ON a.stream_id = l.stream_id
WHERE l.contact IS NOT NULL;

COMMENT ON VIEW audit.ghostbusters_configuration IS 'Whom CAs name in their Ghostbusters records (RFC 6493), past and present, one row for each period in which a record said the same.';
COMMENT ON COLUMN audit.ghostbusters_configuration.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.ghostbusters_configuration.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.ghostbusters_configuration.name IS 'Name of the record, and of its file.';
COMMENT ON COLUMN audit.ghostbusters_configuration.fn IS 'The person or role.';
COMMENT ON COLUMN audit.ghostbusters_configuration.contact IS 'All that the record says: fn, org, adr, tel, fax, email.';
COMMENT ON COLUMN audit.ghostbusters_configuration.valid_from IS 'When the record got this content.';
COMMENT ON COLUMN audit.ghostbusters_configuration.valid_to IS 'When that changed, the record was removed, or the CA deleted; NULL while it is configured.';
COMMENT ON COLUMN audit.ghostbusters_configuration.set_by IS 'Who did so.';
COMMENT ON COLUMN audit.ghostbusters_configuration.ended_by IS 'Who ended that.';
COMMENT ON COLUMN audit.ghostbusters_configuration.set_version IS 'Number of the command by which it began.';
COMMENT ON COLUMN audit.ghostbusters_configuration.ended_version IS 'Number of the command by which it ended.';

CREATE VIEW audit.ghostbusters_object AS
SELECT o.ca, o.stream_id, o.class, o.name, o.object -> 'contact' AS contact,
       (o.object ->> 'serial')::numeric AS serial, o.object ->> 'hash' AS hash,
       (o.object ->> 'not_before')::timestamptz AS not_before, (o.object ->> 'not_after')::timestamptz AS not_after,
       o.at AS issued_at, o.version AS issued_version,
       coalesce(o.next_at, r.at, k.closed_at) AS withdrawn_at, coalesce(o.next_version, r.version, k.closed_version) AS withdrawn_version,
       CASE WHEN o.next_replaces THEN 'replaced' WHEN o.next_at IS NOT NULL THEN 'withdrawn' ELSE coalesce(r.how, k.closed_how) END AS withdrawn_how
FROM (
    SELECT e.handle AS ca, e.stream_id, e.class, e.key_id, l.name, l.object, e.version, e.at,
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
        WHERE i.name IN ('ghostbusters_issued/1', 'ghostbusters_staged/1') AND i.kind = 'ca'
    ) e
    CROSS JOIN LATERAL (
        SELECT r.value AS name, NULL::jsonb AS object
        FROM jsonb_array_elements_text(nullif(e.payload -> 'withdrawn', 'null')) AS r (value)
        UNION ALL
        SELECT i.value ->> 'name', i.value
        FROM jsonb_array_elements(nullif(e.payload -> 'issued', 'null')) AS i (value)
    ) l
    -- In one event, what is withdrawn goes before what is issued.
    WINDOW w AS (PARTITION BY e.handle, e.stream_id, e.class, e.key_id, l.name ORDER BY e.version, e.ordinal, l.object IS NOT NULL)
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

COMMENT ON VIEW audit.ghostbusters_object IS 'Every Ghostbusters record that was signed (RFC 6493). Whether and when the world saw it: audit.publication has the same hash.';
COMMENT ON COLUMN audit.ghostbusters_object.ca IS 'Handle of the CA.';
COMMENT ON COLUMN audit.ghostbusters_object.stream_id IS 'Tells apart CAs that had the same name one after the other.';
COMMENT ON COLUMN audit.ghostbusters_object.class IS 'Resource class of the CA; its certificate is in audit.certificate_received.';
COMMENT ON COLUMN audit.ghostbusters_object.name IS 'Name of the record, and of its file.';
COMMENT ON COLUMN audit.ghostbusters_object.contact IS 'All that it says: fn, org, adr, tel, fax, email.';
COMMENT ON COLUMN audit.ghostbusters_object.serial IS 'Serial number of its certificate.';
COMMENT ON COLUMN audit.ghostbusters_object.hash IS 'SHA-256 of the object, hexadecimal.';
COMMENT ON COLUMN audit.ghostbusters_object.not_before IS 'Its certificate is valid from then on.';
COMMENT ON COLUMN audit.ghostbusters_object.not_after IS 'Its certificate is valid until then.';
COMMENT ON COLUMN audit.ghostbusters_object.issued_at IS 'When it was recorded as issued; by the new key of a roll, before that roll was activated.';
COMMENT ON COLUMN audit.ghostbusters_object.issued_version IS 'Number of the command that recorded it.';
COMMENT ON COLUMN audit.ghostbusters_object.withdrawn_at IS 'When it was replaced or withdrawn, and with that revoked; NULL while it is in use.';
COMMENT ON COLUMN audit.ghostbusters_object.withdrawn_version IS 'Number of the command that did so.';
COMMENT ON COLUMN audit.ghostbusters_object.withdrawn_how IS 'replaced (by another of the same name), withdrawn, key_rolled (another key took the place of the one that signed it), roll_abandoned, class_removed or ca_deleted.';

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
    SELECT 'ghostbusters_' || g.change, g.name, g.contact ->> 'fn'
    FROM audit.ghostbusters_lines(e.payload) g WHERE e.name = 'ghostbusters_configured/1'
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

DROP VIEW audit.ghostbusters_object;
DROP VIEW audit.ghostbusters_configuration;
DROP FUNCTION audit.ghostbusters_lines(jsonb);
