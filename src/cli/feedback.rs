//! `daybrief feedback`: what a reader says about lines of their briefings and about owners that were suggested for tickets,
//! and what has been learned from it.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::json;

use super::site::Site;
use super::{Global, output, suggest};
use crate::brief::render::{names::chip, plain};
use crate::brief::steer;
use crate::model::{Learned, Member, MemberId, ThreadId, Verdict};
use crate::store::steering::{self, Given};
use crate::store::{audiences, events, tickets};
use crate::triage::verdicts::{Answer, Heard, take_in};
use crate::triage::watch::Modes;

/// Says what to do with a line of a briefing, or shows what was said and what was learned from votes.
#[derive(Debug, Args)]
pub struct Feedback {
    /// The member, as in the configuration.
    #[arg(value_name = "MEMBER")]
    member: String,
    /// What they say; without it everything they said is shown.
    #[arg(value_enum, value_name = "WHAT", requires = "about")]
    what: Option<What>,
    /// The number of a line of their last briefing, a ticket's key, or a thread as `--json` names it: CONNECTOR/ID.
    #[arg(value_name = "LINE|THREAD")]
    about: Option<String>,
    /// The line is one of the briefing of this local date.
    #[arg(long, value_name = "DATE")]
    date: Option<Date>,
    /// Whose the ticket is, with `assign`.
    #[arg(long, value_name = "MEMBER")]
    to: Option<String>,
    /// Forget everything they ever said.
    #[arg(long, conflicts_with_all = ["what", "date"])]
    reset: bool,
}

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// It is done with; what was asked is not carried on.
    Done,
    /// It comes again at the next morning.
    Later,
    /// Nothing more of this thread.
    Mute,
    /// This thread again.
    Unmute,
    /// More of this.
    Up,
    /// Less of this.
    Down,
    /// I take this ticket.
    Take,
    /// This ticket is somebody else's: --to MEMBER.
    Assign,
    /// This ticket is not mine: I am not suggested for it again.
    NotMe,
}

impl What {
    /// Returns what is said about a line; `None` for what is said about a ticket's owner.
    fn verdict(self) -> Option<Verdict> {
        Some(match self {
            What::Done => Verdict::Done,
            What::Later => Verdict::Later,
            What::Mute => Verdict::Mute,
            What::Unmute => Verdict::Unmute,
            What::Up => Verdict::Up,
            What::Down => Verdict::Down,
            What::Take | What::Assign | What::NotMe => return None,
        })
    }
}

