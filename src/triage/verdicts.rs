//! What people make of a suggestion: taken, given to somebody else, declined; in a comment's reactions and commands, or by
//! `daybrief feedback`.

use std::collections::BTreeSet;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tracing::warn;

use super::post::KEY;
use crate::connectors::Tracker;
use crate::connectors::tracker::{Verdict, VerdictKind, is_missing};
use crate::model::{ConnectorId, Handle, MemberId, ThreadId};
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
            stands: Vec::new(),
            url: None,
            attempts: 0,
            next_try_at: None,
            changed_at: now,
        };
        postings::reopen(c, connector, ticket)?;
        postings::plan(c, &posting)?;
    }
    Ok(true)
}

/// Asks the trackers what people made of what stands, and takes it in; returns how much is new. Whoever takes or declines a
/// ticket changes its owner at the trackers of `by_word`.
///
/// # Errors
/// When the store fails; a tracker that fails is logged and asked again at the next look.
pub async fn read<T: Tracker>(
    store: &Store,
    tracker_of: impl Fn(&ConnectorId) -> Option<T>,
    by_word: &BTreeSet<ConnectorId>,
    roster: &Roster,
    now: Timestamp,
) -> Result<usize> {
    let since = now.checked_sub(WATCHED_FOR)?;
    let watched = store.read(move |c| postings::watched(c, since)).await?;
    let mut tickets: Vec<Vec<Posting>> = Vec::new();
    for posting in watched {
        let is_same = |of: &&mut Vec<Posting>| {
            of[0].connector == posting.connector && of[0].ticket == posting.ticket
        };
        match tickets.iter_mut().find(is_same) {
            Some(of) => of.push(posting),
            None => tickets.push(vec![posting]),
        }
    }
    let mut failing: BTreeSet<ConnectorId> = BTreeSet::new();
    let mut count = 0;
    for standing in tickets.into_iter().take(MOST_A_LOOK) {
        let connector = standing[0].connector.clone();
        let Some(tracker) = tracker_of(&connector) else {
            continue;
        };
        if failing.contains(&connector) {
            continue;
        }
        let told = match told_of(&tracker, &standing, since).await {
            Ok(told) => told,
            // One that is gone, or hidden from us now, says nothing of the others.
            Err(error) if is_missing(&error) => continue,
            Err(error) => {
                let error = format!("{error:#}");
                warn!(connector = %connector, error, "{connector} does not tell what became of suggestions; asking again later");
                failing.insert(connector);
                continue;
            }
        };
        let (roster, may_write) = (roster.clone(), by_word.contains(&connector));
        count += store
            .write(move |c| {
                let mut count = 0;
                for posting in standing {
                    count += match posting.kind {
                        Kind::Comment => of_comment(c, &posting, &told, &roster, may_write, now)?,
                        Kind::Assign => of_owner(c, &posting, &told, &roster, now)?,
                        Kind::Label if told.is_label_gone => is_taken_back(c, posting, now)?,
                        Kind::Label => 0,
                    };
                }
                Ok(count)
            })
            .await?;
    }
    Ok(count)
}

/// What a tracker tells of a ticket.
struct Told {
    verdicts: Vec<Verdict>,
    is_label_gone: bool,
}

async fn told_of<T: Tracker>(tracker: &T, standing: &[Posting], since: Timestamp) -> Result<Told> {
    let ticket = ThreadId::new(&standing[0].connector, standing[0].ticket.as_str());
    let mut told = Told {
        verdicts: Vec::new(),
        is_label_gone: false,
    };
    let mut of_label = standing.iter().filter(|own| own.kind == Kind::Label);
    if let Some(label) = of_label.next() {
        told.is_label_gone = !tracker.has_label(&ticket, &label.body).await?;
    }
    if standing.iter().any(|own| own.kind != Kind::Label) {
        told.verdicts = tracker.verdicts(&ticket, KEY, since).await?;
    }
    Ok(told)
}

/// Notes that a human took something back; it is not put there again.
fn is_taken_back(c: &Connection, mut posting: Posting, now: Timestamp) -> Result<usize> {
    posting.stands.clear();
    postings::settle(c, &posting, State::Undone, None, None, now)?;
    Ok(1)
}

