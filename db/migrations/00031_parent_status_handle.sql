-- +goose Up

-- Which CAs of this server are children of a CA of this server: the service URI of a parent here ends in its handle.
CREATE INDEX ca_parent_status_handle ON ca_parent_status (rtrim(split_part(uri, '/rfc6492/', 2), '/'));

-- +goose Down
DROP INDEX ca_parent_status_handle;
