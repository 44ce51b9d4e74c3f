-- What an organisation sets for its recordings. NULL is the server's default, 0 is none: no limit, no window, kept for ever.
ALTER TABLE organisations ADD COLUMN max_duration_s BIGINT;
ALTER TABLE organisations ADD COLUMN max_bytes BIGINT;
ALTER TABLE organisations ADD COLUMN reconnect_window_s BIGINT;
ALTER TABLE organisations ADD COLUMN retention_days BIGINT;

ALTER TABLE assets ADD COLUMN held_at BIGINT;     -- under legal hold since
ALTER TABLE assets ADD COLUMN held_by TEXT;       -- who set it, for people
ALTER TABLE assets ADD COLUMN hold_note TEXT;
ALTER TABLE assets ADD COLUMN restored_at BIGINT; -- taken out of the bin: its age counts from then, or it would go straight back
ALTER TABLE assets ADD COLUMN purged_at BIGINT;   -- its files are gone; the row stays, so that its name is never given again

-- Lists, newest first: all that are not deleted, and those in one state. What is purged is in no list, and there will be ever more of it.
DROP INDEX assets_by_organisation;
CREATE INDEX assets_listed ON assets (organisation_id, created_at DESC, id DESC) WHERE state <> 'deleted';
CREATE INDEX assets_in_state ON assets (organisation_id, state, created_at DESC, id DESC) WHERE purged_at IS NULL;

-- What retention looks for: what is old by organisation, what is oldest by region, what has lain longest in the bin. Each look reads what it takes and
-- nothing else, however many there are.
CREATE INDEX assets_old ON assets (organisation_id, (COALESCE(restored_at, ended_at)))
    WHERE state IN ('ready', 'incomplete', 'failed') AND held_at IS NULL;
CREATE INDEX assets_oldest ON assets (region, (COALESCE(restored_at, ended_at)))
    WHERE state IN ('ready', 'incomplete') AND held_at IS NULL;
CREATE INDEX assets_binned ON assets (region, deleted_at, size_bytes) WHERE state = 'deleted' AND purged_at IS NULL AND held_at IS NULL;
