-- What pages count is kept by triggers, so that nobody counts rows to show a number; what is looked for by a tag stands in the order in which it is listed.
-- Triggers, since nodes of the version before write too while a cluster is brought to this one.

-- How many streams of an organisation are in each state.
CREATE TABLE stream_counts (
    organisation_id TEXT NOT NULL,
    state           TEXT NOT NULL,
    streams         BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, state)
) WITHOUT ROWID;

-- What an organisation has in each region, by state, without what was removed for good.
CREATE TABLE asset_counts (
    organisation_id TEXT NOT NULL,
    region          TEXT NOT NULL,
    state           TEXT NOT NULL,
    recordings      BIGINT NOT NULL,
    size_bytes      BIGINT NOT NULL,
    duration_ms     BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, region, state)
) WITHOUT ROWID;

-- What publishes brought in that began and ended on one UTC day, counted from 1970. Those over midnight are read one by one, along their index.
CREATE TABLE ingest_days (
    organisation_id TEXT NOT NULL,
    day             BIGINT NOT NULL,
    publishes       BIGINT NOT NULL,
    bytes_in        BIGINT NOT NULL,
    first_at        BIGINT NOT NULL, -- none began earlier
    last_at         BIGINT NOT NULL, -- none ended later
    PRIMARY KEY (organisation_id, day)
) WITHOUT ROWID;

-- Recordings by their streams' tags, in the library's order. Those in the bin too; not those that were removed for good.
CREATE TABLE asset_tags (
    organisation_id TEXT NOT NULL,
    tag             TEXT NOT NULL,
    created_at      BIGINT NOT NULL, -- the recording's
    asset_id        TEXT NOT NULL,
    PRIMARY KEY (organisation_id, tag, created_at, asset_id)
) WITHOUT ROWID;

-- The stream's, so that a tag's streams stand in the list's order.
ALTER TABLE stream_tags ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE stream_tags ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;

UPDATE stream_tags SET (state, created_at) = (SELECT s.state, s.created_at FROM streams s WHERE s.id = stream_tags.stream_id)
    WHERE EXISTS (SELECT 1 FROM streams s WHERE s.id = stream_tags.stream_id);

INSERT INTO stream_counts (organisation_id, state, streams) SELECT organisation_id, state, COUNT(*) FROM streams GROUP BY organisation_id, state;

INSERT INTO asset_counts (organisation_id, region, state, recordings, size_bytes, duration_ms)
SELECT organisation_id, region, state, COUNT(*), SUM(size_bytes), SUM(duration_ms) FROM assets WHERE purged_at IS NULL
GROUP BY organisation_id, region, state;

INSERT INTO ingest_days (organisation_id, day, publishes, bytes_in, first_at, last_at)
SELECT organisation_id, ended_at / 86400000, COUNT(*), SUM(bytes_in), MIN(started_at), MAX(ended_at) FROM sessions
WHERE started_at / 86400000 = ended_at / 86400000 GROUP BY organisation_id, ended_at / 86400000;

INSERT INTO asset_tags (organisation_id, tag, created_at, asset_id)
SELECT t.organisation_id, t.tag, a.created_at, a.id FROM assets a JOIN stream_tags t ON t.stream_id = a.stream_id
WHERE a.purged_at IS NULL ORDER BY t.organisation_id, t.tag, a.created_at, a.id;

DROP INDEX stream_tags_by_tag;
CREATE INDEX stream_tags_by_state ON stream_tags (organisation_id, tag, state, created_at DESC, stream_id DESC);
CREATE INDEX stream_tags_listed ON stream_tags (organisation_id, tag, created_at DESC, stream_id DESC) WHERE state <> 'deleted';

-- What they were for is counted now, or read along another index.
DROP INDEX assets_by_state;
DROP INDEX assets_counted;
DROP INDEX assets_stored;
DROP INDEX sessions_by_end;
DROP INDEX sessions_by_start;
CREATE INDEX assets_in_region ON assets (organisation_id, region, created_at DESC, id DESC) WHERE state <> 'deleted';
CREATE INDEX assets_growing ON assets (stream_id, created_at DESC, asset_index DESC) WHERE state = 'recording';
CREATE INDEX assets_held ON assets (organisation_id, created_at DESC, id DESC) WHERE held_at IS NOT NULL;
CREATE INDEX sessions_over_midnight ON sessions (organisation_id, ended_at, started_at, bytes_in)
    WHERE started_at / 86400000 <> ended_at / 86400000;
