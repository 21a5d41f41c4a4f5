-- +goose Up

-- What an older program must know of the schema. A later migration that takes away or changes what earlier programs use
-- ends with: UPDATE schema_info SET oldest_usable = (the version that programs must know from then on).
CREATE TABLE schema_info (
    id            boolean PRIMARY KEY DEFAULT true CHECK (id),
    version       bigint  NOT NULL CHECK (version > 0),
    oldest_usable bigint  NOT NULL CHECK (oldest_usable > 0)
);
INSERT INTO schema_info (version, oldest_usable) VALUES (14, 13);

COMMENT ON TABLE schema_info IS 'Which programs can run on this schema: a single row, kept by the migrations.';
COMMENT ON COLUMN schema_info.version IS 'Newest migration, as the program that migrated wrote it; where goose_db_version has a newer one, somebody else migrated.';
COMMENT ON COLUMN schema_info.oldest_usable IS 'A program that knows this migration, and all before it, can run on the schema.';

-- +goose Down
DROP TABLE schema_info;
