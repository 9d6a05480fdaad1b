//! `daybrief search`: what the memory holds on a question, within what the asker may read.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use daybrief_index::{Filter, Hit, Query, Recency, parse_at};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::json;

use super::site::Site;
use super::{Global, output};
use crate::brief::render::{links, plain, visible_line};
use crate::ingest::follow;
use crate::model::{ConnectorId, EventId, Logged, Member, Thread, ThreadId};
use crate::store::{audiences, events, followers, tickets};

/// Searches everything the asker may read; without an asker, what everyone may read.
///
/// Operators: from: in: kind: status: assignee: before: after: "a phrase" -not
#[derive(Debug, Args)]
pub struct Search {
    /// What to look for.
    #[arg(value_name = "QUERY", required_unless_present = "like", num_args = 1..)]
    query: Vec<String>,
    /// Look for what resembles this ticket, near it in time first; words and operators narrow that.
    #[arg(long, value_name = "TICKET")]
    like: Option<String>,
    /// Prefer what is newer.
    #[arg(long)]
    recent: bool,
    /// Who asks [default: `[search] me`].
    #[arg(long = "as", value_name = "MEMBER")]
    pub(super) asker: Option<String>,
    /// At most this many results.
    #[arg(long, default_value = "10", value_name = "N", value_parser = at_least_one)]
    pub(super) limit: usize,
    /// Show every part of each score.
    #[arg(long)]
    explain: bool,
}

/// Reads a number from 1 on.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("it must be a whole number".to_owned()),
    }
}

/// What is looked for.
pub(super) struct Question<'a> {
    /// As typed.
    pub text: &'a str,
    /// The most hits.
    pub limit: usize,
    /// Whether the parts of the scores are wanted.
    pub explain: bool,
}

/// A hit that the store confirms, with what is shown of it.
pub(super) struct Shown {
    hit: Hit,
    logged: Logged,
    thread: Thread,
}

