//! The owners file: which accounts look after which paths, in the format of CODEOWNERS; and the paths that a text names.

use std::path::Path;

use anyhow::{Context, Result};

/// Which accounts look after which paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Owners {
    rules: Vec<(String, Vec<String>)>,
}

/// How many paths of one text are looked at; what follows is the rest of a stack.
const MOST_PATHS: usize = 40;
/// The most that is read of a text for its paths.
const MOST_READ: usize = 20_000;
/// Endings that make a word a file of code; a word with a slash needs none.
const ENDINGS: [&str; 34] = [
    "rs", "py", "js", "ts", "tsx", "jsx", "mjs", "go", "java", "kt", "scala", "clj", "c", "h",
    "cc", "cpp", "hpp", "cs", "m", "mm", "swift", "rb", "php", "pl", "lua", "ex", "erl", "hs",
    "ml", "sql", "css", "html", "vue", "sh",
];

impl Owners {
    /// Reads an owners file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Owners> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the owners file {}", path.display()))?;
        Ok(Owners::parse(&text))
    }

    /// Reads the text of an owners file: a pattern and its owners a line, `#` begins a comment.
    pub fn parse(text: &str) -> Owners {
        let rule = |line: &str| {
            let line = line.split(" #").next().unwrap_or(line).trim();
            let mut words = line.split_whitespace();
            let pattern = words.next().filter(|word| !word.starts_with('#'))?;
            let owners = words.map(|owner| owner.trim_start_matches('@').to_owned());
            Some((pattern.to_owned(), owners.collect()))
        };
        Owners {
            rules: text.lines().filter_map(rule).collect(),
        }
    }

    /// Returns whether it says anything.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns who looks after a path; as in CODEOWNERS the last rule that matches counts.
    pub fn of(&self, path: &str) -> &[String] {
        let path = path.trim_start_matches('/');
        self.rules
            .iter()
            .rev()
            .find(|(pattern, _)| matches(pattern, path))
            .map_or(&[], |(_, owners)| owners)
    }

    /// Returns the owners of the paths that a text names, each with the first of those paths.
    pub fn of_text(&self, text: &str) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        if self.is_empty() {
            return found;
        }
        for path in paths_in(text) {
            for owner in self.of(&path) {
                if !found.iter().any(|(known, _)| known == owner) {
                    found.push((owner.clone(), path.clone()));
                }
            }
        }
        found
    }
}

/// Returns the paths and file names that a text names, in the order in which they stand there, each once.
pub fn paths_in(text: &str) -> Vec<String> {
    let text = &text[..text.floor_char_boundary(MOST_READ)];
    let mut paths: Vec<String> = Vec::new();
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+');
    for word in text.split(|c: char| !is_part(c)) {
        // What is left of an address on the web.
        if word.starts_with("//") {
            continue;
        }
        let word = word.trim_matches(['.', '-']).trim_start_matches('/');
        let (folder, name) = word.rsplit_once('/').unwrap_or(("", word));
        let ending = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty());
        let is_code = ending.is_some_and(|(_, ending)| ENDINGS.contains(&ending));
        // `and/or` is no path; two slashes or an ending make one.
        let is_folder = folder.contains('/') && !word.contains("//") && !name.is_empty();
        if word.len() <= 200 && (is_code || is_folder) && !paths.iter().any(|path| path == word) {
            paths.push(word.to_owned());
            if paths.len() == MOST_PATHS {
                break;
            }
        }
    }
    paths
}

/// Returns whether a path falls under a pattern: `*` stands for a name's part, `**` for folders; a pattern without a slash
/// in the middle matches at any depth, one that names a folder matches all below it.
fn matches(pattern: &str, path: &str) -> bool {
    let is_anchored = pattern.trim_end_matches('/').contains('/');
    let pattern = pattern.trim_start_matches('/');
    let wanted: Vec<&str> = pattern.trim_end_matches('/').split('/').collect();
    let is_folder = pattern.ends_with('/');
    let parts: Vec<&str> = path.split('/').collect();
    let mut starts = 0..=if is_anchored { 0 } else { parts.len() };
    starts.any(|start| begins_with(&wanted, &parts[start..], is_folder))
}

fn begins_with(wanted: &[&str], parts: &[&str], is_folder: bool) -> bool {
    match (wanted.split_first(), parts.split_first()) {
        (None, rest) => !is_folder || rest.is_some(),
        (Some((&"**", rest)), _) => {
            (0..=parts.len()).any(|skipped| begins_with(rest, &parts[skipped..], is_folder))
        }
        (Some((first, rest)), Some((part, parts))) => {
            is_like(first, part) && begins_with(rest, parts, is_folder)
        }
        (Some(_), None) => false,
    }
}

fn is_like(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| is_like(after, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_matches_names_the_owners() {
        let owners = Owners::parse(
            "# who looks after what\n*.sql  @dee\n/src/parser/ ana @bo # both\nsrc/**/tests @chi\ndocs/*.md eve@example.org\n/src/parser/old.rs\n",
        );
        for (path, expected) in [
            ("src/parser/lexer.rs", &["ana", "bo"][..]),
            ("/src/parser/deep/down.rs", &["ana", "bo"]),
            ("db/2026/init.sql", &["dee"]),
            ("src/core/tests/a.rs", &["chi"]),
            ("docs/intro.md", &["eve@example.org"]),
            ("docs/deep/intro.md", &[]),
            ("other/src/parser/x.rs", &[]),
            ("src/parser/old.rs", &[]),
            ("src/parser", &[]),
        ] {
            assert_eq!(owners.of(path), expected, "{path}");
        }
        assert_eq!(
            owners.of_text("panicked at src/parser/lexer.rs:41, see db/a.sql"),
            [
                ("ana".to_owned(), "src/parser/lexer.rs".to_owned()),
                ("bo".to_owned(), "src/parser/lexer.rs".to_owned()),
                ("dee".to_owned(), "db/a.sql".to_owned()),
            ]
        );
    }

    #[test]
    fn paths_and_stack_frames_are_found_and_prose_is_not() {
        let text = "thread 'main' panicked at src/parser/lexer.rs:41:9\n  at com.example.Cart.total(Cart.java:88)\n\
                    File \"/opt/app/jobs/nightly.py\", line 3\nand/or e.g. version 1.2.3, https://x.example/a/b";
        let expected = [
            "src/parser/lexer.rs",
            "Cart.java",
            "opt/app/jobs/nightly.py",
        ];
        assert_eq!(paths_in(text), expected);
    }
}
