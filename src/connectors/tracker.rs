//! The seam to systems whose tickets can be written to: one comment of ours a ticket and key, an owner, a label.
//!
//! Every act may be done again: it looks first, and after an answer that was lost it looks once more. What somebody else
//! decided in the meantime stays as it is.

use std::future::Future;
use std::path::Path;

use anyhow::Result;
use jiff::Timestamp;

use super::ConnectorConfig;
use super::github::{self, api::GithubError};
use super::jira::{self, api::JiraError};
use crate::http::Http;
use crate::model::{ConnectorId, Handle, Markdown, ThreadId};

/// A system whose tickets can be written to.
pub trait Tracker: Send + Sync {
    /// Returns our comment with this key, if it is there.
    ///
    /// # Errors
    /// When the system cannot be asked.
    fn find(
        &self,
        ticket: &ThreadId,
        key: &str,
    ) -> impl Future<Output = Result<Option<Receipt>>> + Send;

    /// Puts a comment on a ticket, or replaces the one that the same key put there before; a comment that says the same
    /// already is left alone. Returns where it is.
    ///
    /// # Errors
    /// When the system refuses, or when nobody can say whether the comment is there; the same call again is safe.
    fn comment(
        &self,
        ticket: &ThreadId,
        key: &str,
        text: &Markdown,
    ) -> impl Future<Output = Result<Receipt>> + Send;

