//! Links made from a template of the config, such as `https://tracker.example/{id}`.

use anyhow::{Result, bail};

use crate::model::ConnectorId;

/// A template for links; empty makes no links.
#[derive(Clone, Debug, Default)]
pub struct Link(String);

impl Link {
    /// Checks a template: http or https, and only the placeholders given here.
    ///
    /// # Errors
    /// Names the key and what it may hold.
    pub fn new(id: &ConnectorId, template: &str, known: &[&str]) -> Result<Link> {
        let template = template.trim();
        if template.is_empty() {
            return Ok(Link::default());
        }
        if !(template.starts_with("https://") || template.starts_with("http://")) {
            bail!(
                "`url` under [connectors.{id}] must begin with https:// or http://, not {template:?}"
            );
        }
        let mut rest = template;
        while let Some((_, after)) = rest.split_once('{') {
            let name = after.split('}').next().unwrap_or(after);
            if !known.contains(&name) {
                let known: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
                bail!(
                    "`url` under [connectors.{id}] knows no {{{name}}}; known: {}",
                    known.join(", ")
                );
            }
            rest = after;
        }
        Ok(Link(template.to_owned()))
    }

    /// Returns the link, with percent signs where the values need them.
    pub fn fill(&self, values: &[(&str, &str)]) -> String {
        let mut link = self.0.clone();
        for (name, value) in values {
            link = link.replace(&format!("{{{name}}}"), &escaped(value));
        }
        link
    }

    /// Returns the template as it stands.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether there are no links.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn escaped(value: &str) -> String {
    use std::fmt::Write as _;
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_filled_and_escaped() {
        let id = ConnectorId::new("tracker");
        for (template, value, expected) in [
            (
                "https://t.example/{id}",
                "CORE-1",
                "https://t.example/CORE-1",
            ),
            (
                "https://t.example/?q={id}#x",
                "a b/ü",
                "https://t.example/?q=a%20b%2F%C3%BC#x",
            ),
            ("https://t.example/", "CORE-1", "https://t.example/"),
            ("", "CORE-1", ""),
        ] {
            let link = Link::new(&id, template, &["id"]).unwrap();
            assert_eq!(link.fill(&[("id", value)]), expected);
        }
    }

    #[test]
    fn a_wrong_template_names_what_is_known() {
        let id = ConnectorId::new("tracker");
        let wrong = Link::new(&id, "https://t.example/{key}", &["id"])
            .unwrap_err()
            .to_string();
        assert_eq!(
            wrong,
            "`url` under [connectors.tracker] knows no {key}; known: {id}"
        );
        assert!(Link::new(&id, "javascript:alert(1)", &["id"]).is_err());
    }
}