CREATE INDEX sessions_on_air ON sessions (organisation_id, started_at, stream_id) WHERE ended_at IS NULL;

CREATE TRIGGER streams_counted_as_made AFTER INSERT ON streams BEGIN
    INSERT INTO stream_counts (organisation_id, state, streams) VALUES (NEW.organisation_id, NEW.state, 1)
    ON CONFLICT (organisation_id, state) DO UPDATE SET streams = streams + 1;
END;

CREATE TRIGGER streams_counted_as_gone AFTER DELETE ON streams BEGIN
    UPDATE stream_counts SET streams = streams - 1 WHERE organisation_id = OLD.organisation_id AND state = OLD.state;
END;

CREATE TRIGGER streams_counted_as_changed AFTER UPDATE OF state ON streams WHEN OLD.state <> NEW.state BEGIN
    UPDATE stream_counts SET streams = streams - 1 WHERE organisation_id = OLD.organisation_id AND state = OLD.state;
    INSERT INTO stream_counts (organisation_id, state, streams) VALUES (NEW.organisation_id, NEW.state, 1)
    ON CONFLICT (organisation_id, state) DO UPDATE SET streams = streams + 1;
    UPDATE stream_tags SET state = NEW.state WHERE stream_id = NEW.id;
END;

CREATE TRIGGER stream_tags_placed AFTER INSERT ON stream_tags BEGIN
    UPDATE stream_tags SET (state, created_at) = (SELECT s.state, s.created_at FROM streams s WHERE s.id = NEW.stream_id)
    WHERE stream_id = NEW.stream_id AND tag = NEW.tag AND EXISTS (SELECT 1 FROM streams s WHERE s.id = NEW.stream_id);
    INSERT INTO asset_tags (organisation_id, tag, created_at, asset_id)
    SELECT NEW.organisation_id, NEW.tag, a.created_at, a.id FROM assets a WHERE a.stream_id = NEW.stream_id AND a.purged_at IS NULL;
END;

CREATE TRIGGER stream_tags_taken AFTER DELETE ON stream_tags BEGIN
    DELETE FROM asset_tags WHERE organisation_id = OLD.organisation_id AND tag = OLD.tag
        AND (created_at, asset_id) IN (SELECT a.created_at, a.id FROM assets a WHERE a.stream_id = OLD.stream_id);
END;

CREATE TRIGGER assets_counted_as_made AFTER INSERT ON assets WHEN NEW.purged_at IS NULL BEGIN
    INSERT INTO asset_counts (organisation_id, region, state, recordings, size_bytes, duration_ms)
    VALUES (NEW.organisation_id, NEW.region, NEW.state, 1, NEW.size_bytes, NEW.duration_ms)
    ON CONFLICT (organisation_id, region, state) DO UPDATE
        SET recordings = recordings + 1, size_bytes = size_bytes + excluded.size_bytes, duration_ms = duration_ms + excluded.duration_ms;
    INSERT INTO asset_tags (organisation_id, tag, created_at, asset_id)
    SELECT t.organisation_id, t.tag, NEW.created_at, NEW.id FROM stream_tags t WHERE t.stream_id = NEW.stream_id;
END;

CREATE TRIGGER assets_counted_as_gone AFTER DELETE ON assets WHEN OLD.purged_at IS NULL BEGIN
    UPDATE asset_counts
    SET recordings = recordings - 1, size_bytes = size_bytes - OLD.size_bytes, duration_ms = duration_ms - OLD.duration_ms
    WHERE organisation_id = OLD.organisation_id AND region = OLD.region AND state = OLD.state;
    DELETE FROM asset_tags WHERE organisation_id = OLD.organisation_id AND created_at = OLD.created_at AND asset_id = OLD.id
        AND tag IN (SELECT t.tag FROM stream_tags t WHERE t.stream_id = OLD.stream_id);
