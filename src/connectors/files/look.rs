//! What `daybrief check` finds when it reads a connector's files as a sync would, and keeps nothing of them.

use super::{Found, Reader, Root, counted, grouped};
use crate::connectors::{Fact, Page, Skipped};

/// No more pages are read for a check; eight have up to 64 MB.
const MAX_PAGES: usize = 8;
/// No more files are named of which nothing can be read.
const MAX_NAMED: usize = 3;

/// What a look brought.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// What to tell of it.
    pub facts: Vec<Fact>,
    /// What a sync would tell of single items.
    pub skipped: Vec<Skipped>,
}

/// Reads the files one by one; `what` is what one holds, as one and as many, and `wanted` which files are meant.
pub fn look<R: Reader>(
    root: &Root,
    found: &[Found],
    what: (&str, &str),
    wanted: &str,
    open: impl Fn(Root) -> R,
    count: impl Fn(&Page) -> usize,
) -> Looked {
    let mut looked = Looked::default();
    if found.is_empty() {
        looked.facts.push(Fact::Note(format!(
            "nothing to read: there is no {wanted} at {}; put one there or correct `path`",
            root.shown.display()
        )));
        return looked;
    }
    let (mut items, mut pages, mut is_whole) = (0, 0, true);
    let mut unreadable = Vec::new();
    for file in found {
        let mut reader = open(root.of(file));
        let (mut own, mut first, mut cursor) = (0, None, None);
        loop {
            if pages >= MAX_PAGES {
                is_whole = false;
                break;
            }
            pages += 1;
            match reader.page(cursor.as_ref()) {
                Ok(page) => {
                    own += count(&page);
                    first = first.or(page.skipped.first().cloned());
                    looked.skipped.extend(page.skipped);
                    cursor = page.next.or(cursor);
                    if !page.more {
                        break;
                    }
                }
                Err(error) => {
                    let reason = format!("{error:#}");
                    first = first.or(Some(root.skipped(&file.name, 0, reason)));
                    break;
                }
            }
        }
        items += own;
        unreadable.extend(first.filter(|_| own == 0));
    }
    let files = counted(found.len() as u64, "file", "files");
    if items > 0 {
        let bytes: u64 = found.iter().map(|file| file.metadata.len()).sum();
        let counted = counted(items as u64, what.0, what.1);
        looked.facts.push(Fact::Fine(if is_whole {
            format!("{counted} in {files}")
        } else {
            format!(
                "{files}, {} bytes; the first {counted} can be read",
                grouped(bytes)
            )
        }));
    } else if unreadable.is_empty() {
        let shown = root.shown.display();
        looked.facts.push(Fact::Note(format!(
            "{files} at {shown}, but nothing in it: no {} so far",
            what.0
        )));
    }
    let more = unreadable.len().saturating_sub(MAX_NAMED);
    looked
        .facts
        .extend(unreadable.iter().take(MAX_NAMED).map(|item| {
            Fact::Note(format!(
                "no {} can be read from {}: {}",
                what.0, item.at, item.reason
            ))
        }));
    if more > 0 {
        let more = counted(more as u64, "more file", "more files");
        looked.facts.push(Fact::Note(format!(
            "nothing can be read from {more} either; `daybrief sync` and `daybrief status` name them"
        )));
    }
    looked
}
