//! Embedded hybrid search for conversations and tickets.

/// A position in the event log that the index follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// An interned audience: what a passage carries and a query filters by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AudienceId(pub u64);
