-- +goose Up
CREATE TABLE peer_clock (
    protocol  text        NOT NULL CHECK (protocol IN ('rfc6492', 'rfc8181')),
    party     text        NOT NULL,
    peer      text        NOT NULL,
    key_id    text        NOT NULL CHECK (key_id <> ''),
    signed_at timestamptz NOT NULL,
    digests   bytea[]     NOT NULL,
    PRIMARY KEY (protocol, party, peer)
) WITH (fillfactor = 70);
COMMENT ON TABLE peer_clock IS 'The newest message of each peer that was accepted: an older one, or the same again, is a replay and is refused.';
COMMENT ON COLUMN peer_clock.protocol IS 'rfc6492 (children) or rfc8181 (publishers).';
COMMENT ON COLUMN peer_clock.party IS 'Who was asked: the handle of a CA here, or of the repository.';
COMMENT ON COLUMN peer_clock.peer IS 'Who asked: handle of a child or publisher.';
COMMENT ON COLUMN peer_clock.key_id IS 'Key identifier of the peer''s identity key; with another key time begins anew.';
COMMENT ON COLUMN peer_clock.signed_at IS 'Signing time of the newest message.';
COMMENT ON COLUMN peer_clock.digests IS 'What tells the messages of that second apart: SHA-256 of their signatures.';

CREATE TABLE peer_exchange (
    id            uuid        PRIMARY KEY,
    at            timestamptz NOT NULL,
    ms            integer     NOT NULL CHECK (ms >= 0),
    protocol      text        NOT NULL CHECK (protocol IN ('rfc6492', 'rfc8181')),
    role          text        NOT NULL CHECK (role IN ('server', 'client')),
    party         text        NOT NULL,
    peer          text        NOT NULL,
    peer_key_id   text,
    address       text        NOT NULL,
    user_agent    text        NOT NULL,
    request       text        NOT NULL,
    outcome       text        NOT NULL CHECK (outcome IN ('ok', 'refused', 'failed')),
    code          text,
    msg           text,
    request_size  bigint      NOT NULL CHECK (request_size >= 0),
    reply_size    bigint      NOT NULL CHECK (reply_size >= 0),
    epoch         bigint      NOT NULL CHECK (epoch >= 0)
);
CREATE INDEX peer_exchange_at ON peer_exchange (at);
CREATE INDEX peer_exchange_party ON peer_exchange (party, peer, at);
COMMENT ON TABLE peer_exchange IS 'Exchanges of protocol messages with peers outside this server, both ways. Rows are kept for BALEEN_EXCHANGE_KEEP_DAYS.';
COMMENT ON COLUMN peer_exchange.at IS 'When it began, by the clock of the active node.';
COMMENT ON COLUMN peer_exchange.ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN peer_exchange.role IS 'server: the peer asked; client: the peer was asked.';
COMMENT ON COLUMN peer_exchange.party IS 'Our side: the handle of a CA, or of the repository.';
COMMENT ON COLUMN peer_exchange.peer IS 'Their side: handle of the child, publisher or parent; of a repository, the CA''s handle there. As the message says if it was not proved.';
COMMENT ON COLUMN peer_exchange.peer_key_id IS 'Key identifier of the identity key that the peer proved to have; NULL if it did not.';
COMMENT ON COLUMN peer_exchange.address IS 'Where the peer called from, or the URI at which it was asked.';
COMMENT ON COLUMN peer_exchange.user_agent IS 'What the peer''s HTTP client calls itself, at most 256 octets.';
COMMENT ON COLUMN peer_exchange.request IS 'Type of the request: list, issue, revoke, publish; empty if it could not be read.';
COMMENT ON COLUMN peer_exchange.outcome IS 'ok; refused: an answer said why not; failed: there was no answer that could be used.';
COMMENT ON COLUMN peer_exchange.code IS 'Why not: the code of the protocol, or of the API where that has none.';
COMMENT ON COLUMN peer_exchange.msg IS 'The same for people.';
COMMENT ON COLUMN peer_exchange.request_size IS 'Octets of the request.';
COMMENT ON COLUMN peer_exchange.reply_size IS 'Octets of the reply.';
COMMENT ON COLUMN peer_exchange.epoch IS 'Epoch of the active node that wrote the row (see table leader).';

-- +goose Down
DROP TABLE peer_exchange;
DROP TABLE peer_clock;
