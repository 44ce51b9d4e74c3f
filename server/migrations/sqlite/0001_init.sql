-- Ids are UUIDs as text, instants are UTC milliseconds since 1970, so that one set of queries serves both databases.

CREATE TABLE organisations (
    id                TEXT PRIMARY KEY,
    hash              TEXT NOT NULL UNIQUE,
    name              TEXT NOT NULL,
    recording_enabled BOOLEAN NOT NULL,
    vod_public        BOOLEAN NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL
);

CREATE TABLE users (
    id              TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    email           TEXT NOT NULL UNIQUE, -- trimmed, lower case
    password_hash   TEXT NOT NULL,        -- PHC string
    role            TEXT NOT NULL,
    created_at      BIGINT NOT NULL
);

CREATE TABLE browser_sessions (
    id         TEXT PRIMARY KEY, -- SHA-256 of the cookie's value: a stolen table signs nobody in
    data       TEXT NOT NULL,    -- JSON
    expires_at BIGINT NOT NULL
);
CREATE INDEX browser_sessions_by_expiry ON browser_sessions (expires_at);

CREATE TABLE api_keys (
    id              TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    label           TEXT NOT NULL,
    role            TEXT NOT NULL,
    secret_hash     TEXT NOT NULL UNIQUE, -- SHA-256, hexadecimal
    hint            TEXT NOT NULL,        -- the key's first letters, to tell keys apart in a list
    created_at      BIGINT NOT NULL,
    last_used_at    BIGINT,
    revoked_at      BIGINT
);
CREATE INDEX api_keys_by_organisation ON api_keys (organisation_id, created_at);

CREATE TABLE streams (
    id               TEXT PRIMARY KEY,
    organisation_id  TEXT NOT NULL REFERENCES organisations (id),
    streamname       TEXT NOT NULL UNIQUE,
    state            TEXT NOT NULL,
    default_mode     TEXT NOT NULL,             -- which ingest URL is offered first: rec or live
    live_session_id  TEXT,                      -- the session that is on air
    first_live_at    BIGINT,
    last_live_at     BIGINT,
    next_asset_index BIGINT NOT NULL DEFAULT 1, -- only ever counts up: a recording's name is never given twice
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    deleted_at       BIGINT
);
CREATE INDEX streams_by_creation ON streams (organisation_id, created_at DESC, id DESC);
CREATE INDEX streams_by_state ON streams (organisation_id, state, created_at DESC, id DESC);
CREATE INDEX streams_by_update ON streams (organisation_id, updated_at DESC, id DESC);

CREATE TABLE stream_tags (
    stream_id       TEXT NOT NULL REFERENCES streams (id),
    organisation_id TEXT NOT NULL,
    tag             TEXT NOT NULL,
    position        BIGINT NOT NULL,
    PRIMARY KEY (stream_id, tag)
);
CREATE INDEX stream_tags_by_tag ON stream_tags (organisation_id, tag, stream_id);

-- One row a publish run.
CREATE TABLE sessions (
    id              TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL,
    stream_id       TEXT NOT NULL REFERENCES streams (id),
    mode            TEXT NOT NULL,
    region          TEXT NOT NULL,
    protocol        TEXT NOT NULL,
    peer            TEXT NOT NULL,
    started_at      BIGINT NOT NULL,
    ended_at        BIGINT,
    end_reason      TEXT,
    bytes_in        BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX sessions_by_stream ON sessions (stream_id, started_at DESC);
CREATE INDEX sessions_by_start ON sessions (organisation_id, started_at);
CREATE INDEX sessions_open ON sessions (ended_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_end ON sessions (organisation_id, ended_at, started_at, bytes_in);

CREATE TABLE assets (
    id              TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL,
    stream_id       TEXT NOT NULL REFERENCES streams (id),
    session_id      TEXT NOT NULL REFERENCES sessions (id),
    asset_index     BIGINT NOT NULL,
    region          TEXT NOT NULL,
    file_name       TEXT NOT NULL UNIQUE,
    state           TEXT NOT NULL,
    reason          TEXT,            -- why incomplete or failed
    created_at      BIGINT NOT NULL, -- wall time of the first frame
    ended_at        BIGINT,
    updated_at      BIGINT NOT NULL,
    duration_ms     BIGINT NOT NULL DEFAULT 0,
    size_bytes      BIGINT NOT NULL DEFAULT 0,
    width           BIGINT,
    height          BIGINT,
    fps             DOUBLE PRECISION,
    video_codec     TEXT,
    audio_codec     TEXT,
    has_poster      BOOLEAN NOT NULL DEFAULT FALSE,
    deleted_at      BIGINT,
    UNIQUE (stream_id, asset_index)
);
CREATE INDEX assets_by_stream ON assets (stream_id, created_at DESC, asset_index DESC);
CREATE INDEX assets_by_organisation ON assets (organisation_id, created_at DESC, id DESC);
CREATE INDEX assets_by_state ON assets (state) WHERE state = 'recording';
CREATE INDEX assets_counted ON assets (stream_id, state);
CREATE INDEX assets_stored ON assets (organisation_id, region, state, size_bytes);

CREATE TABLE jobs (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT NOT NULL,
    dedup_key    TEXT NOT NULL UNIQUE,
    payload      TEXT NOT NULL, -- JSON
    state        TEXT NOT NULL, -- ready, running, dead
    attempt      BIGINT NOT NULL DEFAULT 0,
    run_at       BIGINT NOT NULL,
    locked_by    TEXT,
    locked_until BIGINT,
    last_error   TEXT,
    created_at   BIGINT NOT NULL
);
CREATE INDEX jobs_by_time ON jobs (state, run_at);

-- The outbox: written in the transaction that changes the state.
CREATE TABLE events (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    organisation_id TEXT NOT NULL,
    kind            TEXT NOT NULL,
    stream_id       TEXT,
    asset_id        TEXT,
    at              BIGINT NOT NULL
);
