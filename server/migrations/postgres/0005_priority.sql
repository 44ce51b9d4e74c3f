-- 0 goes first: what puts files where they belong. 1 comes later and takes long: what makes pictures. A worker looks for the due of one priority.
ALTER TABLE jobs ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
UPDATE jobs SET priority = 1 WHERE kind IN ('probe', 'storyboard');
DROP INDEX jobs_by_time;
CREATE INDEX jobs_due ON jobs (priority, run_at) WHERE state IN ('ready', 'running');

-- A stream's recordings, newest first, without reading past all that were ever deleted.
CREATE INDEX assets_listed_of_stream ON assets (stream_id, created_at DESC, asset_index DESC) WHERE state <> 'deleted';
