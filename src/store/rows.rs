//! How the domain's types stand in rows: event kinds and tickets as small JSON objects.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::model::{AskKind, ConnectorId, EventId, EventKind, Handle, Ticket};

/// The fields of an event kind; which are present depends on the kind.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    added: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<bool>,
}

/// Returns the kind's name and its fields as stored.
pub fn kind_to_row(kind: &EventKind) -> Result<(&'static str, Option<String>)> {
    let id = |handle: &Handle| handle.id.to_string();
    let (name, detail) = match kind {
        EventKind::Posted => return Ok(("posted", None)),
        EventKind::Opened => return Ok(("opened", None)),
        EventKind::AudienceChanged => return Ok(("audience", None)),
        EventKind::Edited { of } => (
            "edited",
            Detail {
                of: Some(of.id.to_string()),
                ..Detail::default()
            },
        ),
        EventKind::Deleted { of } => (
            "deleted",
            Detail {
                of: Some(of.id.to_string()),
                ..Detail::default()
            },
        ),
        EventKind::Reacted { of, emoji, added } => (
            "reacted",
            Detail {
                of: Some(of.id.to_string()),
                to: Some(emoji.clone()),
                on: Some(*added),
                ..Detail::default()
            },
        ),
        EventKind::Transitioned { from, to } => (
            "transitioned",
            Detail {
                from: from.clone(),
                to: Some(to.clone()),
                ..Detail::default()
            },
        ),
        EventKind::Assigned { from, to } => (
            "assigned",
            Detail {
                from: from.as_ref().map(id),
                to: to.as_ref().map(id),
                ..Detail::default()
            },
        ),
        EventKind::Labelled { added, removed } => (
            "labelled",
            Detail {
                added: added.clone(),
                removed: removed.clone(),
                ..Detail::default()
            },
        ),
        EventKind::Prioritized { from, to } => (
            "prioritized",
            Detail {
                from: from.clone(),
                to: to.clone(),
                ..Detail::default()
            },
        ),
        EventKind::Rescheduled { from, to } => (
            "rescheduled",
            Detail {
                from: from.map(|d| d.to_string()),
                to: to.map(|d| d.to_string()),
                ..Detail::default()
            },
        ),
        EventKind::ReviewRequested { of } => (
            "review",
            Detail {
                to: Some(id(of)),
                ..Detail::default()
            },
        ),
    };
    Ok((name, Some(serde_json::to_string(&detail)?)))
}

/// Returns the kind of a stored row.
///
/// # Errors
/// When the row was not written by [`kind_to_row`].
pub fn kind_from_row(
    connector: &ConnectorId,
    name: &str,
    detail: Option<&str>,
) -> Result<EventKind> {
    let detail: Detail = match detail {
        Some(json) => serde_json::from_str(json).context("a stored event's detail is damaged")?,
        None => Detail::default(),
    };
    let handle = |id: String| Handle::new(connector, id);
    let of = || {
        detail
            .of
            .clone()
            .map(|id| EventId::new(connector, id))
            .context("a stored event names no base")
    };
    Ok(match name {
        "posted" => EventKind::Posted,
        "opened" => EventKind::Opened,
        "audience" => EventKind::AudienceChanged,
        "edited" => EventKind::Edited { of: of()? },
        "deleted" => EventKind::Deleted { of: of()? },
        "reacted" => EventKind::Reacted {
            of: of()?,
            emoji: detail.to.unwrap_or_default(),
            added: detail.on.unwrap_or(true),
        },
        "transitioned" => EventKind::Transitioned {
            from: detail.from,
            to: detail.to.unwrap_or_default(),
        },
        "assigned" => EventKind::Assigned {
            from: detail.from.map(handle),
            to: detail.to.map(handle),
        },
        "labelled" => EventKind::Labelled {
            added: detail.added,
            removed: detail.removed,
        },
        "prioritized" => EventKind::Prioritized {
            from: detail.from,
            to: detail.to,
        },
        "rescheduled" => EventKind::Rescheduled {
            from: detail.from.and_then(|d| d.parse().ok()),
            to: detail.to.and_then(|d| d.parse().ok()),
        },
        "review" => EventKind::ReviewRequested {
            of: handle(detail.to.unwrap_or_default()),
        },
        other => anyhow::bail!("the store holds an event of the unknown kind {other:?}"),
    })
}

