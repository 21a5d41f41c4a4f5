-- name: TryLeaderLock :one
-- Takes the leader lock for this session unless another has it, and never on a replica, where such locks mean nothing.
SELECT pg_is_in_recovery() AS replica,
       CASE WHEN pg_is_in_recovery() THEN false
            ELSE pg_try_advisory_lock(@class::integer, 0) END::boolean AS taken;

-- name: HoldsLeaderLock :one
-- Whether this very session holds the leader lock, and the epoch that is in force.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_locks k WHERE k.locktype = 'advisory' AND k.objsubid = 2 AND k.granted AND k.pid = pg_backend_pid()
    AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
    AND k.classid::bigint = @class::bigint AND k.objid::bigint = 0
) AS held, l.epoch FROM leader l;

-- name: LockFence :exec
-- Waits until every writing transaction has ended and holds off new ones.
SELECT pg_advisory_xact_lock(@class::integer, 0);

-- name: EndFenceHolders :many
-- Ends the sessions whose transactions hold the fence: they belong to a node that is no longer the active one.
SELECT pg_terminate_backend(k.pid) FROM pg_catalog.pg_locks k
WHERE k.locktype = 'advisory' AND k.objsubid = 2 AND k.granted AND k.pid <> pg_backend_pid()
  AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
  AND k.classid::bigint = @class::bigint AND k.objid::bigint = 0;

-- name: GetLeader :one
-- The last take-over.
SELECT epoch, node, since, system_identifier, timeline, database_oid, table_oid FROM leader;

-- name: TakeOver :one
-- A new epoch, with where the data lives now and what changed about that since somebody last took care of it.
INSERT INTO leader (epoch, node, since, backend, system_identifier, timeline, database_oid, table_oid, moved)
VALUES (1, @node, now(), pg_backend_pid(), @system_identifier, @timeline, @database_oid, @table_oid, sqlc.narg(moved))
ON CONFLICT (id) DO UPDATE
SET epoch = leader.epoch + 1, node = EXCLUDED.node, since = EXCLUDED.since, backend = EXCLUDED.backend,
    system_identifier = EXCLUDED.system_identifier, timeline = EXCLUDED.timeline,
    database_oid = EXCLUDED.database_oid, table_oid = EXCLUDED.table_oid, moved = coalesce(EXCLUDED.moved, leader.moved)
RETURNING epoch, since, moved;

-- name: SettleMoved :exec
-- What changed about where the data lives has been taken care of.
UPDATE leader SET moved = NULL WHERE moved IS NOT NULL;

-- name: Whereabouts :one
-- Where the data lives: cluster, timeline (of the write-ahead log as it is written now), database and table.
SELECT (SELECT c.system_identifier FROM pg_control_system() c)::bigint AS system_identifier,
       ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint AS timeline,
       (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())::bigint AS database_oid,
       'leader'::regclass::oid::bigint AS table_oid;

-- name: ActiveNode :one
-- Who took over last, and whether the session that did so holds the leader lock now.
SELECT l.epoch, l.node, l.since, EXISTS (
    SELECT FROM pg_catalog.pg_locks k WHERE k.locktype = 'advisory' AND k.objsubid = 2 AND k.granted
    AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
    AND k.classid::bigint = @class::bigint AND k.objid::bigint = 0 AND l.epoch > 0 AND k.pid = coalesce(l.backend, k.pid)
) AS held FROM leader l;

-- name: LockHolder :one
-- Whose session holds the leader lock, beside who took over last. No row: nobody's does.
SELECT k.pid::integer AS pid, coalesce(a.usename, '')::text AS usename, coalesce(a.application_name, '')::text AS application,
       (l.epoch > 0 AND k.pid = coalesce(l.backend, k.pid))::boolean AS took_over, l.node
FROM pg_catalog.pg_locks k CROSS JOIN leader l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = k.pid
WHERE k.locktype = 'advisory' AND k.objsubid = 2 AND k.granted
  AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
  AND k.classid::bigint = @class::bigint AND k.objid::bigint = 0
LIMIT 1;
