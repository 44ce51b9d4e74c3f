-- From then on the key is good for nothing; NULL: it never ends by itself.
ALTER TABLE api_keys ADD COLUMN expires_at BIGINT;
-- api: a program's. player: stands in pages for everybody to see, and opens what players need.
ALTER TABLE api_keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'api';

-- What this installation signs with, by what it is for: 32 bytes, hexadecimal. Made when it is first needed.
CREATE TABLE secrets (
    name   TEXT PRIMARY KEY,
    secret TEXT NOT NULL
);
