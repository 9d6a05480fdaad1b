-- What a model wrote, and what every call cost.
CREATE TABLE words (
  key TEXT PRIMARY KEY,                -- a hash of what was asked: messages as they stood, audience, prompt, model
  topic INTEGER NOT NULL,
  model TEXT NOT NULL, prompt TEXT NOT NULL,
  body TEXT NOT NULL,                  -- the answer as JSON, before the checks
  made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX words_topic ON words (topic);
CREATE INDEX words_made ON words (made_at);

-- Words never outlive what they were made of. Their key would not be found any more; this takes the text away, too.
CREATE TRIGGER words_of_changed_event AFTER UPDATE OF text, removed, topic, audience ON events
WHEN OLD.text IS NOT NEW.text OR OLD.removed IS NOT NEW.removed OR OLD.topic IS NOT NEW.topic OR OLD.audience IS NOT NEW.audience
BEGIN
  DELETE FROM words WHERE topic IN (OLD.topic, NEW.topic);
END;
CREATE TRIGGER words_of_deleted_event AFTER DELETE ON events
BEGIN
  DELETE FROM words WHERE topic = OLD.topic;
END;
CREATE TRIGGER words_of_moved_thread AFTER UPDATE OF audience, title ON threads
WHEN OLD.audience IS NOT NEW.audience OR OLD.title IS NOT NEW.title
BEGIN
  DELETE FROM words WHERE topic = NEW.tid OR topic IN (SELECT topic FROM events WHERE tid = NEW.tid);
END;

CREATE TABLE llm_calls (
  id INTEGER PRIMARY KEY,
  day TEXT NOT NULL,                   -- UTC
  at INTEGER NOT NULL,
  member TEXT NOT NULL,                -- for whom it was made first; others share the words
  purpose TEXT NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL,
  state TEXT NOT NULL,                 -- begun | done | failed
  input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_micros INTEGER NOT NULL   -- estimates until it is done
) STRICT;
CREATE INDEX llm_calls_day ON llm_calls (day, member);
