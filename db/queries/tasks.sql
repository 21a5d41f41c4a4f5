-- name: EnqueueTasks :exec
-- Schedules tasks. A waiting twin takes the sooner time; a running one is to run again; in both cases the newer
-- arguments win. No kind and key may occur twice in one call.
INSERT INTO task (kind, key, args, run_at, created_at)
SELECT unnest(@kinds::text[]), unnest(@keys::text[]), unnest(@args::jsonb[]), unnest(@run_ats::timestamptz[]), @now::timestamptz
ON CONFLICT (kind, key) DO UPDATE
SET args = EXCLUDED.args,
    run_at = CASE WHEN task.leased_by IS NULL THEN LEAST(task.run_at, EXCLUDED.run_at) ELSE task.run_at END,
    again_at = CASE WHEN task.leased_by IS NOT NULL THEN LEAST(task.again_at, EXCLUDED.run_at) END;

-- name: EnqueueMissingTasks :exec
-- Schedules those tasks that neither wait for their time nor run: what is parked is scheduled.
INSERT INTO task (kind, key, args, run_at, created_at)
SELECT unnest(@kinds::text[]), unnest(@keys::text[]), unnest(@args::jsonb[]), unnest(@run_ats::timestamptz[]), @now::timestamptz
ON CONFLICT (kind, key) DO UPDATE SET args = EXCLUDED.args, run_at = EXCLUDED.run_at
WHERE task.run_at = 'infinity' AND task.leased_by IS NULL;

-- name: ClaimTasks :many
-- Leases up to @max_rows due tasks of the known kinds. run_at becomes the end of the lease: if the node dies, the task is
-- simply due again. A node never takes a kind it does not know, so that upgrades can roll.
WITH due AS (
    SELECT d.kind, d.key FROM task d
    WHERE d.run_at <= @now::timestamptz AND d.kind = ANY(@kinds::text[])
    ORDER BY d.run_at LIMIT sqlc.arg(max_rows)::bigint FOR UPDATE SKIP LOCKED
)
UPDATE task SET leased_by = @node::text, leased_epoch = @epoch::bigint, run_at = @until::timestamptz, attempt = task.attempt + 1,
       again_at = CASE WHEN task.again_at > @now::timestamptz THEN task.again_at END
FROM due WHERE task.kind = due.kind AND task.key = due.key
RETURNING task.kind, task.key, task.args, task.attempt, task.failures, task.created_at;

-- name: ReleaseLeases :execrows
-- Makes tasks due that were running under an earlier epoch: their node can finish nothing any more.
UPDATE task SET run_at = @now::timestamptz, leased_by = NULL, leased_epoch = NULL, again_at = NULL
WHERE leased_epoch < @epoch::bigint;

-- name: ExtendLeases :many
-- Moves the end of leases this node still has, and says which these are.
WITH mine AS (
    SELECT unnest(@kinds::text[]) AS kind, unnest(@keys::text[]) AS key, unnest(@attempts::bigint[]) AS attempt,
           unnest(@created_ats::timestamptz[]) AS created_at
)
UPDATE task SET run_at = @until::timestamptz
FROM mine
WHERE task.kind = mine.kind AND task.key = mine.key AND task.attempt = mine.attempt
  AND task.created_at = mine.created_at AND task.leased_by = @node::text
RETURNING task.kind, task.key;

-- name: DeleteDoneTasks :execrows
-- Finished tasks go, unless they were scheduled again while they ran. Rows are locked in order of their keys.
WITH mine AS (
    SELECT unnest(@kinds::text[]) AS kind, unnest(@keys::text[]) AS key, unnest(@attempts::bigint[]) AS attempt,
           unnest(@created_ats::timestamptz[]) AS created_at
), held AS (
    SELECT t.kind, t.key, t.again_at FROM task t JOIN mine m ON t.kind = m.kind AND t.key = m.key
    WHERE t.attempt = m.attempt AND t.created_at = m.created_at AND t.leased_by = @node::text
    ORDER BY t.kind, t.key FOR UPDATE OF t
)
DELETE FROM task USING held WHERE task.kind = held.kind AND task.key = held.key AND held.again_at IS NULL;

