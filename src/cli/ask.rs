//! `daybrief ask`: a question answered from what the asker may read, in quotes with their links.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::site::{Site, one_call};
use super::{Global, output, search};
use crate::ask::{Answer, AnswerQuote, answer};
use crate::brief::render::{links, plain};
use crate::brief::words::ABOUT;
use crate::ingest::follow;
use crate::model::Member;
use crate::store::Store;

/// Answers a question with up to three quotes from what the asker may read; without an asker, from what everyone may read.
/// With a model, checked words stand before the quotes.
#[derive(Debug, Args)]
pub struct Ask {
    /// The question.
    #[arg(value_name = "QUESTION", required = true, num_args = 1..)]
    question: Vec<String>,
    /// Who asks [default: `[search] me`].
    #[arg(long = "as", value_name = "MEMBER")]
    asker: Option<String>,
}

impl Ask {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open_read_only(global)?;
        let asker = self.asker.as_deref().or(site.config.search.me.as_deref());
        let member = asker.map(|id| site.member(id)).transpose()?;
        let index = site.index_read_only()?;
        let now = Timestamp::now();
        let question = self.question.join(" ");
        let mut found = site
            .store
            .read_now(|c| answer(c, &index, &site.roster, &question, member, now))?;
        if !found.quotes.is_empty()
            && let Some(llm) = site.llm()
        {
            // Each call is noted before it is made.
            let ledger = Store::open(&site.data_dir)?;
            let asker = member.map(|member| &member.id);
            one_call(found.word(&question, &site.roster, &llm, &ledger, asker))?;
        }
        for note in &found.notes {
            eprintln!("note: {note}");
        }
        if follow::is_behind(&site.store, index.applied())? {
            eprintln!(
                "note: the newest events are not in the index yet; `daybrief sync` brings them in"
            );
        }
        if global.json {
            output::json_line(&as_value(&found))?;
        } else {
            print(&found, member, now)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(found: &Answer, member: Option<&Member>, now: Timestamp) -> Result<()> {
    if found.quotes.is_empty() {
        return output::line("Not found in your sources.");
    }
    let zone = member.map_or_else(TimeZone::system, |member| member.time_zone.clone());
    let screen = output::screen();
    for words in &found.words {
        let about = if words.is_about { ABOUT } else { "" };
        let numbers: Vec<String> = words.quotes.iter().map(usize::to_string).collect();
        output::line(&format!(
            "{about}{} [{}]",
            plain(&words.text),
            numbers.join(", ")
        ))?;
    }
    if !found.words.is_empty() {
        output::line("")?;
    }
    for (number, quote) in found.quotes.iter().enumerate() {
        let title = match plain(&quote.title) {
            title if title.is_empty() => String::new(),
            title => format!(" · {title}"),
        };
        output::line(&format!(
            "{:>2} {}{title}",
            number + 1,
            screen.bold(&plain(&quote.label))
        ))?;
        let author = quote.author.as_deref().unwrap_or("somebody");
        let when = search::relative(
            &quote.at.to_zoned(zone.clone()),
            &now.to_zoned(zone.clone()),
        );
        output::line(&format!("   {} · {when}", plain(author)))?;
        let more = if quote.is_cut { "…" } else { "" };
        output::line(&format!("   “{}{more}”", plain(&quote.quote)))?;
        if let Some(address) = links::web_address(&quote.url) {
            output::line(&format!("   {address}"))?;
        }
    }
    Ok(())
}

fn as_value(found: &Answer) -> serde_json::Value {
    let quote_of = |quote: &AnswerQuote| {
        json!({
            "connector": quote.event.connector.as_str(),
            "id": &*quote.event.id,
            "place": quote.label,
            "title": quote.title,
            "author": quote.author,
            "at": quote.at.to_string(),
            "url": quote.url,
            "quote": quote.quote,
            "is_cut": quote.is_cut,
        })
    };
    json!({
        "is_found": !found.quotes.is_empty(),
        "written_by": found.written_by,
        "words": found.words.iter().map(|words| json!({
            "text": words.text, "quotes": words.quotes, "is_about": words.is_about, "passed": words.passed,
        })).collect::<Vec<_>>(),
        "quotes": found.quotes.iter().map(quote_of).collect::<Vec<_>>(),
    })
}
