-- name: InsertSignerKey :exec
-- Records a new key.
INSERT INTO signer_key (key_id, purpose, spki, sealed, created_at) VALUES (@key_id, @purpose, @spki, @sealed, @created_at);

-- name: GetSignerKey :one
-- A key as it is stored; sealed is NULL if it was destroyed.
SELECT sealed, destroyed_at FROM signer_key WHERE key_id = $1;

-- name: DestroySignerKeys :many
-- Removes the private keys and keeps the rows as a record. Gives those of the named keys that there are, destroyed
-- now or before.
UPDATE signer_key SET sealed = NULL, destroyed_at = coalesce(destroyed_at, @now::timestamptz)
WHERE key_id = ANY(@key_ids::text[])
RETURNING key_id;

-- name: InsertSignerMaster :exec
-- Records the master key's check value unless there is one.
INSERT INTO signer_master (sealed, created_at) VALUES (@sealed, @created_at) ON CONFLICT DO NOTHING;

-- name: GetSignerMaster :one
-- The master key's check value.
SELECT sealed FROM signer_master;

-- name: HasSignerMaster :one
-- Whether the database belongs to a master key already.
SELECT EXISTS (SELECT FROM signer_master);

-- name: ListSignerKeys :many
-- Every key there is or was.
SELECT key_id, purpose, (sealed IS NULL)::boolean AS destroyed FROM signer_key ORDER BY key_id;
