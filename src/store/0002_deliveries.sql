-- The outbox, what it cites, and what went wrong.
CREATE TABLE deliveries (
  member TEXT NOT NULL, date TEXT NOT NULL,               -- the reader's local date; together they are the key
  state TEXT NOT NULL,                                    -- planned | sending | sent | quiet | unknown | failed | missed
  attempts INTEGER NOT NULL DEFAULT 0, next_try_at INTEGER,
  window_after INTEGER NOT NULL, window_upto INTEGER NOT NULL, upto_seq INTEGER NOT NULL,
  hash TEXT NOT NULL DEFAULT '', cited TEXT NOT NULL DEFAULT '[]',
  body TEXT NOT NULL DEFAULT '',                          -- the briefing as JSON, for `explain`; emptied by retention
  receipt TEXT, settled_at INTEGER,
  PRIMARY KEY (member, date)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_open ON deliveries (state) WHERE state IN ('planned', 'sending', 'unknown', 'failed');

CREATE TABLE shown (
  member TEXT NOT NULL, seq INTEGER NOT NULL, date TEXT NOT NULL,  -- what a reader was shown when, so that carried items do not repeat for ever
  PRIMARY KEY (member, seq, date)
) STRICT, WITHOUT ROWID;

CREATE TABLE feedback (
  id INTEGER PRIMARY KEY, member TEXT NOT NULL, about TEXT NOT NULL, verdict TEXT NOT NULL, given_at INTEGER NOT NULL
) STRICT;

CREATE TABLE gaps (
  id INTEGER PRIMARY KEY, of_what TEXT NOT NULL, reason TEXT NOT NULL, seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX gaps_seen ON gaps (seen_at);
