//! How fast calls go out: a pace for each scope, and pauses where a server asks for one.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tower::{Layer, Service, ServiceExt};
use tracing::debug;

use super::{Answer, Call, HttpError, Options, limits, retry};
use crate::clock::Clock;

/// How fast the calls of a scope may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time between two calls in the long run.
    pub every: Duration,
    /// How many may go at once after a rest.
    pub burst: u32,
    /// How many may be on their way at the same time.
    pub at_once: u32,
}

impl Pace {
    /// Returns a pace of which no minute, wherever it begins, holds more than `calls`.
    pub const fn per_minute(calls: u32) -> Pace {
        // A burst and what goes out during the minute after it are counted together.
        let burst = if calls >= 5 { calls / 5 } else { 1 };
        let steady = if calls > burst { calls - burst } else { 1 };
        Pace {
            every: Duration::from_millis(60_000_u64.div_ceil(steady as u64)),
            burst,
            at_once: 4,
        }
    }

    /// Returns the pace with another number of calls at the same time.
    #[must_use]
    pub const fn at_once(self, at_once: u32) -> Pace {
        Pace { at_once, ..self }
    }
}

/// What is known of a scope.
struct Lane {
    /// When the next call may go, were there no burst.
    next: Instant,
    /// Until when the server wants to be left alone.
    paused_until: Option<Instant>,
    on_their_way: Arc<Semaphore>,
}

/// The lanes of all scopes, shared by every clone of a stack.
type Lanes = Arc<Mutex<HashMap<(String, Arc<str>), Lane>>>;

/// Puts the throttle into a stack.
#[derive(Clone)]
pub struct ThrottleLayer {
    options: Options,
    clock: Clock,
    lanes: Lanes,
}

impl ThrottleLayer {
    pub fn new(options: Options, clock: Clock) -> ThrottleLayer {
        ThrottleLayer {
            options,
            clock,
            lanes: Lanes::default(),
        }
    }
}

impl<S> Layer<S> for ThrottleLayer {
    type Service = Throttle<S>;

    fn layer(&self, inner: S) -> Throttle<S> {
        Throttle {
            inner,
            with: self.clone(),
        }
    }
}

/// Holds calls back until their scope may go on.
#[derive(Clone)]
pub struct Throttle<S> {
    inner: S,
    with: ThrottleLayer,
}

impl<S> Service<Call> for Throttle<S>
where
    S: Service<Call, Response = Answer, Error = HttpError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, HttpError>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let (with, inner) = (self.with.clone(), self.inner.clone());
        Box::pin(async move {
            let key = (call.host(), call.scope.name.clone());
            let on_their_way = with.lane(&key, &call, |lane| lane.on_their_way.clone());
            let _permit = on_their_way.acquire_owned().await;
            with.wait_for_turn(&key, &call).await?;
            let answer = inner.oneshot(call.clone()).await?;
            if let Some(pause) = limits::pause_of(&answer, with.clock.now()) {
                debug!(
                    scope = &*call.scope.name,
                    secs = pause.as_secs(),
                    "The server asks for a pause"
                );
                with.pause(&key, &call, pause);
                if limits::is_shared(&answer) {
                    with.pause(&shared(&call), &call, pause);
                }
            }
            Ok(answer)
        })
    }
}

impl ThrottleLayer {
    /// Waits until the call may go.
    async fn wait_for_turn(&self, key: &(String, Arc<str>), call: &Call) -> Result<(), HttpError> {
        let turn = self.lane(key, call, |lane| lane.take_turn(&call.scope.pace));
        if self.options.is_paced {
            sleep_until(turn).await;
        }
        // While this one waited, another may have been told to pause.
        loop {
            let now = Instant::now();
            let until = self
                .lane(key, call, |lane| lane.paused_until)
                .max(self.lane(&shared(call), call, |lane| lane.paused_until));
            let Some(until) = until.filter(|until| *until > now) else {
                return Ok(());
            };
            if until - now > self.options.patience {
                return Err(retry::paused(call, self.clock.now(), until - now));
            }
            sleep_until(until).await;
        }
    }

    fn pause(&self, key: &(String, Arc<str>), call: &Call, pause: Duration) {
        let until = Instant::now() + pause;
        self.lane(key, call, |lane| {
            lane.paused_until = lane.paused_until.max(Some(until));
        });
    }

    fn lane<R>(
        &self,
        key: &(String, Arc<str>),
        call: &Call,
        act: impl FnOnce(&mut Lane) -> R,
    ) -> R {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(key.clone()).or_insert_with(|| Lane {
            next: Instant::now(),
            paused_until: None,
            on_their_way: Arc::new(Semaphore::new(call.scope.pace.at_once.max(1) as usize)),
        });
        act(lane)
    }
}

/// Returns the key of what all calls of a connector to a host share.
fn shared(call: &Call) -> (String, Arc<str>) {
    (call.host(), format!("{} as a whole", call.connector).into())
}

impl Lane {
    /// Takes the next place in the row and returns when it comes.
    fn take_turn(&mut self, pace: &Pace) -> Instant {
        let now = Instant::now();
        let slack = pace.every * (pace.burst.max(1) - 1);
        let turn = self.next.checked_sub(slack).unwrap_or(now).max(now);
        self.next = self.next.max(now) + pace.every;
        turn
    }
}
