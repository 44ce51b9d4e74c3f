ALTER TABLE users ADD COLUMN last_sign_in_at BIGINT;
CREATE INDEX users_by_organisation ON users (organisation_id, email);

-- Whose session it is. Sessions of before are nobody's, and sign nobody in.
ALTER TABLE browser_sessions ADD COLUMN user_id TEXT REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE browser_sessions ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0; -- to within some minutes
ALTER TABLE browser_sessions ADD COLUMN began_at BIGINT NOT NULL DEFAULT 0; -- where used_at is later, somebody came back with it
ALTER TABLE browser_sessions ADD COLUMN flash TEXT; -- what the next page shows, under a key that only the cookie gives
CREATE INDEX browser_sessions_by_user ON browser_sessions (user_id, used_at);

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
