-- name: ListManifests :many
-- The newest manifest and CRL of each key of a CA.
SELECT class, key_id, number, this_update, next_update, covers, mft_hash, crl_hash
FROM ca_manifest WHERE stream_id = $1 ORDER BY class, key_id;

-- name: InsertManifest :execrows
-- The first manifest of a key.
INSERT INTO ca_manifest (stream_id, class, key_id, number, this_update, next_update, covers, mft_hash, crl_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING;

-- name: ReplaceManifest :execrows
-- Replaces a key's manifest and CRL if nobody else did meanwhile: the number must be the one that was read.
UPDATE ca_manifest SET number = @number, this_update = @this_update, next_update = @next_update, covers = @covers, mft_hash = @mft_hash, crl_hash = @crl_hash
WHERE stream_id = @stream_id AND key_id = @key_id AND number = @was;

-- name: DeleteManifests :exec
-- Forgets the manifests of keys that are gone.
DELETE FROM ca_manifest WHERE stream_id = $1 AND NOT key_id = ANY(@keep::text[]);

-- name: DueManifests :many
-- The CAs with a manifest that must be issued again before the given time.
SELECT DISTINCT s.handle FROM ca_manifest m JOIN es_stream s ON s.id = m.stream_id
WHERE m.next_update <= $1 AND s.deleted_at IS NULL ORDER BY s.handle;

-- name: ListObjects :many
-- What a CA wants published.
SELECT uri, hash, repository FROM ca_object WHERE stream_id = $1;

-- name: DeleteObjects :exec
-- Takes objects out of what a CA wants published.
DELETE FROM ca_object WHERE stream_id = $1 AND uri = ANY(@uris::text[]);

-- name: SettleObjects :exec
-- Names the repository of the objects that do not have one yet.
UPDATE ca_object SET repository = @repository WHERE stream_id = @stream_id AND repository = '';

-- name: DeleteAllObjects :exec
-- A CA that is gone wants nothing published.
DELETE FROM ca_object WHERE stream_id = $1;

-- name: DeleteParentStatus :exec
-- Forgets the last exchange with a parent that was left.
DELETE FROM ca_parent_status WHERE stream_id = $1 AND parent = $2;

-- name: DeleteStatuses :exec
-- Forgets the exchanges of a CA that is gone, and what it would renew.
WITH repo AS (DELETE FROM ca_repo_status r WHERE r.stream_id = @stream_id),
    child AS (DELETE FROM ca_child_status c WHERE c.stream_id = @stream_id),
    renewal AS (DELETE FROM ca_renewal n WHERE n.stream_id = @stream_id)
DELETE FROM ca_parent_status p WHERE p.stream_id = @stream_id;

-- name: GetDERs :many
-- Objects by their hashes.
SELECT hash, der FROM der_object WHERE hash = ANY(@hashes::bytea[]);

-- name: UpsertParentStatus :exec
-- Notes an exchange with a parent; a failure keeps what the last success said.
INSERT INTO ca_parent_status (stream_id, parent, uri, at, fault, last_success, classes)
VALUES (@stream_id, @parent, @uri, @at, sqlc.narg(fault), sqlc.narg(last_success), coalesce(sqlc.narg(classes)::jsonb, '[]'))
ON CONFLICT (stream_id, parent) DO UPDATE SET uri = excluded.uri, at = excluded.at, fault = excluded.fault,
    last_success = coalesce(excluded.last_success, ca_parent_status.last_success),
    classes = coalesce(sqlc.narg(classes)::jsonb, ca_parent_status.classes);

-- name: ListParentStatus :many
-- The last exchange with each parent.
SELECT parent, uri, at, fault, last_success, classes FROM ca_parent_status WHERE stream_id = $1 ORDER BY parent;

-- name: UpsertRepoStatus :exec
-- Notes an exchange with the repository.
INSERT INTO ca_repo_status (stream_id, uri, at, fault, last_success)
VALUES (@stream_id, @uri, @at, sqlc.narg(fault), sqlc.narg(last_success))
ON CONFLICT (stream_id) DO UPDATE SET uri = excluded.uri, at = excluded.at, fault = excluded.fault,
    last_success = coalesce(excluded.last_success, ca_repo_status.last_success);

-- name: GetRepoStatus :one
-- The last exchange with the repository.
SELECT uri, at, fault, last_success FROM ca_repo_status WHERE stream_id = $1;

-- name: ListContacts :many
-- How the last exchange of every CA with each of its parents went, and with its repository, which has no name here.
SELECT s.handle, p.parent, (p.fault IS NULL)::boolean AS ok, p.last_success
FROM ca_parent_status p JOIN es_stream s ON s.id = p.stream_id WHERE s.kind = 'ca' AND s.deleted_at IS NULL
UNION ALL
SELECT s.handle, '', (r.fault IS NULL)::boolean, r.last_success
FROM ca_repo_status r JOIN es_stream s ON s.id = r.stream_id WHERE s.kind = 'ca' AND s.deleted_at IS NULL
ORDER BY 1, 2;

-- name: JumpManifests :exec
-- Makes the next manifest and CRL of each key of a CA have a number above the given one and a thisUpdate after the
-- given time, and due at once.
UPDATE ca_manifest SET number = greatest(number, @number::bigint), this_update = greatest(this_update, @after::timestamptz),
    next_update = least(next_update, this_update)
WHERE stream_id = @stream_id;

-- name: ListDamagedDERs :many
-- Objects that are not what their name says.
SELECT hash FROM der_object WHERE sha256(der) <> hash ORDER BY hash;

-- name: ListIssues :many
-- The exchanges of CAs that failed last, with each of their parents and with the repository, which has no name here.
SELECT s.handle, p.parent, p.fault
FROM ca_parent_status p JOIN es_stream s ON s.id = p.stream_id WHERE s.kind = 'ca' AND s.deleted_at IS NULL AND p.fault IS NOT NULL
UNION ALL
SELECT s.handle, '', r.fault
FROM ca_repo_status r JOIN es_stream s ON s.id = r.stream_id WHERE s.kind = 'ca' AND s.deleted_at IS NULL AND r.fault IS NOT NULL
ORDER BY 1, 2;

-- name: ListNeighbours :many
-- The CAs of this server that asked a parent whose service URI ends in this handle, with their names for it. One of another
-- server that has this handle may be among them.
SELECT s.handle, p.parent
FROM ca_parent_status p JOIN es_stream s ON s.id = p.stream_id
WHERE rtrim(split_part(p.uri, '/rfc6492/', 2), '/') = @handle::text AND s.kind = 'ca' AND s.deleted_at IS NULL
ORDER BY s.handle, p.parent;
