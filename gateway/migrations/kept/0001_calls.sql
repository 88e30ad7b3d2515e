-- One row a call, or a batch: so far those whose outcome somebody wants to come back for.
-- Times are milliseconds since 1970, ids are UUIDs of version 7 in lower case: they sort by their time.
CREATE TABLE calls (
    id TEXT NOT NULL PRIMARY KEY,
    -- Whose key has made it, and which one; empty where nobody has to sign.
    owner TEXT NOT NULL,
    key_id TEXT NOT NULL,
    library TEXT NOT NULL,
    -- Below the library: functions/NAME, calls, batches.
    target TEXT NOT NULL,
    -- NULL for a batch.
    function TEXT,
    -- SHA-256 of it, in base64.
    idempotency_key TEXT,
    -- Whether a request with that key gets this outcome. One that provably did not run gives its key back.
    holds_key INTEGER NOT NULL,
    -- The same of the key, a zero and the request's body: without the key itself it tells nothing of the body.
    body_digest TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'ended')),
    created_at INTEGER NOT NULL,
    -- What follows is known at the end.
    ended_at INTEGER,
    status INTEGER,
    execution TEXT CHECK (execution IN ('not_run', 'may_have_run', 'ran')),
    -- The code of the problem, if it is one.
    code TEXT,
    retry_after INTEGER,
    -- Why the answer is not here, if it is not.
    gone TEXT CHECK (gone IN ('gateway_ended', 'sensitive', 'too_large')),
    answer_size INTEGER NOT NULL DEFAULT 0,
    answer BLOB
);

CREATE UNIQUE INDEX calls_by_key ON calls (owner, library, target, idempotency_key) WHERE holds_key = 1;
CREATE INDEX calls_by_owner ON calls (owner, id);
CREATE INDEX calls_by_end ON calls (ended_at);
