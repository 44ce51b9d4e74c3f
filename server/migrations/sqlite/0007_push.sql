-- Where the stream is also pushed to while it is live. Has a key to publish with, so that it goes in no log.
ALTER TABLE streams ADD COLUMN push_url TEXT;
