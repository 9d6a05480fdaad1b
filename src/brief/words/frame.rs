//! The frame around quoted material: a boundary and a mark that nobody who wrote the material can know.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use crate::llm::{Prompt, Question};

/// A boundary and a mark, new for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Stands around the material.
    pub boundary: String,
    /// Stands in the instructions; an answer that holds it repeats what it was told to keep.
    pub canary: String,
}

impl Frame {
    /// Returns a frame that nobody can guess.
    pub fn random() -> Frame {
        let (one, two) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
        let tail = |id: uuid::Uuid| id.simple().to_string()[16..].to_owned();
        Frame {
            boundary: format!("--{}--", tail(one)),
            canary: format!("mark-{}", tail(two)),
        }
    }

    /// Returns the question of a prompt about this material.
    pub fn question(
        &self,
        prompt: &Prompt,
        source: &Value,
        language: Option<&str>,
        max_output_tokens: usize,
    ) -> Result<Question> {
        let mut inputs = BTreeMap::from([
            ("source", source.to_string()),
            ("boundary", self.boundary.clone()),
            ("canary", self.canary.clone()),
        ]);
        if let Some(language) = language {
            inputs.insert("language", language.to_owned());
        }
        prompt.question(&inputs, max_output_tokens)
    }

    /// Returns whether an answer repeats the mark, or the boundary, whatever was put between its letters.
    pub fn leaks_into(&self, answer: &str) -> bool {
        let kept: String = answer
            .chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        [&self.canary, &self.boundary].into_iter().any(|secret| {
            let secret: String = secret
                .chars()
                .filter(|c| c.is_ascii_alphanumeric())
                .collect();
            kept.contains(&secret)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_however_it_is_spelled() {
        let frame = Frame::random();
        assert_ne!(frame, Frame::random());
        assert!(frame.leaks_into(&format!("It is {}.", frame.canary)));
        let spread: String = frame.canary.chars().flat_map(|c| [c, '\u{200b}']).collect();
        assert!(frame.leaks_into(&spread.to_uppercase()));
        assert!(frame.leaks_into(&frame.boundary));
        assert!(!frame.leaks_into("mark my words"));
    }
}
