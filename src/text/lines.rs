//! Which lines of a message are its author's prose, and which are code, quotes, tables, signatures or logs.

mod courtesy;
mod signs;

use std::ops::Range;

pub(super) use courtesy::{is_acknowledgement, is_call, is_greeting};

use courtesy::{is_goodbye, is_name};
use signs::{is_attribution, is_code, is_furniture, is_header, is_log, is_quote, list_marker};

/// Stands for every byte of a link in the buffer; no prose holds it.
pub(super) const LINK: char = '\u{1a}';

/// A message with everything blanked that is not its author's prose.
pub(super) struct Flat {
    /// As long as the text.
    pub buffer: String,
    /// Lines that say who wrote what is quoted.
    pub attributions: Vec<Range<usize>>,
    /// Quoted lines.
    pub quotes: Vec<Range<usize>>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Prose,
    /// A list item with a marker of so many bytes, indentation included.
    Item(usize),
    Blank,
    Quote,
    /// "On Monday Ana wrote:".
    Attribution,
    /// Code, logs, tables, headings, rules, checklists, headers.
    Skipped,
    /// "Hi Ana,".
    Greeting,
    /// From here on nothing is the author's prose.
    End,
}

/// Returns the message's prose, in place: a line feed ends a sentence, a soft line break is a space.
pub(super) fn flatten(text: &str) -> Flat {
    let mut bytes = text.as_bytes().to_vec();
    blank_blocks(&mut bytes);
    mask_inline(&mut bytes);
    let masked = String::from_utf8(bytes).expect("whole spans are overwritten with ASCII");
    let lines = line_ranges(&masked);
    let kinds = classify(text, &masked, &lines);
    let mut out = masked.clone().into_bytes();
    let (mut attributions, mut quotes) = (Vec::new(), Vec::new());
    for (n, (line, &kind)) in lines.iter().zip(&kinds).enumerate() {
        match kind {
            Kind::Item(marker) => out[line.start..line.start + marker].fill(b' '),
            Kind::Quote => quotes.push(line.clone()),
            Kind::Attribution => attributions.push(line.clone()),
            _ => {}
        }
        if kind == Kind::Quote
            && is_attribution(masked[line.clone()].trim_start_matches(['>', ' ']))
        {
            attributions.push(line.clone());
        }
        if matches!(
            kind,
            Kind::Quote | Kind::Attribution | Kind::Skipped | Kind::End
        ) {
            out[line.clone()].fill(b' ');
        }
        let goes_on =
            matches!(kind, Kind::Prose | Kind::Item(_)) && kinds.get(n + 1) == Some(&Kind::Prose);
        if goes_on && is_wrapped(&masked[line.clone()], &masked[lines[n + 1].clone()]) {
            out[line.end] = b' ';
        }
    }
    for byte in &mut out {
        if matches!(*byte, b'\r' | b'\t') {
            *byte = b' ';
        }
    }
    Flat {
        buffer: String::from_utf8(out).expect("whole lines are overwritten with ASCII"),
        attributions,
        quotes,
    }
}

/// Blanks fenced code and HTML comments; a line feed at either end ends the sentence.
fn blank_blocks(bytes: &mut [u8]) {
    for (open, close) in [("```", "```"), ("~~~", "~~~"), ("<!--", "-->")] {
        let mut from = 0;
        while let Some(start) = find(bytes, open.as_bytes(), from) {
            let inner = start + open.len();
            let leads = bytes[..start]
                .iter()
                .rev()
                .take_while(|&&b| b != b'\n')
                .all(u8::is_ascii_whitespace);
            let end = match find(bytes, close.as_bytes(), inner) {
                Some(end) => end + close.len(),
                // An unclosed fence runs to the next empty line; a stray mark inside a line is only a mark.
                None if leads => find(bytes, b"\n\n", inner).unwrap_or(bytes.len()),
                None => break,
            };
            if open != "~~~" || leads {
                bytes[start..end].fill(b' ');
                bytes[start] = b'\n';
                bytes[end - 1] = b'\n';
            }
            from = end;
        }
    }
}

/// Returns where the needle stands at or after `from`.
fn find(bytes: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    bytes
        .get(from..)?
        .windows(needle.len())
        .position(|window| window == needle)
        .map(|at| at + from)
}

/// Masks inline code and links, so that their punctuation ends no sentence.
fn mask_inline(bytes: &mut [u8]) {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'`' {
            let ticks = bytes[at..]
                .iter()
                .take_while(|&&b| b == b'`')
                .count()
                .min(2);
            let inner = at + ticks;
            let limit = bytes.len().min(inner + 400);
            let end = find(&bytes[..limit], &b"``"[..ticks], inner)
                .filter(|&end| find(&bytes[inner..end], b"\n\n", 0).is_none());
            if let Some(end) = end {
                bytes[inner..end]
                    .iter_mut()
                    .filter(|b| !b.is_ascii_whitespace())
                    .for_each(|b| *b = b'x');
            }
            at = end.map_or(inner, |end| end + ticks);
        } else if starts_link(&bytes[at..]) {
            let stops = |b: u8| b.is_ascii_whitespace() || matches!(b, b'>' | b'|' | b'"');
            let mut end = at + bytes[at..].iter().take_while(|&&b| !stops(b)).count();
            while end > at && b".,;:!?)']*_".contains(&bytes[end - 1]) {
                end -= 1;
            }
            bytes[at..end].fill(LINK as u8);
            at = end.max(at + 1);
        } else {
            at += 1;
        }
    }
}

