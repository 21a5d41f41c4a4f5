-- +goose Up

ALTER TABLE pub_object ADD COLUMN file_time timestamptz;
COMMENT ON COLUMN pub_object.file_time IS 'What the file in the rsync tree says when it was modified: the time the object says itself (RFC 9589), or a second after that of the version before, if that is later. Null: published before this column was there';

-- +goose Down

ALTER TABLE pub_object DROP COLUMN file_time;
