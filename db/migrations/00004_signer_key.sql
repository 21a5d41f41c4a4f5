-- +goose Up
CREATE TABLE signer_master (
    id         boolean     PRIMARY KEY DEFAULT true CHECK (id),
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE signer_master IS 'One known value sealed under the master key, which itself is kept outside the database: tells at start whether the node has the right key file.';
COMMENT ON COLUMN signer_master.sealed IS 'Nonce (12 octets) and AES-256-GCM of a fixed text';

CREATE TABLE signer_key (
    key_id       text        PRIMARY KEY CHECK (key_id ~ '^[0-9A-F]{40}$'),
    purpose      text        NOT NULL CHECK (purpose <> ''),
    spki         bytea       NOT NULL,
    sealed       bytea,
    created_at   timestamptz NOT NULL,
    destroyed_at timestamptz,
    CHECK ((sealed IS NULL) = (destroyed_at IS NOT NULL))
);
COMMENT ON TABLE signer_key IS 'Private keys of CAs, of the trust anchor and of protocol identities, encrypted under the master key. One-off keys are never stored.';
COMMENT ON COLUMN signer_key.key_id IS 'SHA-1 of the public key bits in upper-case hexadecimal (RFC 6487 section 4.8.2)';
COMMENT ON COLUMN signer_key.purpose IS 'What the key was made for, such as "ca:NAME"; for people, nothing depends on it';
COMMENT ON COLUMN signer_key.spki IS 'SubjectPublicKeyInfo, DER';
COMMENT ON COLUMN signer_key.sealed IS 'Nonce (12 octets) and AES-256-GCM of the PKCS#8 form, bound to key_id; NULL once the key is destroyed';
COMMENT ON COLUMN signer_key.destroyed_at IS 'When the private key was removed; the row stays as a record';

-- +goose Down
DROP TABLE signer_key;
DROP TABLE signer_master;