impl Search {
    /// Returns the question as it was typed.
    pub(super) fn text(&self) -> String {
        let words: Vec<String> = self
            .query
            .iter()
            .map(|word| match word.strip_prefix(super::LEFT_OUT) {
                Some(rest) => format!("-{rest}"),
                None => word.clone(),
            })
            .collect();
        words.join(" ")
    }

    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open_read_only(global)?;
        let asker = self.asker.as_deref().or(site.config.search.me.as_deref());
        let member = asker.map(|id| site.member(id)).transpose()?;
        let index = site.index_read_only()?;
        let now = Timestamp::now();
        let question = Question {
            text: &self.text(),
            limit: self.limit,
            explain: self.explain,
        };
        let (mut query, mut notes) = typed(&question, member, now);
        if let Some(key) = &self.like {
            query = resembling(&site, key, member, query)?;
        }
        if self.recent {
            query.recency = Some(Recency {
                now,
                weight: 0.1,
                days: 90.0,
                both_ways: false,
            });
        }
        let (shown, more) = answer(&site, &index, query, member)?;
        notes.extend(more);
        for note in &notes {
            eprintln!("note: {note}");
        }
        if follow::is_behind(&site.store, index.applied())? {
            eprintln!(
                "note: the newest events are not in the index yet; `daybrief sync` brings them in"
            );
        }
        print(&site, &shown, member, now, global.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the best hits that the store confirms, and what there is to say about the search.
pub(super) fn search(
    site: &Site,
    index: &daybrief_index::Index,
    question: &Question<'_>,
    member: Option<&Member>,
    now: Timestamp,
) -> Result<(Vec<Shown>, Vec<String>)> {
    let (query, mut notes) = typed(question, member, now);
    let (shown, more) = answer(site, index, query, member)?;
    notes.extend(more);
    Ok((shown, notes))
}

/// Returns what was typed as a query that nobody may ask yet, and what was not understood.
fn typed(question: &Question<'_>, member: Option<&Member>, now: Timestamp) -> (Query, Vec<String>) {
    let zone = member.map_or_else(TimeZone::system, |member| member.time_zone.clone());
    let mut parsed = parse_at(question.text, &zone, now);
    let notes = std::mem::take(&mut parsed.notes);
    let query = Query {
        group_by_thread: true,
        explain: question.explain,
        ..parsed.query(BTreeSet::new(), question.limit)
    };
    (query, notes)
}

/// Returns the query for what resembles a ticket that the asker may read, narrowed by what was typed beside it.
fn resembling(site: &Site, key: &str, member: Option<&Member>, narrow: Query) -> Result<Query> {
    site.store.read_now(|c| {
        let readable = audiences::readable_by(c, member)?;
        for (connector, id) in tickets::find_ticket(c, key)? {
            let thread = ThreadId::new(&connector, id);
            let Some(stored) = events::find_thread(c, &thread)? else {
                continue;
            };
            let Some(opened) = events::first_of_thread(c, stored.tid)? else {
                continue;
            };
            if opened.is_removed || !readable.contains(&opened.audience) {
                continue;
            }
            let mut query = Query {
                body: opened.event.text.0.clone(),
                without: [thread.to_string()].into(),
                recency: Some(Recency::around(opened.event.occurred_at)),
                ..narrow
            };
            let title = events::thread(c, stored.tid)?.map_or(String::new(), |thread| thread.title);
            query.text = format!("{title} {}", query.text);
            return Ok(query);
        }
        bail!("there is no ticket {key} that you may read")
    })
}

/// Asks the index for the best hits within what a member may read, and the store whether they stand.
fn answer(
    site: &Site,
    index: &daybrief_index::Index,
    query: Query,
    member: Option<&Member>,
) -> Result<(Vec<Shown>, Vec<String>)> {
    site.store.read_now(|c| {
        let readable = audiences::readable_by(c, member)?;
        let query = Query {
            readable: readable.clone(),
            ..query
        };
        let asks_words = !query.text.trim().is_empty();
        let page = index.search(&query)?;
        let mut notes = page.notes;
        if page.items.is_empty() {
            notes.extend(values_of_nothing(index, &query)?);
        }
        let has_words = page
            .items
            .iter()
            .any(|hit| hit.bm25.is_some_and(|score| score > 0.0));
        if asks_words && !has_words && !page.items.is_empty() {
            notes.push(
                "no message holds any of these words; these are the nearest in meaning".to_owned(),
            );
        }
        let mut shown = Vec::new();
        for hit in page.items {
            // The index may be behind; the store decides what exists and who may read it.
            let Some((connector, id)) = hit.passage.event.split_once('/') else {
                continue;
            };
            let id = EventId::new(&ConnectorId::new(connector), id);
            let Some(found) = events::find_event(c, &id)? else {
                continue;
            };
            let Some(step) = followers::step_at(c, found.seq)? else {
                continue;
            };
            if !step.logged.is_removed && readable.contains(&step.logged.audience) {
                shown.push(Shown {
                    hit,
                    logged: step.logged,
                    thread: step.thread,
                });
            }
        }
        Ok((shown, notes))
    })
}

/// Returns which values of operators nothing has that the asker may read.
fn values_of_nothing(index: &daybrief_index::Index, query: &Query) -> Result<Vec<String>> {
    let filter = &query.filter;
    let mut alone: Vec<(String, Filter)> = Vec::new();
    for (name, values) in [
        ("source", &filter.connectors),
        ("kind", &filter.kinds),
        ("in", &filter.spaces),
        ("from", &filter.authors),
        ("status", &filter.statuses),
        ("assignee", &filter.assignees),
    ] {
        for value in values {
            let mut only = Filter::default();
            let values = match name {
                "source" => &mut only.connectors,
                "kind" => &mut only.kinds,
                "in" => &mut only.spaces,
                "from" => &mut only.authors,
                "status" => &mut only.statuses,
                _ => &mut only.assignees,
            };
            values.push(value.clone());
            alone.push((format!("{name}:{value}"), only));
        }
    }
    let mut notes = Vec::new();
    for (operator, filter) in alone {
        let any = Query {
            filter,
            ..Query::new("", query.readable.clone(), 1)
        };
        if index.search(&any)?.items.is_empty() {
            let kinds = match operator.starts_with("kind:") {
                true => {
                    "; kinds are conversation, mail, topic, page, document, ticket and recording"
                }
                false => "",
            };
            notes.push(format!(
                "nothing that may be read here is {}{kinds}",
                plain(&operator)
            ));
        }
    }
    Ok(notes)
}

pub(super) fn print(
    site: &Site,
    shown: &[Shown],
    member: Option<&Member>,
    now: Timestamp,
    as_json: bool,
) -> Result<()> {
    if as_json {
        for result in shown {
            output::json_line(&as_value(site, result))?;
        }
        return Ok(());
    }
    if shown.is_empty() {
        let whose = member.map_or("what everyone may read".to_owned(), |member| {
            format!("what {} may read", member.name)
        });
        return output::line(&format!("Nothing found in {whose}."));
    }
    let zone = member.map_or_else(TimeZone::system, |member| member.time_zone.clone());
    let screen = output::screen();
    for (number, result) in shown.iter().enumerate() {
        let event = &result.logged.event;
        let author = event
            .author
            .as_ref()
            .map_or("somebody".to_owned(), |author| site.roster.name_of(author));
        let place = place_of(site, &result.thread);
        let title = plain(&result.thread.title);
        let when = relative(
            &event.occurred_at.to_zoned(zone.clone()),
            &now.to_zoned(zone.clone()),
        );
        let title = if title.is_empty() {
            String::new()
        } else {
            format!(" · {title}")
        };
        output::line(&format!(
            "{:>2} {}{title}",
            number + 1,
            screen.bold(&plain(&place))
        ))?;
        output::line(&format!("   {} · {when}", plain(&author)))?;
        output::line(&format!("   {}", highlighted(&result.hit, &screen)))?;
        if let Some(address) = links::web_address(&event.url) {
            output::line(&format!("   {address}"))?;
        }
        for line in explained(&result.hit) {
            output::line(&format!("   {}", plain(&line)))?;
        }
    }
    Ok(())
}

fn as_value(site: &Site, result: &Shown) -> serde_json::Value {
    let event = &result.logged.event;
    json!({
        "connector": event.id.connector.as_str(),
        "id": &*event.id.id,
        "thread": &*event.thread.id,
        "kind": result.thread.kind.as_str(),
        "place": visible_line(&place_of(site, &result.thread)),
        "title": visible_line(&result.thread.title),
        "author": event.author.as_ref().map(|author| visible_line(&site.roster.name_of(author)).into_owned()),
        "at": event.occurred_at.to_string(),
        "url": event.url,
        "snippet": visible_line(&result.hit.snippet.text),
        "score": result.hit.score,
        "bm25": result.hit.bm25,
        "cosine": result.hit.cosine,
        "explanation": result.hit.explanation.as_ref().map(|parts| json!({
            "terms": parts.terms,
            "words": parts.lexical,
            "meaning": parts.vector,
            "words_weight": parts.lexical_weight,
            "newness": parts.recency,
            "company": parts.company,
            "model": parts.opinion,
        })),
    })
}

/// Returns the parts of a score in words; nothing when they were not asked for.
fn explained(hit: &Hit) -> Vec<String> {
    let Some(parts) = &hit.explanation else {
        return Vec::new();
    };
    let terms: Vec<String> = parts
        .terms
        .iter()
        .map(|(term, score)| format!("{term} {score:.1}"))
        .collect();
    let share = parts.lexical_weight;
    vec![
        format!(
            "score {:.3} = {share:.1} × words {:.2} + {:.1} × meaning {:.2} + newness {:.3} {:+.3} for its company {:+.3} by the model",
            hit.score,
            parts.lexical,
            1.0 - share,
            parts.vector,
            parts.recency,
            parts.company,
            parts.opinion
        ),
        format!("words: {}", terms.join(" · ")),
    ]
}

fn place_of(site: &Site, thread: &Thread) -> String {
    match (&thread.ticket, &thread.space) {
        (Some(ticket), _) if !ticket.key.is_empty() => ticket.key.clone(),
        (_, Some(space)) => site.roster.space_name(space),
        _ => thread.id.connector.to_string(),
    }
}

/// Returns the snippet with its highlights, safe for a terminal.
fn highlighted(hit: &Hit, screen: &crate::brief::render::Screen) -> String {
    // The text is made safe as a whole, so that an address that holds a match is still seen as one.
    let text = plain(&hit.snippet.text);
    let (mut out, mut rest) = (String::new(), &*text);
    for range in &hit.snippet.highlights {
        let marked = plain(hit.snippet.text.get(range.clone()).unwrap_or(""));
        if let Some((before, after)) = rest.split_once(&*marked).filter(|_| !marked.is_empty()) {
            out.push_str(before);
            out.push_str(&screen.bold(&marked));
            rest = after;
        }
    }
    out + rest
}

/// Returns how long ago something was, in the reader's words.
pub(super) fn relative(at: &Zoned, now: &Zoned) -> String {
    let days = now.date().duration_since(at.date()).as_hours() / 24;
    match days {
        ..0 => at.strftime("%-d %b %Y %H:%M").to_string(),
        0 => format!("today {}", at.strftime("%H:%M")),
        1 => format!("yesterday {}", at.strftime("%H:%M")),
        2..=6 => at.strftime("%A %H:%M").to_string(),
        7..=300 if at.year() == now.year() => at.strftime("%-d %b %H:%M").to_string(),
        _ => at.strftime("%-d %b %Y").to_string(),
    }
}
