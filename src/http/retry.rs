//! Which calls are sent again, and when.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, Sleep, sleep};
use tower::retry::Policy;
use tracing::debug;

use super::{Answer, Call, Effect, HttpError, Options, limits};
use crate::clock::Clock;

/// The longest back-off.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// The policy of one call. tower clones it for each.
#[derive(Clone)]
pub struct Again {
    options: Options,
    clock: Clock,
    /// How many attempts have failed.
    failed: u32,
    first_failure: Option<Instant>,
}

impl Again {
    pub fn new(options: Options, clock: Clock) -> Again {
        Again {
            options,
            clock,
            failed: 0,
            first_failure: None,
        }
    }

    /// Returns a wait of up to twice as long after each failure, anywhere below the bound, so that callers spread out.
    fn back_off(&self) -> Duration {
        let doubled = 1_u32.checked_shl(self.failed - 1).unwrap_or(u32::MAX);
        let bound = self.options.back_off.saturating_mul(doubled);
        bound.min(LONGEST_BACK_OFF).mul_f64(fastrand::f64())
    }
}

/// What an attempt that is no success means.
enum Failure {
    /// The call was not carried out; the server may have said for how long it wants none.
    Limited(Option<Duration>),
    /// It may have been carried out.
    Unclear,
}

fn failure_of(result: &Result<Answer, HttpError>, now: Timestamp) -> Option<Failure> {
    match result {
        Ok(answer) if limits::is_limited(answer) => {
            Some(Failure::Limited(limits::pause_of(answer, now)))
        }
        Ok(answer) => matches!(answer.status.as_u16(), 408 | 500 | 502 | 503 | 504)
            .then_some(Failure::Unclear),
        Err(HttpError::Unreachable { .. } | HttpError::TimedOut { .. }) => Some(Failure::Unclear),
        Err(_) => None,
    }
}

impl Policy<Call, Answer, HttpError> for Again {
    type Future = Sleep;

    fn retry(&mut self, call: &mut Call, result: &mut Result<Answer, HttpError>) -> Option<Sleep> {
        let now = self.clock.now();
        let failure = failure_of(result, now)?;
        self.failed += 1;
        let waited = self
            .first_failure
            .get_or_insert_with(Instant::now)
            .elapsed();
        let left = self.options.patience.saturating_sub(waited);
        let wait = match failure {
            Failure::Limited(Some(pause)) => {
                if pause > left || self.failed >= self.options.attempts {
                    *result = Err(paused(call, now, pause));
                    return None;
                }
                // The throttle holds every call of the scope until the pause is over.
                Duration::ZERO
            }
            Failure::Limited(None) => self.back_off(),
            Failure::Unclear if call.effect == Effect::Write => return None,
            Failure::Unclear => self.back_off(),
        };
        if self.failed >= self.options.attempts || wait > left {
            return None;
        }
        debug!(
            failed = self.failed,
            wait_ms = wait.as_millis(),
            "Sending it again"
        );
        Some(sleep(wait))
    }

    fn clone_request(&mut self, call: &Call) -> Option<Call> {
        Some(call.clone())
    }
}

/// Returns the error of a pause that is too long to wait for.
pub fn paused(call: &Call, now: Timestamp, pause: Duration) -> HttpError {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::from_hours(1));
    let until = now.checked_add(pause).unwrap_or(now);
    HttpError::Paused {
        host: call.host(),
        until: until.round(jiff::Unit::Second).unwrap_or(until),
    }
}
