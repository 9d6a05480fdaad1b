-- Questions that members put to us: kept with the mark of how far they were heard, gone when they are answered.
CREATE TABLE questions (
  member TEXT NOT NULL, mark TEXT NOT NULL, text TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  -- Until when whoever answers has it for themselves.
  held_until INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (member, mark)
) STRICT, WITHOUT ROWID;
