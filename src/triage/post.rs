//! What daybrief writes to a tracker: one comment a ticket, edited when the ticket says something new, a label, and the owner
//! where that is allowed. Written down before, settled after; what a human took back is not posted again.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::Suggestion;
use crate::connectors::Tracker;
use crate::connectors::tracker::{Assigned, is_refusal};
use crate::model::suggestion::Ladder;
use crate::model::{ConnectorId, Handle, Markdown, MemberId, ThreadId};
use crate::roster::Roster;
use crate::store::Store;
use crate::store::postings::{self, Kind, Posting, State};
use crate::store::suggestions::Recorded;

/// The key of our comment on a ticket; there is one.
pub const KEY: &str = "suggestion";
/// How many candidates a comment names, and from which probability on; the rest is noise where everybody reads it.
const MOST_NAMED: usize = 3;
const LEAST_NAMED: f32 = 0.15;
/// How long a tracker may take.
const LONGEST: Duration = Duration::from_secs(60);
/// How often a tracker may refuse before it is left alone.
const MOST_ATTEMPTS: u32 = 8;

/// Returns the comment for a suggestion that was made for all readers of the ticket; `None` when there is too little to say.
/// The reporter, who reads it first, is not named in it.
pub fn comment_text(
    said: &Suggestion,
    reporter: Option<&MemberId>,
    roster: &Roster,
    now: Timestamp,
) -> Option<String> {
    let first = said.candidates.first()?;
    if !said.is_sure || said.owner.is_some() || Some(&first.member) == reporter {
        return None;
    }
    let named = said.candidates.iter().enumerate().filter(|(n, candidate)| {
        (*n == 0 || candidate.probability >= LEAST_NAMED) && Some(&candidate.member) != reporter
    });
    let mut text = String::from("Who might take this, going by who took what before:\n\n");
    for (_, candidate) in named.take(MOST_NAMED) {
        let reasons: Vec<String> = candidate
            .evidence
            .iter()
            .map(|evidence| escaped(&evidence.in_words(str::to_owned, now)))
            .collect();
        let _ = writeln!(
            text,
            "* **{}** ({:.0} %): {}",
            escaped(&name_of(&candidate.member, roster)),
            100.0 * candidate.probability,
            reasons.join("; ")
        );
    }
    for repeat in said
        .repeats
        .iter()
        .filter(|repeat| !repeat.ticket.label.is_empty())
    {
        let _ = writeln!(
            text,
            "\nMay say the same as {} ({:.0} % alike).",
            escaped(&repeat.ticket.label),
            100.0 * repeat.likeness
        );
    }
    text += "\n`/take` takes it, `/not-me` says that it is not yours.";
    Some(text)
}

fn name_of(member: &MemberId, roster: &Roster) -> String {
    let handle = roster
        .member(member)
        .and_then(|member| member.handles.values().flatten().next());
    handle.map_or_else(|| member.to_string(), |handle| roster.name_of(handle))
}

