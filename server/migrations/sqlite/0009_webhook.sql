-- Who is asked before an encoder may publish. May hold a secret, so that it goes in no log.
ALTER TABLE organisations ADD COLUMN webhook TEXT;
