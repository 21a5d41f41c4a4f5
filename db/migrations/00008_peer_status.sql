-- +goose Up
CREATE TABLE ca_parent_status (
    stream_id    uuid        NOT NULL REFERENCES es_stream (id),
    parent       text        NOT NULL,
    uri          text        NOT NULL,
    at           timestamptz NOT NULL,
    fault        jsonb,
    last_success timestamptz,
    classes      jsonb       NOT NULL DEFAULT '[]',
    PRIMARY KEY (stream_id, parent)
);
COMMENT ON TABLE ca_parent_status IS 'The last exchange of each CA with each of its parents (RFC 6492).';
COMMENT ON COLUMN ca_parent_status.fault IS 'What went wrong (label, msg, args); NULL if the exchange succeeded';
COMMENT ON COLUMN ca_parent_status.classes IS 'The entitlements of the last list that succeeded';

CREATE TABLE ca_repo_status (
    stream_id    uuid        NOT NULL PRIMARY KEY REFERENCES es_stream (id),
    uri          text        NOT NULL,
    at           timestamptz NOT NULL,
    fault        jsonb,
    last_success timestamptz
);
COMMENT ON TABLE ca_repo_status IS 'The last exchange of each CA with its repository (RFC 8181).';

-- +goose Down
DROP TABLE ca_repo_status;
DROP TABLE ca_parent_status;
