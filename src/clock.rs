//! What time it is: the machine's, or a simulation's. The only place that asks the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// The longest a loop sleeps before it looks at the wall clock again: laptops are closed, clocks are set.
pub const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Tells the time.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A moment that somebody moves on, in microseconds since 1970.
    Simulated(Arc<AtomicI64>),
}

impl Clock {
    /// Returns a clock that stands at a moment until it is moved.
    pub fn simulated(at: Timestamp) -> Clock {
        Clock::Simulated(Arc::new(AtomicI64::new(at.as_microsecond())))
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => Timestamp::now(),
            Clock::Simulated(micros) => Timestamp::from_microsecond(micros.load(Ordering::SeqCst))
                .unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    /// Moves a simulated clock on; the machine's clock stays as it is.
    pub fn move_to(&self, at: Timestamp) {
        if let Clock::Simulated(micros) = self {
            micros.fetch_max(at.as_microsecond(), Ordering::SeqCst);
        }
    }
}
