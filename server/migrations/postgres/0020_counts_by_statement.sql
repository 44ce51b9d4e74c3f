-- What a statement does to many recordings changes their counts once for each region and state, and not once a recording: a stream of 65,000 recordings that was
-- deleted left 130,000 changes, which were put together two thousand times along the way, each time over all that could not be cleaned up before the commit.

-- As in 0014: who writes holds this off for as long as it takes, who reads for 20 s at most, since nobody can publish meanwhile.
DO $$ DECLARE
    patience_ends TIMESTAMPTZ := clock_timestamp() + INTERVAL '20 s';
BEGIN
    PERFORM set_config('lock_timeout', '300ms', TRUE);
    LOOP
        BEGIN
            LOCK TABLE assets IN ACCESS EXCLUSIVE MODE;
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

DROP TRIGGER assets_counted ON assets;
DROP TRIGGER assets_counted_as_changed ON assets;
DROP FUNCTION asset_counted();

-- The rows of the tables that the triggers below call so: each says what it adds. Those of the rows before take away what they have.
CREATE FUNCTION assets_made() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_assets(c.organisation_id, c.region, c.state, c.recordings, c.bytes, c.ms) FROM (
        SELECT organisation_id, region, state, COUNT(*) AS recordings, SUM(size_bytes)::BIGINT AS bytes, SUM(duration_ms)::BIGINT AS ms
        FROM rows_after WHERE purged_at IS NULL GROUP BY organisation_id, region, state
    ) AS c;
    RETURN NULL;
END $$;
CREATE TRIGGER assets_made AFTER INSERT ON assets REFERENCING NEW TABLE AS rows_after FOR EACH STATEMENT EXECUTE FUNCTION assets_made();

CREATE FUNCTION assets_gone() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_assets(c.organisation_id, c.region, c.state, -c.recordings, -c.bytes, -c.ms) FROM (
        SELECT organisation_id, region, state, COUNT(*) AS recordings, SUM(size_bytes)::BIGINT AS bytes, SUM(duration_ms)::BIGINT AS ms
        FROM rows_before WHERE purged_at IS NULL GROUP BY organisation_id, region, state
    ) AS c;
    RETURN NULL;
END $$;
CREATE TRIGGER assets_gone AFTER DELETE ON assets REFERENCING OLD TABLE AS rows_before FOR EACH STATEMENT EXECUTE FUNCTION assets_gone();

CREATE FUNCTION assets_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_assets(c.organisation_id, c.region, c.state, c.recordings, c.bytes, c.ms) FROM (
        SELECT organisation_id, region, state, SUM(one)::BIGINT AS recordings, SUM(size_bytes)::BIGINT AS bytes, SUM(duration_ms)::BIGINT AS ms
        FROM (
            SELECT organisation_id, region, state, -1 AS one, -size_bytes AS size_bytes, -duration_ms AS duration_ms
            FROM rows_before WHERE purged_at IS NULL
            UNION ALL
            SELECT organisation_id, region, state, 1, size_bytes, duration_ms FROM rows_after WHERE purged_at IS NULL
        ) AS each_row
        GROUP BY organisation_id, region, state
        HAVING SUM(one) <> 0 OR SUM(size_bytes) <> 0 OR SUM(duration_ms) <> 0
    ) AS c;
    RETURN NULL;
END $$;
CREATE TRIGGER assets_changed AFTER UPDATE ON assets REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after FOR EACH STATEMENT
    EXECUTE FUNCTION assets_changed();

-- Tags of recordings, as they were kept before.
CREATE FUNCTION asset_tagged() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO asset_tags (organisation_id, tag, created_at, asset_id)
    SELECT t.organisation_id, t.tag, NEW.created_at, NEW.id FROM stream_tags t WHERE t.stream_id = NEW.stream_id;
    RETURN NULL;
END $$;
CREATE TRIGGER assets_tagged AFTER INSERT ON assets FOR EACH ROW WHEN (NEW.purged_at IS NULL) EXECUTE FUNCTION asset_tagged();

CREATE FUNCTION asset_untagged() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    -- Who purges does not hold the stream's row, and so must wait for nobody who changes its tags.
    DELETE FROM asset_tags WHERE ctid IN (
        SELECT d.ctid FROM asset_tags d
        WHERE d.organisation_id = OLD.organisation_id AND d.created_at = OLD.created_at AND d.asset_id = OLD.id
            AND d.tag IN (SELECT t.tag FROM stream_tags t WHERE t.stream_id = OLD.stream_id)
        FOR UPDATE OF d SKIP LOCKED);
    RETURN NULL;
END $$;
CREATE TRIGGER assets_untagged AFTER DELETE ON assets FOR EACH ROW EXECUTE FUNCTION asset_untagged();
CREATE TRIGGER assets_untagged_as_purged AFTER UPDATE OF purged_at ON assets FOR EACH ROW
    WHEN (OLD.purged_at IS NULL AND NEW.purged_at IS NOT NULL) EXECUTE FUNCTION asset_untagged();
