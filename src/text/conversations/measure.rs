//! How often the replies found agree with replies people marked, beside two trivial orders.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Disentangler, Line};

/// A thread as the file stores it.
#[derive(Debug, Deserialize)]
struct Thread {
    channel: String,
    messages: Vec<Said>,
}

/// A line of a thread; its id ends with the line's number in the channel's log.
#[derive(Debug, Deserialize)]
pub(super) struct Said {
    id: String,
    author: String,
    at: Option<String>,
    #[serde(default)]
    text: Option<String>,
    reply_to: Option<String>,
}

/// Some lines of one channel as they were said, with the gold replies.
pub(super) struct Stream {
    pub name: String,
    pub lines: Vec<Said>,
    times: Vec<Timestamp>,
    /// For each line the number of the one it replies to.
    pub gold: Vec<Option<usize>>,
}

/// How well one way of finding replies does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Of the replies found, the share that is right.
    pub precision: f64,
    /// Of the gold replies, the share that is found.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
    /// Of all lines, the share that is placed right, openings included.
    pub accuracy: f64,
    /// One less the variation of information, scaled by its largest value; 1 = the same conversations.
    pub vi: f64,
    /// The share of lines in conversations paired one to one, largest overlap first.
    pub one_to_one: f64,
    /// F1 of conversations of two lines or more that agree to the last line.
    pub exact_f1: f64,
}

/// What was measured on one part of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Part {
    /// How many streams of how many lines with how many gold replies.
    pub streams: usize,
    /// See above.
    pub lines: usize,
    /// See above.
    pub replies: usize,
    /// The disentangler.
    pub daybrief: Score,
    /// Each line replies to the one before.
    pub previous_line: Score,
    /// Each line replies to the one before, if that is at most five minutes old.
    pub five_minutes: Score,
}

/// What was measured on a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Streams the weights have not seen: every second one of `#ubuntu`, and all of every other channel.
    pub unseen: Part,
    /// Of these, the ones of channels the weights have never seen.
    pub unseen_channels: Part,
    /// Streams the weights were fitted on.
    pub fitted: Part,
}

/// Returns how well the conversations of a file of marked threads are found; the file has one JSON object a line.
pub fn evaluate_conversations<'l>(lines: impl IntoIterator<Item = &'l str>) -> Result<Report> {
    let streams = streams_of(lines)?;
    let (fitted, unseen): (Vec<_>, Vec<_>) = streams
        .iter()
        .partition(|stream| is_for_fitting(&stream.name));
    let other_channels: Vec<&Stream> = unseen
        .iter()
        .copied()
        .filter(|stream| !stream.name.starts_with(FITTED_CHANNEL))
        .collect();
    Ok(Report {
        unseen: measure(&unseen),
        unseen_channels: measure(&other_channels),
        fitted: measure(&fitted),
    })
}

/// The channel half of whose streams the weights were fitted on.
const FITTED_CHANNEL: &str = "#ubuntu irc-ubuntu-";

/// Returns whether the weights were fitted on this stream.
pub(super) fn is_for_fitting(name: &str) -> bool {
    let hash = name.bytes().fold(0x811C_9DC5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    name.starts_with(FITTED_CHANNEL) && (hash >> 8) % 2 == 0
}

/// Puts the threads of a file back into the streams they were taken from: by channel and log, in the order of line numbers.
pub(super) fn streams_of<'l>(lines: impl IntoIterator<Item = &'l str>) -> Result<Vec<Stream>> {
    let mut logs: BTreeMap<String, Vec<(u64, Said)>> = BTreeMap::new();
    for (n, line) in lines
        .into_iter()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let thread: Thread = serde_json::from_str(line)
            .with_context(|| format!("line {} is not a thread", n + 1))?;
        for said in thread.messages {
            let (log, number) = said.id.rsplit_once('#').unwrap_or((&said.id, "0"));
            let key = format!("{} {log}", thread.channel);
            logs.entry(key)
                .or_default()
                .push((number.parse().unwrap_or(0), said));
        }
    }
    Ok(logs
        .into_iter()
        .map(|(name, lines)| stream_of(name, lines))
        .collect())
}

