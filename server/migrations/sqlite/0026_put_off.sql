-- How often a job was put off since it was asked for, as what it needs did not answer: such a try does not count among `attempt`, and the waits grow by this.
ALTER TABLE jobs ADD COLUMN put_off BIGINT NOT NULL DEFAULT 0;
