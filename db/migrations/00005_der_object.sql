-- +goose Up
CREATE TABLE der_object (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    der  bytea NOT NULL
);

-- Signed objects do not compress.
ALTER TABLE der_object ALTER COLUMN der SET STORAGE EXTERNAL;

COMMENT ON TABLE der_object IS 'Signed objects and certificates by content; events and read tables name them by hash.';
COMMENT ON COLUMN der_object.hash IS 'SHA-256 of der.';
COMMENT ON COLUMN der_object.der IS 'The object, byte for byte as it was signed or received.';

-- +goose Down
DROP TABLE der_object;
