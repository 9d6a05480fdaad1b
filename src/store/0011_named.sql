-- Which stored briefings name a thread, so that its title and its links leave them too when the last of its words goes.
CREATE TABLE named (
  tid INTEGER NOT NULL, member TEXT NOT NULL, date TEXT NOT NULL,
  PRIMARY KEY (tid, member, date)
) STRICT, WITHOUT ROWID;
-- Whatever has a label is a thread, or a message of a talk.
INSERT OR IGNORE INTO named (tid, member, date)
  SELECT coalesce(t.tid, e.tid), d.member, d.date
  FROM deliveries d, json_tree(CASE WHEN json_valid(d.body) THEN d.body ELSE '{}' END) j
  LEFT JOIN threads t ON t.connector = j.value ->> 'connector' AND t.id = j.value ->> 'id'
  LEFT JOIN events e ON e.connector = j.value ->> 'connector' AND e.id = j.value ->> 'id'
  WHERE j.type = 'object' AND j.value ->> 'label' IS NOT NULL AND coalesce(t.tid, e.tid) IS NOT NULL;