-- name: RescheduleTasks :execrows
-- Tasks that ran wait for the sooner of their next time and the one they were scheduled for meanwhile; parked if there is
-- neither. Those without failures forget their last fault.
WITH mine AS (
    SELECT unnest(@kinds::text[]) AS kind, unnest(@keys::text[]) AS key, unnest(@attempts::bigint[]) AS attempt,
           unnest(@created_ats::timestamptz[]) AS created_at, unnest(@run_ats::timestamptz[]) AS run_at,
           unnest(@failures::integer[]) AS failures, unnest(@faults::jsonb[]) AS fault
), held AS (
    SELECT t.kind, t.key, m.run_at, m.failures, m.fault FROM task t JOIN mine m ON t.kind = m.kind AND t.key = m.key
    WHERE t.attempt = m.attempt AND t.created_at = m.created_at AND t.leased_by = @node::text
    ORDER BY t.kind, t.key FOR UPDATE OF t
)
UPDATE task SET run_at = coalesce(LEAST(held.run_at, task.again_at), 'infinity'), again_at = NULL, leased_by = NULL,
       leased_epoch = NULL, failures = held.failures,
       last_fault = CASE WHEN held.failures > 0 THEN coalesce(held.fault, task.last_fault) END
FROM held WHERE task.kind = held.kind AND task.key = held.key;

-- name: NextRuns :many
-- When tasks run next; one that runs now is due now. Those that are parked have no next time.
SELECT key, min(CASE WHEN leased_by IS NULL THEN run_at ELSE @now::timestamptz END)::timestamptz AS at
FROM task WHERE kind = ANY(@kinds::text[]) AND key = ANY(@keys::text[]) AND run_at < 'infinity'
GROUP BY key;

-- name: TaskStats :many
-- The queue by kind, for metrics.
SELECT kind,
       count(*) FILTER (WHERE leased_by IS NULL AND run_at <= @now::timestamptz) AS due,
       count(*) FILTER (WHERE leased_by IS NULL AND run_at > @now::timestamptz AND run_at < 'infinity') AS waiting,
       count(*) FILTER (WHERE leased_by IS NOT NULL) AS running,
       count(*) FILTER (WHERE leased_by IS NULL AND run_at = 'infinity') AS parked,
       count(*) FILTER (WHERE failures > 0) AS failing,
       coalesce(min(run_at) FILTER (WHERE leased_by IS NULL AND run_at <= @now::timestamptz), @now::timestamptz)::timestamptz AS oldest
FROM task GROUP BY kind ORDER BY kind;

-- name: ListTasks :many
-- A page of the queue, the soonest first.
SELECT kind, key, (run_at = 'infinity')::boolean AS parked,
       (CASE WHEN run_at = 'infinity' THEN created_at ELSE run_at END)::timestamptz AS due_at, attempt, failures, leased_by, again_at, last_fault, created_at
FROM task ORDER BY task.run_at, kind, key LIMIT sqlc.arg(max_rows)::bigint OFFSET sqlc.arg(skip)::bigint;

-- name: RetryTask :execrows
-- Makes a task due that waits or is parked; one that runs is to run once more.
UPDATE task SET run_at = CASE WHEN leased_by IS NULL THEN LEAST(run_at, @now::timestamptz) ELSE run_at END,
    again_at = CASE WHEN leased_by IS NOT NULL THEN LEAST(again_at, @now::timestamptz) END
WHERE kind = @kind AND key = @key;

-- name: NewestTask :one
-- When a task was scheduled for the first time, by the clock of the node that did; the epoch of Unix if there is none.
SELECT coalesce(max(created_at), 'epoch')::timestamptz AS created_at FROM task;

-- name: ShiftTasks :execrows
-- Moves the whole queue by as much as the clock went back. Who runs a task knows it by created_at.
UPDATE task SET run_at = run_at - make_interval(secs => @seconds::double precision),
    again_at = again_at - make_interval(secs => @seconds::double precision),
    created_at = CASE WHEN leased_by IS NULL THEN LEAST(created_at, @now::timestamptz) ELSE created_at END;

-- name: TasksOfKind :many
-- All tasks of a kind with their arguments, the oldest first.
SELECT key, args, created_at FROM task WHERE kind = @kind ORDER BY created_at, key;

-- name: TasksByKey :many
-- Those tasks of a kind that are in the queue, in the order of their keys.
SELECT key, (run_at = 'infinity' AND leased_by IS NULL)::boolean AS parked, failures, last_fault FROM task
WHERE kind = @kind AND key = ANY(@keys::text[]) ORDER BY key;

-- name: AmendTasks :exec
-- Gives further arguments to those tasks of a kind whose arguments hold @holding, and makes them due; one that runs is to run
-- once more, with them. Rows are locked in order of their keys.
WITH mine AS (
    SELECT t.kind, t.key FROM task t
    WHERE t.kind = @kind AND t.key = ANY(@keys::text[]) AND t.args @> @holding::jsonb ORDER BY t.key FOR UPDATE
)
UPDATE task SET args = task.args || @further::jsonb,
    run_at = CASE WHEN leased_by IS NULL THEN LEAST(run_at, @now::timestamptz) ELSE run_at END,
    again_at = CASE WHEN leased_by IS NOT NULL THEN LEAST(again_at, @now::timestamptz) END
FROM mine WHERE task.kind = mine.kind AND task.key = mine.key;
