//! One mbox file as single mails.
//!
//! A line that begins with `From ` separates two mails only if it looks like one that a mail program wrote and a header
//! follows; people begin sentences with that word, and not every program that writes mbox puts a `>` before them.

use std::io::{BufRead, Result};
use std::ops::{Deref, DerefMut};

use jiff::{Timestamp, civil};

use crate::connectors::files::lines::Lines;
use crate::connectors::mail::desk::RawMail;

/// No more of one line is kept.
const MAX_LINE: usize = 1 << 20;

/// Reads mails one after the other.
pub struct Mails<R> {
    lines: Lines<R>,
    name: String,
    /// The next mail's separator and first line, read ahead.
    next: Option<(Separator, Vec<u8>)>,
    is_first_line: bool,
}

/// A mail, or what stands where one should.
pub struct Separated {
    mail: RawMail,
    /// Whether it is text that belongs to no mail.
    pub is_junk: bool,
    /// Whether the file ends within its headers, so that it is still being written.
    pub is_open: bool,
}

impl Deref for Separated {
    type Target = RawMail;
    fn deref(&self) -> &RawMail {
        &self.mail
    }
}

impl DerefMut for Separated {
    fn deref_mut(&mut self) -> &mut RawMail {
        &mut self.mail
    }
}

#[derive(Debug)]
struct Separator {
    start: u64,
    line: u64,
    delivered_at: Option<Timestamp>,
}

impl<R: BufRead> Mails<R> {
    /// Begins at a byte and a line of a file, where a mail begins.
    pub fn new(reader: R, name: &str, offset: u64, line: u64) -> Self {
        Mails {
            lines: Lines::new(reader, offset, line, MAX_LINE),
            name: name.to_owned(),
            next: None,
            is_first_line: true,
        }
    }

    /// Returns the byte and the number of lines before the mail that comes next.
    pub fn position(&self) -> (u64, u64) {
        match &self.next {
            Some((separator, _)) => (separator.start, separator.line - 1),
            None => (self.lines.offset, self.lines.number),
        }
    }

    /// Returns the next mail.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub fn next_mail(&mut self) -> Result<Option<Separated>> {
        let mut mail = RawMail {
            name: self.name.clone(),
            ..RawMail::default()
        };
        let mut has_separator = false;
        if let Some((separator, line)) = self.next.take() {
            begin(&mut mail, &separator, &line);
            has_separator = true;
        }
        let mut is_after_blank = true;
        while let Some(line) = self.lines.next_line()? {
            let is_first_line = std::mem::replace(&mut self.is_first_line, false);
            let (start, number) = (line.start, line.number);
            // A mark of the encoding may stand before the first mail.
            let bytes = match line.bytes.strip_prefix(b"\xef\xbb\xbf") {
                Some(rest) if start == 0 => rest,
                _ => line.bytes,
            };
            if is_separator(bytes, is_after_blank || is_first_line) {
                let held = bytes.to_vec();
                let Some(after) = self.lines.next_line()? else {
                    mail.push_line(&held);
                    break;
                };
                if is_header(after.bytes) {
                    let separator = Separator {
                        start,
                        line: number,
                        delivered_at: time_of(&held),
                    };
                    if has_separator || !is_blank(&mail.raw) {
                        self.next = Some((separator, after.bytes.to_vec()));
                        break;
                    }
                    mail.raw.clear();
                    begin(&mut mail, &separator, after.bytes);
                    has_separator = true;
                } else {
                    mail.push_line(&held);
                    push_unquoted(&mut mail, after.bytes);
                }
                is_after_blank = false;
                continue;
            }
            if mail.line == 0 && !bytes.is_empty() {
                (mail.start, mail.line) = (start, number);
            }
            is_after_blank = bytes.is_empty();
            mail.found.is_cut |= line.is_cut;
            if has_separator || !is_blank(&mail.raw) || !is_after_blank {
                push_unquoted(&mut mail, bytes);
            }
        }
        if !has_separator && is_blank(&mail.raw) {
            return Ok(None);
        }
        let first_line = mail
            .raw
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default();
        let is_junk = !has_separator && !is_header(first_line);
        let is_open = self.next.is_none() && !mail.raw.windows(2).any(|pair| pair == b"\n\n");
        Ok(Some(Separated {
            mail,
            is_junk,
            is_open,
        }))
    }
}

