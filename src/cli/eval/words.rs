//! `daybrief eval words`: what the checks of a model's words catch on real threads, and how often a citation is found again.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{output, unpacked};
use crate::brief::checks::corrupt::corrupted;
use crate::brief::checks::measure::{Cited, Row, Summarized, aligned, found};

/// What a folder of sets holds.
#[derive(Default)]
struct Sets {
    mail: Vec<Summarized>,
    meetings: Vec<Summarized>,
    questions: Vec<Cited>,
}

/// Measures on a folder of threads with summaries (mail) and of meetings with cited answers.
pub(super) fn words(dir: &Path, as_json: bool) -> Result<()> {
    let sets = read(dir)?;
    if sets.mail.is_empty() && sets.questions.is_empty() {
        bail!(
            "{} holds neither mail threads with a reference_summary nor cited answers",
            dir.display()
        );
    }
    let (own, others) = aligned(&sets.mail);
    let rows = corrupted(&own);
    let every: Vec<&Summarized> = sets.mail.iter().collect();
    let every = corrupted(&every);
    let (by_answer, by_question) = found(&sets.meetings, &sets.questions);
    if as_json {
        return output::json_line(&json!({
            "threads": own.len(),
            "threads_with_a_foreign_summary": others,
            "rows": rows.iter().map(value_of).collect::<Vec<_>>(),
            "rows_with_foreign_summaries": every.iter().map(value_of).collect::<Vec<_>>(),
            "citation_by_answer": by_answer,
            "citation_by_question": by_question,
        }));
    }
    if !sets.mail.is_empty() {
        output::line(&format!(
            "{} threads with a summary of their own; {others} summaries are nearer to another thread\n",
            own.len()
        ))?;
        output::line(
            "share flagged, %                    n   number   name  state  markup  other words  hard  hard+name  not shown",
        )?;
        for (name, row) in rows.iter() {
            output::line(&line_of(name, row))?;
        }
        if let Some((_, row)) = every.first() {
            output::line(&line_of("true, foreign summaries too", row))?;
        }
    }
    if by_answer.questions > 0 {
        output::line(
            "\ncitation found              n   first  any of three   shown  shown of a foreign meeting",
        )?;
        for (name, found) in [
            ("from the answer", by_answer),
            ("from the question", by_question),
        ] {
            output::line(&format!(
                "{name:22} {:6}   {:.3}  {:.3}          {:.3}  {:.3}",
                found.questions,
                found.first,
                found.any_of_three,
                found.shown,
                found.shown_of_foreign
            ))?;
        }
    }
    Ok(())
}

fn value_of((name, row): &(&'static str, Row)) -> Value {
    let share = |count| (1e4 * row.share(count)).round() / 1e4;
    json!({
        "sentences": name,
        "n": row.sentences,
        "number": share(row.numbers),
        "name": share(row.people),
        "state": share(row.states),
        "markup": share(row.markup),
        "mood": share(row.mood),
        "other_words": share(row.foreign),
        "hard": share(row.hard),
        "hard_with_names": share(row.hard_with_names),
        "not_shown": share(row.not_shown),
    })
}

fn line_of(name: &str, row: &Row) -> String {
    let percent = |count| 100.0 * row.share(count);
    format!(
        "{name:30} {:6}   {:6.1} {:6.1} {:6.1}  {:6.1}       {:6.1} {:5.1}     {:6.1}     {:6.1}",
        row.sentences,
        percent(row.numbers),
        percent(row.people),
        percent(row.states),
        percent(row.markup),
        percent(row.foreign),
        percent(row.hard),
        percent(row.hard_with_names),
        percent(row.not_shown),
    )
}

/// Reads every file of JSON lines in a folder; what a line is, its fields say.
fn read(dir: &Path) -> Result<Sets> {
    let reading = || format!("cannot read {}", dir.display());
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .with_context(reading)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".jsonl") || name.ends_with(".jsonl.gz")
    });
    files.sort();
    let mut sets = Sets::default();
    for path in files {
        let text = unpacked(&path)?;
        let first: Value = text
            .lines()
            .next()
            .and_then(|line| serde_json::from_str(line).ok())
            .unwrap_or_default();
        let place = || format!("in {}", path.display());
        if first["evidence"].is_array() {
            sets.questions
                .extend(lines_of::<Cited>(&text).with_context(place)?);
        } else if first["reference_summary"].is_string() {
            let source = first["source"].as_str().unwrap_or_default();
            let into = match source {
                source if source.contains("mail") => &mut sets.mail,
                "qmsum" => &mut sets.meetings,
                _ => continue,
            };
            into.extend(lines_of::<Summarized>(&text).with_context(place)?);
        }
    }
    Ok(sets)
}

fn lines_of<T: serde::de::DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}
