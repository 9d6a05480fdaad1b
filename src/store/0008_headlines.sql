-- A headline is made of the words of several topics, so it goes with the first of them that goes.
CREATE TRIGGER headlines_of_words AFTER DELETE ON words
WHEN OLD.prompt NOT LIKE 'headline@%'
BEGIN
  DELETE FROM words WHERE prompt LIKE 'headline@%';
END;
