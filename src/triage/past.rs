//! A tracker's past as a row of things that became known, oldest first: what may be learned, and from when.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::connectors::tickets::Row;

use super::model::{Model, Opened, tally::Seconds};

/// Something that became known.
#[derive(Clone, Debug)]
pub enum Step {
    /// A ticket was opened.
    Opened(Box<Opened>),
    /// Somebody wrote on a ticket.
    Commented {
        /// The ticket.
        id: String,
        /// Who.
        by: String,
    },
    /// Somebody changed a ticket.
    Acted {
        /// Who.
        by: String,
    },
    /// A ticket's owner became known.
    Owned {
        /// The ticket.
        id: String,
        /// The owner.
        by: String,
    },
    /// A ticket was closed as a repeat of another one.
    Repeats {
        /// The ticket.
        id: String,
        /// The other one.
        of: String,
    },
    /// An account turned out to be a team inbox.
    IsInbox {
        /// The account.
        name: String,
    },
}

/// A tracker's past.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// What became known and when, oldest first.
    pub steps: Vec<(Seconds, Step)>,
    /// Accounts that are no people: flagged by the tracker, or recognised.
    pub inboxes: BTreeSet<String>,
}

/// How many unresolved tickets an account owns that never writes, reports or changes anything, to be taken for an inbox.
const INBOX_OWNS: usize = 15;
/// What accounts without a person behind are called.
const NOBODY: [&str; 8] = [
    "nobody",
    "unassigned",
    "none",
    "default",
    "triage",
    "inbox",
    "bugs",
    "issues",
];

/// Steps of one moment: what is known of older tickets comes before an opening, what is known of that ticket after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Before,
    Opening,
    After,
}

impl Past {
    /// Puts together rows of a tracker: `whole` ones, and tickets whose view at creation (`inputs`) and later life
    /// (`later`) are told apart. Of a ticket's later life only what its steps say is read, each at its own time.
    pub fn of_rows(whole: &[Row], inputs: &[Row], later: &[Row]) -> Past {
        let mut inboxes = inboxes_of(whole);
        inboxes.extend(
            whole
                .iter()
                .filter(|row| row.assignee_placeholder)
                .filter_map(|row| row.assignee.clone()),
        );
        let mut opened_at: HashMap<&str, Seconds> = HashMap::new();
        let mut steps: Vec<(Seconds, Order, Step)> = Vec::new();
        for row in whole.iter().chain(inputs) {
            let Some(at) = row.created_at() else { continue };
            opened_at.insert(&row.id, at.as_second());
            let opened = opening(row, at.as_second(), &inboxes);
            steps.push((
                at.as_second(),
                Order::Opening,
                Step::Opened(Box::new(opened)),
            ));
        }
        for row in whole.iter().chain(later) {
            let Some(opened) = opened_at.get(row.id.as_str()) else {
                continue;
            };
            for (at, step) in life_of(row) {
                let (at, order) = place_of(at, *opened);
                steps.push((at, order, step));
            }
        }
        Past::in_order(steps, inboxes)
    }

    pub(super) fn in_order(
        mut steps: Vec<(Seconds, Order, Step)>,
        inboxes: BTreeSet<String>,
    ) -> Past {
        steps.sort_by_key(|(at, order, _)| (*at, *order));
        Past {
            steps: steps.into_iter().map(|(at, _, step)| (at, step)).collect(),
            inboxes,
        }
    }

    /// Leaves components and labels out of every ticket.
    pub fn leave_fields_out(&mut self) {
        for (_, step) in &mut self.steps {
            if let Step::Opened(opened) = step {
                opened.components.clear();
                opened.labels.clear();
            }
        }
    }

    /// Returns the tickets of the past, oldest first.
    pub fn openings(&self) -> impl Iterator<Item = &Opened> {
        self.steps.iter().filter_map(|(_, step)| match step {
            Step::Opened(opened) => Some(&**opened),
            _ => None,
        })
    }
}

