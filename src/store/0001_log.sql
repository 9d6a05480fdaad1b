-- The log, what it is about, and how far each source has been read.
-- Times are microseconds since 1970-01-01 UTC. Handles are the source's own ids, within the row's connector.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE audiences (
  id INTEGER PRIMARY KEY,
  body TEXT NOT NULL UNIQUE            -- canonical JSON: ["everyone"], ["space", connector, id], ["only", [connector, handle], …]
) STRICT;

CREATE TABLE spaces (
  connector TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
  PRIMARY KEY (connector, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE space_members (
  connector TEXT NOT NULL, space TEXT NOT NULL, handle TEXT NOT NULL,
  PRIMARY KEY (connector, space, handle)
) STRICT, WITHOUT ROWID;

CREATE TABLE people (
  connector TEXT NOT NULL, handle TEXT NOT NULL,
  name TEXT NOT NULL, aliases TEXT NOT NULL, email TEXT, time_zone TEXT, is_bot INTEGER NOT NULL,
  PRIMARY KEY (connector, handle)
) STRICT, WITHOUT ROWID;

CREATE TABLE threads (
  tid INTEGER PRIMARY KEY,
  connector TEXT NOT NULL, id TEXT NOT NULL,
  kind TEXT NOT NULL, space TEXT, title TEXT NOT NULL, url TEXT NOT NULL,
  audience INTEGER NOT NULL REFERENCES audiences,
  ticket TEXT,                         -- the fields as the source shows them now, JSON
  UNIQUE (connector, id)
) STRICT;
CREATE INDEX threads_owner ON threads (connector, ticket ->> 'assignee') WHERE ticket IS NOT NULL;

CREATE TABLE participants (
  tid INTEGER NOT NULL REFERENCES threads, handle TEXT NOT NULL,
  PRIMARY KEY (tid, handle)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  connector TEXT NOT NULL, id TEXT NOT NULL,
  tid INTEGER NOT NULL REFERENCES threads,
  topic INTEGER NOT NULL,              -- the tid under which it is shown: its thread, or the conversation its thread belongs to
  kind TEXT NOT NULL, detail TEXT,     -- EventKind and its fields
  of_seq INTEGER,                      -- the event an edit, deletion or reaction is about
  reply_seq INTEGER,                   -- the message it was taken to answer when unthreaded talk was grouped
  author TEXT,
  occurred_at INTEGER NOT NULL, learned INTEGER NOT NULL,
  text TEXT NOT NULL, aside TEXT NOT NULL, url TEXT NOT NULL,
  audience INTEGER,                    -- where narrower than the thread's
  by_bot INTEGER NOT NULL,
  removed INTEGER NOT NULL DEFAULT 0,  -- deleted at the source: no text is kept
  UNIQUE (connector, id)
) STRICT;
CREATE INDEX events_learned ON events (learned);
CREATE INDEX events_topic ON events (topic);
CREATE INDEX events_tid ON events (tid);
CREATE INDEX events_author ON events (connector, author, occurred_at);

CREATE TABLE mentions (
  handle TEXT NOT NULL, seq INTEGER NOT NULL REFERENCES events,
  PRIMARY KEY (handle, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_seq ON mentions (seq);

CREATE TABLE asks (
  seq INTEGER PRIMARY KEY REFERENCES events,
  topic INTEGER NOT NULL, kind TEXT NOT NULL,
  from_byte INTEGER NOT NULL, to_byte INTEGER NOT NULL,   -- the asking sentence within the event's text
  closed_seq INTEGER
) STRICT;
CREATE INDEX asks_topic ON asks (topic);
CREATE INDEX asks_open ON asks (seq) WHERE closed_seq IS NULL;

CREATE TABLE ask_targets (
  handle TEXT NOT NULL, seq INTEGER NOT NULL,             -- '' = the group
  PRIMARY KEY (handle, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
  connector TEXT PRIMARY KEY, cursor TEXT,
  backfilled INTEGER NOT NULL DEFAULT 0,                  -- the first sync is over: what comes now is news
  synced_at INTEGER, error TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE skips (
  connector TEXT NOT NULL, at TEXT NOT NULL, reason TEXT NOT NULL, seen_at INTEGER NOT NULL,
  PRIMARY KEY (connector, at, reason)
) STRICT, WITHOUT ROWID;
