-- Whose account somebody's at the OpenID provider is. A user has one at most of each provider, and nobody's at a provider is two users.
CREATE TABLE user_identities (
    id           TEXT PRIMARY KEY,  -- sessions that began by it name it: they end with the row
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    issuer       TEXT NOT NULL,     -- as the provider writes it
    subject      TEXT NOT NULL,     -- by which it knows somebody, and nobody else at any time
    connected_at BIGINT NOT NULL,
    UNIQUE (issuer, subject),
    UNIQUE (user_id, issuer)
);
