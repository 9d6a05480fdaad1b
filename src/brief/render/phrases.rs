//! What every surface says in the same words: counts, names, quotes, the footer.

use super::{parts, plain};
use crate::model::{Briefing, Citation, Covered, Gap, ThreadRef};

/// Returns a number with its noun.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Returns a list as in a sentence: `a, b and c`.
pub fn join(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Returns how much was read, in parts.
pub fn counts(covered: &Covered) -> Vec<String> {
    let mut counts = Vec::new();
    if covered.messages > 0 {
        counts.push(count(covered.messages, "message", "messages"));
    }
    if covered.mails > 0 {
        counts.push(count(covered.mails, "mail", "mails"));
    }
    match (covered.opened, covered.closed) {
        (0, 0) => {}
        (opened, 0) => counts.push(count(opened, "new ticket", "new tickets")),
        (0, closed) => counts.push(count(closed, "closed ticket", "closed tickets")),
        (opened, closed) => counts.push(format!(
            "{opened} new and {}",
            count(closed, "closed ticket", "closed tickets")
        )),
    }
    counts
}

/// Returns how much was read: `covered 189 messages, 51 mails, 28 new and 14 closed tickets`.
pub fn covered(covered: &Covered) -> Option<String> {
    let counts = counts(covered);
    (!counts.is_empty()).then(|| format!("covered {}", counts.join(", ")))
}

/// Returns the headline, with what the morning is about behind it.
pub fn headline(briefing: &Briefing) -> String {
    match (plain(&briefing.headline), plain(&briefing.theme)) {
        (headline, theme) if theme.is_empty() => headline.into_owned(),
        (headline, theme) => format!("{headline}: {theme}"),
    }
}

/// Returns how much was quoted and how much a model wrote, and how to ask for more.
pub fn provenance(briefing: &Briefing) -> String {
    // A line that stands for several threads may quote each of them; it is still one line.
    let quoted = briefing
        .items
        .iter()
        .filter(|item| parts::quotes(item).next().is_some())
        .count();
    let by_model = match briefing.written_by.as_str() {
        "extractive" => 0,
        _ => briefing
            .items
            .iter()
            .filter(|item| !item.summary.trim().is_empty())
            .count(),
    };
    let refused = briefing.items.iter().filter(|item| {
        item.wording
            .as_ref()
            .is_some_and(|wording| !wording.is_shown && !wording.failed.is_empty())
    });
    let refused = match refused.count() {
        0 => String::new(),
        many => format!(" ({many} failed the checks)"),
    };
    let explain = if briefing.items.is_empty() {
        ""
    } else {
        " · daybrief explain 1"
    };
    format!("lines quoted: {quoted} · model text: {by_model}{refused}{explain}")
}

/// Returns who wrote what is cited, if the source says.
pub fn author(citation: &Citation) -> Option<String> {
    let author = plain(citation.author.as_deref()?);
    (!author.is_empty()).then(|| author.into_owned())
}

/// Returns a quote with its marks.
pub fn quoted(citation: &Citation) -> String {
    format!(
        "“{}{}”",
        plain(&citation.quote),
        if citation.is_cut { "…" } else { "" }
    )
}

/// Returns a gap as a sentence.
pub fn gap(gap: &Gap) -> String {
    let missing = if gap.of == Gap::SUGGESTIONS {
        ""
    } else {
        "missing: "
    };
    format!("{missing}{} – {}", plain(&gap.of), plain(&gap.reason))
}

/// Returns what a thread is called, never empty.
pub fn name_of(thread: &ThreadRef) -> String {
    match plain(&thread.label) {
        label if label.is_empty() => "thread".to_owned(),
        label => label.into_owned(),
    }
}
