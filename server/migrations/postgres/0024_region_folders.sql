-- In which folder the recordings of a region lie: the id that stands in it. A region has one, and so one server: another folder would be asked for files that it
-- never had.
CREATE TABLE region_folders (
    region     TEXT PRIMARY KEY,
    folder_id  TEXT NOT NULL,
    claimed_at BIGINT NOT NULL,
    seen_at    BIGINT           -- when its server looked after it last: a clock that is far from it at the next start is not believed at once
);