impl Model {
    /// Takes in a step that is no opening.
    pub fn follow(&mut self, at: Seconds, step: &Step) {
        match step {
            Step::Opened(opened) => self.remember(opened),
            Step::Commented { id, by } => self.comment(id, by, at),
            Step::Acted { by } => self.act(by, at),
            Step::Owned { id, by } => self.own(id, by, at),
            Step::Repeats { id, of } => self.repeat(id, of),
            Step::IsInbox { name } => self.exclude(name),
        }
    }
}

/// Returns a row as it was when the ticket was opened, as far as its history tells.
fn opening(row: &Row, at: Seconds, inboxes: &BTreeSet<String>) -> Opened {
    let first = |fields: &[&str]| {
        row.events
            .iter()
            .find(|change| fields.contains(&change.field.to_lowercase().as_str()))
            .map(|change| change.before())
    };
    let title = first(&["title", "summary", "short_desc"]).and_then(|was| was.into_iter().next());
    let product = row.product.clone().or(row.project.clone());
    let (first_owner, is_unowned) = match &row.initial_assignee {
        Some(Some(name)) if !inboxes.contains(name) => (Some(name.clone()), false),
        Some(_) => (None, true),
        None => (None, false),
    };
    Opened {
        id: row.id.clone(),
        project: product.unwrap_or_default(),
        kind: row.kind.clone(),
        title: title.unwrap_or_else(|| row.title.clone()),
        body: row.body.clone(),
        reporter: row.reporter.clone().or(row.creator.clone()),
        components: first(&["component", "components"]).unwrap_or_else(|| row.component.clone()),
        labels: first(&["labels", "label", "keywords"]).unwrap_or_else(|| row.labels.clone()),
        first_owner,
        is_unowned,
        path_owners: Vec::new(),
        at,
    }
}

/// Returns what became known of a ticket after it was opened.
fn life_of(row: &Row) -> Vec<(Seconds, Step)> {
    let id = || row.id.clone();
    let mut life = Vec::new();
    for comment in &row.comments {
        if let (Some(by), Some(at)) = (&comment.author, comment.at()) {
            let by = by.clone();
            life.push((at.as_second(), Step::Commented { id: id(), by }));
        }
    }
    for change in &row.events {
        if let (Some(by), Some(at)) = (&change.by, change.at()) {
            life.push((at.as_second(), Step::Acted { by: by.clone() }));
        }
    }
    if let (Some(of), Some(at)) = (&row.duplicate_of, row.resolved_at().or(row.updated_at())) {
        let of = of.clone();
        life.push((at.as_second(), Step::Repeats { id: id(), of }));
    }
    if let (Some(owner), Some(at)) = (&row.assignee, row.assignee_known_at()) {
        let step = if row.assignee_placeholder {
            let name = owner.clone();
            Step::IsInbox { name }
        } else {
            let by = owner.clone();
            Step::Owned { id: id(), by }
        };
        life.push((at.as_second(), step));
    }
    life
}

/// Returns where a step of a ticket stands that was opened at an instant.
pub(super) fn place_of(at: Seconds, opened: Seconds) -> (Seconds, Order) {
    if at <= opened {
        (opened, Order::After)
    } else {
        (at, Order::Before)
    }
}

fn inboxes_of(rows: &[Row]) -> BTreeSet<String> {
    let mut accounts = Accounts::default();
    for row in rows {
        let owners = [
            row.assignee.as_ref(),
            row.initial_assignee.iter().flatten().next(),
        ];
        let owners: BTreeSet<&String> = owners.into_iter().flatten().collect();
        for owner in owners {
            accounts.owns(owner, row.resolution.is_empty());
        }
        let comments = row.comments.iter().map(|comment| &comment.author);
        let changes = row.events.iter().map(|change| &change.by);
        for account in comments
            .chain(changes)
            .chain([&row.reporter, &row.creator])
            .flatten()
        {
            accounts.does(account);
        }
    }
    accounts.inboxes()
}

/// What accounts own and whether they ever do anything, to tell people from inboxes.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    open: BTreeMap<String, usize>,
    doing: HashSet<String>,
}

