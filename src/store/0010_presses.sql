-- Buttons that were pressed: kept before Slack hears that we have them, so that no crash loses one or counts it twice.
CREATE TABLE presses (
  connector TEXT NOT NULL, id TEXT NOT NULL, account TEXT NOT NULL,
  -- The press as it came; empty once it is done with.
  press TEXT NOT NULL,
  taken_at INTEGER NOT NULL,
  -- When what it says was stored, and when what came of it was shown.
  counted_at INTEGER, done_at INTEGER,
  PRIMARY KEY (connector, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX presses_open ON presses (connector, taken_at) WHERE done_at IS NULL;
