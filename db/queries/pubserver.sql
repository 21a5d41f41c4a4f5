-- name: PubLockShared :exec
-- Holds off freezes of the repository until the transaction ends.
SELECT pg_advisory_xact_lock_shared(@class::int, @repository_key::int);

-- name: PubLockExclusive :exec
-- Waits for every message that is being stored, and holds off others until the transaction ends.
SELECT pg_advisory_xact_lock(@class::int, @repository_key::int);

-- name: PubInsertState :exec
-- Opens a repository.
INSERT INTO rrdp_state (repository, session, serial, revision, last_update, rrdp_base_uri, rsync_base, secret)
VALUES (@repository, @session, 1, @revision, @last_update, @rrdp_base_uri, @rsync_base, @secret);

-- name: PubGetState :one
-- Where the RRDP session stands.
SELECT session, serial, revision, last_update, rrdp_base_uri, rsync_base, secret
FROM rrdp_state WHERE repository = $1;

-- name: PubAdvance :exec
-- Moves the RRDP session on.
UPDATE rrdp_state SET session = @session, serial = @serial, revision = @revision, last_update = @last_update
WHERE repository = @repository;

-- name: PubDeleteState :exec
-- Closes a repository; its history stays.
DELETE FROM rrdp_state WHERE repository = $1;

-- name: PubLastRevision :one
-- The last revision ever of this repository, 0 if there was none.
SELECT coalesce(max(revision), 0)::bigint FROM rrdp_serial WHERE repository = $1;

-- name: PubInsertSerial :exec
-- Notes a serial.
INSERT INTO rrdp_serial (repository, session, serial, revision, at)
VALUES (@repository, @session, @serial, @revision, @at);

-- name: PubHasStaged :one
-- Whether anything waits for the next serial.
SELECT (EXISTS (SELECT 1 FROM pub_object p WHERE p.repository = $1 AND p.from_revision IS NULL)
    OR EXISTS (SELECT 1 FROM pub_object w WHERE w.repository = $1 AND w.withdrawn))::bool;

-- name: PubFreezePublishes :execrows
-- Makes what is staged for publication part of a revision. No version of an object has a file as old as that of an
-- earlier one: rsync would take two of one size and time for the same.
UPDATE pub_object n SET from_revision = @revision::bigint, file_time = greatest(n.file_time, (
    SELECT o.file_time + interval '1 second' FROM pub_object o
    WHERE o.repository = n.repository AND o.publisher = n.publisher AND o.uri = n.uri AND o.from_revision IS NOT NULL
    ORDER BY o.from_revision DESC LIMIT 1
))
WHERE n.repository = @repository AND n.from_revision IS NULL;

-- name: PubFreezeWithdraws :execrows
-- Ends what is staged for withdrawal with a revision.
UPDATE pub_object SET to_revision = @revision::bigint, withdrawn = false
WHERE repository = @repository AND withdrawn;

-- name: PubInsertPublisher :exec
-- Adds a publisher.
INSERT INTO pub_publisher (repository, handle, base_uri) VALUES (@repository, @handle, @base_uri);

-- name: PubDeletePublisher :exec
-- Removes a publisher.
DELETE FROM pub_publisher WHERE repository = @repository AND handle = @handle;

-- name: PubLockPublisher :one
-- Makes messages of one publisher take turns.
SELECT base_uri FROM pub_publisher WHERE repository = @repository AND handle = @handle FOR NO KEY UPDATE;

-- name: PubListPublishers :many
-- The publishers with what they publish.
SELECT handle, base_uri, objects, bytes FROM pub_publisher WHERE repository = $1 ORDER BY handle;

-- name: PubPublishersNear :many
-- Locks the publishers whose space holds, or lies in, the given URI.
SELECT handle FROM pub_publisher
WHERE repository = @repository AND (starts_with(base_uri, @uri::text) OR starts_with(@uri::text, base_uri))
ORDER BY handle FOR NO KEY UPDATE;

-- name: PubPublishersAround :many
-- The publishers whose space holds the given URI.
SELECT handle FROM pub_publisher WHERE repository = @repository AND starts_with(@uri::text, base_uri) ORDER BY handle;

