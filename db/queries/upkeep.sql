-- name: LowerRenewal :exec
-- Notes that a CA has objects of a kind that expire then, in the transaction of the command that records them.
INSERT INTO ca_renewal (stream_id, kind, not_after, version) VALUES ($1, $2, $3, $4)
ON CONFLICT (stream_id, kind) DO UPDATE SET not_after = least(ca_renewal.not_after, excluded.not_after), version = excluded.version;

-- name: SetRenewal :exec
-- Puts right when the first object of a kind expires, as seen at a version of the CA; a later command's note stays.
INSERT INTO ca_renewal (stream_id, kind, not_after, version) VALUES ($1, $2, $3, $4)
ON CONFLICT (stream_id, kind) DO UPDATE SET not_after = excluded.not_after, version = excluded.version
WHERE ca_renewal.version <= excluded.version AND ca_renewal.not_after <> excluded.not_after;

-- name: DueRenewals :many
-- The CAs with objects that expire before the time given for their kind.
SELECT DISTINCT s.handle
FROM (SELECT unnest(@kinds::text[]) AS kind, unnest(@befores::timestamptz[]) AS before) k
JOIN ca_renewal r ON r.kind = k.kind AND r.not_after <= k.before
JOIN es_stream s ON s.id = r.stream_id
WHERE s.deleted_at IS NULL ORDER BY s.handle;

-- name: UpsertChildStatus :one
-- Notes an exchange of a child and says whether the child is suspended; a failure keeps when the last success was.
INSERT INTO ca_child_status (stream_id, child, at, user_agent, key_id, fault, last_success)
VALUES (@stream_id, @child, @at, sqlc.narg(user_agent), sqlc.narg(key_id), sqlc.narg(fault), sqlc.narg(last_success))
ON CONFLICT (stream_id, child) DO UPDATE SET at = excluded.at, user_agent = excluded.user_agent, key_id = excluded.key_id, fault = excluded.fault,
    last_success = coalesce(excluded.last_success, ca_child_status.last_success)
RETURNING suspended;

-- name: ChildIsSilent :one
-- Whether a child said nothing since the given time. Until the transaction ends it cannot say anything.
SELECT at < sqlc.arg(since)::timestamptz AS silent FROM ca_child_status WHERE stream_id = $1 AND child = $2 FOR UPDATE;

-- name: SetChildSuspended :exec
-- Keeps whether a child is suspended beside its last exchange.
UPDATE ca_child_status SET suspended = $3 WHERE stream_id = $1 AND child = $2;

-- name: DeleteChildStatus :exec
-- Forgets the last exchange of a child.
DELETE FROM ca_child_status WHERE stream_id = $1 AND child = $2;

-- name: ListChildStatus :many
-- The last exchange of each child of a CA.
SELECT child, at, user_agent, key_id, fault, last_success, suspended FROM ca_child_status WHERE stream_id = $1 ORDER BY child;

-- name: ListAllChildStatus :many
-- The last exchange of each child of every CA, for metrics.
SELECT s.handle, c.child, c.at, c.user_agent, c.key_id, c.fault, c.last_success, c.suspended
FROM ca_child_status c JOIN es_stream s ON s.id = c.stream_id
WHERE s.deleted_at IS NULL ORDER BY s.handle, c.child;

-- name: ListSilentChildren :many
-- The active children that said nothing since the given time.
SELECT s.handle, c.child, c.user_agent
FROM ca_child_status c JOIN es_stream s ON s.id = c.stream_id
WHERE c.at < $1 AND NOT c.suspended AND s.deleted_at IS NULL ORDER BY s.handle, c.child;

-- name: CountCAs :one
-- How many CAs there are.
SELECT count(*) FROM es_stream WHERE kind = 'ca' AND deleted_at IS NULL;

-- name: PageOfCAs :many
-- A page of the CAs behind a handle, with what no task will do for them: ask any parent, and ask parents that were
-- asked before. A parked task does nothing.
WITH asking AS MATERIALIZED (
    SELECT split_part(t.key, ' ', 1) AS handle, t.key FROM task t
    WHERE t.kind = ANY(@kinds::text[]) AND t.run_at < 'infinity'
)
SELECT s.handle, (s.handle NOT IN (SELECT a.handle FROM asking a))::boolean AS silent,
    ARRAY(SELECT p.parent FROM ca_parent_status p
          WHERE p.stream_id = s.id AND s.handle || ' ' || p.parent NOT IN (SELECT a.key FROM asking a) ORDER BY p.parent)::text[] AS missing
FROM es_stream s
WHERE s.kind = 'ca' AND s.deleted_at IS NULL AND s.handle > @after::text
ORDER BY s.handle LIMIT sqlc.arg(max_rows)::bigint;
