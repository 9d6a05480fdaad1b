//! Mail threads after Jamie Zawinski: by References and In-Reply-To, and by subject where there are none.
//!
//! A batch of headers is linked as a whole, so the order of mails in a file does not matter. What an earlier batch made
//! a thread stays that thread: a mail that comes later can join it but never move it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Envelope, Placed, subject};

/// A reply without references joins a thread of the same subject that moved within this time.
const MAX_GAP_SECS: i64 = 14 * 24 * 60 * 60;
/// Longer chains of references are loops or attacks.
const MAX_DEPTH: usize = 10_000;

/// The threads of a mailbox.
#[derive(Debug, Default)]
pub struct Threads {
    nodes: Vec<Node>,
    by_id: HashMap<Arc<str>, u32>,
    /// By list and base subject: the last mail's node and date.
    subjects: HashMap<(Option<String>, String), (u32, i64)>,
    addresses: Vec<Arc<str>>,
    by_address: HashMap<Arc<str>, u32>,
    batch: Vec<Pending>,
    /// Nodes before this one belong to earlier batches.
    settled: usize,
}

/// A mail, or one that others refer to.
#[derive(Debug)]
struct Node {
    id: Arc<str>,
    parent: Option<u32>,
    /// The mail's print; nothing for one that is only referred to.
    print: Option<u64>,
    /// Whether the mail has been delivered.
    is_met: bool,
    /// Of a root: what is known of its thread.
    thread: Option<Box<About>>,
}

#[derive(Debug, Default)]
struct About {
    first: Option<i64>,
    title: String,
    last: Option<i64>,
    people: BTreeSet<u32>,
}

/// A mail of the batch that is being added.
#[derive(Debug)]
struct Pending {
    node: u32,
    date: Option<i64>,
    /// List and base subject, where there is one.
    key: Option<(Option<String>, String)>,
    is_reply: bool,
    title: Box<str>,
    people: Box<[u32]>,
}

impl Threads {
    /// Adds a mail to the batch; one whose id another mail has gets an id of its own.
    pub fn push(&mut self, envelope: &mut Envelope) {
        let mut node = self.node(&envelope.id);
        if self.nodes[node as usize]
            .print
            .is_some_and(|print| print != envelope.print)
        {
            envelope.renew_id();
            node = self.node(&envelope.id);
        }
        if self.nodes[node as usize].print.is_some() {
            return;
        }
        self.nodes[node as usize].print = Some(envelope.print);
        self.link(node, &envelope.references);
        let (base, is_reply) = subject::base(&envelope.subject);
        let people = envelope
            .people
            .iter()
            .map(|address| self.address(address))
            .collect();
        self.batch.push(Pending {
            node,
            date: envelope.date.map(Timestamp::as_second),
            key: (!base.is_empty()).then(|| (envelope.list.clone(), base)),
            is_reply,
            title: subject::title(&envelope.subject).into(),
            people,
        });
    }

    /// Ends the batch: what is a thread now stays one.
    pub fn finish(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        // By date, so that a reply finds what was said before it, wherever it stands in the file.
        batch.sort_by_key(|mail| mail.date);
        for mail in &mut batch {
            self.join_by_subject(mail);
        }
        for mail in &batch {
            self.note(mail);
        }
        self.settled = self.nodes.len();
    }

    /// Returns whether a mail of this id was added.
    pub fn knows(&self, id: &str) -> bool {
        self.by_id
            .get(id)
            .is_some_and(|&node| self.nodes[node as usize].print.is_some())
    }

    /// Gives a mail the id it got when it was added, and returns whether it is met for the first time.
    pub fn meet(&mut self, envelope: &mut Envelope) -> bool {
        let node = self.by_id.get(envelope.id.as_str()).copied();
        if node.is_some_and(|node| {
            self.nodes[node as usize]
                .print
                .is_some_and(|print| print != envelope.print)
        }) {
            envelope.renew_id();
        }
        match self.by_id.get(envelope.id.as_str()) {
            Some(&node) => !std::mem::replace(&mut self.nodes[node as usize].is_met, true),
            None => true,
        }
    }

