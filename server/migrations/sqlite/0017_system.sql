-- Since when nobody of the organisation is let in; NULL: it is as it should be. Nothing of it is deleted meanwhile.
ALTER TABLE organisations ADD COLUMN suspended_at BIGINT;
-- When it was last resumed: what was in the bin then has its time there anew, since nobody could restore it before.
ALTER TABLE organisations ADD COLUMN resumed_at BIGINT;
CREATE INDEX organisations_suspended ON organisations (id) WHERE suspended_at IS NOT NULL;
CREATE INDEX organisations_by_name ON organisations (name, id);

-- Whether the user makes, suspends and resumes organisations. Says nothing of what they may in their own, and opens nothing of others.
ALTER TABLE users ADD COLUMN system_administrator BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX users_system_administrators ON users (email) WHERE system_administrator;

-- Whoever has administered the installation for longest.
UPDATE users SET system_administrator = TRUE WHERE id = (
    SELECT u.id FROM users u JOIN organisations o ON o.id = u.organisation_id WHERE u.role = 'nanoAdmin'
    ORDER BY o.created_at, o.id, u.created_at, u.id LIMIT 1);
