-- What readers said about lines of their briefings, and how far what they write to us was heard.
CREATE TABLE steering (
  id INTEGER PRIMARY KEY,
  member TEXT NOT NULL, verdict TEXT NOT NULL,            -- done | later | mute | unmute | up | down
  threads TEXT NOT NULL,                                  -- what the line was about: JSON [[connector, thread], …]
  cited TEXT NOT NULL,                                    -- what it rested on: JSON [[connector, event], …]
  reasons TEXT NOT NULL,                                  -- why it stood there: stable names, separated by spaces
  date TEXT NOT NULL, line INTEGER NOT NULL,              -- where it stood; '' and 0 for a thread named by hand, line 0 for the whole briefing
  given_at INTEGER NOT NULL
) STRICT;
CREATE INDEX steering_member ON steering (member, given_at);

CREATE TABLE listening (
  member TEXT PRIMARY KEY,
  is_stopped INTEGER NOT NULL DEFAULT 0,                  -- the member wants no briefings until they say otherwise
  heard TEXT NOT NULL DEFAULT ''                          -- the sink's own mark of the last word it was given
) STRICT, WITHOUT ROWID;
