-- name: AdvancePeerClock :execrows
-- Accepts a message of a peer unless it is older than the newest one, or is one of those of the same second: then no row
-- is touched. With another identity key the peer's time begins anew.
INSERT INTO peer_clock AS c (protocol, party, peer, key_id, signed_at, digests)
VALUES (@protocol, @party, @peer, @key_id, @signed_at, ARRAY[@digest::bytea])
ON CONFLICT (protocol, party, peer) DO UPDATE SET key_id = excluded.key_id, signed_at = excluded.signed_at,
    digests = CASE WHEN c.key_id = excluded.key_id AND c.signed_at = excluded.signed_at THEN c.digests || excluded.digests ELSE excluded.digests END
WHERE c.key_id <> excluded.key_id
   OR c.signed_at < excluded.signed_at
   OR c.signed_at = excluded.signed_at AND NOT c.digests && excluded.digests AND cardinality(c.digests) < @most::integer;

-- name: NewestOfPeer :one
-- The signing time of the newest message that was accepted of a peer.
SELECT signed_at FROM peer_clock WHERE protocol = $1 AND party = $2 AND peer = $3;

-- name: InsertExchange :exec
-- Notes an exchange with a peer.
INSERT INTO peer_exchange (id, at, ms, protocol, role, party, peer, peer_key_id, address, user_agent, request, outcome, code, msg, request_size, reply_size, epoch)
VALUES (@id, @at, @ms, @protocol, @role, @party, @peer, sqlc.narg(peer_key_id), @address, @user_agent, @request, @outcome, sqlc.narg(code), sqlc.narg(msg), @request_size, @reply_size, @epoch);

-- name: DeleteExchanges :execrows
-- Forgets exchanges that began before the given time, at most so many at once.
DELETE FROM peer_exchange WHERE id IN (SELECT o.id FROM peer_exchange o WHERE o.at < @before ORDER BY o.at LIMIT @most);
