-- What hooks said: a queue that survives a crash, and the memory that knows a repetition.
CREATE TABLE hooks (
  id INTEGER PRIMARY KEY, connector TEXT NOT NULL,
  delivery TEXT NOT NULL,              -- the sender's id
  objects TEXT NOT NULL,               -- JSON list of what is to be fetched again
  received_at INTEGER NOT NULL, done_at INTEGER,
  UNIQUE (connector, delivery)
) STRICT;
CREATE INDEX events_of ON events (of_seq) WHERE of_seq IS NOT NULL;
CREATE INDEX hooks_open ON hooks (connector, id) WHERE done_at IS NULL;