/// Returns one stream of numbered lines.
fn stream_of(name: String, mut numbered: Vec<(u64, Said)>) -> Stream {
    numbered.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
    let lines: Vec<Said> = numbered.into_iter().map(|(_, said)| said).collect();
    let places: HashMap<&str, usize> = lines
        .iter()
        .enumerate()
        .map(|(n, said)| (said.id.as_str(), n))
        .collect();
    let gold = lines
        .iter()
        .enumerate()
        .map(|(n, said)| {
            said.reply_to
                .as_deref()
                .and_then(|to| places.get(to))
                .copied()
                .filter(|&to| to < n)
        })
        .collect();
    // Clocks without a date jump back at noon; time stands still until they have caught up.
    let mut last = Timestamp::UNIX_EPOCH;
    let times = lines
        .iter()
        .map(|said| {
            last = said
                .at
                .as_ref()
                .and_then(|at| at.parse().ok())
                .map_or(last, |at: Timestamp| at.max(last));
            last
        })
        .collect();
    Stream {
        name,
        lines,
        times,
        gold,
    }
}

impl Stream {
    /// Returns the `n`th line.
    pub fn line(&self, n: usize) -> Line<'_> {
        let said = &self.lines[n];
        Line {
            author: &said.author,
            names: &[],
            at: self.times[n],
            text: said.text.as_deref().unwrap_or(""),
            mentions: &[],
        }
    }

    /// Returns what the disentangler finds.
    fn found(&self) -> Vec<Option<usize>> {
        let mut disentangler = Disentangler::new();
        (0..self.lines.len())
            .map(|n| disentangler.push(&self.line(n)).reply_to)
            .collect()
    }

    /// Returns the line before each, unless it is older than so many minutes.
    fn before(&self, minutes: i64) -> Vec<Option<usize>> {
        let is_near =
            |n: usize| self.times[n].as_second() - self.times[n - 1].as_second() <= minutes * 60;
        (0..self.lines.len())
            .map(|n| (n > 0 && is_near(n)).then(|| n - 1))
            .collect()
    }
}

/// Returns the scores on some streams.
fn measure(streams: &[&Stream]) -> Part {
    let gold: Vec<_> = streams.iter().map(|stream| stream.gold.clone()).collect();
    let of = |find: &dyn Fn(&Stream) -> Vec<Option<usize>>| {
        score(
            &gold,
            &streams
                .iter()
                .map(|stream| find(stream))
                .collect::<Vec<_>>(),
        )
    };
    Part {
        streams: streams.len(),
        lines: gold.iter().map(Vec::len).sum(),
        replies: gold.iter().flatten().flatten().count(),
        daybrief: of(&Stream::found),
        previous_line: of(&|stream| stream.before(i64::MAX / 120)),
        five_minutes: of(&|stream| stream.before(5)),
    }
}

/// Compares the replies found in some streams with the gold ones.
fn score(gold: &[Vec<Option<usize>>], found: &[Vec<Option<usize>>]) -> Score {
    let pairs = || {
        gold.iter()
            .zip(found)
            .flat_map(|(gold, found)| gold.iter().zip(found))
    };
    let share = |part: usize, of: usize| {
        if of == 0 {
            0.0
        } else {
            part as f64 / of as f64
        }
    };
    let right = pairs()
        .filter(|(gold, found)| gold == found && gold.is_some())
        .count();
    let precision = share(right, pairs().filter(|(_, found)| found.is_some()).count());
    let recall = share(right, pairs().filter(|(gold, _)| gold.is_some()).count());
    let talks: Vec<_> = gold
        .iter()
        .zip(found)
        .map(|(gold, found)| compare(&conversations_of(gold), &conversations_of(found)))
        .collect();
    let lines: f64 = talks.iter().map(|talk| talk.lines).sum::<f64>().max(1.0);
    let (same, ours, theirs) = talks.iter().fold((0, 0, 0), |sum, talk| {
        (sum.0 + talk.same, sum.1 + talk.found, sum.2 + talk.gold)
    });
    Score {
        precision,
        recall,
        f1: if right == 0 {
            0.0
        } else {
            2.0 * precision * recall / (precision + recall)
        },
        accuracy: share(
            pairs().filter(|(gold, found)| gold == found).count(),
            pairs().count(),
        ),
        vi: talks.iter().map(|talk| talk.vi * talk.lines).sum::<f64>() / lines,
        one_to_one: talks.iter().map(|talk| talk.paired).sum::<f64>() / lines,
        exact_f1: share(2 * same, ours + theirs),
    }
}