/// Takes in that somebody changed the owner after us. Whoever gives back what we gave them says that it is not theirs.
fn of_owner(
    c: &Connection,
    posting: &Posting,
    told: &Told,
    roster: &Roster,
    now: Timestamp,
) -> Result<usize> {
    let after_us = |verdict: &&Verdict| verdict.at.is_some_and(|at| at > posting.changed_at);
    let since_us = told.verdicts.iter().filter(after_us);
    let Some(by) = taken_from(&posting.body, since_us) else {
        return Ok(0);
    };
    let by = by.as_ref().and_then(|by| roster.member_of(by));
    if let Some(by) = by.filter(|by| Some(&by.id) == posting.member.as_ref()) {
        let heard = Heard {
            connector: &posting.connector,
            ticket: &posting.ticket,
            by: &by.id,
            answer: &Answer::NotMe,
        };
        take_in(c, heard, roster, false, now)?;
    }
    is_taken_back(c, posting.clone(), now)
}

/// Returns who took a ticket from an account, by what happened in this order; `None` when it is theirs. At some trackers others
/// own it beside them.
fn taken_from<'a>(
    account: &str,
    verdicts: impl Iterator<Item = &'a Verdict>,
) -> Option<&'a Option<Handle>> {
    let is_theirs = |of: &Handle| *of.id == *account;
    verdicts.fold(None, |taken_by, verdict| match &verdict.kind {
        VerdictKind::Owner(to) if !to.as_ref().is_some_and(is_theirs) => Some(&verdict.by),
        VerdictKind::Released(of) if is_theirs(of) => Some(&verdict.by),
        VerdictKind::Owner(_) => None,
        VerdictKind::Added(of) if is_theirs(of) => None,
        _ => taken_by,
    })
}

/// Takes in what people made of a comment.
fn of_comment(
    c: &Connection,
    posting: &Posting,
    told: &Told,
    roster: &Roster,
    may_write: bool,
    now: Timestamp,
) -> Result<usize> {
    let mut count = 0;
    for verdict in &told.verdicts {
        // Only members answer; anybody may put a thumb under a public ticket.
        let by = verdict.by.as_ref().and_then(|by| roster.member_of(by));
        let is_named = by.is_some_and(|by| Some(&by.id) == posting.member.as_ref());
        let answer = match (&verdict.kind, by) {
            (VerdictKind::Removed, _) => {
                count += is_taken_back(c, posting.clone(), now)?;
                continue;
            }
            (VerdictKind::Liked, Some(_)) if is_named => Answer::Take,
            (VerdictKind::Liked, Some(_)) => Answer::Agree,
            (VerdictKind::Disliked, Some(_)) if is_named => Answer::NotMe,
            (VerdictKind::Taken, Some(_)) => Answer::Take,
            (VerdictKind::Declined, Some(_)) => Answer::NotMe,
            // Of a changed owner we learn with the ticket.
            _ => continue,
        };
        let Some(by) = by else { continue };
        let heard = Heard {
            connector: &posting.connector,
            ticket: &posting.ticket,
            by: &by.id,
            answer: &answer,
        };
        count += usize::from(take_in(c, heard, roster, may_write, now)?);
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_owns_a_ticket_beside_another_takes_nothing_from_them() {
        use VerdictKind::{Added, Owner, Released};
        let code = ConnectorId::new("code");
        let of = |name: &str| Handle::new(&code, name);
        let taken = |kinds: &[VerdictKind]| {
            let verdicts: Vec<Verdict> = kinds
                .iter()
                .map(|kind| Verdict {
                    kind: kind.clone(),
                    by: Some(of("cy")),
                    at: None,
                })
                .collect();
            taken_from("bo", verdicts.iter()).is_some()
        };
        for (kinds, expected) in [
            (vec![], false),
            (vec![Added(of("ana"))], false),
            (vec![Added(of("ana")), Released(of("ana"))], false),
            (vec![Released(of("bo"))], true),
            (vec![Released(of("bo")), Added(of("ana"))], true),
            (vec![Released(of("bo")), Added(of("bo"))], false),
            (vec![Owner(None)], true),
            (vec![Owner(Some(of("ana")))], true),
            (vec![Owner(None), Owner(Some(of("bo")))], false),
        ] {
            assert_eq!(taken(&kinds), expected, "{kinds:?}");
        }
    }
}
