//! What is said about a ticket without an owner: who might take it and why, who is left out, and how far daybrief may go.

use jiff::Timestamp;

use super::{MemberId, ThreadRef};

/// How far daybrief goes with what it thinks of a ticket; each step does what the ones before it do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ladder {
    /// It does not look.
    Off,
    /// It records what it would have said and holds it against what happened; nobody sees it.
    Shadow,
    /// The people concerned read it in their briefings.
    #[default]
    Briefing,
    /// It puts a label on the ticket.
    Label,
    /// It comments on the ticket.
    Comment,
    /// It gives the ticket to the first candidate, where that has proven itself.
    Assign,
}

impl Ladder {
    /// All steps, the lowest first.
    pub const ALL: [Ladder; 6] = [
        Ladder::Off,
        Ladder::Shadow,
        Ladder::Briefing,
        Ladder::Label,
        Ladder::Comment,
        Ladder::Assign,
    ];

    /// Returns the step's name in the config and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Ladder::Off => "off",
            Ladder::Shadow => "shadow",
            Ladder::Briefing => "briefing",
            Ladder::Label => "label",
            Ladder::Comment => "comment",
            Ladder::Assign => "assign",
        }
    }

    /// Returns the step of a name.
    pub fn of(name: &str) -> Option<Ladder> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }
}

/// A reason for a candidate, in facts that can be looked up.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// Owned a ticket with like words.
    OwnedLike {
        /// That ticket, by the source's id.
        ticket: String,
        /// 0 to 1; 1 says the same.
        likeness: f32,
        /// When that one was opened, in seconds since 1970.
        at: i64,
    },
    /// Wrote on a ticket with like words.
    WroteOnLike {
        /// That ticket, by the source's id.
        ticket: String,
        /// 0 to 1; 1 says the same.
        likeness: f32,
        /// When that one was opened, in seconds since 1970.
        at: i64,
    },
    /// Owned several tickets with like words.
    OwnedMany {
        /// How many.
        count: usize,
    },
    /// Owned many of the last tickets of a component.
    OwnsComponent {
        /// The component.
        name: String,
        /// How many.
        count: usize,
        /// Of how many.
        of: usize,
    },
    /// Owned many of the last tickets that the reporter did not take themselves.
    OwnsReporters {
        /// How many.
        count: usize,
        /// Of how many.
        of: usize,
    },
    /// Reported it, and mostly takes what they report.
    TakesOwn {
        /// The share taken.
        share: f32,
    },
    /// It was opened in their name.
    OpenedWith,
    /// The owners file names them for a path or a frame that the ticket names.
    OwnsPath {
        /// The path, as the ticket has it.
        path: String,
    },
}

impl Evidence {
    /// Returns the ticket it names, if it names one.
    pub fn cites(&self) -> Option<&str> {
        match self {
            Evidence::OwnedLike { ticket, .. } | Evidence::WroteOnLike { ticket, .. } => {
                Some(ticket)
            }
            _ => None,
        }
    }

    /// Returns the reason in words, after the name; `label` says how a ticket is called.
    pub fn in_words(&self, label: impl Fn(&str) -> String, now: Timestamp) -> String {
        match self {
            Evidence::OwnedLike {
                ticket,
                likeness,
                at,
            } => format!(
                "owned {}, {:.0} % alike, {}",
                label(ticket),
                100.0 * likeness,
                age(*at, now)
            ),
            Evidence::WroteOnLike {
                ticket,
                likeness,
                at,
            } => format!(
                "wrote on {}, {:.0} % alike, {}",
                label(ticket),
                100.0 * likeness,
                age(*at, now)
            ),
            Evidence::OwnedMany { count } => format!("owned {count} like it"),
            Evidence::OwnsComponent { name, count, of } => {
                format!("owned {count} of the last {of} in {name}")
            }
            Evidence::OwnsReporters { count, of } => {
                format!("owned {count} of the last {of} of its reporter")
            }
            Evidence::TakesOwn { share } => {
                format!(
                    "reported it, and takes {:.0} % of what they report",
                    100.0 * share
                )
            }
            Evidence::OpenedWith => "it was opened in their name".to_owned(),
            Evidence::OwnsPath { path } => format!("the owners file names them for {path}"),
        }
    }
}

/// Returns an age in words: `3 weeks ago`.
fn age(at: i64, now: Timestamp) -> String {
    let days = (now.as_second() - at).max(0) / 86_400;
    let (count, unit) = match days {
        0 => return "today".to_owned(),
        1 => return "yesterday".to_owned(),
        2..=13 => (days, "days"),
        14..=59 => (days / 7, "weeks"),
        60..=729 => (days / 30, "months"),
        _ => (days / 365, "years"),
    };
    format!("{count} {unit} ago")
}