-- name: PubBlocking :many
-- Current objects of the given publishers in the way of a folder: in it, or in the place of it or of one above. One
-- is enough.
SELECT uri FROM pub_object
WHERE repository = @repository AND publisher = ANY(@publishers::text[]) AND to_revision IS NULL AND NOT withdrawn
  AND (starts_with(uri, @folder::text) OR uri = ANY(@above::text[]))
LIMIT 1;

-- name: PubList :many
-- What a publisher has: RFC 8181 section 2.3.
SELECT uri, hash, size FROM pub_object
WHERE repository = @repository AND publisher = @publisher AND to_revision IS NULL AND NOT withdrawn
ORDER BY uri;

-- name: PubPublisherExists :one
-- Whether there is such a publisher.
SELECT EXISTS (SELECT 1 FROM pub_publisher WHERE repository = @repository AND handle = @handle);

-- name: PubManifests :many
-- The manifests that publishers have now.
SELECT publisher, uri, hash FROM pub_object
WHERE repository = @repository AND to_revision IS NULL AND NOT withdrawn AND uri LIKE '%.mft'
ORDER BY publisher, uri;

-- name: PubContents :many
-- Objects by their hashes.
SELECT hash, der FROM der_object WHERE hash = ANY(@hashes::bytea[]);

-- name: PubDropStaged :execrows
-- Drops staged objects of publishers at a URI, or below it if it ends in a slash.
DELETE FROM pub_object
WHERE repository = @repository AND publisher = ANY(@publishers::text[]) AND from_revision IS NULL
  AND (uri = @uri::text OR (right(@uri::text, 1) = '/' AND starts_with(uri, @uri::text)));

-- name: PubWithdraw :execrows
-- Stages the withdrawal of public objects of publishers at a URI, or below it if it ends in a slash.
UPDATE pub_object SET withdrawn = true
WHERE repository = @repository AND publisher = ANY(@publishers::text[]) AND to_revision IS NULL
  AND from_revision IS NOT NULL AND NOT withdrawn
  AND (uri = @uri::text OR (right(@uri::text, 1) = '/' AND starts_with(uri, @uri::text)));

-- name: PubRecount :exec
-- Counts afresh what publishers have.
UPDATE pub_publisher p SET objects = o.objects, bytes = o.bytes
FROM (
    SELECT h.handle, count(c.uri) AS objects, coalesce(sum(c.size), 0)::bigint AS bytes
    FROM unnest(@publishers::text[]) AS h (handle)
    LEFT JOIN pub_object c ON c.repository = @repository AND c.publisher = h.handle
        AND c.to_revision IS NULL AND NOT c.withdrawn
    GROUP BY h.handle
) o
WHERE p.repository = @repository AND p.handle = o.handle;

-- name: PubPublishedAt :many
-- What was published at a time: the content of the last revision made by then.
SELECT o.publisher, o.uri, o.hash, o.size
FROM pub_object o
WHERE o.repository = @repository
  AND o.from_revision <= (SELECT max(s.revision) FROM rrdp_serial s WHERE s.repository = @repository AND s.at <= @at)
  AND (o.to_revision IS NULL
    OR o.to_revision > (SELECT max(s.revision) FROM rrdp_serial s WHERE s.repository = @repository AND s.at <= @at))
ORDER BY o.uri;

-- name: PubCurrent :many
-- What all publishers have, with whether the content is there.
SELECT p.publisher, p.uri, p.hash, p.size, coalesce(octet_length(d.der), -1)::integer AS octets
FROM pub_object p LEFT JOIN der_object d ON d.hash = p.hash
WHERE p.repository = @repository AND p.to_revision IS NULL AND NOT p.withdrawn
ORDER BY p.publisher, p.uri;

-- name: PubCountObjects :one
-- How many objects the publishers have whose names begin so, without a manifest and a CRL of each.
SELECT coalesce(sum(greatest(objects - 2, 0)), 0)::bigint FROM pub_publisher
WHERE repository = @repository AND starts_with(handle, @prefix::text);
