-- Where an organisation's programs are told of events.
CREATE TABLE event_endpoints (
    id               TEXT PRIMARY KEY,
    organisation_id  TEXT NOT NULL REFERENCES organisations (id),
    url              TEXT NOT NULL,    -- may hold a secret, so that it goes in no log
    kinds            TEXT NOT NULL,    -- of which it is told, with blanks between them
    enabled          BOOLEAN NOT NULL,
    gone_at          BIGINT,           -- it answered 410, and was switched off for that
    failing_since    BIGINT,           -- its last try failed, and so did all since then
    secret           TEXT NOT NULL,    -- whsec_ and base64: signs what is sent
    old_secret       TEXT,             -- the one before signs too, until then
    old_secret_until BIGINT,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);
CREATE INDEX event_endpoints_by_organisation ON event_endpoints (organisation_id, created_at, id);

-- What each endpoint is told: written by the transaction that writes the event, and kept for a while after it is over.
CREATE TABLE event_deliveries (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id      TEXT NOT NULL UNIQUE, -- the same in every try
    endpoint_id     TEXT NOT NULL REFERENCES event_endpoints (id) ON DELETE CASCADE,
    organisation_id TEXT NOT NULL,
    lane            TEXT NOT NULL,        -- of one lane one is sent at a time, in the order of their ids: the stream, or the message's own
    kind            TEXT NOT NULL,        -- of the event, or test
    stream_id       TEXT,
    asset_id        TEXT,
    at              BIGINT NOT NULL,      -- when it happened
    body            TEXT,                 -- JSON, made right after the commit, and never changed; NULL: not made yet
    state           TEXT NOT NULL,        -- open, delivered, failed
    attempt         BIGINT NOT NULL DEFAULT 0,
    begun_at        BIGINT NOT NULL,      -- a day later it is given up
    due_at          BIGINT,               -- the next try, or where the lease of one ends; NULL: over, or another of its lane goes first
    locked_by       TEXT,
    last_status     BIGINT,               -- of the last answer
    last_reason     TEXT,                 -- why the last try was none, in words
    last_at         BIGINT,
    finished_at     BIGINT                -- NULL while it is open
);
CREATE INDEX event_deliveries_of_endpoint ON event_deliveries (endpoint_id, id);
CREATE INDEX event_deliveries_new ON event_deliveries (endpoint_id, id) WHERE body IS NULL AND state = 'open';
CREATE INDEX event_deliveries_open ON event_deliveries (endpoint_id, lane, id) WHERE state = 'open';
CREATE INDEX event_deliveries_waiting ON event_deliveries (endpoint_id, begun_at) WHERE state = 'open';
CREATE INDEX event_deliveries_tests ON event_deliveries (endpoint_id) WHERE state = 'open' AND kind = 'test';
CREATE INDEX event_deliveries_due ON event_deliveries (endpoint_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX event_deliveries_over ON event_deliveries (finished_at) WHERE finished_at IS NOT NULL;
