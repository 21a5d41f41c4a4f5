-- +goose Up

-- The audit views read the archive too.

-- What the log has indexes for beside its keys, the archive has too.
CREATE INDEX es_event_roa ON archive.es_event USING gin (audit.roa_terms(payload)) WITH (fastupdate = off) WHERE name = 'roas_configured/1';
CREATE INDEX es_event_name ON archive.es_event (name);
CREATE INDEX es_command_at ON archive.es_command USING brin (at) WITH (autosummarize = on);

CREATE OR REPLACE VIEW audit.command AS
SELECT s.kind, s.handle, c.stream_id, c.version, c.at, c.actor, c.actor_key_id,
       CASE WHEN strpos(c.actor, ':') > 0 THEN split_part(c.actor, ':', 1) ELSE c.actor END AS actor_kind,
       c.name AS command, c.outcome, c.fault ->> 'code' AS fault_code, c.fault ->> 'msg' AS fault_msg,
       c.repeats, c.payload, c.epoch, encode(c.hash, 'hex') AS hash
FROM es_command_all c
JOIN es_stream s ON s.id = c.stream_id;

CREATE OR REPLACE VIEW audit.event AS
SELECT s.kind, s.handle, e.stream_id, e.version, e.ordinal, c.at, c.actor, c.actor_key_id, e.name, e.payload
FROM es_event_all e
JOIN es_command_all c ON c.stream_id = e.stream_id AND c.version = e.version
JOIN es_stream s ON s.id = e.stream_id;

CREATE OR REPLACE VIEW audit.ca AS
SELECT s.handle AS ca, s.kind, s.id AS stream_id, s.created_at, c.actor AS created_by,
       s.deleted_at, d.actor AS deleted_by, s.version
FROM es_stream s
JOIN es_command_all c ON c.stream_id = s.id AND c.version = 0
LEFT JOIN es_command_all d ON d.stream_id = s.id AND d.version = s.version AND s.deleted_at IS NOT NULL
WHERE s.kind IN ('ca', 'ta_proxy');

-- +goose Down
DROP INDEX archive.es_command_at;
DROP INDEX archive.es_event_name;
DROP INDEX archive.es_event_roa;

CREATE OR REPLACE VIEW audit.command AS
SELECT s.kind, s.handle, c.stream_id, c.version, c.at, c.actor, c.actor_key_id,
       CASE WHEN strpos(c.actor, ':') > 0 THEN split_part(c.actor, ':', 1) ELSE c.actor END AS actor_kind,
       c.name AS command, c.outcome, c.fault ->> 'code' AS fault_code, c.fault ->> 'msg' AS fault_msg,
       c.repeats, c.payload, c.epoch, encode(c.hash, 'hex') AS hash
FROM es_command c
JOIN es_stream s ON s.id = c.stream_id;

CREATE OR REPLACE VIEW audit.event AS
SELECT s.kind, s.handle, e.stream_id, e.version, e.ordinal, c.at, c.actor, c.actor_key_id, e.name, e.payload
FROM es_event e
JOIN es_command c ON c.stream_id = e.stream_id AND c.version = e.version
JOIN es_stream s ON s.id = e.stream_id;

CREATE OR REPLACE VIEW audit.ca AS
SELECT s.handle AS ca, s.kind, s.id AS stream_id, s.created_at, c.actor AS created_by,
       s.deleted_at, d.actor AS deleted_by, s.version
FROM es_stream s
JOIN es_command c ON c.stream_id = s.id AND c.version = 0
LEFT JOIN es_command d ON d.stream_id = s.id AND d.version = s.version AND s.deleted_at IS NOT NULL
WHERE s.kind IN ('ca', 'ta_proxy');