    /// Takes our comment with this key away; returns whether there was one.
    ///
    /// # Errors
    /// As [`Tracker::comment`].
    fn withdraw(&self, ticket: &ThreadId, key: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Gives a ticket to somebody, if nobody has it and they can have it.
    ///
    /// # Errors
    /// As [`Tracker::comment`].
    fn assign(
        &self,
        ticket: &ThreadId,
        to: &Handle,
    ) -> impl Future<Output = Result<Assigned>> + Send;

    /// Takes a ticket from somebody, if they still have it; returns whether they had.
    ///
    /// # Errors
    /// As [`Tracker::comment`].
    fn unassign(
        &self,
        ticket: &ThreadId,
        from: &Handle,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Puts a label on a ticket; returns whether it was missing.
    ///
    /// # Errors
    /// As [`Tracker::comment`].
    fn add_label(
        &self,
        ticket: &ThreadId,
        label: &str,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Returns whether a label is on a ticket.
    ///
    /// # Errors
    /// When the system cannot be asked.
    fn has_label(
        &self,
        ticket: &ThreadId,
        label: &str,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Takes a label off a ticket; returns whether it was there.
    ///
    /// # Errors
    /// As [`Tracker::comment`].
    fn remove_label(
        &self,
        ticket: &ThreadId,
        label: &str,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Returns what people made of our comment with this key since a moment, oldest first. What we did ourselves is not
    /// among it. Reactions have no end of their own: all of them are told each time.
    ///
    /// # Errors
    /// As [`Tracker::find`].
    fn verdicts(
        &self,
        ticket: &ThreadId,
        key: &str,
        since: Timestamp,
    ) -> impl Future<Output = Result<Vec<Verdict>>> + Send;
}

/// A comment of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The system's own id of it.
    pub id: String,
    /// Its page.
    pub url: String,
    /// Whether anything was written.
    pub is_changed: bool,
}

/// What became of giving a ticket to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// They have it now.
    Done,
    /// They had it already.
    Already,
    /// Somebody else has it, and keeps it.
    Owned(Handle),
    /// The system does not let them have it.
    Impossible,
}

/// What somebody made of a suggestion of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it is.
    pub kind: VerdictKind,
    /// Who, where the system says.
    pub by: Option<Handle>,
    /// When, where the system says.
    pub at: Option<Timestamp>,
}

/// The kinds of verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerdictKind {
    /// A thumb up.
    Liked,
    /// A thumb down.
    Disliked,
    /// Somebody writes `/take`: it is theirs.
    Taken,
    /// Somebody writes `/not-me`: it is not theirs.
    Declined,
    /// The ticket has another owner, or none.
    Owner(Option<Handle>),
    /// The ticket is theirs, too, where several may own one.
    Added(Handle),
    /// The ticket is not theirs any more; others may own it.
    Released(Handle),
    /// Our comment is not there any more.
    Removed,
}

/// Returns the verdict that a comment's words give: a line of its own that is a command.
pub fn verdict_in(text: &str) -> Option<VerdictKind> {
    text.lines()
        .find_map(|line| match line.trim().to_lowercase().as_str() {
            "/take" | "take" => Some(VerdictKind::Taken),
            "/not-me" | "/notme" | "not me" => Some(VerdictKind::Declined),
            _ => None,
        })
}

/// Returns whether a system refused something: the same call again meets the same answer until somebody changes what the
/// token may do.
pub fn is_refusal(error: &anyhow::Error) -> bool {
    let of_github = error.downcast_ref::<GithubError>();
    let of_jira = error.downcast_ref::<JiraError>();
    of_github.is_some_and(|error| !matches!(error, GithubError::Http(_)))
        || of_jira.is_some_and(|error| !matches!(error, JiraError::Http(_)))
}

/// Returns whether an error says that a ticket is not there, or not for us to see.
pub fn is_missing(error: &anyhow::Error) -> bool {
    let of_github = error.downcast_ref::<GithubError>();
    let of_jira = error.downcast_ref::<JiraError>();
    of_github.is_some_and(|error| matches!(error, GithubError::Missing { .. }))
        || of_jira.is_some_and(|error| matches!(error, JiraError::Missing { .. }))
}

/// Returns whether a key can stand in a marker or a property: it is ours, never text from outside.
pub(super) fn is_plain_key(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

macro_rules! trackers {
    ($($variant:ident: $tracker:ty,)*) => {
        /// A tracker of any type.
        #[derive(Clone, Debug)]
        pub enum AnyTracker {
            $(#[doc = concat!("Tickets of a `", stringify!($variant), "` connector.")] $variant($tracker),)*
        }

        impl ConnectorConfig {
            /// Returns the way to write to the connector's tickets; `None` for systems that have none.
            ///
            /// # Errors
            /// When a key of the table cannot be right; the message names it.
            pub fn tracker(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Option<AnyTracker>> {
                match self {
                    $(ConnectorConfig::$variant(config) => {
                        config.comments(id, base, http).map(AnyTracker::$variant).map(Some)
                    })*
                    _ => Ok(None),
                }
            }
        }

        impl Tracker for AnyTracker {
            async fn find(&self, ticket: &ThreadId, key: &str) -> Result<Option<Receipt>> {
                match self { $(Self::$variant(own) => own.find(ticket, key).await,)* }
            }
            async fn comment(&self, ticket: &ThreadId, key: &str, text: &Markdown) -> Result<Receipt> {
                match self { $(Self::$variant(own) => own.comment(ticket, key, text).await,)* }
            }
            async fn withdraw(&self, ticket: &ThreadId, key: &str) -> Result<bool> {
                match self { $(Self::$variant(own) => own.withdraw(ticket, key).await,)* }
            }
            async fn assign(&self, ticket: &ThreadId, to: &Handle) -> Result<Assigned> {
                match self { $(Self::$variant(own) => own.assign(ticket, to).await,)* }
            }
            async fn unassign(&self, ticket: &ThreadId, from: &Handle) -> Result<bool> {
                match self { $(Self::$variant(own) => own.unassign(ticket, from).await,)* }
            }
            async fn add_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
                match self { $(Self::$variant(own) => own.add_label(ticket, label).await,)* }
            }
            async fn has_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
                match self { $(Self::$variant(own) => own.has_label(ticket, label).await,)* }
            }
            async fn remove_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
                match self { $(Self::$variant(own) => own.remove_label(ticket, label).await,)* }
            }
            async fn verdicts(&self, ticket: &ThreadId, key: &str, since: Timestamp) -> Result<Vec<Verdict>> {
                match self { $(Self::$variant(own) => own.verdicts(ticket, key, since).await,)* }
            }
        }
    };
}

trackers! {
    Github: github::comments::Comments,
    Jira: jira::comments::Comments,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_line_of_its_own() {
        for (text, expected) in [
            ("/take", Some(VerdictKind::Taken)),
            ("Sure.\n Take \nthanks", Some(VerdictKind::Taken)),
            ("not me", Some(VerdictKind::Declined)),
            ("/not-me", Some(VerdictKind::Declined)),
            ("we take it seriously", None),
            ("> /take", None),
            ("", None),
        ] {
            assert_eq!(verdict_in(text), expected, "{text}");
        }
    }
}