/// Returns whether a link begins here.
fn starts_link(rest: &[u8]) -> bool {
    const SCHEMES: [&[u8]; 6] = [
        b"http://",
        b"https://",
        b"ftp://",
        b"mailto:",
        b"file://",
        b"www.",
    ];
    matches!(
        rest.first(),
        Some(b'h' | b'f' | b'm' | b'w' | b'H' | b'F' | b'M' | b'W')
    ) && SCHEMES.iter().any(|scheme| {
        rest.len() > scheme.len() && rest[..scheme.len()].eq_ignore_ascii_case(scheme)
    })
}

/// Returns the lines' ranges, without their line feeds.
fn line_ranges(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    text.split('\n')
        .map(|line| {
            let range = start..start + line.len();
            start = range.end + 1;
            range
        })
        .collect()
}

/// Returns what each line is; `raw` has its code and links, `masked` has not.
fn classify(raw: &str, masked: &str, lines: &[Range<usize>]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::with_capacity(lines.len());
    let mut in_angles = false;
    for (n, range) in lines.iter().enumerate() {
        let line = masked[range.clone()].trim();
        let next = lines.get(n + 1).map_or("", |next| &masked[next.clone()]);
        // Some quote between two lines of angles.
        let closes = in_angles && line == ">>";
        in_angles = (in_angles || line == "<<") && !closes;
        kinds.push(if in_angles || closes {
            Kind::Quote
        } else {
            kind_of(
                raw.get(range.clone()).unwrap_or_default(),
                &masked[range.clone()],
                next,
                &kinds,
            )
        });
    }
    for n in 0..kinds.len() {
        let line = masked[lines[n].clone()].trim();
        let is_tail =
            || n > 0 && kinds[n - 1] == Kind::Quote && kinds.get(n + 1) == Some(&Kind::Quote);
        // The tail of a quoted line that a mail program wrapped.
        if kinds[n] == Kind::Prose
            && is_tail()
            && line.split_whitespace().count() <= 3
            && !line.ends_with(['.', '!', '?'])
        {
            kinds[n] = Kind::Quote;
        }
        let ends = kinds[n] == Kind::Prose && n > 0 && {
            let mut after = lines[n + 1..]
                .iter()
                .map(|range| masked[range.clone()].trim());
            is_goodbye(
                line,
                after.find(|next| !next.is_empty()),
                lines.len() - n <= 4,
            )
        };
        if ends || kinds[n] == Kind::End {
            kinds[n..].fill(Kind::End);
            break;
        }
    }
    kinds
}

/// Returns what a line is by itself and after its forerunners.
fn kind_of(raw: &str, masked: &str, next: &str, before: &[Kind]) -> Kind {
    const OLD_MAIL: [&str; 3] = [
        "-----Original Message-",
        "---------- Forwarded message",
        "Begin forwarded message",
    ];
    let line = masked.trim();
    if line.is_empty() {
        return Kind::Blank;
    }
    if is_quote(line) {
        return Kind::Quote;
    }
    if is_attribution(line)
        || line.starts_with("On ") && line.len() < 90 && is_attribution(next.trim())
    {
        return Kind::Attribution;
    }
    if OLD_MAIL.iter().any(|mark| line.starts_with(mark)) || matches!(line, "--" | "—") {
        return Kind::End;
    }
    if is_furniture(line)
        || is_header(line)
        || is_log(raw.trim(), line)
        || is_code(raw, line, before)
    {
        return Kind::Skipped;
    }
    let is_first = before
        .iter()
        .all(|kind| matches!(kind, Kind::Blank | Kind::Skipped));
    if is_greeting(line, line.split_whitespace().count()) || is_first && is_call(line) {
        return Kind::Greeting;
    }
    match list_marker(masked) {
        Some(marker) if line.len() > 2 => Kind::Item(marker),
        _ => Kind::Prose,
    }
}

/// Returns whether a sentence goes on in the next line.
fn is_wrapped(line: &str, next: &str) -> bool {
    let (line, next) = (line.trim_end(), next.trim());
    let last = line
        .trim_end_matches(['"', '\'', ')', '*', '_', '”'])
        .chars()
        .next_back()
        .unwrap_or(' ');
    let goes_on = next.starts_with(char::is_lowercase);
    match last {
        ':' => false,
        '.' | '…' | '?' | '!' | '。' | '？' | '！' => goes_on && line.len() >= 40,
        // A name below a full line is a signature.
        _ => {
            line.chars().count() >= 40
                && !(is_name(next)
                    && next.split_whitespace().count() == 1
                    && next.len() < 12
                    && next.chars().all(char::is_alphabetic))
                || goes_on
                || last == ','
        }
    }
}