fn begin(mail: &mut RawMail, separator: &Separator, first_line: &[u8]) {
    (mail.start, mail.line) = (separator.start, separator.line);
    mail.found.delivered_at = separator.delivered_at;
    push_unquoted(mail, first_line);
}

/// Takes one `>` off where the writer of the file put it before `From `.
fn push_unquoted(mail: &mut RawMail, line: &[u8]) {
    let marks = line.iter().take_while(|&&byte| byte == b'>').count();
    let is_quoted = marks > 0 && line[marks..].starts_with(b"From ");
    mail.push_line(if is_quoted { &line[1..] } else { line });
}

fn is_blank(raw: &[u8]) -> bool {
    raw.iter().all(u8::is_ascii_whitespace)
}

/// Returns whether a line is `Name: …`.
fn is_header(line: &[u8]) -> bool {
    let name = line
        .iter()
        .position(|&byte| byte == b':')
        .map(|end| &line[..end]);
    line.starts_with(b">From ")
        || name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))
}

fn is_separator(line: &[u8], is_after_blank: bool) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else {
        return false;
    };
    let text = String::from_utf8_lossy(rest);
    if time_of(line).is_some() {
        return true;
    }
    let sender = text.split_whitespace().next().unwrap_or_default();
    is_after_blank
        && (sender.contains('@') || matches!(sender, "-" | "MAILER-DAEMON" | "???@???"))
        && text.split_whitespace().count() <= 8
}

/// Reads the date behind the address: `Mon Nov  9 01:50:00 2026`, with an offset or not.
fn time_of(line: &[u8]) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let text = String::from_utf8_lossy(line);
    let (mut month, mut day, mut clock, mut year, mut offset) = (None, None, None, None, 0);
    for token in text
        .split([' ', '\t', ','])
        .skip(2)
        .filter(|token| !token.is_empty())
    {
        let lower = token.to_lowercase();
        if let Some(at) = MONTHS.iter().position(|name| lower.starts_with(name)) {
            month = month.or(i8::try_from(at + 1).ok());
        } else if token.contains(':') {
            clock = clock.or(clock_of(token));
        } else if let Some(digits) = token
            .strip_prefix(['+', '-'])
            .filter(|digits| digits.len() == 4)
        {
            let minutes =
                digits[..2].parse::<i32>().ok()? * 60 + digits[2..].parse::<i32>().ok()?;
            offset = if token.starts_with('-') {
                -minutes
            } else {
                minutes
            };
        } else if let Ok(number) = token.parse::<i16>() {
            match number {
                1..=31 if day.is_none() => day = i8::try_from(number).ok(),
                1970..=2200 => year = year.or(Some(number)),
                _ => {}
            }
        }
    }
    let date = civil::Date::new(year?, month?, day?).ok()?;
    let zone = jiff::tz::Offset::from_seconds(offset * 60).ok()?;
    zone.to_timestamp(date.to_datetime(clock?)).ok()
}

fn clock_of(token: &str) -> Option<civil::Time> {
    let mut parts = token.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (
        parts.next()??,
        parts.next()??,
        parts.next().unwrap_or(Some(0))?,
    );
    civil::Time::new(hour, minute, second.min(59), 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_the_encoding_does_not_cost_the_first_mail() {
        let text = "\u{feff}From a@x Mon Nov  9 01:00:00 2026\nFrom: a@x\nSubject: s\n\nhello\n\n\u{feff}From b@x\n";
        let mut mails = Mails::new(text.as_bytes(), "m", 0, 0);
        let mail = mails.next_mail().unwrap().unwrap();
        assert!(!mail.is_junk && mail.raw.starts_with(b"From: a@x"));
        assert!(mails.next_mail().unwrap().is_none());
    }
}
