-- Which sites may show the player in a frame: host names with spaces between them. Empty: every site, as it was before there was a setting.
ALTER TABLE organisations ADD COLUMN embed_domains TEXT NOT NULL DEFAULT '';
