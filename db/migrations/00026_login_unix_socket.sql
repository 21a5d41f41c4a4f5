-- +goose Up

COMMENT ON COLUMN login.provider IS 'How: admin-token, config-file, openid-connect; bearer for a request with a token that nobody has; or unix-socket for one of a user of the system who has no role';
COMMENT ON COLUMN login.user_name IS 'Who; NULL if nobody is known by what was given. Of refusals only users of the system on the Unix socket have a name';
COMMENT ON COLUMN audit.login.provider IS 'How: admin-token, config-file, openid-connect; bearer for requests with a token that nobody has; or unix-socket for those of a user of the system who has no role.';
COMMENT ON COLUMN audit.login."user" IS 'Who; NULL if what was given is nobody''s. Of refusals only users of the system on the Unix socket have a name.';

-- +goose Down
COMMENT ON COLUMN login.provider IS 'How: admin-token, config-file, openid-connect; or bearer for a request with a token that nobody has';
COMMENT ON COLUMN login.user_name IS 'Who; NULL if nobody is known by what was given';
COMMENT ON COLUMN audit.login.provider IS 'How: admin-token, config-file, openid-connect; or bearer for requests with a token that nobody has.';
COMMENT ON COLUMN audit.login."user" IS 'Who; NULL if what was given is nobody''s.';
