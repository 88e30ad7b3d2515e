-- One row a call that has ended, in the order in which they ended. Times are microseconds since 1970, ids are the 16 bytes of
-- a UUID. Every index ends with the number of the row, in whose order pages are read.
CREATE TABLE calls (
    seq BIGINT NOT NULL PRIMARY KEY,
    id BYTEA NOT NULL,
    library TEXT NOT NULL,
    -- NULL where the call had a prototype of no name that could be read.
    function TEXT,
    -- Whose key has made it, and which one; empty where nobody has to sign.
    owner TEXT NOT NULL,
    key_id TEXT NOT NULL,
    -- Where it was sent to last; NULL if it was not.
    agent TEXT,
    generation BIGINT,
    -- How many processes it was sent to that ended before.
    attempts BIGINT NOT NULL,
    session BYTEA,
    batch BYTEA,
    batch_index BIGINT,
    -- The call that it repeats.
    replay_of BYTEA,
    trace_id BYTEA,
    -- SHA-256 of it, in base64.
    idempotency_key TEXT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    queue_ns BIGINT NOT NULL,
    agent_ns BIGINT NOT NULL,
    library_ns BIGINT NOT NULL,
    status BIGINT NOT NULL,
    -- The code of the problem; NULL if the call returned.
    code TEXT,
    execution TEXT NOT NULL,
    -- The name of the crash report.
    report TEXT,
    -- {"prototype", "export"?, "ordinal"?} of a call that had one with it.
    prototype TEXT,
    -- Without what is sensitive. Where a text is cut, its whole had so many bytes and this SHA-256, in hexadecimal.
    args TEXT NOT NULL,
    args_size BIGINT NOT NULL,
    args_sha256 TEXT,
    -- Whether something sensitive was taken out of the arguments.
    args_redacted BIGINT NOT NULL,
    -- {"result", "outputs", …}, or the problem document.
    answer TEXT NOT NULL,
    answer_size BIGINT NOT NULL,
    answer_sha256 TEXT,
    -- What the library wrote on its standard output and error while the call ran.
    output TEXT
) WITH (
    -- What retention has deleted is room for new rows soon, and new pages are soon known to be visible to all.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.05
);

CREATE UNIQUE INDEX calls_by_id ON calls (id);
CREATE INDEX calls_by_end ON calls (ended_at, seq);
CREATE INDEX calls_by_library ON calls (library, seq);
CREATE INDEX calls_by_function ON calls (library, function, seq);
CREATE INDEX calls_by_owner ON calls (owner, seq);
CREATE INDEX calls_by_key ON calls (key_id, seq);
CREATE INDEX calls_by_agent ON calls (agent, seq);
-- Few calls have what these name: the others cost nothing.
CREATE INDEX calls_by_code ON calls (code, seq) WHERE code IS NOT NULL;
CREATE INDEX calls_by_failure ON calls ((code IS NOT NULL), seq) WHERE code IS NOT NULL;
CREATE INDEX calls_by_failed_function ON calls (library, function, seq) WHERE code IS NOT NULL;
CREATE INDEX calls_by_session ON calls (session, seq) WHERE session IS NOT NULL;
CREATE INDEX calls_by_batch ON calls (batch, seq) WHERE batch IS NOT NULL;

-- The calls that are not in the table and should be.
CREATE TABLE gaps (
    -- The number that the next row had.
    seq BIGINT NOT NULL,
    -- Between these times they ended.
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    -- How many they are; NULL if nobody knows.
    calls BIGINT,
    reason TEXT NOT NULL,
    PRIMARY KEY (seq, since)
);

-- Whether a gateway writes, or has ended without saying so: one row while it does.
CREATE TABLE writing (since BIGINT NOT NULL PRIMARY KEY);

-- How many calls of a function ended in a minute, or an hour, and how long they took. Written with the calls.
CREATE TABLE statistics (
    -- When it begins: a multiple of its length.
    start BIGINT NOT NULL,
    -- 60, or 3600 for what is older.
    seconds BIGINT NOT NULL,
    library TEXT NOT NULL,
    -- Empty for calls whose function has no name, and for those of functions that are too many.
    function TEXT NOT NULL,
    calls BIGINT NOT NULL,
    -- Of these, how many ended with a problem.
    failed BIGINT NOT NULL,
    -- The nanoseconds that each took in all: an HdrHistogram of two digits, in its format V2.
    durations BYTEA NOT NULL,
    PRIMARY KEY (seconds, start, library, function)
);
