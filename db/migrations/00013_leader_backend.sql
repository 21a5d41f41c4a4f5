-- +goose Up
ALTER TABLE leader ADD COLUMN backend integer;
COMMENT ON COLUMN leader.backend IS 'Process number of the database''s side of the session that took over, pg_backend_pid(): another session that holds the leader lock is no node''s.';

-- +goose Down
ALTER TABLE leader DROP COLUMN backend;
