//! The network with a memory, for tests: every attempt that goes out is noted before it does.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};

use tower::Service;

use super::transport::Network;
use super::{Answer, Call, Http, HttpError, Options};
use crate::clock::Clock;

/// What went out, one entry an attempt. Clones share it.
#[derive(Clone, Default)]
pub struct Recorded(Arc<Mutex<Vec<Call>>>);

impl Recorded {
    /// Returns the stack over the network, and what will go out by it.
    pub fn http(options: Options, clock: Clock) -> (Http, Recorded) {
        let recorded = Recorded::default();
        let recording = Recording {
            network: Network::new(options.max_bytes),
            recorded: recorded.clone(),
        };
        (Http::over(recording, options, clock), recorded)
    }

    /// Returns everything that went out until now.
    pub fn calls(&self) -> Vec<Call> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[derive(Clone)]
struct Recording {
    network: Network,
    recorded: Recorded,
}

impl Service<Call> for Recording {
    type Response = Answer;
    type Error = HttpError;
    type Future = <Network as Service<Call>>::Future;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), HttpError>> {
        self.network.poll_ready(context)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let mut calls = self
            .recorded
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        calls.push(call.clone());
        drop(calls);
        self.network.call(call)
    }
}
