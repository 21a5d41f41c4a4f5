-- +goose Up

CREATE TABLE rrdp_state (
    repository    text        PRIMARY KEY,
    session       uuid        NOT NULL,
    serial        bigint      NOT NULL CHECK (serial > 0),
    revision      bigint      NOT NULL CHECK (revision > 0),
    last_update   timestamptz NOT NULL,
    rrdp_base_uri text        NOT NULL,
    rsync_base    text        NOT NULL,
    secret        bytea       NOT NULL
);
COMMENT ON TABLE rrdp_state IS 'One row per publication server: where its RRDP session (RFC 8182) stands';
COMMENT ON COLUMN rrdp_state.revision IS 'Counts the contents the world has seen. Unlike serial it goes on when a session is reset; pub_object refers to it';
COMMENT ON COLUMN rrdp_state.last_update IS 'When the current serial was made';
COMMENT ON COLUMN rrdp_state.secret IS 'Key of the HMAC that names RRDP files, so that their URIs cannot be guessed';

CREATE TABLE rrdp_serial (
    repository text        NOT NULL,
    session    uuid        NOT NULL,
    serial     bigint      NOT NULL,
    revision   bigint      NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (repository, session, serial)
);
CREATE INDEX rrdp_serial_at ON rrdp_serial (repository, at, revision);
COMMENT ON TABLE rrdp_serial IS 'Every serial there ever was. No foreign key to rrdp_state: it outlives a repository that is cleared';
COMMENT ON COLUMN rrdp_serial.revision IS 'The content at this serial. The first serial of a session repeats the revision before it';
COMMENT ON COLUMN rrdp_serial.at IS 'Never before the at of an earlier revision';

CREATE TABLE pub_publisher (
    repository text   NOT NULL,
    handle     text   COLLATE "C" NOT NULL,
    base_uri   text   COLLATE "C" NOT NULL,
    objects    bigint NOT NULL DEFAULT 0,
    bytes      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (repository, handle),
    UNIQUE (repository, base_uri)
) WITH (fillfactor = 70);
COMMENT ON TABLE pub_publisher IS 'Read model of the publishers, and the row that takes turns between messages of one publisher';
COMMENT ON COLUMN pub_publisher.base_uri IS 'Ends in a slash; the publisher may publish strictly below it, except below the base_uri of another';
COMMENT ON COLUMN pub_publisher.objects IS 'Objects its list reply names, kept up to date by every message';
COMMENT ON COLUMN pub_publisher.bytes IS 'Size of those objects in octets';

CREATE TABLE pub_object (
    repository    text    NOT NULL,
    publisher     text    COLLATE "C" NOT NULL,
    uri           text    COLLATE "C" NOT NULL,
    hash          bytea   NOT NULL CHECK (octet_length(hash) = 32),
    size          integer NOT NULL,
    from_revision bigint,
    to_revision   bigint,
    withdrawn     boolean NOT NULL DEFAULT false,
    CHECK (from_revision IS NOT NULL OR (to_revision IS NULL AND NOT withdrawn)),
    CHECK (to_revision IS NULL OR NOT withdrawn),
    CHECK (to_revision > from_revision)
);
COMMENT ON TABLE pub_object IS 'Published objects, past and present; their octets are in der_object. What the world saw at revision r: from_revision <= r AND (to_revision IS NULL OR to_revision > r)';
COMMENT ON COLUMN pub_object.uri IS 'Canonical: scheme and host in lower case. Ordered by octets, so that files made from it are the same everywhere';
COMMENT ON COLUMN pub_object.size IS 'Octets of the object';
COMMENT ON COLUMN pub_object.from_revision IS 'First revision that has it; null: staged, not yet in any';
COMMENT ON COLUMN pub_object.to_revision IS 'First revision that no longer has it; null: none yet';
COMMENT ON COLUMN pub_object.withdrawn IS 'Withdrawn or replaced by its publisher, but the world still sees it; the next serial sets to_revision instead. Almost always false: an index on the few others is small, and the planner knows';

-- The history of one URI; at most one row for it is staged.
CREATE UNIQUE INDEX pub_object_history ON pub_object (repository, publisher, uri, from_revision) NULLS NOT DISTINCT;
-- What a publisher has: list replies and the checks of RFC 8181 section 2.2.
CREATE UNIQUE INDEX pub_object_current ON pub_object (repository, publisher, uri)
    WHERE to_revision IS NULL AND NOT withdrawn;
-- What the world has: snapshots and the rsync tree.
CREATE UNIQUE INDEX pub_object_public ON pub_object (repository, uri)
    WHERE to_revision IS NULL AND from_revision IS NOT NULL;
-- What waits for the next serial: a few rows at any time.
CREATE INDEX pub_object_staged_publish ON pub_object (repository, publisher) WHERE from_revision IS NULL;
CREATE INDEX pub_object_staged_withdraw ON pub_object (repository, publisher) WHERE withdrawn;
-- Deltas.
CREATE INDEX pub_object_from ON pub_object (repository, from_revision, uri) WHERE from_revision IS NOT NULL;
CREATE INDEX pub_object_to ON pub_object (repository, to_revision, uri) WHERE to_revision IS NOT NULL;
-- Manifests alone, for the age of publication points.
CREATE INDEX pub_object_manifest ON pub_object (repository, publisher)
    WHERE to_revision IS NULL AND NOT withdrawn AND uri LIKE '%.mft';

-- +goose Down

DROP TABLE pub_object;
DROP TABLE pub_publisher;
DROP TABLE rrdp_serial;
DROP TABLE rrdp_state;
