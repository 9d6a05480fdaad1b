-- Which stored briefings quote an event, so that its words leave them too when it goes.
CREATE TABLE quoted (
  seq INTEGER NOT NULL, member TEXT NOT NULL, date TEXT NOT NULL,
  PRIMARY KEY (seq, member, date)
) STRICT, WITHOUT ROWID;
INSERT INTO quoted (seq, member, date) SELECT seq, member, date FROM shown;
