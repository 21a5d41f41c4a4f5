-- +goose Up
ALTER TABLE ca_object ADD COLUMN repository text NOT NULL DEFAULT '';
COMMENT ON COLUMN ca_object.repository IS 'Service URI of the repository where the object is published; empty: the one that the CA has now. A CA that moves publishes at two until its old keys are gone.';

-- +goose Down
ALTER TABLE ca_object DROP COLUMN repository;
