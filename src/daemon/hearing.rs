//! What readers write to us: asked for with each reading of the sources, a few of them at a time. Where a socket pushes it this
//! finds what fell between two sockets.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use tracing::warn;

use super::Daemon;
use crate::brief::hear::hear;
use crate::model::Member;
use crate::sinks::ChatSink;

/// How many readers are asked about with one reading. A conversation is one call, and Slack allows some fifty a minute to
/// everything that reads.
const AT_ONCE: usize = 20;
/// How long all of that may take, and one of them.
const LONGEST: Duration = Duration::from_secs(20);
const LONGEST_EACH: Duration = Duration::from_secs(10);

impl<S: ChatSink + Clone> Daemon<S> {
    /// Asks what readers have said since they were last asked, so that a word or a thumb counts, and a question is answered,
    /// with the next reading and not only on the next morning. Whoever waited longest comes first.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn hear_readers(&mut self, now: Timestamp) -> Result<()> {
        let asked = self.briefed().filter_map(|member| {
            let sink = self.sinks.get(&member.id)?;
            sink.is_to_be_asked()
                .then(|| (member.clone(), sink.clone()))
        });
        let mut asked: Vec<(Member, S)> = asked.collect();
        asked.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        let (done, waiting): (Vec<_>, Vec<_>) = asked
            .into_iter()
            .partition(|(member, _)| Some(&member.id) <= self.heard_last.as_ref());
        let begun = tokio::time::Instant::now();
        for (member, sink) in waiting.into_iter().chain(done).take(AT_ONCE) {
            if begun.elapsed() >= LONGEST {
                break;
            }
            let heard = hear(&self.store, &member, &sink, now);
            if let Ok(heard) = tokio::time::timeout(LONGEST_EACH, heard).await {
                heard?;
            }
            // The readings before this may have taken long; a question is held from now on.
            let now = self.clock.now();
            for question in self.questions.take(&member, &sink, now).await? {
                if begun.elapsed() >= LONGEST {
                    // It is held for a while, and then comes again.
                    break;
                }
                // One that is not answered now is answered with the next reading.
                let answered = tokio::time::timeout(LONGEST, question.answer()).await;
                if let Ok(Err(error)) = answered {
                    warn!(member = %member.id, error = %format!("{error:#}"), "A question of {} could not be answered", member.id);
                }
            }
            self.heard_last = Some(member.id);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
