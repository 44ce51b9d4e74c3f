-- What pages count is kept by triggers, so that nobody counts rows to show a number; what is looked for by a tag stands in the order in which it is listed.
-- Triggers, since nodes of the version before write too while a cluster is brought to this one.
--
-- A count is a bag of changes whose sum it is. Each change is a row of its own, so that no transaction waits for another that counts for the same organisation:
-- a row for each count would be held from its change to the commit, and two transactions that change two counts by turns would stop each other. One change in
-- 64 puts those together that nobody else holds; the sum stays what it was, whoever looks.

-- Writers wait from here on until all of this has been done, and readers at its end, for the tags. All locks at once, or none: who writes meanwhile takes them in
-- other orders, and would be stopped as one that this one waits for in a circle.
DO $$ BEGIN
    PERFORM set_config('lock_timeout', '300ms', TRUE);
    LOOP
        BEGIN
            LOCK TABLE streams, stream_tags, sessions, assets IN SHARE ROW EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1 * random());
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', '0', TRUE);
END $$;

-- How many streams of an organisation are in each state.
CREATE TABLE stream_counts (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id TEXT NOT NULL,
    state           TEXT NOT NULL,
    streams         BIGINT NOT NULL
);
CREATE INDEX stream_counts_of_organisation ON stream_counts (organisation_id);

-- What an organisation has in each region, by state, without what was removed for good.
CREATE TABLE asset_counts (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id TEXT NOT NULL,
    region          TEXT NOT NULL,
    state           TEXT NOT NULL,
    recordings      BIGINT NOT NULL,
    size_bytes      BIGINT NOT NULL,
    duration_ms     BIGINT NOT NULL
);
CREATE INDEX asset_counts_of_organisation ON asset_counts (organisation_id);

-- What publishes brought in that began and ended on one UTC day, counted from 1970. Those over midnight are read one by one, along their index.
CREATE TABLE ingest_days (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id TEXT NOT NULL,
    day             BIGINT NOT NULL,
    publishes       BIGINT NOT NULL,
    bytes_in        BIGINT NOT NULL,
    first_at        BIGINT NOT NULL, -- none began earlier
    last_at         BIGINT NOT NULL  -- none ended later
);
CREATE INDEX ingest_days_of_organisation ON ingest_days (organisation_id, day);

-- Recordings by their streams' tags, in the library's order. Those in the bin too; not those that were removed for good, but for the few that were removed
-- while somebody changed their stream's tags: who reads this looks at the recording as well.
CREATE TABLE asset_tags (
    organisation_id TEXT NOT NULL,
    tag             TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL, -- the recording's
    asset_id        TEXT NOT NULL,
    PRIMARY KEY (organisation_id, tag, created_at, asset_id)
);

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

CREATE INDEX assets_in_region ON assets (organisation_id, region, created_at DESC, id DESC) WHERE state <> 'deleted';
CREATE INDEX assets_growing ON assets (stream_id, created_at DESC, asset_index DESC) WHERE state = 'recording';
CREATE INDEX assets_held ON assets (organisation_id, created_at DESC, id DESC) WHERE held_at IS NOT NULL;
CREATE INDEX sessions_over_midnight ON sessions (organisation_id, ended_at, started_at, bytes_in)
    WHERE started_at / 86400000 <> ended_at / 86400000;
CREATE INDEX sessions_on_air ON sessions (organisation_id, started_at, stream_id) WHERE ended_at IS NULL;

-- As above. Who waits to write since then, and has read before, is let go by its own patience; who goes on reading, as a dump does, by ours: nobody can publish
-- meanwhile. Then nothing has happened, and the next start tries again.
DO $$ DECLARE
    patience_ends TIMESTAMPTZ := clock_timestamp() + INTERVAL '20 s';
BEGIN
    PERFORM set_config('lock_timeout', '300ms', TRUE);
    LOOP
        BEGIN
            LOCK TABLE stream_tags, sessions, assets IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF clock_timestamp() > patience_ends THEN
                RAISE EXCEPTION 'somebody has been reading the tables for too long (pg_dump?): start the server again when that has ended';
            END IF;
            PERFORM pg_sleep(0.1 * random());
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', '0', TRUE);
END $$;

-- The stream's, so that a tag's streams stand in the list's order.
ALTER TABLE stream_tags ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE stream_tags ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;