/// Returns each line's conversation.
fn conversations_of(replies: &[Option<usize>]) -> Vec<usize> {
    let mut out: Vec<usize> = Vec::with_capacity(replies.len());
    for (n, to) in replies.iter().enumerate() {
        out.push(to.map_or(n, |to| out[to]));
    }
    out
}

/// How two ways of cutting one stream into conversations compare.
struct Talks {
    lines: f64,
    vi: f64,
    paired: f64,
    same: usize,
    found: usize,
    gold: usize,
}

/// Compares two ways of cutting a stream into conversations.
fn compare(gold: &[usize], found: &[usize]) -> Talks {
    let count = |keys: &[usize]| {
        keys.iter().fold(
            BTreeMap::new(),
            |mut sizes: BTreeMap<usize, usize>, &key| {
                *sizes.entry(key).or_default() += 1;
                sizes
            },
        )
    };
    let (golds, founds) = (count(gold), count(found));
    let mut shared: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for pair in gold.iter().copied().zip(found.iter().copied()) {
        *shared.entry(pair).or_default() += 1;
    }
    let lines = gold.len() as f64;
    let information: f64 = shared
        .iter()
        .map(|((a, b), &both)| {
            let (both, a, b) = (both as f64, golds[a] as f64, founds[b] as f64);
            -both / lines * ((both / a).log2() + (both / b).log2())
        })
        .sum();
    let mut pairs: Vec<(usize, usize, usize)> =
        shared.iter().map(|(&(a, b), &both)| (both, a, b)).collect();
    pairs.sort_unstable_by(|a, b| b.cmp(a));
    let (mut taken_gold, mut taken_found, mut paired) = (
        std::collections::HashSet::new(),
        std::collections::HashSet::new(),
        0,
    );
    for (both, a, b) in pairs {
        if !taken_gold.contains(&a) && !taken_found.contains(&b) {
            taken_gold.insert(a);
            taken_found.insert(b);
            paired += both;
        }
    }
    Talks {
        lines,
        vi: if lines > 1.0 {
            1.0 - information / lines.log2()
        } else {
            1.0
        },
        paired: paired as f64,
        same: shared
            .iter()
            .filter(|((a, b), both)| **both > 1 && golds[a] == **both && founds[b] == **both)
            .count(),
        found: founds.values().filter(|&&size| size > 1).count(),
        gold: golds.values().filter(|&&size| size > 1).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the file of marked threads.
    fn irc() -> String {
        let shared =
            std::env::var("DAYBRIEF_SHARED").expect("DAYBRIEF_SHARED names the shared folder");
        let file = std::fs::File::open(format!("{shared}/data/threads/irc.jsonl.gz")).unwrap();
        std::io::read_to_string(flate2::read::GzDecoder::new(file)).unwrap()
    }

    #[test]
    #[ignore = "needs DAYBRIEF_SHARED"]
    fn replies_are_found_far_more_often_than_by_trivial_orders() {
        let report = evaluate_conversations(irc().lines()).unwrap();
        println!("{}", serde_json::to_string_pretty(&report).unwrap());
        assert!(report.unseen.daybrief.f1 > report.unseen.previous_line.f1 + 0.1);
    }
}