END;

CREATE TRIGGER assets_counted_as_changed AFTER UPDATE OF region, state, size_bytes, duration_ms, purged_at ON assets
WHEN OLD.purged_at IS NULL AND (OLD.region, OLD.state, OLD.size_bytes, OLD.duration_ms) IS NOT (NEW.region, NEW.state, NEW.size_bytes, NEW.duration_ms)
    OR (OLD.purged_at IS NULL) IS NOT (NEW.purged_at IS NULL)
BEGIN
    UPDATE asset_counts
    SET recordings = recordings - 1, size_bytes = size_bytes - OLD.size_bytes, duration_ms = duration_ms - OLD.duration_ms
    WHERE organisation_id = OLD.organisation_id AND region = OLD.region AND state = OLD.state AND OLD.purged_at IS NULL;
    INSERT INTO asset_counts (organisation_id, region, state, recordings, size_bytes, duration_ms)
    SELECT NEW.organisation_id, NEW.region, NEW.state, 1, NEW.size_bytes, NEW.duration_ms WHERE NEW.purged_at IS NULL
    ON CONFLICT (organisation_id, region, state) DO UPDATE
        SET recordings = recordings + 1, size_bytes = size_bytes + excluded.size_bytes, duration_ms = duration_ms + excluded.duration_ms;
END;

CREATE TRIGGER asset_tags_taken AFTER UPDATE OF purged_at ON assets WHEN OLD.purged_at IS NULL AND NEW.purged_at IS NOT NULL BEGIN
    DELETE FROM asset_tags WHERE organisation_id = OLD.organisation_id AND created_at = OLD.created_at AND asset_id = OLD.id
        AND tag IN (SELECT t.tag FROM stream_tags t WHERE t.stream_id = OLD.stream_id);
END;

CREATE TRIGGER sessions_counted_as_made AFTER INSERT ON sessions WHEN NEW.started_at / 86400000 = NEW.ended_at / 86400000 BEGIN
    INSERT INTO ingest_days (organisation_id, day, publishes, bytes_in, first_at, last_at)
    VALUES (NEW.organisation_id, NEW.ended_at / 86400000, 1, NEW.bytes_in, NEW.started_at, NEW.ended_at)
    ON CONFLICT (organisation_id, day) DO UPDATE SET publishes = publishes + 1, bytes_in = bytes_in + excluded.bytes_in,
        first_at = MIN(first_at, excluded.first_at), last_at = MAX(last_at, excluded.last_at);
END;

CREATE TRIGGER sessions_counted_as_gone AFTER DELETE ON sessions WHEN OLD.started_at / 86400000 = OLD.ended_at / 86400000 BEGIN
    UPDATE ingest_days SET publishes = publishes - 1, bytes_in = bytes_in - OLD.bytes_in
    WHERE organisation_id = OLD.organisation_id AND day = OLD.ended_at / 86400000;
END;

CREATE TRIGGER sessions_counted_as_changed AFTER UPDATE OF started_at, ended_at, bytes_in ON sessions BEGIN
    UPDATE ingest_days SET publishes = publishes - 1, bytes_in = bytes_in - OLD.bytes_in
    WHERE organisation_id = OLD.organisation_id AND day = OLD.ended_at / 86400000 AND OLD.started_at / 86400000 = OLD.ended_at / 86400000;
    INSERT INTO ingest_days (organisation_id, day, publishes, bytes_in, first_at, last_at)
    SELECT NEW.organisation_id, NEW.ended_at / 86400000, 1, NEW.bytes_in, NEW.started_at, NEW.ended_at
    WHERE NEW.started_at / 86400000 = NEW.ended_at / 86400000
    ON CONFLICT (organisation_id, day) DO UPDATE SET publishes = publishes + 1, bytes_in = bytes_in + excluded.bytes_in,
        first_at = MIN(first_at, excluded.first_at), last_at = MAX(last_at, excluded.last_at);
END;
