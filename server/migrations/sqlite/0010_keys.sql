-- From then on the key is good for nothing; NULL: it never ends by itself.
ALTER TABLE api_keys ADD COLUMN expires_at BIGINT;
-- api: a program's. player: stands in pages for everybody to see, and opens what players need.
ALTER TABLE api_keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'api';

-- What a program got for a user's e-mail and password.
CREATE TABLE session_tokens (
    hash            TEXT PRIMARY KEY, -- SHA-256 of the token, hexadecimal: a stolen table signs nobody in
    user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role            TEXT NOT NULL,    -- the most that it may
    password_digest TEXT NOT NULL,    -- SHA-256 of the user's password_hash when it was made, hexadecimal: with another password it is worth nothing
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL
);
CREATE INDEX session_tokens_by_user ON session_tokens (user_id, created_at);
CREATE INDEX session_tokens_by_expiry ON session_tokens (expires_at);
