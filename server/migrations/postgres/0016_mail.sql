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
ALTER TABLE password_links ADD COLUMN is_asked_for BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE password_links ALTER COLUMN is_asked_for DROP DEFAULT;
ALTER TABLE password_links DROP CONSTRAINT password_links_pkey;
ALTER TABLE password_links ADD PRIMARY KEY (user_id, is_asked_for);
