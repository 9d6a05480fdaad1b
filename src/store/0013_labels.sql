-- A suggestion may be a label, and a tracker may refuse one kind of writing while it takes another.

ALTER TABLE postings ADD COLUMN stands TEXT NOT NULL DEFAULT '';        -- labels of ours that may be there, one a line
ALTER TABLE postings ADD COLUMN is_refusal INTEGER NOT NULL DEFAULT 0;  -- the last try was refused, not just unanswered
