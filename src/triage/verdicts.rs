//! What people make of a suggestion: taken, given to somebody else, declined; in a comment's reactions and commands, or by
//! `daybrief feedback`.

use std::collections::BTreeSet;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tracing::warn;

use super::post::KEY;
use crate::connectors::Tracker;
use crate::connectors::tracker::VerdictKind;
use crate::model::{ConnectorId, MemberId, ThreadId};
use crate::roster::Roster;
use crate::store::postings::{self, Kind, Posting, State};
use crate::store::{Store, suggestions, tickets};

/// What somebody says to a suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is theirs.
    Take,
    /// It is somebody else's.
    AssignTo(MemberId),
    /// It is not theirs.
    NotMe,
    /// They like the suggestion.
    Agree,
}

impl Answer {
    /// Returns the stored name.
    pub fn as_stored(&self) -> String {
        match self {
            Answer::Take => "take".to_owned(),
            Answer::AssignTo(member) => format!("assign:{member}"),
            Answer::NotMe => "not_me".to_owned(),
            Answer::Agree => "agree".to_owned(),
        }
    }
}

/// What was heard about a ticket.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The tracker.
    pub connector: &'a ConnectorId,
    /// The ticket, by the source's id.
    pub ticket: &'a str,
    /// Who says so.
    pub by: &'a MemberId,
    /// What.
    pub answer: &'a Answer,
}

/// How long a comment is asked about.
const WATCHED_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How many comments are asked about in one look.
const MOST_A_LOOK: usize = 20;

/// Writes down an answer and plans what follows from it at the tracker, where the config lets daybrief write; returns
/// whether it is new.
///
/// # Errors
/// When the store fails.
pub fn take_in(
    c: &Connection,
    heard: Heard<'_>,
    roster: &Roster,
    may_write: bool,
    now: Timestamp,
) -> Result<bool> {
    let Heard {
        connector,
        ticket,
        by,
        answer,
    } = heard;
    if !tickets::put_verdict(c, by.as_str(), ticket, &answer.as_stored(), now)? {
        return Ok(false);
    }
    let owner = match answer {
        Answer::Take => by,
        Answer::AssignTo(member) => member,
        Answer::NotMe | Answer::Agree => return Ok(true),
    };
    let account = roster
        .member(owner)
        .and_then(|member| member.handles.get(connector)?.first());
    let said = suggestions::latest(c, connector, ticket)?;
    if let (true, Some(account), Some(said)) = (may_write, account, said) {
        let posting = Posting {
            connector: connector.clone(),
            ticket: ticket.to_owned(),
            kind: Kind::Assign,
            suggestion: said.id,
            state: State::Planned,
            body: account.id.to_string(),
            member: Some(owner.clone()),
            url: None,
            attempts: 0,
            next_try_at: None,
            changed_at: now,
        };
        postings::plan(c, &posting)?;
    }
    Ok(true)
}

/// Asks the trackers what people made of the comments that stand, and takes it in; returns how much is new.
///
/// # Errors
/// When the store fails; a tracker that fails is logged and asked again at the next look.
pub async fn read<T: Tracker>(
    store: &Store,
    tracker_of: impl Fn(&ConnectorId) -> Option<T>,
    roster: &Roster,
    now: Timestamp,
) -> Result<usize> {
    let since = now.checked_sub(WATCHED_FOR)?;
    let watched = store.read(move |c| postings::watched(c, since)).await?;
    let mut failing: BTreeSet<ConnectorId> = BTreeSet::new();
    let mut count = 0;
    for posting in watched.into_iter().take(MOST_A_LOOK) {
        let Some(tracker) = tracker_of(&posting.connector) else {
            continue;
        };
        if failing.contains(&posting.connector) {
            continue;
        }
        let ticket = ThreadId::new(&posting.connector, posting.ticket.as_str());
        let told = match tracker.verdicts(&ticket, KEY, since).await {
            Ok(told) => told,
            Err(error) => {
                let (connector, error) = (&posting.connector, format!("{error:#}"));
                warn!(connector = %connector, error, "{connector} does not tell what became of suggestions; asking again later");
                failing.insert(posting.connector.clone());
                continue;
            }
        };
        let roster = roster.clone();
        count += store
            .write(move |c| {
                let mut count = 0;
                for verdict in told {
                    // Only members answer; anybody may put a thumb under a public ticket.
                    let by = verdict.by.as_ref().and_then(|by| roster.member_of(by));
                    let answer = match (&verdict.kind, by) {
                        (VerdictKind::Removed, _) => {
                            postings::settle(c, &posting, State::Undone, None, None, now)?;
                            count += 1;
                            continue;
                        }
                        (VerdictKind::Liked, Some(by))
                            if Some(&by.id) == posting.member.as_ref() =>
                        {
                            Answer::Take
                        }
                        (VerdictKind::Liked, Some(_)) => Answer::Agree,
                        (VerdictKind::Disliked, Some(by))
                            if Some(&by.id) == posting.member.as_ref() =>
                        {
                            Answer::NotMe
                        }
                        (VerdictKind::Taken, Some(_)) => Answer::Take,
                        (VerdictKind::Declined, Some(_)) => Answer::NotMe,
                        // The tracker's owner is read with the ticket.
                        _ => continue,
                    };
                    let Some(by) = by else { continue };
                    let heard = Heard {
                        connector: &posting.connector,
                        ticket: &posting.ticket,
                        by: &by.id,
                        answer: &answer,
                    };
                    count += usize::from(take_in(c, heard, &roster, true, now)?);
                }
                Ok(count)
            })
            .await?;
    }
    Ok(count)
}
