-- What became of the mails with links. Neither the link nor the address is here; a link's hash lets nobody in.
CREATE TABLE link_mails (
    secret_hash     TEXT PRIMARY KEY,   -- of the link: invitations and password_links have it too
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    state           TEXT NOT NULL,      -- waiting, sent, failed
    problem         TEXT,               -- why the last try failed
    lost_at         BIGINT NOT NULL,    -- what still waits then was lost with the process that had it
    expires_at      BIGINT NOT NULL
);
CREATE INDEX link_mails_by_expiry ON link_mails (expires_at);

-- A link that somebody asked for at the sign-in, who may be anybody, stands beside the one that an administrator made, and does not end it.
DROP INDEX password_links_by_maker;
DROP INDEX password_links_by_expiry;
ALTER TABLE password_links RENAME TO password_links_before;
CREATE TABLE password_links (
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE, -- whose password it sets; of either kind the newest one counts
    is_asked_for BOOLEAN NOT NULL,
    secret_hash  TEXT NOT NULL UNIQUE,
    made_by      TEXT REFERENCES users (id) ON DELETE CASCADE, -- NULL: the operator, or nobody where it was asked for
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (user_id, is_asked_for)
);
INSERT INTO password_links SELECT user_id, FALSE, secret_hash, made_by, expires_at FROM password_links_before;
DROP TABLE password_links_before;
CREATE INDEX password_links_by_maker ON password_links (made_by);
CREATE INDEX password_links_by_expiry ON password_links (expires_at);
