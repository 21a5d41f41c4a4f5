-- name: InsertDER :exec
-- Stores a signed object under its SHA-256; storing it again changes nothing.
INSERT INTO der_object (hash, der) VALUES (@hash, @der) ON CONFLICT (hash) DO NOTHING;

-- name: GetDER :one
-- The object with this SHA-256.
SELECT der FROM der_object WHERE hash = @hash;