/// Why somebody is not suggested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exclusion {
    /// Owns it already.
    AlreadyAssigned,
    /// Is on leave on their next work day.
    Away,
    /// Carries as many open tickets as they can.
    AtCapacity,
    /// Said that it is not theirs, or gave it away.
    Declined,
    /// Does not want to be suggested, or has left.
    OptedOut,
    /// May not read it, or has no account at the tracker.
    OutsideAudience,
    /// Did nothing at the tracker for 90 days.
    Inactive,
    /// The account is a team inbox.
    Placeholder,
    /// The account is a program's.
    Bot,
}

impl Exclusion {
    /// All reasons.
    pub const ALL: [Exclusion; 9] = [
        Exclusion::AlreadyAssigned,
        Exclusion::Away,
        Exclusion::AtCapacity,
        Exclusion::Declined,
        Exclusion::OptedOut,
        Exclusion::OutsideAudience,
        Exclusion::Inactive,
        Exclusion::Placeholder,
        Exclusion::Bot,
    ];

    /// Returns the reason's name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Exclusion::AlreadyAssigned => "already_assigned",
            Exclusion::Away => "away",
            Exclusion::AtCapacity => "at_capacity",
            Exclusion::Declined => "declined",
            Exclusion::OptedOut => "opted_out",
            Exclusion::OutsideAudience => "outside_audience",
            Exclusion::Inactive => "inactive",
            Exclusion::Placeholder => "placeholder",
            Exclusion::Bot => "bot",
        }
    }

    /// Returns the reason in words, after the name.
    pub fn in_words(self) -> &'static str {
        match self {
            Exclusion::AlreadyAssigned => "owns it already",
            Exclusion::Away => "is away",
            Exclusion::AtCapacity => "has as many open tickets as they can carry",
            Exclusion::Declined => "said it is not theirs, or gave it away",
            Exclusion::OptedOut => "does not want to be suggested",
            Exclusion::OutsideAudience => "cannot read it",
            Exclusion::Inactive => "did nothing at the tracker for 90 days",
            Exclusion::Placeholder => "is a team inbox",
            Exclusion::Bot => "is a program",
        }
    }

    /// Returns whether the reason falls when a human asks for somebody by name: they know that the other one is busy.
    pub fn is_soft(self) -> bool {
        matches!(self, Exclusion::Away | Exclusion::AtCapacity)
    }
}

/// Somebody who might take a ticket.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The member.
    pub member: MemberId,
    /// How likely they end up with it, 0 to 1, as the team's own history has it.
    pub probability: f32,
    /// The strongest reasons, best first.
    pub evidence: Vec<Evidence>,
    /// What a human who asked for them should know: they are away, or carry all they can.
    pub although: Option<Exclusion>,
}

/// What the reader of a briefing can do about a ticket there that nobody owns, or what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The number of the line, from 1, and the ticket's place in it, from 0.
    pub at: (usize, usize),
    /// What the ticket is called.
    pub label: String,
    /// What was done about it, in words.
    pub told: Option<String>,
    /// Whether the reader may take it.
    pub may_take: bool,
    /// Whom the reader may give it to, with the name to show.
    pub give_to: Option<(MemberId, String)>,
    /// Whether the reader may say that it is not theirs.
    pub may_decline: bool,
}

impl Offer {
    /// Returns whether there is anything to press.
    pub fn is_open(&self) -> bool {
        self.may_take || self.may_decline || self.give_to.is_some()
    }
}

/// A ticket that may say the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// The ticket.
    pub ticket: ThreadRef,
    /// Its title.
    pub title: String,
    /// Whether it is done.
    pub is_closed: bool,
    /// How alike the words are, 0 to 1.
    pub likeness: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_as_a_fact_with_its_age() {
        let now = Timestamp::from_second(100 * 86_400).unwrap();
        let told = |evidence: Evidence| evidence.in_words(|id| format!("#{id}"), now);
        let (ticket, at) = ("98".to_owned(), 78 * 86_400);
        let alike = Evidence::OwnedLike {
            ticket,
            likeness: 0.91,
            at,
        };
        assert_eq!(told(alike), "owned #98, 91 % alike, 3 weeks ago");
        let name = "parser".to_owned();
        let owns = Evidence::OwnsComponent {
            name,
            count: 7,
            of: 9,
        };
        assert_eq!(told(owns), "owned 7 of the last 9 in parser");
        assert_eq!(told(Evidence::OwnedMany { count: 3 }), "owned 3 like it");
    }

    #[test]
    fn the_steps_of_the_ladder_rise_and_have_names() {
        assert!(Ladder::ALL.is_sorted());
        for step in Ladder::ALL {
            assert_eq!(Ladder::of(step.as_str()), Some(step));
        }
        assert_eq!(Ladder::of("auto"), None);
    }
}
