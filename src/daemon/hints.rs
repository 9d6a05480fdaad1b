//! What sources say by themselves: a hook, a push, an event on a socket. A hint only brings the next reading forward.
//!
//! Whoever listens to a source (the server, a socket, IDLE) holds a [`Hints`] and gives it what it hears; the daemon takes
//! all of it at its next step. Nothing rests on a hint: one that is lost is made up for by the next reading on the interval.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::model::ConnectorId;

/// What is to be looked at again, by connector; an empty set is a hint that names no object.
pub type Objects = BTreeMap<ConnectorId, BTreeSet<String>>;

/// The most objects of one connector that are remembered; more of them and the listing alone has to do.
const MOST_OBJECTS: usize = 500;

/// A place to leave hints; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Hints(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    given: Mutex<Objects>,
    bell: Notify,
}

impl Hints {
    /// Says that something happened at a connector, to one of its objects if that is known.
    pub fn give(&self, connector: &ConnectorId, object: Option<&str>) {
        let mut given = self.0.given.lock().unwrap_or_else(PoisonError::into_inner);
        let objects = given.entry(connector.clone()).or_default();
        if let Some(object) = object
            && objects.len() < MOST_OBJECTS
        {
            objects.insert(object.to_owned());
        }
        drop(given);
        self.0.bell.notify_one();
    }

    /// Takes everything that was given since the last time.
    pub fn take(&self) -> Objects {
        std::mem::take(&mut *self.0.given.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until something is given; returns at once when something was since the last wait.
    pub async fn wait(&self) {
        self.0.bell.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_given_is_taken_once_and_wakes_who_waits() {
        let hints = Hints::default();
        let id = ConnectorId::new("office");
        hints.give(&id, None);
        hints.give(&id, Some("C1"));
        hints.give(&id, Some("C1"));
        hints.wait().await;
        let taken = hints.take();
        assert_eq!(taken[&id], BTreeSet::from(["C1".to_owned()]));
        assert!(hints.take().is_empty());
    }

    #[test]
    fn a_flood_is_bounded() {
        let hints = Hints::default();
        let id = ConnectorId::new("office");
        for number in 0..2 * MOST_OBJECTS {
            hints.give(&id, Some(&number.to_string()));
        }
        assert_eq!(hints.take()[&id].len(), MOST_OBJECTS);
    }
}
