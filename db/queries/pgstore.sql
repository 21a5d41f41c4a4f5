-- name: CreateStream :exec
-- The row of a new stream, together with its command at version 0.
INSERT INTO es_stream (id, kind, handle, version, created_at)
VALUES (@id, @kind, @handle, 0, @created_at);

-- name: CreateCommand :execrows
-- The creating command of a stream.
INSERT INTO es_command (stream_id, version, at, actor, actor_key_id, name, payload, outcome, fault, epoch, hash)
VALUES (@stream_id, 0, @at, @actor, sqlc.narg(actor_key_id), @name, @payload, @outcome, sqlc.narg(fault), @epoch, @hash);

-- name: AppendCommand :execrows
-- A command after the very one it was decided on: no row if that one is not in the log as it was seen.
INSERT INTO es_command (stream_id, version, at, actor, actor_key_id, name, payload, outcome, fault, epoch, hash)
SELECT p.stream_id, @version::bigint, @at::timestamptz, @actor::text, sqlc.narg(actor_key_id)::text, @name::text,
       @payload::jsonb, @outcome::text, sqlc.narg(fault)::jsonb, @epoch::bigint, @hash::bytea
FROM es_command p
WHERE p.stream_id = @stream_id AND p.version = sqlc.arg(version)::bigint - 1 AND p.hash = @previous;

-- name: AppendEvents :exec
-- The events of a command, in order.
INSERT INTO es_event (stream_id, version, ordinal, name, payload)
SELECT @stream_id::uuid, @version::bigint, unnest(@ordinals::integer[]), unnest(@names::text[]), unnest(@payloads::jsonb[]);

-- name: AdvanceStream :execrows
-- Moves a live stream to its new version; with deleted_at, for the last time.
UPDATE es_stream SET version = sqlc.arg(version)::bigint, deleted_at = sqlc.narg(deleted_at)
WHERE id = @id AND version = sqlc.arg(version)::bigint - 1 AND deleted_at IS NULL;

-- name: ReadLog :many
-- The command at @after as it stands in the log, without events, then at most @max commands behind it, one row for each
-- of their events (or one without event). What was asked stands in the first row of each command.
SELECT s.id, s.version AS newest, c.version, c.at, c.actor, c.actor_key_id, c.name AS command,
       (CASE WHEN coalesce(e.ordinal, 0) = 0 AND c.version > @after::bigint THEN c.payload END)::jsonb AS asked,
       c.outcome, c.fault, c.epoch, c.hash, e.name, e.payload
FROM es_stream s
JOIN LATERAL (
    SELECT i.stream_id, i.version, i.at, i.actor, i.actor_key_id, i.name, i.payload, i.outcome, i.fault, i.epoch, i.hash FROM es_command i
    WHERE i.stream_id = s.id AND i.version >= @after::bigint
    ORDER BY i.version LIMIT @max::integer
) c ON true
LEFT JOIN es_event e ON e.stream_id = c.stream_id AND e.version = c.version AND e.version > @after::bigint
WHERE s.kind = @kind AND s.handle = @handle AND s.deleted_at IS NULL
ORDER BY c.version, e.ordinal;

-- name: ReadWholeLog :many
-- The same with the archive, for those who begin at the beginning.
SELECT s.id, s.version AS newest, c.version, c.at, c.actor, c.actor_key_id, c.name AS command,
       (CASE WHEN coalesce(e.ordinal, 0) = 0 AND c.version > @after::bigint THEN c.payload END)::jsonb AS asked,
       c.outcome, c.fault, c.epoch, c.hash, e.name, e.payload
FROM es_stream s
JOIN LATERAL (
    SELECT i.stream_id, i.version, i.at, i.actor, i.actor_key_id, i.name, i.payload, i.outcome, i.fault, i.epoch, i.hash FROM es_command_all i
    WHERE i.stream_id = s.id AND i.version >= @after::bigint
    ORDER BY i.version LIMIT @max::integer
) c ON true
LEFT JOIN es_event_all e ON e.stream_id = c.stream_id AND e.version = c.version AND e.version > @after::bigint
WHERE s.kind = @kind AND s.handle = @handle AND s.deleted_at IS NULL
ORDER BY c.version, e.ordinal;

-- name: GetStream :one
-- The live stream of a handle.
SELECT id, version FROM es_stream WHERE kind = @kind AND handle = @handle AND deleted_at IS NULL;

-- name: ListHandles :many
-- Handles of all live streams of a kind.
SELECT handle FROM es_stream WHERE kind = @kind AND deleted_at IS NULL ORDER BY handle;

