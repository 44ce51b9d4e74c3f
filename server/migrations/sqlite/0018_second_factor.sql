-- A second factor to sign in with: six digits by an app, made of the secret (RFC 6238).
ALTER TABLE users ADD COLUMN second_factor TEXT; -- drawn anew with each that is set up; NULL: the password alone signs in
CREATE TABLE second_factors (
    user_id        TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed         TEXT NOT NULL,             -- the secret, under a key that is not in the database
    sealed_by      TEXT NOT NULL,             -- which key that was
    last_step      BIGINT NOT NULL,           -- the newest step whose code was used: it and those before are over
    wrong_in_a_row BIGINT NOT NULL DEFAULT 0,
    wait_until     BIGINT NOT NULL DEFAULT 0, -- no code is looked at before
    created_at     BIGINT NOT NULL
);
CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash    TEXT NOT NULL, -- SHA-256, hexadecimal
    PRIMARY KEY (user_id, hash)
);
-- Whether everybody of the organisation needs one.
ALTER TABLE organisations ADD COLUMN second_factor_required BOOLEAN NOT NULL DEFAULT FALSE;
