//! What a snapshot does not say: the events that must have happened between a stored ticket and the source's new copy.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::model::{Event, EventId, EventKind, Markdown, Thread, ThreadId, Ticket};

/// Returns the changes that turn `before` into `after`, each with the id `<ticket>~<hash8>`.
///
/// `salt` counts the changes made before, so that a ticket that goes there and back again gets four ids, not two.
/// `told` are the page's own new events of this thread: what they say is not said again.
pub fn missing_changes(
    thread: &Thread,
    before: &Ticket,
    after: &Ticket,
    told: &[&Event],
    salt: u64,
    now: Timestamp,
) -> Vec<Event> {
    let mut kinds = Vec::new();
    if before.status != after.status || before.is_closed != after.is_closed {
        kinds.push(EventKind::Transitioned {
            from: Some(before.status.clone()),
            to: after.status.clone(),
        });
    }
    if before.assignee != after.assignee {
        kinds.push(EventKind::Assigned {
            from: before.assignee.clone(),
            to: after.assignee.clone(),
        });
    }
    if before.priority != after.priority {
        kinds.push(EventKind::Prioritized {
            from: before.priority.clone(),
            to: after.priority.clone(),
        });
    }
    if before.due != after.due {
        kinds.push(EventKind::Rescheduled {
            from: before.due,
            to: after.due,
        });
    }
    let added: Vec<String> = after
        .labels
        .iter()
        .filter(|label| !before.labels.contains(label))
        .cloned()
        .collect();
    let removed: Vec<String> = before
        .labels
        .iter()
        .filter(|label| !after.labels.contains(label))
        .cloned()
        .collect();
    if !(added.is_empty() && removed.is_empty()) {
        kinds.push(EventKind::Labelled { added, removed });
    }
    for reviewer in &after.reviewers {
        if !before.reviewers.contains(reviewer) {
            kinds.push(EventKind::ReviewRequested {
                of: reviewer.clone(),
            });
        }
    }
    kinds.retain(|kind| !told.iter().any(|event| says_the_same(&event.kind, kind)));
    kinds
        .into_iter()
        .enumerate()
        .map(|(number, kind)| {
            let body = format!("{kind:?}{salt}.{number}");
            change_event(&thread.id, kind, &body, now)
        })
        .collect()
}

/// Returns the event of a thread in which somebody may read more or less than before.
pub fn audience_changed(thread: &ThreadId, salt: u64, now: Timestamp) -> Event {
    change_event(
        thread,
        EventKind::AudienceChanged,
        &format!("audience{salt}"),
        now,
    )
}

/// Returns the event of an item whose text the source has replaced, with the id `<item>~<hash8>`.
pub fn edited(base: &Event, salt: u64) -> Event {
    let id = changed_id(&base.id.id, &format!("{}{salt}", base.text.0));
    Event {
        id: EventId::new(&base.id.connector, id),
        kind: EventKind::Edited {
            of: base.id.clone(),
        },
        ..base.clone()
    }
}

fn change_event(thread: &ThreadId, kind: EventKind, body: &str, now: Timestamp) -> Event {
    Event {
        id: EventId::new(&thread.connector, changed_id(&thread.id, body)),
        thread: thread.clone(),
        kind,
        author: None,
        occurred_at: now,
        text: Markdown::default(),
        aside: String::new(),
        mentions: Vec::new(),
        url: String::new(),
        audience: None,
        by_bot: false,
    }
}

fn changed_id(base: &str, body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    format!(
        "{base}~{:02x}{:02x}{:02x}{:02x}",
        digest[0], digest[1], digest[2], digest[3]
    )
}

/// Returns whether an event the source reported covers a change seen between two snapshots.
fn says_the_same(told: &EventKind, missing: &EventKind) -> bool {
    match (told, missing) {
        (EventKind::Transitioned { to: told, .. }, EventKind::Transitioned { to, .. }) => {
            told == to
        }
        (EventKind::Assigned { to: told, .. }, EventKind::Assigned { to, .. }) => told == to,
        (EventKind::Prioritized { to: told, .. }, EventKind::Prioritized { to, .. }) => told == to,
        (EventKind::Rescheduled { to: told, .. }, EventKind::Rescheduled { to, .. }) => told == to,
        (EventKind::ReviewRequested { of: told }, EventKind::ReviewRequested { of }) => told == of,
        (EventKind::Labelled { .. }, EventKind::Labelled { .. }) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Audience, ConnectorId, Handle, ThreadKind};

    fn thread() -> Thread {
        Thread {
            id: ThreadId::new(&ConnectorId::new("tracker"), "CORE-1"),
            kind: ThreadKind::Ticket,
            space: None,
            title: String::new(),
            url: String::new(),
            audience: Audience::Everyone,
            participants: Default::default(),
            ticket: None,
        }
    }

    #[test]
    fn a_ticket_that_goes_there_and_back_has_an_id_for_each_step() {
        let open = Ticket {
            status: "open".into(),
            ..Ticket::default()
        };
        let closed = Ticket {
            status: "closed".into(),
            is_closed: true,
            ..Ticket::default()
        };
        let steps = [(&open, &closed), (&closed, &open), (&open, &closed)];
        let ids: std::collections::BTreeSet<_> = steps
            .iter()
            .enumerate()
            .flat_map(|(salt, (before, after))| {
                missing_changes(
                    &thread(),
                    before,
                    after,
                    &[],
                    salt as u64,
                    Timestamp::UNIX_EPOCH,
                )
            })
            .map(|event| event.id)
            .collect();
        assert_eq!(ids.len(), 3);
        assert!(
            ids.iter()
                .all(|id| id.id.starts_with("CORE-1~") && id.id.len() == "CORE-1~".len() + 8)
        );
    }

    #[test]
    fn what_the_source_told_is_not_told_again() {
        let ana = Handle::new(&ConnectorId::new("tracker"), "ana");
        let after = Ticket {
            assignee: Some(ana.clone()),
            priority: Some("P1".into()),
            ..Ticket::default()
        };
        let all = missing_changes(
            &thread(),
            &Ticket::default(),
            &after,
            &[],
            0,
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(all.len(), 2);
        let told = change_event(
            &thread().id,
            EventKind::Assigned {
                from: None,
                to: Some(ana),
            },
            "",
            Timestamp::UNIX_EPOCH,
        );
        let rest = missing_changes(
            &thread(),
            &Ticket::default(),
            &after,
            &[&told],
            0,
            Timestamp::UNIX_EPOCH,
        );
        assert!(matches!(
            rest[..],
            [Event {
                kind: EventKind::Prioritized { .. },
                ..
            }]
        ));
    }
}
