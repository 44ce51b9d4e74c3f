-- What the provider called somebody when they were connected, for people to tell their accounts there apart; nothing hangs on it. NULL: it said nothing, or that was before.
ALTER TABLE user_identities ADD COLUMN called TEXT;
