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
