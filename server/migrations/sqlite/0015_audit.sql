-- Who did what, on what, from where and when: each change, and each attempt that was denied. No row refers to another table: what it tells of may be gone, and
-- who writes it must wait for nobody.
CREATE TABLE audit (
    id              INTEGER PRIMARY KEY AUTOINCREMENT, -- ascends in the order of the commits
    organisation_id TEXT NOT NULL,
    at              BIGINT NOT NULL,  -- of attempts that are counted together, the last
    first_at        BIGINT NOT NULL,
    times           BIGINT NOT NULL,  -- how many are counted together
    act             TEXT NOT NULL,
    denied          BOOLEAN NOT NULL,
    who_kind        TEXT NOT NULL,
    who_id          TEXT,
    who_label       TEXT NOT NULL,    -- as they were called then; empty: by nothing
    address         TEXT,             -- NULL: at the server itself
    on_kind         TEXT,             -- NULL: on nothing of which there is an id
    on_id           TEXT,
    on_label        TEXT NOT NULL,
    detail          TEXT              -- in words
);
CREATE INDEX audit_in_order ON audit (organisation_id, id);
CREATE INDEX audit_by_time ON audit (organisation_id, at, id);
CREATE INDEX audit_by_age ON audit (at);

-- What is older may be deleted: the server moves it on by itself, never back, as the settings say how long the log is kept.
CREATE TABLE audit_horizon (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    upto BIGINT NOT NULL
);
INSERT INTO audit_horizon (id, upto) VALUES (1, 0);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit WHEN OLD.at >= (SELECT upto FROM audit_horizon WHERE id = 1)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_horizon_moves_on BEFORE UPDATE ON audit_horizon WHEN NEW.upto < OLD.upto OR NEW.id <> OLD.id
BEGIN
    SELECT RAISE(ABORT, 'the horizon of the audit log moves on');
END;
CREATE TRIGGER audit_horizon_stays BEFORE DELETE ON audit_horizon
BEGIN
    SELECT RAISE(ABORT, 'the horizon of the audit log stays');
END;
-- REPLACE deletes without asking the triggers above.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_horizon_is_not_replaced BEFORE INSERT ON audit_horizon WHEN EXISTS (SELECT 1 FROM audit_horizon WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the horizon of the audit log moves on');
END;
