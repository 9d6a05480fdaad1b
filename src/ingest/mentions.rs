//! Whom a text names: `@handle\b`, in any case, in quotes and code too.

use std::collections::{BTreeSet, HashMap};

use crate::model::{ConnectorId, Handle, Person};

/// The accounts of one connector by every name they can be called with after an `@`.
#[derive(Clone, Debug, Default)]
pub struct Names {
    by_name: HashMap<String, String>,
}

impl Names {
    /// Collects the names of a connector's accounts: what the source says, and what the config says.
    pub fn of(connector: &ConnectorId, people: &[Person], configured: &[&Handle]) -> Names {
        let mut by_name = HashMap::new();
        for person in people {
            let Some(handle) = person
                .handle
                .as_ref()
                .filter(|handle| handle.connector == *connector)
            else {
                continue;
            };
            for alias in &person.aliases {
                by_name
                    .entry(alias.to_lowercase())
                    .or_insert_with(|| handle.id.to_string());
            }
        }
        // An account's own id wins over somebody else's alias.
        let ids = people
            .iter()
            .filter_map(|person| person.handle.as_ref())
            .chain(configured.iter().copied());
        for handle in ids.filter(|handle| handle.connector == *connector) {
            by_name.insert(handle.id.to_lowercase(), handle.id.to_string());
        }
        Names { by_name }
    }

    /// Returns the account of a name, if there is one.
    pub fn account(&self, name: &str) -> Option<&str> {
        self.by_name.get(&name.to_lowercase()).map(String::as_str)
    }

    /// Returns the accounts that a text names with an `@`.
    pub fn mentioned_in(&self, text: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (at, _) in text.match_indices('@') {
            // `me@example.org` is an address, not a mention.
            if text[..at].chars().next_back().is_some_and(is_word) {
                continue;
            }
            let token = token_at(&text[at + 1..]);
            // The longest name that ends at a word border: `@ana-bot` is the bot where there is one, else Ana.
            let borders = token
                .char_indices()
                .filter(|(_, c)| !is_word(*c))
                .map(|(border, _)| border);
            let ends: BTreeSet<usize> = borders.chain([token.len()]).collect();
            if let Some(account) = ends
                .iter()
                .rev()
                .find_map(|&end| self.account(&token[..end]))
            {
                found.insert(account.to_owned());
            }
        }
        found
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn token_at(text: &str) -> &str {
    let end = text
        .find(|c| !(is_word(c) || matches!(c, '-' | '.')))
        .unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_at_word_borders() {
        let chat = ConnectorId::new("chat");
        let person = |id: &str, alias: &str| Person {
            handle: Some(Handle::new(&chat, id)),
            aliases: vec![alias.into()],
            ..Person::default()
        };
        let people = [
            person("U1", "ana"),
            person("U2", "Bo.Berg"),
            person("U3", "ana-bot"),
        ];
        let names = Names::of(&chat, &people, &[]);
        for (text, expected) in [
            ("hi @Ana, look", vec!["U1"]),
            ("@ana's patch and @bo.berg.", vec!["U1", "U2"]),
            ("> @ana said `@bo.berg`", vec!["U1", "U2"]),
            ("@ana-bot run", vec!["U3"]),
            ("@ana-maria", vec!["U1"]),
            ("@anastasia and mail me@ana", vec![]),
            ("@u2 by id, @ nobody, @", vec!["U2"]),
        ] {
            let found = names.mentioned_in(text);
            assert_eq!(
                found.iter().map(String::as_str).collect::<Vec<_>>(),
                expected,
                "{text}"
            );
        }
    }
}
