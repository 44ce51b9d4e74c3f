ALTER TABLE assets ADD COLUMN has_storyboard BOOLEAN NOT NULL DEFAULT FALSE;

-- What was recorded before gets its storyboard too.
INSERT INTO jobs (kind, dedup_key, payload, state, run_at, created_at)
SELECT 'storyboard', 'storyboard:' || id, '{"kind":"storyboard","asset":"' || id || '"}', 'ready', updated_at, updated_at
FROM assets WHERE has_poster AND state IN ('ready', 'incomplete');