UPDATE stream_tags t SET state = s.state, created_at = s.created_at FROM streams s WHERE s.id = t.stream_id;

DROP INDEX stream_tags_by_tag;
CREATE INDEX stream_tags_by_state ON stream_tags (organisation_id, tag, state, created_at DESC, stream_id DESC);
CREATE INDEX stream_tags_listed ON stream_tags (organisation_id, tag, created_at DESC, stream_id DESC) WHERE state <> 'deleted';

-- What they were for is counted now, or read along another index.
DROP INDEX assets_by_state;
DROP INDEX assets_counted;
DROP INDEX assets_stored;
DROP INDEX sessions_by_end;
DROP INDEX sessions_by_start;

-- What is new has been looked at by nobody yet, and all of it is asked for at once.
ANALYZE streams, stream_tags, sessions, assets, stream_counts, asset_counts, ingest_days, asset_tags;

CREATE FUNCTION count_streams(organisation TEXT, in_state TEXT, change BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    drawn BIGINT;
BEGIN
    INSERT INTO stream_counts (organisation_id, state, streams) VALUES (organisation, in_state, change) RETURNING id INTO drawn;
    IF drawn % 64 = 0 THEN
        WITH taken AS (
            DELETE FROM stream_counts
            WHERE id IN (SELECT c.id FROM stream_counts c WHERE c.organisation_id = organisation FOR UPDATE SKIP LOCKED)
            RETURNING state, streams
        )
        INSERT INTO stream_counts (organisation_id, state, streams)
        SELECT organisation, taken.state, SUM(taken.streams) FROM taken GROUP BY taken.state HAVING SUM(taken.streams) <> 0;
    END IF;
END $$;

CREATE FUNCTION count_assets(organisation TEXT, in_region TEXT, in_state TEXT, change BIGINT, bytes BIGINT, ms BIGINT) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    drawn BIGINT;
BEGIN
    INSERT INTO asset_counts (organisation_id, region, state, recordings, size_bytes, duration_ms)
    VALUES (organisation, in_region, in_state, change, bytes, ms) RETURNING id INTO drawn;
    IF drawn % 64 = 0 THEN
        WITH taken AS (
            DELETE FROM asset_counts
            WHERE id IN (SELECT c.id FROM asset_counts c WHERE c.organisation_id = organisation FOR UPDATE SKIP LOCKED)
            RETURNING region, state, recordings, size_bytes, duration_ms
        )
        INSERT INTO asset_counts (organisation_id, region, state, recordings, size_bytes, duration_ms)
        SELECT organisation, taken.region, taken.state, SUM(taken.recordings), SUM(taken.size_bytes), SUM(taken.duration_ms)
        FROM taken GROUP BY taken.region, taken.state
        HAVING SUM(taken.recordings) <> 0 OR SUM(taken.size_bytes) <> 0 OR SUM(taken.duration_ms) <> 0;
    END IF;
END $$;

CREATE FUNCTION count_ingest(organisation TEXT, began_at BIGINT, over_at BIGINT, change BIGINT, bytes BIGINT) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    on_day BIGINT := over_at / 86400000;
    drawn BIGINT;
BEGIN
    -- Also where it has not ended.
    IF began_at / 86400000 = on_day THEN
        INSERT INTO ingest_days (organisation_id, day, publishes, bytes_in, first_at, last_at)
        VALUES (organisation, on_day, change, bytes, began_at, over_at) RETURNING id INTO drawn;
        IF drawn % 64 = 0 THEN
            WITH taken AS (
                DELETE FROM ingest_days
                WHERE id IN (SELECT c.id FROM ingest_days c WHERE c.organisation_id = organisation AND c.day = on_day FOR UPDATE SKIP LOCKED)
                RETURNING publishes, bytes_in, first_at, last_at
            )
            INSERT INTO ingest_days (organisation_id, day, publishes, bytes_in, first_at, last_at)
            SELECT organisation, on_day, SUM(taken.publishes), SUM(taken.bytes_in), MIN(taken.first_at), MAX(taken.last_at) FROM taken
            HAVING SUM(taken.publishes) <> 0 OR SUM(taken.bytes_in) <> 0;
        END IF;
    END IF;
END $$;

CREATE FUNCTION stream_counted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM count_streams(OLD.organisation_id, OLD.state, -1);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM count_streams(NEW.organisation_id, NEW.state, 1);
    END IF;
    IF TG_OP = 'UPDATE' THEN
        -- Rows of `stream_tags` and `asset_tags` are changed by who holds the stream's row.
        UPDATE stream_tags SET state = NEW.state WHERE stream_id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER streams_counted AFTER INSERT OR DELETE ON streams FOR EACH ROW EXECUTE FUNCTION stream_counted();
CREATE TRIGGER streams_counted_as_changed AFTER UPDATE OF state ON streams FOR EACH ROW WHEN (OLD.state <> NEW.state)
    EXECUTE FUNCTION stream_counted();

CREATE FUNCTION stream_tag_placed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    SELECT s.state, s.created_at INTO NEW.state, NEW.created_at FROM streams s WHERE s.id = NEW.stream_id;
    RETURN NEW;
END $$;
CREATE TRIGGER stream_tags_placed BEFORE INSERT ON stream_tags FOR EACH ROW EXECUTE FUNCTION stream_tag_placed();

CREATE FUNCTION stream_tag_given() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO asset_tags (organisation_id, tag, created_at, asset_id)
    SELECT NEW.organisation_id, NEW.tag, a.created_at, a.id FROM assets a WHERE a.stream_id = NEW.stream_id AND a.purged_at IS NULL
    -- One that was left when its recording was purged.
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER stream_tags_given AFTER INSERT ON stream_tags FOR EACH ROW EXECUTE FUNCTION stream_tag_given();

CREATE FUNCTION stream_tag_taken() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM asset_tags d USING assets a
    WHERE a.stream_id = OLD.stream_id AND d.organisation_id = OLD.organisation_id AND d.tag = OLD.tag
        AND d.created_at = a.created_at AND d.asset_id = a.id;
    RETURN NULL;
END $$;
CREATE TRIGGER stream_tags_taken AFTER DELETE ON stream_tags FOR EACH ROW EXECUTE FUNCTION stream_tag_taken();

CREATE FUNCTION asset_counted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.purged_at IS NULL THEN
        PERFORM count_assets(OLD.organisation_id, OLD.region, OLD.state, -1, -OLD.size_bytes, -OLD.duration_ms);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.purged_at IS NULL THEN
        PERFORM count_assets(NEW.organisation_id, NEW.region, NEW.state, 1, NEW.size_bytes, NEW.duration_ms);
    END IF;
    IF TG_OP = 'INSERT' AND NEW.purged_at IS NULL THEN
        INSERT INTO asset_tags (organisation_id, tag, created_at, asset_id)
        SELECT t.organisation_id, t.tag, NEW.created_at, NEW.id FROM stream_tags t WHERE t.stream_id = NEW.stream_id;
    END IF;
    IF TG_OP = 'DELETE' OR OLD.purged_at IS NULL AND NEW.purged_at IS NOT NULL THEN
        -- Who purges does not hold the stream's row, and so must wait for nobody who changes its tags.
        DELETE FROM asset_tags WHERE ctid IN (
            SELECT d.ctid FROM asset_tags d
            WHERE d.organisation_id = OLD.organisation_id AND d.created_at = OLD.created_at AND d.asset_id = OLD.id
                AND d.tag IN (SELECT t.tag FROM stream_tags t WHERE t.stream_id = OLD.stream_id)
            FOR UPDATE OF d SKIP LOCKED);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER assets_counted AFTER INSERT OR DELETE ON assets FOR EACH ROW EXECUTE FUNCTION asset_counted();
CREATE TRIGGER assets_counted_as_changed AFTER UPDATE OF region, state, size_bytes, duration_ms, purged_at ON assets FOR EACH ROW
    WHEN ((OLD.region, OLD.state, OLD.size_bytes, OLD.duration_ms, OLD.purged_at IS NULL)
        IS DISTINCT FROM (NEW.region, NEW.state, NEW.size_bytes, NEW.duration_ms, NEW.purged_at IS NULL))
    EXECUTE FUNCTION asset_counted();

CREATE FUNCTION session_counted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM count_ingest(OLD.organisation_id, OLD.started_at, OLD.ended_at, -1, -OLD.bytes_in);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM count_ingest(NEW.organisation_id, NEW.started_at, NEW.ended_at, 1, NEW.bytes_in);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER sessions_counted AFTER INSERT OR DELETE OR UPDATE OF started_at, ended_at, bytes_in ON sessions FOR EACH ROW
    EXECUTE FUNCTION session_counted();
