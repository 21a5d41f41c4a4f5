-- +goose Up
CREATE TABLE task (
    kind         text        NOT NULL CHECK (kind <> ''),
    key          text        NOT NULL,
    args         jsonb       NOT NULL,
    run_at       timestamptz NOT NULL,
    attempt      bigint      NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    failures     integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
    leased_by    text        CHECK (leased_by <> ''),
    leased_epoch bigint,
    again_at     timestamptz,
    last_fault   jsonb,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (kind, key),
    CONSTRAINT task_lease CHECK ((leased_by IS NULL) = (leased_epoch IS NULL)),
    CONSTRAINT task_again CHECK (again_at IS NULL OR leased_by IS NOT NULL)
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE INDEX task_run_at ON task (run_at);

COMMENT ON TABLE task IS 'Work to be done, one row per kind and key. A finished task is deleted.';
COMMENT ON COLUMN task.kind IS 'What is to be done, such as ca_publish.';
COMMENT ON COLUMN task.key IS 'What it is to be done to, such as the handle of a CA; scheduling it again merges with the waiting row.';
COMMENT ON COLUMN task.args IS 'Arguments of the handler, JSON.';
COMMENT ON COLUMN task.run_at IS 'When it is due; while it runs, when its lease ends. Infinity: parked, nothing but scheduling it again starts it.';
COMMENT ON COLUMN task.attempt IS 'How often the row was claimed; only the claim with the current number may finish the task.';
COMMENT ON COLUMN task.failures IS 'Failures in a row; 0 after a success.';
COMMENT ON COLUMN task.leased_by IS 'Name of the node that runs it now; null while it waits.';
COMMENT ON COLUMN task.leased_epoch IS 'Epoch of that node. Leases of earlier epochs are void.';
COMMENT ON COLUMN task.again_at IS 'It was scheduled again while it ran: run it once more at this time.';
COMMENT ON COLUMN task.last_fault IS 'The last failure: kind, code, msg.';
COMMENT ON COLUMN task.created_at IS 'When the row was first scheduled.';

-- +goose Down
DROP TABLE task;
