-- +goose Up

-- What chooses from the history of a CA: times, who did it, what it was, refusals, and what people and peers asked for
-- between all that the server did by itself. Each ends in the version, by which a page is sorted.
CREATE INDEX es_command_stream_at ON es_command (stream_id, at, version);
CREATE INDEX es_command_stream_actor ON es_command (stream_id, actor, version);
CREATE INDEX es_command_stream_name ON es_command (stream_id, name, version);
CREATE INDEX es_command_stream_refused ON es_command (stream_id, version) WHERE outcome = 'refused';
CREATE INDEX es_command_stream_asked ON es_command (stream_id, version) WHERE actor <> 'baleen' AND actor NOT LIKE 'task:%';

CREATE INDEX es_command_stream_at ON archive.es_command (stream_id, at, version);
CREATE INDEX es_command_stream_actor ON archive.es_command (stream_id, actor, version);
CREATE INDEX es_command_stream_name ON archive.es_command (stream_id, name, version);
CREATE INDEX es_command_stream_refused ON archive.es_command (stream_id, version) WHERE outcome = 'refused';
CREATE INDEX es_command_stream_asked ON archive.es_command (stream_id, version) WHERE actor <> 'baleen' AND actor NOT LIKE 'task:%';

-- +goose Down
DROP INDEX archive.es_command_stream_asked;
DROP INDEX archive.es_command_stream_refused;
DROP INDEX archive.es_command_stream_name;
DROP INDEX archive.es_command_stream_actor;
DROP INDEX archive.es_command_stream_at;
DROP INDEX es_command_stream_asked;
DROP INDEX es_command_stream_refused;
DROP INDEX es_command_stream_name;
DROP INDEX es_command_stream_actor;
DROP INDEX es_command_stream_at;