impl Accounts {
    pub(super) fn owns(&mut self, account: &str, is_open: bool) {
        *self.open.entry(account.to_owned()).or_default() += usize::from(is_open);
    }

    pub(super) fn does(&mut self, account: &str) {
        if !self.doing.contains(account) {
            self.doing.insert(account.to_owned());
        }
    }

    /// Returns the accounts that own many open tickets and never do anything, and those that are called nobody.
    pub(super) fn inboxes(self) -> BTreeSet<String> {
        let is_inbox = |name: &str, open: usize| {
            is_nobody(name) || open >= INBOX_OWNS && !self.doing.contains(name)
        };
        self.open
            .iter()
            .filter(|(name, open)| is_inbox(name, **open))
            .map(|(name, _)| name.clone())
            .collect()
    }
}

fn is_nobody(name: &str) -> bool {
    let name = name.split('@').next().unwrap_or(name).to_lowercase();
    let last = name.rsplit(['-', '_', '.']).next().unwrap_or(&name);
    NOBODY.contains(&last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> Row {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_ticket_is_rolled_back_to_its_opening_and_its_owner_waits_for_its_time() {
        let whole = [row(
            r#"{"id": "T-2", "created_at": "2026-01-02T00:00:00Z", "title": "Now: parser dies", "component": "parser", "reporter": "ana",
                "initial_assignee": null, "assignee": "bo", "assignee_known_at": "2026-01-09T00:00:00Z",
                "comments": [{"author": "chi", "at": "2026-01-02T00:00:00Z", "text": "seen"}],
                "events": [{"by": "dee", "at": "2026-01-03T00:00:00Z", "field": "component", "from": "ui", "to": "parser"},
                           {"by": "dee", "at": "2026-01-04T00:00:00Z", "field": "component", "from": "parser", "to": "core"},
                           {"by": "dee", "at": "2026-01-04T00:00:00Z", "field": "title", "from": "It dies", "to": "Now: parser dies"}]}"#,
        )];
        let past = Past::of_rows(&whole, &[], &[]);
        let opened = past.openings().next().unwrap();
        assert_eq!(
            (opened.title.as_str(), opened.components.as_slice()),
            ("It dies", &["ui".to_owned()][..])
        );
        assert!(opened.is_unowned && opened.first_owner.is_none());
        let told: Vec<String> = past
            .steps
            .iter()
            .map(|(at, step)| match step {
                Step::Opened(_) => format!("{at} opened"),
                Step::Commented { by, .. } => format!("{at} {by} wrote"),
                Step::Acted { by } => format!("{at} {by} acted"),
                Step::Owned { by, .. } => format!("{at} {by} owns"),
                Step::Repeats { of, .. } => format!("{at} repeats {of}"),
                Step::IsInbox { name } => format!("{at} {name} is an inbox"),
            })
            .collect();
        assert_eq!(
            told,
            [
                "1767312000 opened",
                "1767312000 chi wrote",
                "1767398400 dee acted",
                "1767484800 dee acted",
                "1767484800 dee acted",
                "1767916800 bo owns"
            ]
        );
    }

    #[test]
    fn an_account_that_only_owns_is_an_inbox_and_one_that_writes_is_not() {
        let mut rows: Vec<Row> = (0..20)
            .map(|n| row(&format!(r#"{{"id": "T-{n}", "created_at": "2026-01-02", "reporter": "ana", "assignee": "{}"}}"#, if n < 16 { "team" } else { "bo" })))
            .collect();
        rows.push(row(r#"{"id": "T-99", "created_at": "2026-01-02", "reporter": "ana", "assignee": "web-bugs"}"#));
        let inboxes: Vec<String> = Past::of_rows(&rows, &[], &[]).inboxes.into_iter().collect();
        assert_eq!(inboxes, ["team", "web-bugs"]);
        rows.push(row(
            r#"{"id": "T-98", "created_at": "2026-01-02", "reporter": "team"}"#,
        ));
        let inboxes: Vec<String> = Past::of_rows(&rows, &[], &[]).inboxes.into_iter().collect();
        assert_eq!(inboxes, ["web-bugs"]);
    }
}
