-- A row says only what is not usual: columns have what nearly all calls have. SQLite gives a column no other default than it was made with,
-- so that the table is made anew. And calls that nobody has signed are in no index of owners and keys.
CREATE TABLE calls_2 (
    seq INTEGER NOT NULL PRIMARY KEY,
    id BLOB NOT NULL,
    library TEXT NOT NULL,
    -- NULL where the call had a prototype of no name that could be read.
    function TEXT,
    -- Whose key has made it, and which one; empty where nobody has to sign.
    owner TEXT NOT NULL DEFAULT '',
    key_id TEXT NOT NULL DEFAULT '',
    -- Where it was sent to last; NULL if it was not.
    agent TEXT,
    generation BIGINT,
    -- How many processes it was sent to that ended before.
    attempts BIGINT NOT NULL DEFAULT 0,
    session BLOB,
    batch BLOB,
    batch_index BIGINT,
    -- The call that it repeats.
    replay_of BLOB,
    -- The one that its client has named. Otherwise it is the id of its batch, or its own.
    trace_id BLOB,
    -- SHA-256 of it, in base64.
    idempotency_key TEXT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    queue_ns BIGINT NOT NULL,
    agent_ns BIGINT NOT NULL,
    library_ns BIGINT NOT NULL,
    status BIGINT NOT NULL DEFAULT 200,
    -- The code of the problem; NULL if the call returned.
    code TEXT,
    execution TEXT NOT NULL DEFAULT 'ran',
    -- The name of the crash report.
    report TEXT,
    -- {"prototype", "export"?, "ordinal"?} of a call that had one with it.
    prototype TEXT,
    -- Without what is sensitive. Where a text is cut, its whole had so many bytes and this SHA-256, in hexadecimal.
    args TEXT NOT NULL,
    args_size BIGINT NOT NULL,
    args_sha256 TEXT,
    -- Whether something sensitive was taken out of the arguments.
    args_redacted BIGINT NOT NULL DEFAULT 0,
    -- {"result", "outputs", …}, or the problem document.
    answer TEXT NOT NULL,
    answer_size BIGINT NOT NULL,
    answer_sha256 TEXT,
    -- What the library wrote on its standard output and error while the call ran.
    output TEXT
);

INSERT INTO calls_2 SELECT * FROM calls;
DROP TABLE calls;
ALTER TABLE calls_2 RENAME TO calls;

CREATE UNIQUE INDEX calls_by_id ON calls (id);
CREATE INDEX calls_by_end ON calls (ended_at);
CREATE INDEX calls_by_library ON calls (library);
CREATE INDEX calls_by_function ON calls (library, function);
CREATE INDEX calls_by_agent ON calls (agent);
-- Few calls have what these name: the others cost nothing.
CREATE INDEX calls_by_code ON calls (code) WHERE code IS NOT NULL;
CREATE INDEX calls_by_failure ON calls (seq) WHERE code IS NOT NULL;
CREATE INDEX calls_by_failed_function ON calls (library, function) WHERE code IS NOT NULL;
CREATE INDEX calls_by_owner ON calls (owner) WHERE owner <> '';
CREATE INDEX calls_by_key ON calls (key_id) WHERE key_id <> '';
CREATE INDEX calls_by_session ON calls (session) WHERE session IS NOT NULL;
CREATE INDEX calls_by_batch ON calls (batch) WHERE batch IS NOT NULL;
