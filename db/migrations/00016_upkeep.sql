-- +goose Up

-- What the server must look at now and then, without loading every CA.
CREATE TABLE ca_renewal (
    stream_id uuid        NOT NULL REFERENCES es_stream (id),
    kind      text        NOT NULL CHECK (kind <> ''),
    not_after timestamptz NOT NULL,
    version   bigint      NOT NULL,
    PRIMARY KEY (stream_id, kind)
);
COMMENT ON TABLE ca_renewal IS 'When the first of the signed objects of each CA expires, by kind: what is due for renewal is found here. Never later than the truth: the command that records objects lowers it, the task that looks at all objects puts it right.';
COMMENT ON COLUMN ca_renewal.kind IS 'Kind of object, such as roa';
COMMENT ON COLUMN ca_renewal.not_after IS 'No object of this kind expires earlier';
COMMENT ON COLUMN ca_renewal.version IS 'Version of the CA that this was true at: what was seen at an earlier one does not replace it';
CREATE INDEX ca_renewal_due ON ca_renewal (kind, not_after);

-- Nobody has looked at the CAs that there are already.
INSERT INTO ca_renewal (stream_id, kind, not_after, version)
SELECT id, 'roa', 'epoch', 0 FROM es_stream WHERE kind = 'ca' AND deleted_at IS NULL;

CREATE TABLE ca_child_status (
    stream_id    uuid        NOT NULL REFERENCES es_stream (id),
    child        text        NOT NULL,
    at           timestamptz NOT NULL,
    user_agent   text,
    key_id       text,
    fault        jsonb,
    last_success timestamptz,
    suspended    boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (stream_id, child)
);
COMMENT ON TABLE ca_child_status IS 'The last exchange of each child with its parent (RFC 6492), as the parent saw it.';
COMMENT ON COLUMN ca_child_status.user_agent IS 'What the child said that it is; local-child for a CA of this server; NULL if it said nothing';
COMMENT ON COLUMN ca_child_status.key_id IS 'Key identifier of the certificate that signed the child''s message; NULL for a CA of this server';
COMMENT ON COLUMN ca_child_status.fault IS 'What went wrong (label, msg, args); NULL if the exchange succeeded';
COMMENT ON COLUMN ca_child_status.suspended IS 'The child is suspended, as the log says';
CREATE INDEX ca_child_status_at ON ca_child_status (at) WHERE NOT suspended;

CREATE TABLE login (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL,
    last_at        timestamptz NOT NULL,
    minute         timestamptz,
    user_name      text        CHECK (length(user_name) <= 256),
    provider       text        NOT NULL CHECK (provider <> ''),
    outcome        text        NOT NULL CHECK (outcome IN ('ok', 'refused')),
    fault          text,
    remote_address inet,
    attempts       bigint      NOT NULL DEFAULT 1 CHECK (attempts > 0),
    epoch          bigint      NOT NULL,
    CONSTRAINT login_refused CHECK ((outcome = 'refused') = (fault IS NOT NULL) AND (outcome = 'refused') = (minute IS NOT NULL))
);
COMMENT ON TABLE login IS 'Who logged in, and who was refused. Refusals are counted: one row for each minute, address, way and reason. No secret is ever here.';
COMMENT ON COLUMN login.minute IS 'The minute in which refusals are counted; NULL for a success, which has a row of its own';
COMMENT ON COLUMN login.user_name IS 'Who; NULL if nobody is known by what was given';
COMMENT ON COLUMN login.provider IS 'How: admin-token, config-file, openid-connect; or bearer for a request with a token that nobody has';
COMMENT ON COLUMN login.remote_address IS 'From where; NULL for the Unix socket, and for the addresses of a minute that had too many';
CREATE UNIQUE INDEX login_counted ON login (minute, provider, fault, coalesce(user_name, ''), coalesce(host(remote_address), '')) WHERE outcome = 'refused';
CREATE INDEX login_at ON login (at);

-- +goose Down
DROP TABLE login;
DROP TABLE ca_child_status;
DROP TABLE ca_renewal;
