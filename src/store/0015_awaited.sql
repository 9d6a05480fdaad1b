-- Messages that say that a ticket gets its owner as soon as the tracker answers: noted before they say so, gone when they
-- say what the answer was.
CREATE TABLE awaited (
  place TEXT NOT NULL, connector TEXT NOT NULL, ticket TEXT NOT NULL,
  member TEXT NOT NULL, date TEXT NOT NULL,
  noted_at INTEGER NOT NULL,
  PRIMARY KEY (place, connector, ticket)
) STRICT, WITHOUT ROWID;
