-- What most questions ask for was in an index of its own for each call, which took most of the time of writing it. Now blocks of 256
-- numbers that follow each other say which values they have, and a question reads whole blocks.
CREATE TABLE blocks (
    -- seq / 256
    block BIGINT NOT NULL PRIMARY KEY,
    -- Between these times its calls ended, those included that are forgotten.
    first_end BIGINT NOT NULL,
    last_end BIGINT NOT NULL
);
CREATE INDEX blocks_by_first_end ON blocks (first_end);
CREATE INDEX blocks_by_last_end ON blocks (last_end);

CREATE TABLE marks (
    -- library, function (of a library: LIBRARY/FUNCTION), owner, key, agent
    what TEXT NOT NULL,
    value TEXT NOT NULL,
    block BIGINT NOT NULL,
    PRIMARY KEY (what, value, block)
);
CREATE INDEX marks_by_block ON marks (block);

INSERT INTO blocks SELECT seq / 256, MIN(ended_at), MAX(ended_at) FROM calls GROUP BY seq / 256;
INSERT INTO marks SELECT DISTINCT 'library', library, seq / 256 FROM calls;
INSERT INTO marks SELECT DISTINCT 'function', library || '/' || function, seq / 256 FROM calls WHERE function IS NOT NULL;
INSERT INTO marks SELECT DISTINCT 'owner', owner, seq / 256 FROM calls WHERE owner <> '';
INSERT INTO marks SELECT DISTINCT 'key', key_id, seq / 256 FROM calls WHERE key_id <> '';
INSERT INTO marks SELECT DISTINCT 'agent', agent, seq / 256 FROM calls WHERE agent IS NOT NULL;

DROP INDEX calls_by_end;
DROP INDEX calls_by_library;
DROP INDEX calls_by_function;
DROP INDEX calls_by_owner;
DROP INDEX calls_by_key;
DROP INDEX calls_by_agent;
