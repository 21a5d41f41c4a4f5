-- +goose Up

CREATE VIEW audit.login AS
SELECT l.at, l.last_at, l.user_name AS "user", l.provider, l.outcome, l.fault, l.remote_address, l.attempts, l.epoch
FROM login l;

COMMENT ON VIEW audit.login IS 'Who logged in, and who was refused. A success has a row of its own; refusals are counted by minute, address, way and reason.';
COMMENT ON COLUMN audit.login.at IS 'When; of refusals that were counted, the first.';
COMMENT ON COLUMN audit.login.last_at IS 'Of refusals that were counted, the last; otherwise the same as at.';
COMMENT ON COLUMN audit.login."user" IS 'Who; NULL if what was given is nobody''s.';
COMMENT ON COLUMN audit.login.provider IS 'How: admin-token, config-file, openid-connect; or bearer for requests with a token that nobody has.';
COMMENT ON COLUMN audit.login.outcome IS 'ok or refused.';
COMMENT ON COLUMN audit.login.fault IS 'Why it was refused, as a label; NULL if it was not.';
COMMENT ON COLUMN audit.login.remote_address IS 'From where, as the server saw it: behind a proxy, the proxy. NULL for the Unix socket, and for the addresses of a minute that had too many of them.';
COMMENT ON COLUMN audit.login.attempts IS 'How often.';
COMMENT ON COLUMN audit.login.epoch IS 'Epoch of the node that noted it.';

CREATE VIEW audit.suspension AS
SELECT s.ca, s.stream_id, s.child, s.at AS valid_from, coalesce(s.next_at, a.deleted_at) AS valid_to, s.actor AS suspended_by, s.next_actor AS ended_by, s.version
FROM (
    SELECT e.handle AS ca, e.stream_id, e.payload ->> 'child' AS child, e.name, e.at, e.actor, e.version,
           lead(e.at) OVER w AS next_at, lead(e.actor) OVER w AS next_actor
    FROM audit.event e
    WHERE e.name IN ('child_suspended/1', 'child_unsuspended/1', 'child_removed/1')
    WINDOW w AS (PARTITION BY e.stream_id, e.payload ->> 'child' ORDER BY e.version, e.ordinal)
) s
JOIN audit.ca a ON a.stream_id = s.stream_id
WHERE s.name = 'child_suspended/1';

COMMENT ON VIEW audit.suspension IS 'The periods in which a child was suspended: its certificates were withdrawn and revoked.';
COMMENT ON COLUMN audit.suspension.ca IS 'Handle of the parent.';
COMMENT ON COLUMN audit.suspension.stream_id IS 'Tells apart parents that had the same name one after the other.';
COMMENT ON COLUMN audit.suspension.child IS 'Handle of the child, as its parent names it.';
COMMENT ON COLUMN audit.suspension.valid_from IS 'When it was suspended.';
COMMENT ON COLUMN audit.suspension.valid_to IS 'When it was active again or removed, or the parent was deleted; NULL: it is suspended.';
COMMENT ON COLUMN audit.suspension.suspended_by IS 'Who suspended it: task:ca_suspend if it had been silent for too long.';
COMMENT ON COLUMN audit.suspension.ended_by IS 'Who ended that: child:HANDLE if the child spoke again; NULL if nobody did.';
COMMENT ON COLUMN audit.suspension.version IS 'Number of the command.';

CREATE VIEW audit.child_exchange AS
SELECT s.handle AS ca, s.id AS stream_id, x.child, x.at, x.user_agent, x.key_id,
       CASE WHEN x.fault IS NULL THEN 'ok' ELSE 'failed' END AS outcome,
       x.fault ->> 'label' AS fault_code, x.fault ->> 'msg' AS fault_msg, x.last_success, x.suspended
FROM ca_child_status x
JOIN es_stream s ON s.id = x.stream_id;

COMMENT ON VIEW audit.child_exchange IS 'The last exchange of each child with its parent (RFC 6492), as the parent saw it. Earlier ones are not kept; what they changed is in the log.';
COMMENT ON COLUMN audit.child_exchange.ca IS 'Handle of the parent.';
COMMENT ON COLUMN audit.child_exchange.stream_id IS 'Tells apart parents that had the same name one after the other.';
COMMENT ON COLUMN audit.child_exchange.child IS 'Handle of the child, as its parent names it.';
COMMENT ON COLUMN audit.child_exchange.at IS 'When.';
COMMENT ON COLUMN audit.child_exchange.user_agent IS 'What the child said that it is; local-child for a CA of this server; NULL if it said nothing.';
COMMENT ON COLUMN audit.child_exchange.key_id IS 'Key identifier of the certificate that signed the child''s message; NULL for a CA of this server.';
COMMENT ON COLUMN audit.child_exchange.outcome IS 'ok or failed.';
COMMENT ON COLUMN audit.child_exchange.fault_code IS 'What went wrong, in the words of the API; NULL if nothing did.';
COMMENT ON COLUMN audit.child_exchange.fault_msg IS 'The same for people.';
COMMENT ON COLUMN audit.child_exchange.last_success IS 'When an exchange succeeded last; NULL: never.';
COMMENT ON COLUMN audit.child_exchange.suspended IS 'The child is suspended.';

-- +goose Down
DROP VIEW audit.child_exchange;
DROP VIEW audit.suspension;
DROP VIEW audit.login;
