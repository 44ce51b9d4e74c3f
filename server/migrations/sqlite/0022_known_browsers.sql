-- Browsers in which a user has signed in before: strangers who guess at the user's password do not keep them out. One browser may be several users'.
CREATE TABLE known_browsers (
    secret_hash TEXT NOT NULL,             -- SHA-256 of what its cookie has, hexadecimal
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    level_until BIGINT NOT NULL DEFAULT 0, -- when the count of its attempts will be down to nothing
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (secret_hash, user_id)
);
CREATE INDEX known_browsers_by_user ON known_browsers (user_id, expires_at);
CREATE INDEX known_browsers_by_expiry ON known_browsers (expires_at);
