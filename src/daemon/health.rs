//! Whether the daemon is ready: every source was asked once, the store takes what comes, and the index follows the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How the daemon is; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<State>);

#[derive(Debug, Default)]
struct State {
    has_read: AtomicBool,
    is_followed: AtomicBool,
    is_full: AtomicBool,
}

impl Health {
    /// Notes that every source was asked.
    pub fn has_read(&self) {
        self.0.has_read.store(true, Ordering::Relaxed);
    }

    /// Notes whether the index holds all that the log holds.
    pub fn follows(&self, is_followed: bool) {
        self.0.is_followed.store(is_followed, Ordering::Relaxed);
    }

    /// Notes whether the store has no room.
    pub fn is_full(&self, is_full: bool) {
        self.0.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Returns what is missing until the daemon is ready, in one plain sentence.
    pub fn what_is_missing(&self) -> Option<&'static str> {
        if self.0.is_full.load(Ordering::Relaxed) {
            Some("the store has no room")
        } else if !self.0.has_read.load(Ordering::Relaxed) {
            Some("the sources have not been read yet")
        } else if !self.0.is_followed.load(Ordering::Relaxed) {
            Some("the index is behind the log")
        } else {
            None
        }
    }
}
