//! The objects of a JSON array, one at a time, as many of them as a broken file still holds.
//!
//! The array is cut into its objects by counting braces outside strings, so one object at a time is in memory, an
//! object that is no JSON costs only itself, and a file that ends in the middle gives all that came before.

use std::io::{BufRead, ErrorKind};

use serde::de::DeserializeOwned;

/// No more of one object is kept.
const MAX_OBJECT: usize = 16 << 20;

/// Reads the objects of an array.
pub struct Objects<R> {
    reader: R,
    /// Bytes of a broken object that are looked at again.
    again: std::collections::VecDeque<u8>,
    line: u64,
    /// The white space since the last line feed, while there was nothing else.
    indent: Option<Vec<u8>>,
    /// The indent of the first object, where it stands on a line of its own.
    first_indent: Option<Option<Vec<u8>>>,
    buffer: Vec<u8>,
    is_over: bool,
    /// Whether there was anything but white space.
    is_begun: bool,
}

/// What comes next in the array, and its line.
enum Next {
    Object(u64),
    Stray(u64),
    End,
}

/// What was found at a place of the array.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// An object, and whether bytes that are no UTF-8 had to be replaced in it.
    Object(T, bool),
    /// Something that could not be read, and why.
    Broken(String),
}

impl<R: BufRead> Objects<R> {
    /// Begins at the start of a file.
    pub fn new(reader: R) -> Self {
        Objects {
            reader,
            again: Default::default(),
            line: 1,
            indent: None,
            first_indent: None,
            buffer: Vec::new(),
            is_over: false,
            is_begun: false,
        }
    }

    /// Returns the length of the object that came last.
    pub fn last_len(&self) -> usize {
        self.buffer.len()
    }

    /// Returns the next object, or what is broken instead, with the line it begins at.
    pub fn next_object<T: DeserializeOwned>(&mut self) -> Option<(u64, Found<T>)> {
        if self.is_over {
            return None;
        }
        let line = match self.skip_to_object() {
            Ok(Next::Object(line)) => line,
            Ok(Next::Stray(line)) => {
                return Some((
                    line,
                    Found::Broken("what stands here is no JSON object".into()),
                ));
            }
            Ok(Next::End) => {
                self.is_over = true;
                if self.is_begun {
                    return None;
                }
                return Some((0, Found::Broken("the file is empty".into())));
            }
            Err(reason) => {
                self.is_over = true;
                return Some((self.line, Found::Broken(reason)));
            }
        };
        match self.read_object() {
            Ok(true) => {}
            Ok(false) => {
                let reason = format!(
                    "one item is larger than {} MB and was left out",
                    MAX_OBJECT >> 20
                );
                return Some((line, Found::Broken(reason)));
            }
            Err(reason) => {
                // A string without an end swallows the rest of the file: look for the next object behind its start.
                self.is_over = !self.step_back(line);
                let reason = if self.is_over {
                    reason
                } else {
                    "an item has no end".to_owned()
                };
                return Some((line, Found::Broken(reason)));
            }
        }
        match serde_json::from_slice(&self.buffer) {
            Ok(object) => return Some((line, Found::Object(object, false))),
            Err(error) if error.is_data() => {
                return Some((
                    line,
                    Found::Broken(format!(
                        "an item has another shape than expected: {}",
                        bare(&error)
                    )),
                ));
            }
            Err(_) => {}
        }
        match serde_json::from_str(&String::from_utf8_lossy(&self.buffer)) {
            Ok(object) => Some((line, Found::Object(object, true))),
            Err(error) => {
                let reason = format!("an item is not JSON: {}", bare(&error));
                self.step_back(line);
                Some((line, Found::Broken(reason)))
            }
        }
    }

    /// Goes to the next opening brace; what stands before it and belongs to no list is told first, once.
    fn skip_to_object(&mut self) -> Result<Next, String> {
        let mut stray = None;
        loop {
            match self.next_byte()? {
                None => return Ok(stray.map_or(Next::End, Next::Stray)),
                Some(b'{') if stray.is_some() => {
                    self.again.push_front(b'{');
                    return Ok(stray.map_or(Next::End, Next::Stray));
                }
                Some(b'{') => {
                    self.is_begun = true;
                    self.first_indent.get_or_insert(self.indent.take());
                    return Ok(Next::Object(self.line));
                }
                Some(b'\n') => self.indent = Some(Vec::new()),
                Some(byte) if byte.is_ascii_whitespace() => {
                    if let Some(indent) = &mut self.indent {
                        indent.push(byte);
                    }
                }
                Some(byte) => {
                    self.indent = None;
                    // A mark of the encoding may stand at the start.
                    let is_mark = !self.is_begun && matches!(byte, 0xef | 0xbb | 0xbf);
                    self.is_begun |= !is_mark;
                    if !is_mark && !matches!(byte, b'[' | b']' | b',') {
                        stray.get_or_insert(self.line);
                    }
                }
            }
        }
    }