/// Returns text that mentions nobody, links nowhere and marks up nothing.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in crate::brief::render::plain(text).chars() {
        match c {
            '@' => escaped.push_str("@\u{2060}"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '!' | '|' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Returns what a suggestion asks to be written to the tracker; `label` is how its label is made, empty where there is none.
pub fn postings_for(
    said: &Recorded,
    text: Option<String>,
    label: &str,
    roster: &Roster,
    now: Timestamp,
) -> Vec<Posting> {
    let mut wanted = Vec::new();
    if said.mode < Ladder::Label {
        return wanted;
    }
    let first = said.candidates.first();
    let posting = |kind, body| Posting {
        connector: said.connector.clone(),
        ticket: said.ticket.clone(),
        kind,
        suggestion: said.id,
        state: State::Planned,
        body,
        member: first.map(|first| first.member.clone()),
        stands: Vec::new(),
        url: None,
        attempts: 0,
        next_try_at: None,
        changed_at: now,
    };
    // An empty text takes away what was there before.
    if !label.is_empty() {
        let named = first.filter(|_| text.is_some());
        let named = named.map(|first| label.replace("{member}", first.member.as_str()));
        wanted.push(posting(Kind::Label, named.unwrap_or_default()));
    }
    if said.mode < Ladder::Comment {
        return wanted;
    }
    wanted.push(posting(Kind::Comment, text.unwrap_or_default()));
    let account = first
        .and_then(|first| roster.member(&first.member))
        .and_then(|member| member.handles.get(&said.connector)?.first());
    if let Some(account) = account
        && said.mode == Ladder::Assign
        && !said.is_abstained
    {
        wanted.push(posting(Kind::Assign, account.id.to_string()));
    }
    wanted
}

/// Writes to the trackers what is due; returns how much was written. A tracker that fails is tried again later.
///
/// # Errors
/// When the store fails.
pub async fn post_due<T: Tracker>(
    store: &Store,
    tracker_of: impl Fn(&ConnectorId) -> Option<T>,
    now: Timestamp,
) -> Result<usize> {
    let mut count = 0;
    for posting in store.read(move |c| postings::due(c, now)).await? {
        let Some(tracker) = tracker_of(&posting.connector) else {
            // What a human took back stays so where daybrief may not write any more.
            let state = match posting.state {
                State::Undoing => State::Undone,
                _ => State::Refused,
            };
            let end = move |c: &rusqlite::Connection| {
                postings::settle(c, &posting, state, None, None, now)
            };
            store.write(end).await?;
            continue;
        };
        count += usize::from(post(store, &tracker, posting, now).await?);
    }
    Ok(count)
}

/// Writes one posting to its tracker; returns whether it stands.
///
/// # Errors
/// When the store fails.
pub async fn post<T: Tracker>(
    store: &Store,
    tracker: &T,
    mut posting: Posting,
    now: Timestamp,
) -> Result<bool> {
    let begun = posting.clone();
    let is_waiting = store
        .write(move |c| postings::begin(c, &begun, now))
        .await?;
    if !is_waiting {
        // Whoever pressed a button has had it written meanwhile.
        return Ok(false);
    }
    let (state, url, next) = match tokio::time::timeout(LONGEST, act(tracker, &posting)).await {
        Ok(Ok(Acted { state, url, stands })) => {
            posting.stands = stands;
            (state, url, None)
        }
        failed => {
            let (error, is_refusal) = match failed {
                Ok(Err(error)) => (format!("{error:#}"), is_refusal(&error)),
                _ => (
                    format!("it took longer than {} s", LONGEST.as_secs()),
                    false,
                ),
            };
            let noted = posting.clone();
            let note =
                move |c: &rusqlite::Connection| postings::note_failure(c, &noted, is_refusal);
            let (connector, kind) = (&posting.connector, posting.kind.as_str());
            if !store.write(note).await? {
                warn!(connector = %connector, kind, error, "{connector} did not take a suggestion ({kind}); it is tried again, and the rest goes on");
            }
            posting.stands = postings::may_stand(&posting);
            let attempts = posting.attempts;
            let is_undo = posting.state == State::Undoing;
            match (attempts + 1 >= MOST_ATTEMPTS, is_undo) {
                (true, false) => (State::Refused, None, None),
                (_, is_undo) => {
                    let wait = SignedDuration::from_mins(1 << attempts.min(6));
                    let state = if is_undo {
                        State::Undoing
                    } else {
                        State::Failed
                    };
                    (state, None, Some(now.checked_add(wait)?))
                }
            }
        }
    };
    if state == State::Posted {
        info!(connector = %posting.connector, kind = posting.kind.as_str(), "A suggestion stands at {}", posting.connector);
    }
    store
        .write(move |c| postings::settle(c, &posting, state, url.as_deref(), next, now))
        .await?;
    Ok(state == State::Posted)
}

/// What became of a posting.
struct Acted {
    state: State,
    url: Option<String>,
    /// The labels of ours that are there now.
    stands: Vec<String>,
}

impl From<State> for Acted {
    fn from(state: State) -> Acted {
        Acted {
            state,
            url: None,
            stands: Vec::new(),
        }
    }
}

/// Does what a posting says; done twice it changes nothing.
async fn act<T: Tracker>(tracker: &T, posting: &Posting) -> Result<Acted> {
    let ticket = ThreadId::new(&posting.connector, posting.ticket.as_str());
    let account = Handle::new(&posting.connector, posting.body.as_str());
    match (posting.kind, posting.state == State::Undoing) {
        (Kind::Comment, true) => {
            tracker.withdraw(&ticket, KEY).await?;
            Ok(State::Undone.into())
        }
        (Kind::Comment, false) if posting.body.is_empty() => {
            tracker.withdraw(&ticket, KEY).await?;
            Ok(State::Posted.into())
        }
        (Kind::Comment, false) => {
            let text = Markdown(posting.body.clone());
            let receipt = tracker.comment(&ticket, KEY, &text).await?;
            Ok(Acted {
                url: Some(receipt.url),
                ..State::Posted.into()
            })
        }
        (Kind::Assign, true) => {
            tracker.unassign(&ticket, &account).await?;
            Ok(State::Undone.into())
        }
        (Kind::Assign, false) => match tracker.assign(&ticket, &account).await? {
            Assigned::Done | Assigned::Already => Ok(State::Posted.into()),
            Assigned::Owned(_) | Assigned::Impossible => Ok(State::Refused.into()),
        },
        (Kind::Label, is_undo) => {
            let others = posting.stands.iter();
            for other in others.filter(|label| is_undo || **label != posting.body) {
                tracker.remove_label(&ticket, other).await?;
            }
            if is_undo || posting.body.is_empty() {
                return Ok(if is_undo {
                    State::Undone
                } else {
                    State::Posted
                }
                .into());
            }
            let is_new = tracker.add_label(&ticket, &posting.body).await?;
            // A label that somebody else had put there before stays theirs.
            let is_ours = is_new || posting.stands.contains(&posting.body);
            let stands = is_ours.then(|| posting.body.clone());
            Ok(Acted {
                stands: stands.into_iter().collect(),
                ..State::Posted.into()
            })
        }
    }
}

#[cfg(test)]
pub(crate) mod board;
#[cfg(test)]
mod tests;
