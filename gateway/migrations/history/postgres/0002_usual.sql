-- A row says only what is not usual: columns have what nearly all calls have. And calls that nobody has signed are in no index of owners
-- and keys.
ALTER TABLE calls
    ALTER COLUMN owner SET DEFAULT '',
    ALTER COLUMN key_id SET DEFAULT '',
    ALTER COLUMN attempts SET DEFAULT 0,
    ALTER COLUMN status SET DEFAULT 200,
    ALTER COLUMN execution SET DEFAULT 'ran',
    ALTER COLUMN args_redacted SET DEFAULT 0;

DROP INDEX calls_by_owner;
DROP INDEX calls_by_key;
CREATE INDEX calls_by_owner ON calls (owner, seq) WHERE owner <> '';
CREATE INDEX calls_by_key ON calls (key_id, seq) WHERE key_id <> '';