    /// Reads up to the closing brace; false when the object was too large to keep.
    fn read_object(&mut self) -> Result<bool, String> {
        self.buffer.clear();
        self.buffer.push(b'{');
        let (mut depth, mut in_string, mut is_escaped, mut is_whole) = (1_u32, false, false, true);
        while depth > 0 {
            let Some(byte) = self.next_byte()? else {
                return Err("the file is cut off in the middle of an item".to_owned());
            };
            if self.buffer.len() < MAX_OBJECT {
                self.buffer.push(byte);
            } else {
                is_whole = false;
            }
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if in_string => is_escaped = true,
                b'"' => in_string = !in_string,
                b'{' if !in_string => depth += 1,
                b'}' if !in_string => depth -= 1,
                _ => {}
            }
        }
        Ok(is_whole)
    }

    /// Puts back what follows the first `},` and `{` of the broken object; false when there is none.
    fn step_back(&mut self, line: u64) -> bool {
        let bytes = std::mem::take(&mut self.buffer);
        let indent = self.first_indent.as_ref().and_then(Option::as_deref);
        let Some(at) = next_start(&bytes, indent) else {
            return false;
        };
        self.line = line + bytes[..at].iter().filter(|&&byte| byte == b'\n').count() as u64;
        for &byte in bytes[at..].iter().rev() {
            self.again.push_front(byte);
        }
        true
    }

    fn next_byte(&mut self) -> Result<Option<u8>, String> {
        let byte = match self.again.pop_front() {
            Some(byte) => byte,
            None => loop {
                match self.reader.fill_buf() {
                    Ok([]) => return Ok(None),
                    Ok([first, ..]) => {
                        let first = *first;
                        self.reader.consume(1);
                        break first;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(format!("the file is cut off or damaged: {error}")),
                }
            },
        };
        if byte == b'\n' {
            self.line += 1;
        }
        Ok(Some(byte))
    }
}

/// Returns where the next object of the array seems to begin: a brace on a new line after a brace and a comma, as far
/// indented as the first object, so that no object within the broken one is taken for a whole one.
fn next_start(bytes: &[u8], indent: Option<&[u8]>) -> Option<usize> {
    let mut before = [0_u8; 2];
    let mut line = None;
    for (at, &byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'\n' => line = Some(at + 1),
            b'{' if before == *b"}," => {
                let fits = |own: &[u8]| indent.map_or(own.len() <= 1, |indent| indent == own);
                if line.is_some_and(|line| fits(&bytes[line..at])) {
                    return Some(at);
                }
                (before, line) = ([b',', byte], None);
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => (before, line) = ([before[1], byte], None),
        }
    }
    None
}

/// Returns the reason without the position, which counts from the item's start and would mislead.
fn bare(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // serde quotes values of the input in some messages; none of the source's text goes into a log.
    let text = text.split(" at line ").next().unwrap_or_default();
    match text.split_once(": ") {
        Some((kind, _)) if kind.starts_with("invalid") => kind.to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn check(text: &[u8], expected: &[(u64, Result<&str, &str>)]) {
        let mut objects = Objects::new(text);
        let mut seen = Vec::new();
        while let Some((line, found)) = objects.next_object::<Value>() {
            seen.push((
                line,
                match found {
                    Found::Object(value, is_lossy) => {
                        Ok(format!("{}{}", value["a"], if is_lossy { "?" } else { "" }))
                    }
                    Found::Broken(reason) => Err(reason),
                },
            ));
        }
        let seen: Vec<(u64, Result<&str, &str>)> = seen
            .iter()
            .map(|(line, found)| {
                (
                    *line,
                    found
                        .as_ref()
                        .map(String::as_str)
                        .map_err(|reason| reason.split(':').next().unwrap()),
                )
            })
            .collect();
        assert_eq!(seen, expected, "{}", String::from_utf8_lossy(text));
    }

    #[test]
    fn what_is_whole_comes_out_of_what_is_broken() {
        check(b"", &[(0, Err("the file is empty"))]);
        check(b"\xef\xbb\xbf[]", &[]);
        check(
            b"[1, \"two\",\n{\"a\":1},\nnull]",
            &[
                (1, Err("what stands here is no JSON object")),
                (2, Ok("1")),
                (3, Err("what stands here is no JSON object")),
            ],
        );
        check(b"[]", &[]);
        check(
            b"[{\"a\":1},\n{\"a\":{\"b\":\"}\\\"{\"}}]",
            &[(1, Ok("1")), (2, Ok("{\"b\":\"}\\\"{\"}"))],
        );
        check(
            b"[\n{\"a\":1},\n{\"a\":2",
            &[
                (2, Ok("1")),
                (3, Err("the file is cut off in the middle of an item")),
            ],
        );
        check(
            b"[\n{\"a\":1,},\n{\"a\":2}\n]",
            &[(2, Err("an item is not JSON")), (3, Ok("2"))],
        );
        check(
            b"[{\"a\":\"1},\n {\"a\":2},\n {\"a\":3}]",
            &[(1, Err("an item has no end")), (2, Ok("2")), (3, Ok("3"))],
        );
        check(b"[{\"a\":\"\xff\"}]", &[(1, Ok("\"\u{fffd}\"?"))]);
        check(
            b"<html>404</html>",
            &[(1, Err("what stands here is no JSON object"))],
        );
        let nested = b"[\n {\n  \"a\":1,\n  \"b\":[\n   {\"a\":8},\n   {\"a\":9}\n  ";
        check(
            nested,
            &[(2, Err("the file is cut off in the middle of an item"))],
        );
    }
}