    /// Returns the thread of a mail that has been added; `fallback` is its date when neither it nor its thread has one.
    pub fn place(&self, envelope: &Envelope, fallback: Timestamp) -> Placed {
        let root = self
            .by_id
            .get(envelope.id.as_str())
            .map(|&node| self.root(node));
        let thread = root.map_or(envelope.id.as_str(), |root| &self.nodes[root as usize].id);
        let about = root.and_then(|root| self.nodes[root as usize].thread.as_deref());
        let last = about.and_then(|about| Timestamp::from_second(about.last?).ok());
        let people = about.into_iter().flat_map(|about| &about.people);
        Placed {
            thread: thread.to_owned(),
            title: about.map_or_else(
                || subject::title(&envelope.subject),
                |about| about.title.clone(),
            ),
            at: envelope.date.or(last).unwrap_or(fallback),
            people: people
                .map(|&address| self.addresses[address as usize].to_string())
                .collect(),
        }
    }

    fn node(&mut self, id: &str) -> u32 {
        if let Some(&node) = self.by_id.get(id) {
            return node;
        }
        let node = u32::try_from(self.nodes.len())
            .expect("a mailbox has fewer than four thousand million mails");
        let id: Arc<str> = Arc::from(id);
        self.by_id.insert(id.clone(), node);
        self.nodes.push(Node {
            id,
            parent: None,
            print: None,
            is_met: false,
            thread: None,
        });
        node
    }

    /// Links the chain of references, and the mail below it; its own references win over what others said of it.
    fn link(&mut self, node: u32, references: &[String]) {
        let mut parent: Option<u32> = None;
        for reference in references {
            let child = self.node(reference);
            if let Some(parent) = parent
                && self.nodes[child as usize].parent.is_none()
                && self.nodes[child as usize].print.is_none()
            {
                self.hang(child, parent);
            }
            parent = Some(child);
        }
        if let Some(parent) = parent {
            self.hang(node, parent);
        }
    }

    /// Hangs a node below another, unless it is settled or that would make a loop.
    fn hang(&mut self, child: u32, parent: u32) {
        if self.is_below(parent, child) {
            return;
        }
        if (child as usize) >= self.settled {
            self.nodes[child as usize].parent = Some(parent);
            return;
        }
        // The thread below has its name already, so what comes above joins it.
        let above = self.root(parent);
        if above as usize >= self.settled && !self.is_below(child, above) {
            self.nodes[above as usize].parent = Some(self.root(child));
        }
    }

    fn is_below(&self, node: u32, above: u32) -> bool {
        let mut at = node;
        for _ in 0..MAX_DEPTH {
            if at == above {
                return true;
            }
            match self.nodes[at as usize].parent {
                Some(parent) => at = parent,
                None => return false,
            }
        }
        true
    }

    fn root(&self, node: u32) -> u32 {
        let mut at = node;
        while let Some(parent) = self.nodes[at as usize].parent {
            at = parent;
        }
        at
    }

    /// Joins a reply whose parent is not in the mailbox to the last thread of its subject.
    fn join_by_subject(&mut self, mail: &mut Pending) {
        let (Some(date), Some(key)) = (mail.date, mail.key.take()) else {
            return;
        };
        let root = self.root(mail.node);
        let is_adrift = root == mail.node || self.nodes[root as usize].print.is_none();
        if let Some(&(other, last)) = self.subjects.get(&key)
            && mail.is_reply
            && is_adrift
            && (root as usize) >= self.settled
            && (0..=MAX_GAP_SECS).contains(&(date - last))
        {
            self.hang(root, self.root(other));
        }
        self.subjects.insert(key, (mail.node, date));
    }

    fn note(&mut self, mail: &Pending) {
        let root = self.root(mail.node) as usize;
        let is_settled = root < self.settled;
        let about = self.nodes[root].thread.get_or_insert_default();
        about.people.extend(&mail.people);
        about.last = about.last.max(mail.date);
        // Mails come by date here, those without one first.
        if about.title.is_empty() || (about.first.is_none() && !is_settled) {
            about.title = mail.title.to_string();
            about.first = mail.date;
        }
    }

