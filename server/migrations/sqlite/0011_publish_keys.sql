-- Whether an encoder must show its stream's publish key. Off, as it was before there were any.
ALTER TABLE organisations ADD COLUMN publish_key_required BOOLEAN NOT NULL DEFAULT FALSE;
-- Of which the keys of the organisation's streams are made: 32 bytes, hexadecimal. Made with the first setting, and then kept until all keys are renewed.
ALTER TABLE organisations ADD COLUMN publish_secret TEXT;
-- How often the stream's key was renewed: makes another key of the same secret.
ALTER TABLE streams ADD COLUMN publish_key_renewals BIGINT NOT NULL DEFAULT 0;