/// A ticket's fields as stored.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct TicketRow {
    key: String,
    kind: String,
    status: String,
    closed: bool,
    priority: Option<String>,
    reporter: Option<String>,
    assignee: Option<String>,
    reviewers: Vec<String>,
    labels: Vec<String>,
    components: Vec<String>,
    due: Option<String>,
    duplicate_of: Option<String>,
}

/// Returns the ticket as JSON.
pub fn ticket_to_row(ticket: &Ticket) -> Result<String> {
    let id = |handle: &Handle| handle.id.to_string();
    Ok(serde_json::to_string(&TicketRow {
        key: ticket.key.clone(),
        kind: ticket.kind.clone(),
        status: ticket.status.clone(),
        closed: ticket.is_closed,
        priority: ticket.priority.clone(),
        reporter: ticket.reporter.as_ref().map(id),
        assignee: ticket.assignee.as_ref().map(id),
        reviewers: ticket.reviewers.iter().map(id).collect(),
        labels: ticket.labels.clone(),
        components: ticket.components.clone(),
        due: ticket.due.map(|date| date.to_string()),
        duplicate_of: ticket.duplicate_of.clone(),
    })?)
}

/// Returns the ticket of a stored row.
///
/// # Errors
/// When the row was not written by [`ticket_to_row`].
pub fn ticket_from_row(connector: &ConnectorId, json: &str) -> Result<Ticket> {
    let row: TicketRow = serde_json::from_str(json).context("a stored ticket is damaged")?;
    let handle = |id: String| Handle::new(connector, id);
    Ok(Ticket {
        key: row.key,
        kind: row.kind,
        status: row.status,
        is_closed: row.closed,
        priority: row.priority,
        reporter: row.reporter.map(handle),
        assignee: row.assignee.map(handle),
        reviewers: row.reviewers.into_iter().map(handle).collect(),
        labels: row.labels,
        components: row.components,
        due: row.due.and_then(|date| date.parse().ok()),
        duplicate_of: row.duplicate_of,
    })
}

/// Returns the stored name of an ask's kind.
pub fn ask_kind_to_row(kind: AskKind) -> &'static str {
    match kind {
        AskKind::Question => "question",
        AskKind::Request => "request",
        AskKind::Review => "review",
    }
}

/// Returns the ask kind of a stored name.
pub fn ask_kind_from_row(name: &str) -> AskKind {
    match name {
        "review" => AskKind::Review,
        "request" => AskKind::Request,
        _ => AskKind::Question,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back_as_it_went_in() {
        let connector = ConnectorId::new("tracker");
        let of = EventId::new(&connector, "CORE-1-c2");
        let ana = Handle::new(&connector, "ana");
        for kind in [
            EventKind::Posted,
            EventKind::Opened,
            EventKind::AudienceChanged,
            EventKind::Edited { of: of.clone() },
            EventKind::Deleted { of: of.clone() },
            EventKind::Reacted {
                of,
                emoji: "eyes".into(),
                added: false,
            },
            EventKind::Transitioned {
                from: None,
                to: "closed".into(),
            },
            EventKind::Assigned {
                from: None,
                to: Some(ana.clone()),
            },
            EventKind::Labelled {
                added: vec!["a".into()],
                removed: vec![],
            },
            EventKind::Prioritized {
                from: Some("P2".into()),
                to: None,
            },
            EventKind::Rescheduled {
                from: None,
                to: Some(jiff::civil::date(2026, 10, 26)),
            },
            EventKind::ReviewRequested { of: ana },
        ] {
            let (name, detail) = kind_to_row(&kind).unwrap();
            assert_eq!(
                kind_from_row(&connector, name, detail.as_deref()).unwrap(),
                kind
            );
        }
    }
}
