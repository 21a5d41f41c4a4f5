-- +goose Up
CREATE VIEW audit.peer_exchange AS
SELECT at, ms, protocol, role, party, peer, peer_key_id, address, user_agent, request, outcome, code, msg, request_size, reply_size, epoch, id
FROM peer_exchange;
COMMENT ON VIEW audit.peer_exchange IS 'Every exchange of protocol messages with a peer outside this server, both ways, for as long as BALEEN_EXCHANGE_KEEP_DAYS keeps them. Peers in this server talk without messages.';
COMMENT ON COLUMN audit.peer_exchange.at IS 'When it began.';
COMMENT ON COLUMN audit.peer_exchange.ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN audit.peer_exchange.protocol IS 'rfc6492 (certificates, between parent and child) or rfc8181 (publication).';
COMMENT ON COLUMN audit.peer_exchange.role IS 'server: the peer asked; client: the peer was asked.';
COMMENT ON COLUMN audit.peer_exchange.party IS 'Our side: the handle of a CA, or of the repository.';
COMMENT ON COLUMN audit.peer_exchange.peer IS 'Their side: handle of the child, publisher or parent; of a repository, the CA''s handle there.';
COMMENT ON COLUMN audit.peer_exchange.peer_key_id IS 'Key identifier of the identity key that the peer proved to have; NULL if it did not.';
COMMENT ON COLUMN audit.peer_exchange.address IS 'Where the peer called from, or the URI at which it was asked.';
COMMENT ON COLUMN audit.peer_exchange.user_agent IS 'What the peer''s HTTP client calls itself.';
COMMENT ON COLUMN audit.peer_exchange.request IS 'Type of the request: list, issue, revoke or publish; empty if it could not be read.';
COMMENT ON COLUMN audit.peer_exchange.outcome IS 'ok; refused: an answer said why not; failed: there was no answer that could be used.';
COMMENT ON COLUMN audit.peer_exchange.code IS 'Why not: the code of the protocol, or of the API where that has none; NULL if ok.';
COMMENT ON COLUMN audit.peer_exchange.msg IS 'The same for people.';
COMMENT ON COLUMN audit.peer_exchange.request_size IS 'Octets of the request.';
COMMENT ON COLUMN audit.peer_exchange.reply_size IS 'Octets of the reply.';
COMMENT ON COLUMN audit.peer_exchange.epoch IS 'Number of the take-over by which the node that wrote it became active.';
COMMENT ON COLUMN audit.peer_exchange.id IS 'Tells exchanges of one moment apart.';

-- +goose Down
DROP VIEW audit.peer_exchange;
