-- name: ExportSerials :many
-- Serials of a session, newest first: those after one serial, and those made after a time.
SELECT serial, revision, at FROM rrdp_serial
WHERE repository = @repository AND session = @session AND (serial > @after_serial OR at > @after_at)
ORDER BY serial DESC;

-- name: ExportRevision :one
-- The revision of a serial.
SELECT revision FROM rrdp_serial WHERE repository = @repository AND session = @session AND serial = @serial;

-- name: ExportPublic :many
-- A page of what the world has, in the order of snapshots.
SELECT uri, hash, size, from_revision::bigint AS from_revision, file_time FROM pub_object
WHERE repository = @repository AND to_revision IS NULL AND from_revision IS NOT NULL AND uri > @after_uri::text
ORDER BY uri LIMIT @max;

-- name: ExportPublished :many
-- A page of what a revision brought, each with the hash of what it replaced, if anything.
SELECT n.uri, n.hash, n.size, o.hash AS replaced
FROM pub_object n
LEFT JOIN pub_object o ON o.repository = n.repository AND o.to_revision = n.from_revision AND o.uri = n.uri
WHERE n.repository = @repository AND n.from_revision = @revision::bigint AND n.uri > @after_uri::text
ORDER BY n.uri LIMIT @max;

-- name: ExportWithdrawn :many
-- A page of what a revision took away for good.
SELECT o.uri, o.hash
FROM pub_object o
WHERE o.repository = @repository AND o.to_revision = @revision::bigint AND o.uri > @after_uri::text
  AND NOT EXISTS (
    SELECT 1 FROM pub_object n
    WHERE n.repository = o.repository AND n.from_revision = o.to_revision AND n.uri = o.uri
  )
ORDER BY o.uri LIMIT @max;
