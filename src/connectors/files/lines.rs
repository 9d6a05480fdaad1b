//! Lines of a file, one at a time, with a bound on what is kept of each.

use std::io::{BufRead, ErrorKind, Result};

use sha2::{Digest, Sha256};

/// Reads lines and counts bytes and lines as it goes.
pub struct Lines<R> {
    reader: R,
    max: usize,
    buffer: Vec<u8>,
    /// The byte after the last line returned.
    pub offset: u64,
    /// How many lines have been returned, on top of those before the start.
    pub number: u64,
    /// The hash over everything returned, where it is wanted.
    pub hash: Option<Sha256>,
}

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// Its number, from 1.
    pub number: u64,
    /// Where it begins.
    pub start: u64,
    /// Its length in the file, end included.
    pub len: u64,
    /// Whether a line feed ends it; the last line of a file may lack one.
    pub is_ended: bool,
    /// Whether it was longer than what is kept.
    pub is_cut: bool,
}

impl<R: BufRead> Lines<R> {
    /// Begins at a byte and a line of a file; keeps at most `max` bytes a line.
    pub fn new(reader: R, offset: u64, number: u64, max: usize) -> Self {
        Lines {
            reader,
            max,
            buffer: Vec::new(),
            offset,
            number,
            hash: None,
        }
    }

    /// Returns the next line.
    ///
    /// # Errors
    /// When the file cannot be read on; a cut archive ends so.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        self.buffer.clear();
        let start = self.offset;
        let mut len = 0;
        let mut kept = 0;
        let mut is_ended = false;
        while !is_ended {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                break;
            }
            let end = available.iter().position(|&byte| byte == b'\n');
            is_ended = end.is_some();
            let used = end.map_or(available.len(), |end| end + 1);
            let keep = end.unwrap_or(used).min(self.max - kept);
            self.buffer.extend_from_slice(&available[..keep]);
            kept += keep;
            if let Some(hash) = &mut self.hash {
                hash.update(&available[..used]);
            }
            self.reader.consume(used);
            len += used as u64;
        }
        if len == 0 {
            return Ok(None);
        }
        self.offset += len;
        self.number += 1;
        let is_cut = len - u64::from(is_ended) > kept as u64;
        if self.buffer.last() == Some(&b'\r') && !is_cut {
            self.buffer.pop();
        }
        Ok(Some(Line {
            bytes: &self.buffer,
            number: self.number,
            start,
            len,
            is_ended,
            is_cut,
        }))
    }
}

/// Returns the text of bytes, and whether something in them was no UTF-8.
pub fn lossy(bytes: &[u8]) -> (std::borrow::Cow<'_, str>, bool) {
    let text = String::from_utf8_lossy(bytes);
    let is_lossy = matches!(text, std::borrow::Cow::Owned(_));
    (text, is_lossy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_bounded() {
        let mut lines = Lines::new(&b"one\r\n\ntoo long\nlast"[..], 0, 0, 5);
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            seen.push((
                String::from_utf8(line.bytes.to_vec()).unwrap(),
                line.number,
                line.start,
                line.is_ended,
                line.is_cut,
            ));
        }
        assert_eq!(
            seen,
            [
                ("one".into(), 1, 0, true, false),
                (String::new(), 2, 5, true, false),
                ("too l".into(), 3, 6, true, true),
                ("last".into(), 4, 15, false, false),
            ]
        );
        assert_eq!(lines.offset, 19);
    }
}