-- name: GetCommandHash :one
-- The hash of one command: whether it is in the log, and the same one.
SELECT hash FROM es_command WHERE stream_id = @stream_id AND version = @version;

-- name: ListSnapshots :many
-- Snapshots of a live stream, newest first, with the hash of the command each was taken at (null if the log has none).
SELECT s.id, p.version, p.format, p.state, p.hash, c.hash AS command_hash
FROM es_stream s
JOIN es_snapshot p ON p.stream_id = s.id
LEFT JOIN es_command c ON c.stream_id = p.stream_id AND c.version = p.version
WHERE s.kind = @kind AND s.handle = @handle AND s.deleted_at IS NULL
ORDER BY p.version DESC;

-- name: WeighSnapshot :one
-- What a load has to fold since the newest snapshot of a format, against what that snapshot weighs.
SELECT coalesce(p.version, -1)::bigint AS snapshot_version,
       coalesce(octet_length(p.state::text), 0)::bigint AS snapshot_bytes,
       (SELECT count(*) FROM es_command_all c WHERE c.stream_id = s.id AND c.version > coalesce(p.version, -1))::bigint AS commands,
       (SELECT coalesce(sum(octet_length(e.payload::text)), 0) FROM es_event_all e
        WHERE e.stream_id = s.id AND e.version > coalesce(p.version, -1))::bigint AS event_bytes
FROM es_stream s
LEFT JOIN LATERAL (
    SELECT i.version, i.state FROM es_snapshot i
    WHERE i.stream_id = s.id AND i.format = @format ORDER BY i.version DESC LIMIT 1
) p ON true
WHERE s.kind = @kind AND s.handle = @handle AND s.deleted_at IS NULL;

-- name: InsertSnapshot :exec
-- A snapshot replaces one of the same version.
INSERT INTO es_snapshot (stream_id, version, format, at, state, hash)
VALUES (@stream_id, @version, @format, @at, @state, @hash)
ON CONFLICT (stream_id, version) DO UPDATE
SET format = EXCLUDED.format, at = EXCLUDED.at, state = EXCLUDED.state, hash = EXCLUDED.hash;

-- name: PruneSnapshots :exec
-- Keeps the two newest snapshots of a stream.
DELETE FROM es_snapshot d WHERE d.stream_id = @stream_id AND d.version < (
    SELECT min(k.version) FROM (
        SELECT i.version FROM es_snapshot i WHERE i.stream_id = @stream_id ORDER BY i.version DESC LIMIT 2
    ) k
);

-- name: ListCommands :many
-- A page of a stream's history, oldest first, without the creating command.
SELECT c.version, c.at, c.actor, c.actor_key_id, c.name, c.payload, c.outcome, c.fault, c.epoch, c.repeats
FROM es_command_all c
WHERE c.stream_id = @stream_id AND c.version > @after_version AND c.version > 0
ORDER BY c.version LIMIT sqlc.arg(max_rows)::bigint;

-- name: ListCommandsAt :many
-- The commands of a stream at some versions, in order.
SELECT c.version, c.at, c.actor, c.actor_key_id, c.name, c.payload, c.outcome, c.fault, c.epoch, c.repeats
FROM es_command_all c
WHERE c.stream_id = @stream_id AND c.version = ANY(@versions::bigint[])
ORDER BY c.version;

-- name: GetCommand :one
-- One command of a stream.
SELECT version, at, actor, actor_key_id, name, payload, outcome, fault, epoch, repeats
FROM es_command_all WHERE stream_id = @stream_id AND version = @version;

-- name: ListEvents :many
-- The events of a range of commands, in order.
SELECT version, ordinal, name, payload FROM es_event_all
WHERE stream_id = @stream_id AND version >= @first AND version <= @last
ORDER BY version, ordinal;

-- name: ListEventsAt :many
-- The events of some commands, in order.
SELECT version, ordinal, name, payload FROM es_event_all
WHERE stream_id = @stream_id AND version = ANY(@versions::bigint[])
ORDER BY version, ordinal;

-- name: ListStreams :many
-- A page of all streams, deleted ones included, by id.
SELECT id, kind, handle, version, deleted_at FROM es_stream WHERE id > @after ORDER BY id LIMIT sqlc.arg(max_rows)::bigint;

-- name: GetStreamByID :one
-- One stream, also when it is deleted.
SELECT id, kind, handle, version, created_at, deleted_at FROM es_stream WHERE id = @id;

-- name: ListCommandsToVerify :many
-- A page of a stream's log with everything the hash chain covers.
SELECT version, at, actor, actor_key_id, name, payload, outcome, fault, epoch, hash
FROM es_command_all WHERE stream_id = @stream_id AND version > @after ORDER BY version LIMIT sqlc.arg(max_rows)::bigint;

