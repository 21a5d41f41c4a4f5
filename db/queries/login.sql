-- name: InsertLogin :exec
-- Notes a login that succeeded.
INSERT INTO login (at, last_at, user_name, provider, outcome, remote_address, epoch)
VALUES (@at, @at, sqlc.narg(user_name), @provider, 'ok', sqlc.narg(remote_address)::inet, @epoch);

-- name: CountRefusedLogin :exec
-- Counts logins that were refused, by minute, address, way and reason.
INSERT INTO login (at, last_at, minute, user_name, provider, outcome, fault, remote_address, attempts, epoch)
VALUES (@at, @last_at, @minute, sqlc.narg(user_name), @provider, 'refused', @fault::text, sqlc.narg(remote_address)::inet, @attempts, @epoch)
ON CONFLICT (minute, provider, fault, coalesce(user_name, ''), coalesce(host(remote_address), '')) WHERE outcome = 'refused'
DO UPDATE SET last_at = greatest(login.last_at, excluded.last_at), attempts = login.attempts + excluded.attempts;

-- name: DeleteLogins :execrows
-- Forgets logins and refusals from before the given time, at most so many at once.
DELETE FROM login WHERE id IN (SELECT o.id FROM login o WHERE o.at < @before ORDER BY o.at LIMIT @most);

-- name: InsertSession :exec
-- Begins a session.
INSERT INTO login_session (token_hash, provider, user_name, role, mark, secrets, started_at, renewed_at, expires_at, renew_after)
VALUES (@token_hash, @provider, @user_name, @role, @mark, @secrets, @at, @at, @expires_at, sqlc.narg(renew_after));

-- name: FindSession :one
-- The session of a token, also if it has ended.
SELECT provider, user_name, role, mark, secrets, started_at, renewed_at, expires_at, renew_after FROM login_session WHERE token_hash = $1;

-- name: RenewSession :execrows
-- Lets a session last longer. One that is gone stays gone.
UPDATE login_session SET role = @role, secrets = @secrets, renewed_at = @at, expires_at = @expires_at, renew_after = sqlc.narg(renew_after)
WHERE token_hash = @token_hash;

-- name: ExtendSession :exec
-- Lets a session last longer that is in use, unless another request has done so.
UPDATE login_session SET renewed_at = @at, expires_at = @expires_at WHERE token_hash = @token_hash AND renewed_at < @at;

-- name: EndSession :exec
-- Ends a session.
DELETE FROM login_session WHERE token_hash = $1;

-- name: DeleteEndedSessions :execrows
-- Forgets sessions that ended before the given time, at most so many at once.
DELETE FROM login_session WHERE token_hash IN (SELECT o.token_hash FROM login_session o WHERE o.expires_at < @before ORDER BY o.expires_at LIMIT @most);

-- name: CountSessions :one
-- How many sessions have not ended.
SELECT count(*) FROM login_session WHERE expires_at > $1;
