ALTER TABLE users ADD COLUMN last_sign_in_at BIGINT;

-- Whose session it is. Sessions of before are nobody's, and sign nobody in.
ALTER TABLE browser_sessions ADD COLUMN user_id TEXT REFERENCES users (id) ON DELETE CASCADE;
CREATE INDEX browser_sessions_by_user ON browser_sessions (user_id);

-- Links that are good once. Of each only a hash is kept: a stolen table lets nobody in.
CREATE TABLE invitations (
    id              TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    email           TEXT NOT NULL,        -- trimmed, lower case
    role            TEXT NOT NULL,
    secret_hash     TEXT NOT NULL UNIQUE, -- SHA-256, hexadecimal
    invited_by      TEXT REFERENCES users (id) ON DELETE CASCADE, -- NULL: the operator
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    UNIQUE (organisation_id, email)
);
CREATE INDEX invitations_by_inviter ON invitations (invited_by);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);

CREATE TABLE password_links (
    user_id     TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE, -- whose password it sets; the newest one counts
    secret_hash TEXT NOT NULL UNIQUE,
    made_by     TEXT REFERENCES users (id) ON DELETE CASCADE, -- NULL: the operator
    expires_at  BIGINT NOT NULL
);
CREATE INDEX password_links_by_maker ON password_links (made_by);
CREATE INDEX password_links_by_expiry ON password_links (expires_at);
