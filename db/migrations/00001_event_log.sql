-- +goose Up
CREATE TABLE es_stream (
    id         uuid        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind <> ''),
    handle     text        NOT NULL CHECK (handle <> ''),
    version    bigint      NOT NULL CHECK (version >= 0),
    created_at timestamptz NOT NULL,
    deleted_at timestamptz
) WITH (fillfactor = 80);

-- Handles may be taken again once their stream is deleted.
CREATE UNIQUE INDEX es_stream_live ON es_stream (kind, handle) WHERE deleted_at IS NULL;

CREATE TABLE es_command (
    stream_id    uuid        NOT NULL REFERENCES es_stream (id),
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

CREATE TABLE es_event (
    stream_id uuid    NOT NULL,
    version   bigint  NOT NULL,
    ordinal   integer NOT NULL CHECK (ordinal >= 0),
    name      text    NOT NULL CHECK (name <> ''),
    payload   jsonb   NOT NULL,
    PRIMARY KEY (stream_id, version, ordinal),
    FOREIGN KEY (stream_id, version) REFERENCES es_command (stream_id, version)
);

CREATE TABLE es_snapshot (
    stream_id uuid        NOT NULL REFERENCES es_stream (id),
    version   bigint      NOT NULL CHECK (version >= 0),
    format    integer     NOT NULL,
    at        timestamptz NOT NULL,
    state     json        NOT NULL,
    hash      bytea       NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (stream_id, version)
);

COMMENT ON TABLE es_stream IS 'One row per event-sourced object (CA, trust anchor, publisher), deleted ones included. At most one live stream per kind and handle.';
COMMENT ON COLUMN es_stream.kind IS 'What the stream is about, such as ca.';
COMMENT ON COLUMN es_stream.handle IS 'The name operators use. A deleted stream keeps its handle; a later stream may take it again.';
COMMENT ON COLUMN es_stream.version IS 'Version of the newest command. The creating command has version 0.';
COMMENT ON COLUMN es_stream.created_at IS 'Time of the creating command.';
COMMENT ON COLUMN es_stream.deleted_at IS 'Time of the command that deleted the stream; null while it lives.';

COMMENT ON TABLE es_command IS 'The log: every command that changed a stream or was refused, in order. The primary key is the optimistic concurrency check.';
COMMENT ON COLUMN es_command.version IS 'Rises by one with each command of the stream, without gaps.';
COMMENT ON COLUMN es_command.at IS 'When the active node decided the command, UTC, microseconds.';
COMMENT ON COLUMN es_command.actor IS 'Who asked: user or token name, peer handle, or the task of the server itself.';
COMMENT ON COLUMN es_command.actor_key_id IS 'Key identifier of the certificate that signed the request, for protocol peers; otherwise null.';
COMMENT ON COLUMN es_command.name IS 'Name of the command, such as configure_roas.';
COMMENT ON COLUMN es_command.payload IS 'The command as it was asked, canonical JSON.';
COMMENT ON COLUMN es_command.outcome IS 'ok: its events follow in es_event; refused: the fault says why, and there are no events.';
COMMENT ON COLUMN es_command.fault IS 'Why the command was refused: code, msg, args.';
COMMENT ON COLUMN es_command.epoch IS 'Epoch of the active node that wrote the row (see table leader).';
COMMENT ON COLUMN es_command.hash IS 'SHA-256 over the hash of the previous command (32 zero bytes for version 0) and the canonical JSON of this command with its events.';
COMMENT ON COLUMN es_command.repeats IS 'How often a peer repeated this same refused request; not covered by the hash.';

COMMENT ON TABLE es_event IS 'What each command changed: facts, in order. Payloads are frozen; their form is named by the number after the slash in the name.';
COMMENT ON COLUMN es_event.version IS 'Version of the command that caused the event.';
COMMENT ON COLUMN es_event.ordinal IS 'Position among the events of its command, from 0.';
COMMENT ON COLUMN es_event.name IS 'Name and form, such as roas_configured/1.';

COMMENT ON TABLE es_snapshot IS 'A cache: the state of a stream after a command. The last two are kept; a row whose hash does not fit is ignored.';
COMMENT ON COLUMN es_snapshot.version IS 'Version of the last command the state contains.';
COMMENT ON COLUMN es_snapshot.format IS 'Form of the state; a program that writes another form ignores the row.';
COMMENT ON COLUMN es_snapshot.state IS 'The state as JSON, byte for byte as it was hashed.';
COMMENT ON COLUMN es_snapshot.hash IS 'SHA-256 over the hash of the command at this version and the bytes of the state.';

-- +goose Down
DROP TABLE es_snapshot;
DROP TABLE es_event;
DROP TABLE es_command;
DROP TABLE es_stream;
