//! The names of sections, kinds and reasons: stable ones for programs, short ones for people.

use std::borrow::Cow;

use crate::model::{BriefingItem, ItemKind, Reason, Section};

/// Makes a pair of functions between the variants of an enum and their stable names.
macro_rules! names {
    ($to:ident, $from:ident, $type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        #[doc = concat!("Returns the stable name of a [`", stringify!($type), "`].")]
        pub fn $to(value: &$type) -> &'static str {
            match value { $($type::$variant { .. } => $name,)* }
        }
        #[doc = concat!("Returns the [`", stringify!($type), "`] of a stable name; a number in it is 0.")]
        pub fn $from(name: &str) -> Option<$type> {
            match name { $($name => Some(names!(@value $type $variant)),)* _ => None }
        }
    };
    (@value Reason NoMovement) => { Reason::NoMovement(0) };
    (@value $type:ident $variant:ident) => { $type::$variant };
}

names!(section_name, section_of, Section {
    NeedsYou = "needs_you",
    Blockers = "blockers",
    ChangedOnYours = "changed_on_yours",
    WorthKnowing = "worth_knowing",
});

names!(kind_name, kind_of, ItemKind {
    Ask = "ask",
    Mention = "mention",
    Blocker = "blocker",
    StatusChange = "status_change",
    Reply = "reply",
    Decision = "decision",
    NewTicket = "new_ticket",
    Due = "due",
    Stale = "stale",
    Fyi = "fyi",
});

names!(reason_name, reason_of, Reason {
    AsksYou = "asks_you",
    ReviewRequested = "review_requested",
    MentionsYou = "mentions_you",
    AssignedToYou = "assigned_to_you",
    ReportedByYou = "reported_by_you",
    YouWroteHere = "you_wrote_here",
    YouHadTheLastWord = "you_had_the_last_word",
    DueToday = "due_today",
    Overdue = "overdue",
    NoMovement = "no_movement",
    Blocks = "blocks",
    DecidedInYourArea = "decided_in_your_area",
    ManyVoices = "many_voices",
    Urgent = "urgent",
    LikeYourWork = "like_your_work",
    HandledWithoutYou = "handled_without_you",
    UnownedInYourArea = "unowned_in_your_area",
    JustOpened = "just_opened",
    PutOff = "put_off",
});

/// The sections in reading order.
pub const SECTIONS: [Section; 4] = [
    Section::NeedsYou,
    Section::Blockers,
    Section::ChangedOnYours,
    Section::WorthKnowing,
];

/// Returns a section's title.
pub fn title_of(section: Section) -> &'static str {
    match section {
        Section::NeedsYou => "Needs you",
        Section::Blockers => "Blockers",
        Section::ChangedOnYours => "Changed on yours",
        Section::WorthKnowing => "Worth knowing",
    }
}

/// Returns a reason in the words of a person.
pub fn chip(reason: &Reason) -> Cow<'static, str> {
    Cow::Borrowed(match reason {
        Reason::AsksYou => "asks you",
        Reason::ReviewRequested => "your review",
        Reason::MentionsYou => "mentions you",
        Reason::AssignedToYou => "assigned",
        Reason::ReportedByYou => "reported by you",
        Reason::YouWroteHere => "you wrote here",
        Reason::YouHadTheLastWord => "you had the last word",
        Reason::DueToday => "due today",
        Reason::Overdue => "overdue",
        Reason::NoMovement(1) => "no movement for 1 work day",
        Reason::NoMovement(days) => return Cow::Owned(format!("no movement for {days} work days")),
        Reason::Blocks => "blocks work",
        Reason::DecidedInYourArea => "decided in your area",
        Reason::ManyVoices => "many voices",
        Reason::Urgent => "urgent",
        Reason::LikeYourWork => "like your work",
        Reason::HandledWithoutYou => "handled without you",
        Reason::UnownedInYourArea => "no owner yet",
        Reason::JustOpened => "new",
        Reason::PutOff => "you put it off",
    })
}

/// The most reasons that are shown; the others are in the JSON and in `explain`.
const MAX_CHIPS: usize = 2;

/// Returns the first chips of a line, without those that its facts or the lead of its headline already say.
pub fn chips(item: &BriefingItem) -> Vec<Cow<'static, str>> {
    let lead = item.headline.split(" · ").next().unwrap_or_default();
    let leads = |reason: &Reason| match reason {
        Reason::AsksYou | Reason::ReviewRequested => lead.contains(" asks you"),
        Reason::MentionsYou => lead.ends_with(" names you"),
        _ => false,
    };
    let is_fact = |chip: &str| item.facts.split(" · ").any(|fact| fact.starts_with(chip));
    let chips = item
        .reasons
        .iter()
        .filter(|reason| !leads(reason))
        .map(chip);
    chips
        .filter(|chip| !is_fact(chip))
        .take(MAX_CHIPS)
        .collect()
}
