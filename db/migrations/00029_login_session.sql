-- +goose Up

-- Who is logged in. A row holds only the hash of the token, so that a dump lets nobody in.
CREATE TABLE login_session (
    token_hash  bytea       PRIMARY KEY CHECK (length(token_hash) = 32),
    provider    text        NOT NULL CHECK (provider IN ('config-file', 'openid-connect')),
    user_name   text        NOT NULL CHECK (user_name <> ''),
    role        text        NOT NULL,
    mark        bytea,
    secrets     bytea,
    started_at  timestamptz NOT NULL,
    renewed_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    renew_after timestamptz
);
CREATE INDEX login_session_expires ON login_session (expires_at);
COMMENT ON TABLE login_session IS 'Who is logged in, with a password or through OpenID Connect. Rows go at logout, or a day after they ended.';
COMMENT ON COLUMN login_session.token_hash IS 'SHA-256 of the token, which is nowhere in the database.';
COMMENT ON COLUMN login_session.provider IS 'How the user logged in: config-file or openid-connect.';
COMMENT ON COLUMN login_session.role IS 'Name of the role at login. With config-file it is looked up again for each request.';
COMMENT ON COLUMN login_session.mark IS 'Tells whether the user still has the password of that login; NULL with openid-connect. It gives nothing of the password away.';
COMMENT ON COLUMN login_session.secrets IS 'Tokens of the OpenID Connect provider, sealed with the master key; NULL with config-file.';
COMMENT ON COLUMN login_session.renewed_at IS 'When expires_at was set last.';
COMMENT ON COLUMN login_session.expires_at IS 'When the session ends, unless it is renewed before.';
COMMENT ON COLUMN login_session.renew_after IS 'From when on the OpenID Connect provider is asked to renew it; NULL if it cannot be.';

COMMENT ON COLUMN login.user_name IS 'Who; NULL if nobody is known by what was given. Of refusals those have a name that are of users who exist: with a password, at the OpenID Connect provider, or of the system on the Unix socket';
-- +goose StatementBegin
DO $$ BEGIN -- the compiler of queries does not know schema audit
    COMMENT ON COLUMN audit.login."user" IS 'Who; NULL if what was given is nobody''s. Of refusals those have a name that are of users who exist: with a password, at the OpenID Connect provider, or of the system on the Unix socket.';
END $$;
-- +goose StatementEnd

-- +goose Down
COMMENT ON COLUMN login.user_name IS 'Who; NULL if nobody is known by what was given. Of refusals only users of the system on the Unix socket have a name';
-- +goose StatementBegin
DO $$ BEGIN -- the compiler of queries does not know schema audit
    COMMENT ON COLUMN audit.login."user" IS 'Who; NULL if what was given is nobody''s. Of refusals only users of the system on the Unix socket have a name.';
END $$;
-- +goose StatementEnd
DROP TABLE login_session;
