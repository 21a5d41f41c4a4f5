-- +goose Up
CREATE TABLE leader (
    id                boolean     PRIMARY KEY DEFAULT true CHECK (id),
    epoch             bigint      NOT NULL CHECK (epoch >= 0),
    node              text        NOT NULL DEFAULT '',
    since             timestamptz NOT NULL DEFAULT now(),
    system_identifier bigint,
    timeline          bigint,
    database_oid      bigint,
    table_oid         bigint,
    moved             text
) WITH (fillfactor = 50);

INSERT INTO leader (epoch) VALUES (0);

-- +goose StatementBegin
CREATE FUNCTION leader_fence(expected bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE AS
$$
DECLARE
    newest bigint;
BEGIN
    -- The lock first, the read after: in READ COMMITTED the second statement
    -- sees every take-over that was committed before the lock was granted.
    -- 1111575554 is LockFence in internal/postgres/lock.go.
    PERFORM pg_advisory_xact_lock_shared(1111575554, 0);
    SELECT l.epoch INTO newest FROM leader l;
    IF newest IS DISTINCT FROM expected THEN
        RAISE EXCEPTION 'epoch % is not the current epoch %', expected, coalesce(newest, -1)
            USING ERRCODE = 'BL001';
    END IF;
END
$$;
-- +goose StatementEnd

COMMENT ON TABLE leader IS 'Which node is active: a single row, rewritten by each take-over.';
COMMENT ON COLUMN leader.epoch IS 'Rises by one with each take-over; writing transactions of earlier epochs are refused.';
COMMENT ON COLUMN leader.node IS 'Name of the node that took over last.';
COMMENT ON COLUMN leader.since IS 'When it took over.';
COMMENT ON COLUMN leader.system_identifier IS 'Identifier of the Postgres cluster at the last take-over. Another one now means that the data was restored elsewhere.';
COMMENT ON COLUMN leader.timeline IS 'Timeline of the Postgres cluster at the last take-over. Another one now means a fail-over or a recovery.';
COMMENT ON COLUMN leader.database_oid IS 'OID of the database at the last take-over; a restored dump has another.';
COMMENT ON COLUMN leader.table_oid IS 'OID of this table at the last take-over; a restored dump has another.';
COMMENT ON COLUMN leader.moved IS 'What a take-over found changed about where the data lives, until the active node has scheduled what overtakes it; null: nothing to do.';
COMMENT ON FUNCTION leader_fence(bigint) IS 'First statement of every writing transaction: holds off take-overs until it ends, and fails with SQLSTATE BL001 if another node took over.';

-- +goose Down
DROP FUNCTION leader_fence(bigint);
DROP TABLE leader;