    fn address(&mut self, address: &str) -> u32 {
        if let Some(&known) = self.by_address.get(address) {
            return known;
        }
        let number = u32::try_from(self.addresses.len())
            .expect("a mailbox has fewer than four thousand million addresses");
        let address: Arc<str> = Arc::from(address);
        self.addresses.push(address.clone());
        self.by_address.insert(address, number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `id < refs : subject @ day`, where all but the id may be missing.
    fn envelope(text: &str) -> Envelope {
        let (text, day) = text.split_once('@').map_or((text, None), |(text, day)| {
            (text, day.trim().parse::<i64>().ok())
        });
        let (text, subject) = text.split_once(':').unwrap_or((text, ""));
        let (id, references) = text.split_once('<').unwrap_or((text, ""));
        Envelope {
            id: id.trim().into(),
            references: references.split_whitespace().map(str::to_owned).collect(),
            subject: subject.trim().into(),
            date: day.map(|day| Timestamp::from_second(day * 86_400).unwrap()),
            ..Envelope::default()
        }
    }

    fn check(batches: &[&[&str]], expected: &[(&str, &str)]) {
        let mut threads = Threads::default();
        for batch in batches {
            batch
                .iter()
                .for_each(|text| threads.push(&mut envelope(text)));
            threads.finish();
        }
        let seen: Vec<(&str, String)> = expected
            .iter()
            .map(|&(id, _)| {
                (
                    id,
                    threads.place(&envelope(id), Timestamp::UNIX_EPOCH).thread,
                )
            })
            .collect();
        let expected: Vec<(&str, String)> = expected
            .iter()
            .map(|&(id, thread)| (id, thread.to_owned()))
            .collect();
        assert_eq!(seen, expected, "{batches:?}");
    }

    #[test]
    fn threads_follow_references_in_any_order() {
        check(
            &[&["a", "b < a", "c < a b", "d < c"]],
            &[("a", "a"), ("b", "a"), ("c", "a"), ("d", "a")],
        );
        check(
            &[&["d < c", "c < b", "b < a", "e < a", "a"]],
            &[("a", "a"), ("c", "a"), ("d", "a"), ("e", "a")],
        );
        check(&[&["b < x", "c < x"]], &[("b", "x"), ("c", "x")]);
        check(&[&["a < b", "b < a"]], &[("a", "b"), ("b", "b")]);
        check(&[&["a < a b a", "c < a"]], &[("a", "a"), ("c", "a")]);
    }

    #[test]
    fn what_came_earlier_stays_where_it_is() {
        check(
            &[&["b < a"], &["a"], &["c < b"]],
            &[("a", "a"), ("b", "a"), ("c", "a")],
        );
        check(
            &[&["c < b"], &["b < a"], &["a"]],
            &[("c", "b"), ("b", "b"), ("a", "b")],
        );
    }

    #[test]
    fn replies_without_references_follow_their_subject() {
        check(&[&["a : plan @1", "b : Re: plan @3"]], &[("b", "a")]);
        check(&[&["b : Re: plan @3", "a : plan @1"]], &[("b", "a")]);
        check(&[&["a : plan @1"], &["b : AW: plan @3"]], &[("b", "a")]);
        check(&[&["a : plan @1", "b : plan @3"]], &[("b", "b")]);
        check(&[&["a : plan @1", "b : Fwd: plan @3"]], &[("b", "b")]);
        check(&[&["a : plan @1", "b : Re: plan @16"]], &[("b", "b")]);
        check(
            &[&["a : plan @1", "b : Re: plan @10", "c : Re: plan @20"]],
            &[("c", "a")],
        );
        check(&[&["a : plan @1", "b < lost : Re: plan @3"]], &[("b", "a")]);
        check(&[&["a : Re: @1", "b : Re: @3"]], &[("b", "b")]);
    }
}
