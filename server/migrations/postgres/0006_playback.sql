-- On, as it was before there was a switch: live plays for who knows the stream's name.
ALTER TABLE organisations ADD COLUMN live_public BOOLEAN NOT NULL DEFAULT TRUE;
-- Signs the organisation's playback tokens: 32 bytes, hexadecimal. Made with the first token.
ALTER TABLE organisations ADD COLUMN playback_secret TEXT;

-- Tokens that were given a label, for the list of them. The others are nowhere but with their holders.
CREATE TABLE playback_tokens (
    id              TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    stream_id       TEXT,            -- of a token for one stream
    label           TEXT NOT NULL,
    claims          TEXT NOT NULL,   -- JSON, as it was signed
    made_by         TEXT NOT NULL,   -- for people
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL
);
CREATE INDEX playback_tokens_listed ON playback_tokens (organisation_id, created_at DESC, id);
CREATE INDEX playback_tokens_by_expiry ON playback_tokens (expires_at);

-- What is good for nothing any more though it has not expired. An organisation can name any id, so that only both together are one.
CREATE TABLE revoked_tokens (
    organisation_id TEXT NOT NULL,
    id              TEXT NOT NULL,
    expires_at      BIGINT NOT NULL, -- from then on the row says nothing that the token does not say by itself
    revoked_at      BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, id)
);
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);
