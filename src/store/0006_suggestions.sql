-- What was suggested for tickets without an owner, what came of it, and what of it stands at the trackers.
CREATE TABLE suggestions (
  id INTEGER PRIMARY KEY,
  connector TEXT NOT NULL, ticket TEXT NOT NULL,          -- the source's id
  state TEXT NOT NULL,                                    -- a hash of what the ticket said: one suggestion each
  mode TEXT NOT NULL,                                     -- shadow | briefing | comment | assign
  made_at INTEGER NOT NULL,
  area TEXT, area_probability REAL, team TEXT, duty TEXT,
  threshold REAL NOT NULL, abstained INTEGER NOT NULL,
  first_account TEXT,                                     -- the first candidate's account, as the model knows it
  candidates TEXT NOT NULL, excluded TEXT NOT NULL, repeats TEXT NOT NULL,  -- JSON
  outcome TEXT, owner TEXT, settled_at INTEGER,           -- right | changed | none; NULL while nobody has it
  UNIQUE (connector, ticket, state)
) STRICT;
CREATE INDEX suggestions_open ON suggestions (connector, ticket) WHERE outcome IS NULL;
CREATE INDEX suggestions_made ON suggestions (made_at);

CREATE TABLE postings (
  connector TEXT NOT NULL, ticket TEXT NOT NULL,
  kind TEXT NOT NULL,                                     -- comment | assign
  suggestion INTEGER NOT NULL REFERENCES suggestions,     -- what it says
  state TEXT NOT NULL,                                    -- planned | posting | posted | failed | refused | undoing | undone
  body TEXT NOT NULL,                                     -- the comment's text, or the account it is given to
  member TEXT, url TEXT,
  attempts INTEGER NOT NULL DEFAULT 0, next_try_at INTEGER, changed_at INTEGER NOT NULL,
  PRIMARY KEY (connector, ticket, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX postings_open ON postings (state) WHERE state IN ('planned', 'posting', 'failed', 'undoing');

CREATE TABLE stand_ins (
  seq INTEGER PRIMARY KEY REFERENCES events,              -- the asking event
  candidates TEXT NOT NULL,                               -- JSON, best first
  made_at INTEGER NOT NULL
) STRICT;
