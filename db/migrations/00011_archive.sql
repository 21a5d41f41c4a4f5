-- +goose Up

-- Where old commands and events go. The tables are those of the log, column by
-- column, so that the hash chain is recomputed over both in the same way.
CREATE SCHEMA archive;
COMMENT ON SCHEMA archive IS 'Old commands and events of the log, moved here from es_command and es_event. Nothing is needed from here to run; the views es_command_all and es_event_all read both.';

CREATE TABLE archive.es_command (
    stream_id    uuid        NOT NULL REFERENCES public.es_stream (id),
    version      bigint      NOT NULL CHECK (version >= 0),
    at           timestamptz NOT NULL,
    actor        text        NOT NULL CHECK (actor <> ''),
    actor_key_id text        CHECK (actor_key_id <> ''),
    name         text        NOT NULL CHECK (name <> ''),
    payload      jsonb       NOT NULL,
    outcome      text        NOT NULL CHECK (outcome IN ('ok', 'refused')),
    fault        jsonb,
    epoch        bigint      NOT NULL CHECK (epoch >= 0),
    hash         bytea       NOT NULL CHECK (octet_length(hash) = 32),
    repeats      integer     NOT NULL DEFAULT 0 CHECK (repeats >= 0),
    PRIMARY KEY (stream_id, version),
    CONSTRAINT es_command_fault CHECK ((outcome = 'refused') = (fault IS NOT NULL))
);

CREATE TABLE archive.es_event (
    stream_id uuid    NOT NULL,
    version   bigint  NOT NULL,
    ordinal   integer NOT NULL CHECK (ordinal >= 0),
    name      text    NOT NULL CHECK (name <> ''),
    payload   jsonb   NOT NULL,
    PRIMARY KEY (stream_id, version, ordinal),
    FOREIGN KEY (stream_id, version) REFERENCES archive.es_command (stream_id, version)
);

COMMENT ON TABLE archive.es_command IS 'The beginning of each stream: commands older than the archive threshold, below the older of the stream''s snapshots. Columns as in es_command.';
COMMENT ON TABLE archive.es_event IS 'The events of those commands. Columns as in es_event.';


-- What a peer asked last, to count what it repeats; commands of others are not in it.
CREATE INDEX es_command_peer ON es_command (stream_id, actor, actor_key_id, version) WHERE actor_key_id IS NOT NULL;

CREATE VIEW es_command_all AS
SELECT stream_id, version, at, actor, actor_key_id, name, payload, outcome, fault, epoch, hash, repeats FROM es_command
UNION ALL
SELECT stream_id, version, at, actor, actor_key_id, name, payload, outcome, fault, epoch, hash, repeats FROM archive.es_command;
COMMENT ON VIEW es_command_all IS 'Every command of every stream, archived or not; each is in one of the two tables.';

CREATE VIEW es_event_all AS
SELECT stream_id, version, ordinal, name, payload FROM es_event
UNION ALL
SELECT stream_id, version, ordinal, name, payload FROM archive.es_event;
COMMENT ON VIEW es_event_all IS 'Every event of every stream, archived or not.';

-- +goose Down
DROP INDEX es_command_peer;
DROP VIEW es_event_all;
DROP VIEW es_command_all;
INSERT INTO es_command SELECT * FROM archive.es_command;
INSERT INTO es_event SELECT * FROM archive.es_event;
DROP SCHEMA archive CASCADE;
