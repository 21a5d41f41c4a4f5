-- name: CountRegistrations :one
-- How many registrations are there or were made after the given time: from one address, and in all.
SELECT count(*) FILTER (WHERE address = @address) AS here, count(*) AS everywhere
FROM testbed_registration WHERE removed_at IS NULL OR at > @since;

-- name: InsertRegistration :exec
-- Notes what registered itself.
INSERT INTO testbed_registration (id, kind, handle, address, at) VALUES (@id, @kind, @handle, @address, @at);

-- name: IsRegistered :one
-- Whether a child or publisher registered itself.
SELECT EXISTS (SELECT FROM testbed_registration WHERE kind = @kind AND handle = @handle AND removed_at IS NULL);

-- name: EndRegistration :exec
-- Notes that a child or publisher is gone, if it had registered itself.
UPDATE testbed_registration SET removed_at = @at WHERE kind = @kind AND handle = @handle AND removed_at IS NULL;

-- name: EndRegistrations :exec
-- Notes that all of a kind are gone.
UPDATE testbed_registration SET removed_at = @at WHERE kind = @kind AND removed_at IS NULL;

-- name: OldRegistrations :many
-- What registered itself before the given time and is still there, oldest first.
SELECT kind, handle FROM testbed_registration WHERE removed_at IS NULL AND at < @before ORDER BY at, kind, handle LIMIT @most;

-- name: DeleteRegistrations :exec
-- Forgets what was removed and counts no more.
DELETE FROM testbed_registration WHERE removed_at IS NOT NULL AND removed_at < @before AND at < @before;
