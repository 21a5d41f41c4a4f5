-- +goose Up

-- Who came through the open API of a testbed: only that can be removed through it, and nobody gets more than their share.
CREATE TABLE testbed_registration (
    id         uuid        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('child', 'publisher')),
    handle     text        NOT NULL CHECK (handle <> ''),
    address    bytea       CHECK (length(address) = 16),
    at         timestamptz NOT NULL,
    removed_at timestamptz
);
CREATE UNIQUE INDEX testbed_registration_live ON testbed_registration (kind, handle) WHERE removed_at IS NULL;
CREATE INDEX testbed_registration_address ON testbed_registration (address, at);
COMMENT ON TABLE testbed_registration IS 'Children and publishers that registered themselves through the open API of the testbed. One that is gone stays for a day, because it counts.';
COMMENT ON COLUMN testbed_registration.kind IS 'child (of the CA testbed) or publisher.';
COMMENT ON COLUMN testbed_registration.address IS 'A pseudonym of the address it came from: the start of an HMAC, with a key that is not in the database, of an IPv4 address or the first 64 bits of an IPv6 address. NULL for the Unix socket.';
COMMENT ON COLUMN testbed_registration.at IS 'When it registered.';
COMMENT ON COLUMN testbed_registration.removed_at IS 'When it was removed, by whomever; NULL while it is there.';

-- +goose Down
DROP TABLE testbed_registration;
