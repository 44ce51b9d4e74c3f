-- An organisation's streams in the order of their names, a page at a time: `GET /stream?sort=name` sorted all of them for each.
CREATE INDEX streams_by_name ON streams (organisation_id, streamname);
