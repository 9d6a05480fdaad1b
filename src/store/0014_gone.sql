-- Accounts that were switched off at their source: nobody to brief or to suggest, and yet the authors of what they said.
ALTER TABLE people ADD COLUMN is_gone INTEGER NOT NULL DEFAULT 0;
