-- What was said before and after a message in its topic is asked for every message that is indexed.
CREATE INDEX events_topic_order ON events (topic, occurred_at);
DROP INDEX events_topic;
