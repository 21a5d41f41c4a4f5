-- +goose Up

-- Children of a trust anchor change and go too; that a child of a CA was removed is a change of configuration as well.
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
        ('child_updated/1', 'child_updated', e.payload ->> 'child', e.payload ->> 'resources'),
        ('child_removed/1', 'child_removed', e.payload ->> 'child', NULL),
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