impl Feedback {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open(global)?;
        let id = MemberId::new(self.member.as_str());
        let member = site.member(id.as_str())?;
        let now = Timestamp::now();
        if self.reset {
            let forgotten = site.store.write_now(|c| steering::forget(c, &id))?;
            if global.json {
                let told = json!({ "member": id.as_str(), "forgotten": forgotten });
                output::json_line(&told)?;
            } else {
                let things = output::counted(forgotten, "thing", "things");
                eprintln!("forgot {things} that {id} said");
            }
            return Ok(ExitCode::SUCCESS);
        }
        let (Some(what), Some(about)) = (self.what, &self.about) else {
            show(&site, member, now, global.json)?;
            return Ok(ExitCode::SUCCESS);
        };
        let Some(verdict) = what.verdict() else {
            let said = answer(&site, &id, what, about, self.to.as_deref(), now)?;
            if global.json {
                let told = json!({ "member": id.as_str(), "about": about, "said": said });
                output::json_line(&told)?;
            } else {
                eprintln!("{said}");
            }
            return Ok(ExitCode::SUCCESS);
        };
        let told = site
            .store
            .write_now(|c| say(c, member, verdict, about, self.date, now))?;
        if global.json {
            let told = json!({ "member": id.as_str(), "verdict": verdict.as_str(), "about": told });
            output::json_line(&told)?;
        } else {
            eprintln!(
                "{id} said {} of {told}; the next briefing obeys",
                verdict.as_str()
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Takes in what a member says about the owner of a ticket; returns what follows from it.
fn answer(
    site: &Site,
    by: &MemberId,
    what: What,
    ticket: &str,
    to: Option<&str>,
    now: Timestamp,
) -> Result<String> {
    let answer = match (what, to) {
        (What::Take, _) => Answer::Take,
        (What::Assign, Some(to)) => {
            let to = MemberId::new(to);
            site.member(to.as_str()).context("--to")?;
            Answer::AssignTo(to)
        }
        (What::Assign, None) => bail!("assign needs --to MEMBER"),
        _ => Answer::NotMe,
    };
    let (connector, id) = suggest::found(site, ticket)?;
    let may_write = Modes::in_config(&site.config.triage).lets_people_assign(&connector);
    let heard = Heard {
        connector: &connector,
        ticket: &id,
        by,
        answer: &answer,
    };
    let is_new = site
        .store
        .write_now(|c| take_in(c, heard, &site.roster, may_write, now))?;
    Ok(match (is_new, &answer) {
        (false, _) => format!("{by} said that before"),
        (true, Answer::NotMe) => format!("{by} is not suggested for {id} again"),
        (true, _) if may_write => "noted; `daybrief run` gives the ticket to them".to_owned(),
        (true, _) => {
            "noted; [triage] does not let daybrief write to the tracker, so assign it there"
                .to_owned()
        }
    })
}

/// Keeps what a member says about a line or a thread; returns what it is called.
fn say(
    c: &Connection,
    member: &Member,
    verdict: Verdict,
    about: &str,
    date: Option<Date>,
    now: Timestamp,
) -> Result<String> {
    if let Ok(line) = about.parse::<usize>() {
        let date = match date {
            Some(date) => date,
            None => steer::latest(c, &member.id)?.date,
        };
        let item = steer::say(c, &member.id, date, line, verdict, now)?;
        let item = item.with_context(|| {
            format!(
                "the briefing of {} for {date} has no line {line}",
                member.id
            )
        })?;
        let mut labels: Vec<String> = Vec::new();
        for thread in &item.threads {
            let label = plain(&thread.label).into_owned();
            if labels.len() < 3 && !labels.contains(&label) {
                labels.push(label);
            }
        }
        return Ok(format!("line {line} of {date} ({})", labels.join(", ")));
    }
    let thread = thread_of(c, member, about)?;
    steer::say_of_thread(c, &member.id, &thread, verdict, now)?;
    Ok(thread.to_string())
}

/// Returns the thread that is meant; one that the member may not read is none.
fn thread_of(c: &Connection, member: &Member, about: &str) -> Result<ThreadId> {
    let named = about
        .split_once('/')
        .map(|(connector, id)| ThreadId::new(&connector.into(), id));
    let by_key = tickets::find_ticket(c, about)?;
    let by_key = by_key
        .into_iter()
        .map(|(connector, id)| ThreadId::new(&connector, id));
    let readable = audiences::readable_by(c, Some(member))?;
    for thread in named.into_iter().chain(by_key) {
        let stored = events::find_thread(c, &thread)?;
        if stored.is_some_and(|stored| readable.contains(&stored.audience)) {
            return Ok(thread);
        }
    }
    bail!(
        "there is no thread {about:?} that {} may read; name a line's number, a ticket's key or CONNECTOR/ID",
        member.id
    )
}

fn show(site: &Site, member: &Member, now: Timestamp, as_json: bool) -> Result<()> {
    let (given, steering, is_stopped) = site.store.read_now(|c| {
        let given = steering::given_by(c, &member.id, Timestamp::MAX)?;
        let steering = steering::steering_of(c, &member.id, Learned(now), None)?;
        Ok((given, steering, steering::listening(c, &member.id)?.0))
    })?;
    let learned = steer::learned(&steering);
    if as_json {
        let said: Vec<_> = given.iter().map(as_value).collect();
        let learned: Vec<_> = learned
            .iter()
            .map(|(reason, votes, lean)| json!({ "reason": crate::brief::render::names::reason_name(reason), "votes": votes, "moves_by": lean }))
            .collect();
        return output::json_line(
            &json!({ "member": member.id.as_str(), "stopped": is_stopped, "said": said, "learned": learned }),
        );
    }
    if is_stopped {
        output::line(&format!(
            "{} wants no briefings; the word start in their direct message brings them back",
            member.id
        ))?;
    }
    if given.is_empty() {
        output::line(&format!("{} has said nothing of any line yet", member.id))?;
    }
    for given in &given {
        let of = match given.date {
            Some(date) if given.line == 0 => format!("the briefing of {date}"),
            Some(date) => format!("line {} of {date}", given.line),
            None => given
                .threads
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        };
        let at = given
            .given_at
            .to_zoned(member.time_zone.clone())
            .strftime("%F %H:%M");
        output::line(&format!(
            "{at}  {:6}  {}",
            given.verdict.as_str(),
            plain(&of)
        ))?;
    }
    for (reason, votes, lean) in learned {
        output::line(&format!(
            "lines that stand there for “{}”: {votes:+.1} votes move them by {:+.1} %",
            chip(&reason),
            lean * 100.0
        ))?;
    }
    Ok(())
}

fn as_value(given: &Given) -> serde_json::Value {
    json!({
        "verdict": given.verdict.as_str(),
        "date": given.date.map(|date| date.to_string()),
        "line": (given.line > 0).then_some(given.line),
        "threads": given.threads.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "reasons": given.reasons,
        "given_at": given.given_at.to_string(),
    })
}
