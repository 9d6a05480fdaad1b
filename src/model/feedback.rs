//! What readers say of what they were sent.

use jiff::Timestamp;

/// What a reader says about a line of their briefing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It is done with: what was asked before is not carried on.
    Done,
    /// It is to come again at the next morning.
    Later,
    /// Nothing more of this thread.
    Mute,
    /// This thread again.
    Unmute,
    /// More of this.
    Up,
    /// Less of this.
    Down,
}

impl Verdict {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Verdict; 6] = [
        Verdict::Done,
        Verdict::Later,
        Verdict::Mute,
        Verdict::Unmute,
        Verdict::Up,
        Verdict::Down,
    ];

    /// Returns the stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Done => "done",
            Verdict::Later => "later",
            Verdict::Mute => "mute",
            Verdict::Unmute => "unmute",
            Verdict::Up => "up",
            Verdict::Down => "down",
        }
    }

    /// Returns the verdict of a stable name.
    pub fn parse(name: &str) -> Option<Verdict> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == name)
    }

    /// Returns whether it is a vote, which changes ranks and no more.
    pub fn is_vote(self) -> bool {
        matches!(self, Verdict::Up | Verdict::Down)
    }
}

/// What a sink has heard from its reader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Whether to stop or to start again: the last word on it since the mark.
    pub word: Option<Word>,
    /// What they want to know: the questions among their messages since the mark, oldest first.
    pub questions: Vec<Inquiry>,
    /// By the key of a briefing, the reader's vote on it as it stands now.
    pub votes: Vec<(String, Option<Verdict>)>,
    /// The mark to go on from; empty leaves it where it was.
    pub upto: String,
}

/// A question to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// The mark of its message.
    pub mark: String,
    /// What it says.
    pub text: String,
    /// When it was asked.
    pub at: Timestamp,
}

/// A word that switches briefings off and on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// No more of them.
    Stop,
    /// Again.
    Start,
}

impl Word {
    /// Returns the word that a message is; a sentence that holds one is none.
    pub fn of(text: &str) -> Option<Word> {
        let text = text
            .trim()
            .trim_start_matches('/')
            .trim_end_matches(['.', '!']);
        match text.to_lowercase().as_str() {
            "stop" | "unsubscribe" => Some(Word::Stop),
            "start" | "subscribe" => Some(Word::Start),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bare_word_stops_or_starts() {
        for (text, expected) in [
            ("stop", Some(Word::Stop)),
            (" STOP! ", Some(Word::Stop)),
            ("/stop", Some(Word::Stop)),
            ("Start.", Some(Word::Start)),
            ("please don't stop", None),
            ("we stop at nine", None),
            ("", None),
        ] {
            assert_eq!(Word::of(text), expected, "{text}");
        }
    }
}
