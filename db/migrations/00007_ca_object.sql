-- +goose Up
CREATE TABLE ca_manifest (
    stream_id   uuid        NOT NULL REFERENCES es_stream (id),
    class       text        NOT NULL,
    key_id      text        NOT NULL,
    number      bigint      NOT NULL CHECK (number > 0),
    this_update timestamptz NOT NULL,
    next_update timestamptz NOT NULL,
    covers      bytea       NOT NULL CHECK (length(covers) = 32),
    mft_hash    bytea       NOT NULL CHECK (length(mft_hash) = 32),
    crl_hash    bytea       NOT NULL CHECK (length(crl_hash) = 32),
    PRIMARY KEY (stream_id, key_id)
);
COMMENT ON TABLE ca_manifest IS 'The newest manifest and CRL of each key of a CA. State, not history: replaced together at every re-issue.';
COMMENT ON COLUMN ca_manifest.number IS 'Number of both the manifest (RFC 9286 section 4.2.1) and the CRL; rises by exactly one for each re-issue';
COMMENT ON COLUMN ca_manifest.covers IS 'SHA-256 over the files, revocations and issuing certificate that manifest and CRL cover: equal means nothing to re-issue';

CREATE TABLE ca_object (
    stream_id uuid  NOT NULL REFERENCES es_stream (id),
    uri       text  NOT NULL,
    hash      bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (stream_id, uri)
);
COMMENT ON TABLE ca_object IS 'What each CA wants published now, exactly as its newest manifests list it; changes in the transaction that records those manifests.';
CREATE INDEX ca_manifest_next_update ON ca_manifest (next_update);

-- +goose Down
DROP TABLE ca_object;
DROP TABLE ca_manifest;