-- name: ListSnapshotsToVerify :many
-- Snapshots of a stream with the hash of the command each was taken at.
SELECT p.version, p.format, p.state, p.hash, c.hash AS command_hash
FROM es_snapshot p LEFT JOIN es_command_all c ON c.stream_id = p.stream_id AND c.version = p.version
WHERE p.stream_id = @stream_id ORDER BY p.version;

-- name: DeleteSnapshot :exec
-- Sets a snapshot aside.
DELETE FROM es_snapshot WHERE stream_id = @stream_id AND version = @version;

-- name: ListArchivable :many
-- A page of the streams whose first command here was before the given time.
SELECT s.id, s.kind, s.handle, s.version, s.deleted_at FROM es_stream s
WHERE s.id > @after AND (
    SELECT f.at FROM es_command f WHERE f.stream_id = s.id ORDER BY f.version LIMIT 1
) < @before::timestamptz
ORDER BY s.id LIMIT sqlc.arg(max_rows)::bigint;

-- name: MoveToArchive :one
-- Moves the first commands of a stream, with their events, to the archive: at most @max_rows, those below @border, and none
-- behind one that is not from before @before. Tells how many.
WITH first AS (
    SELECT c.version, c.at FROM es_command c WHERE c.stream_id = @stream_id AND c.version < @border::bigint
    ORDER BY c.version LIMIT sqlc.arg(max_rows)::bigint
), moving AS (
    SELECT f.version FROM first f
    WHERE f.version < coalesce((SELECT min(y.version) FROM first y WHERE y.at >= @before::timestamptz), @border::bigint)
), events AS (
    DELETE FROM es_event e USING moving m WHERE e.stream_id = @stream_id AND e.version = m.version
    RETURNING e.stream_id, e.version, e.ordinal, e.name, e.payload
), commands AS (
    DELETE FROM es_command c USING moving m WHERE c.stream_id = @stream_id AND c.version = m.version
    RETURNING c.stream_id, c.version, c.at, c.actor, c.actor_key_id, c.name, c.payload, c.outcome, c.fault, c.epoch, c.hash, c.repeats
), kept AS (
    INSERT INTO archive.es_command (stream_id, version, at, actor, actor_key_id, name, payload, outcome, fault, epoch, hash, repeats)
    SELECT * FROM commands RETURNING version
), kept_events AS (
    INSERT INTO archive.es_event (stream_id, version, ordinal, name, payload) SELECT * FROM events RETURNING version
)
SELECT count(*) FROM kept;

-- name: CountRepeat :execrows
-- Counts a refusal on the newest command of the same peer if that is the same refusal.
UPDATE es_command c SET repeats = c.repeats + 1
WHERE c.stream_id = @stream_id AND c.outcome = 'refused' AND c.name = @name AND c.payload = @payload::jsonb AND c.fault = @fault::jsonb
  AND c.version = (
      SELECT n.version FROM es_command n
      WHERE n.stream_id = @stream_id AND n.actor = @actor AND n.actor_key_id = @actor_key_id::text
      ORDER BY n.version DESC LIMIT 1
  );

-- name: ListHeads :many
-- Where all live streams of a kind stand, with the hash of the newest command of each.
SELECT s.id, s.handle, s.version, c.hash FROM es_stream s JOIN es_command c ON c.stream_id = s.id AND c.version = s.version
WHERE s.kind = @kind AND s.deleted_at IS NULL ORDER BY s.handle;

-- name: ListSnapshotWorthy :many
-- The live streams of a kind for which a load has to fold more than the newest snapshot of the format weighs, and more
-- than the least that is worth a snapshot. See WeighSnapshot.
SELECT s.handle FROM es_stream s
LEFT JOIN LATERAL (
    SELECT i.version, octet_length(i.state::text)::bigint AS bytes FROM es_snapshot i
    WHERE i.stream_id = s.id AND i.format = @format ORDER BY i.version DESC LIMIT 1
) p ON true
JOIN LATERAL (
    SELECT coalesce(sum(octet_length(e.payload::text)), 0)::bigint AS bytes FROM es_event_all e
    WHERE e.stream_id = s.id AND e.version > coalesce(p.version, -1)
) n ON true
WHERE s.kind = @kind AND s.deleted_at IS NULL AND s.version > coalesce(p.version, -1)
  AND n.bytes + sqlc.arg(command_weight)::bigint * (
    SELECT count(*) FROM es_command_all c WHERE c.stream_id = s.id AND c.version > coalesce(p.version, -1)
  ) >= greatest(coalesce(p.bytes, 0), sqlc.arg(least)::bigint)
ORDER BY s.handle;
