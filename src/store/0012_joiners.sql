-- By which id whoever joined by themselves goes: it stays theirs, whoever of the same name comes before or after them.
CREATE TABLE joiners (
  connector TEXT NOT NULL, handle TEXT NOT NULL, member TEXT NOT NULL,
  PRIMARY KEY (connector, handle)
) STRICT, WITHOUT ROWID;
