//! `[triage]`: who might take a ticket, and how far daybrief goes with it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::model::suggestion::Ladder;

/// GitHub's labels have at most 50 characters, and the member's id needs some.
const LONGEST_LABEL: usize = 40;

/// `[triage]`: who might take a ticket.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TriageConfig {
    /// How far daybrief goes with new tickets without an owner: `off`, `shadow` (recorded and judged, never shown),
    /// `briefing` (shown to the people concerned), `label` (on the ticket), `comment` (on the ticket, with the label if
    /// there is one) or `assign` (where that has proven itself).
    pub mode: Step,
    /// Other steps for a connector, or for an area of it: `tracker` or `tracker:component=NAME`.
    pub modes: BTreeMap<String, Step>,
    /// The label of a ticket somebody stands out for; `{member}` is their id here. Without one, none is set.
    pub label: String,
    /// The share of the suggestions that should be right; below it nobody is said to stand out.
    pub target_precision: f32,
    /// Accounts that are inboxes or programs, beside those that are recognized: `tracker:NAME`.
    pub placeholders: Vec<String>,
    /// A file in the format of CODEOWNERS, relative to this one: who looks after which paths.
    pub owners_file: Option<PathBuf>,
    /// The member whose first briefing of a week says how the suggestions do.
    pub admin: Option<String>,
    /// Whether what people press or say in chat (take it, give it to somebody) changes the owner at the tracker where the
    /// ladder stops at `briefing`; from `comment` on it does anyway.
    pub taps_assign: bool,
}

impl Default for TriageConfig {
    fn default() -> Self {
        TriageConfig {
            mode: Step::Briefing,
            modes: BTreeMap::new(),
            label: String::new(),
            target_precision: 0.8,
            placeholders: Vec::new(),
            owners_file: None,
            admin: None,
            taps_assign: false,
        }
    }
}

/// A step of the ladder, as written.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Nothing is looked at.
    Off,
    /// Recorded and judged, never shown.
    Shadow,
    /// Shown to the people concerned.
    Briefing,
    /// A label on the ticket.
    Label,
    /// A comment on the ticket.
    Comment,
    /// The ticket is given to somebody.
    Assign,
}

impl From<Step> for Ladder {
    fn from(step: Step) -> Ladder {
        match step {
            Step::Off => Ladder::Off,
            Step::Shadow => Ladder::Shadow,
            Step::Briefing => Ladder::Briefing,
            Step::Label => Ladder::Label,
            Step::Comment => Ladder::Comment,
            Step::Assign => Ladder::Assign,
        }
    }
}

impl TriageConfig {
    /// Returns why a key cannot be right, with the key; `is_connector` knows the connectors.
    pub(super) fn wrong_key(&self, is_connector: impl Fn(&str) -> bool) -> Option<(&str, String)> {
        if !(0.0..=1.0).contains(&self.target_precision) {
            let why = "is a share between 0 and 1, such as 0.8".to_owned();
            return Some(("target_precision", why));
        }
        let is_step = |step: &Step| *step == Step::Label;
        if self.label.is_empty() && (is_step(&self.mode) || self.modes.values().any(is_step)) {
            let why =
                "the step \"label\" needs one, such as label = \"suggested-{member}\"".to_owned();
            return Some(("label", why));
        }
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == ',';
        if self.label.contains(is_odd) || self.label.chars().count() > LONGEST_LABEL {
            let why =
                format!("has no spaces and no commas, and at most {LONGEST_LABEL} characters");
            return Some(("label", why));
        }
        for place in self.modes.keys() {
            let (connector, area) = place.split_once(':').unwrap_or((place, "component="));
            if !is_connector(connector) {
                return Some((
                    "modes",
                    format!("{place:?}: there is no [connectors.{connector}]"),
                ));
            }
            if !area.starts_with("component=") {
                let why = format!("{place:?} is neither a connector nor tracker:component=NAME");
                return Some(("modes", why));
            }
        }
        let of_none = |name: &&String| {
            !name
                .split_once(':')
                .is_some_and(|(connector, _)| is_connector(connector))
        };
        let name = self.placeholders.iter().find(of_none)?;
        Some((
            "placeholders",
            format!("{name:?} is not of the form tracker:NAME with a connector of yours"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_label_needs_a_label_that_trackers_take() {
        for (table, wrong) in [
            ("", None),
            ("mode = \"label\"\nlabel = \"for-{member}\"", None),
            ("label = \"for-{member}\"", None),
            ("mode = \"label\"", Some("suggested-{member}")),
            (
                "modes = { tracker = \"label\" }",
                Some("suggested-{member}"),
            ),
            ("label = \"for {member}\"", Some("no spaces")),
            (
                "label = \"a-name-that-is-much-too-long-for-any-label-there\"",
                Some("at most 40"),
            ),
        ] {
            let config: TriageConfig = toml::from_str(table).unwrap();
            let found = config.wrong_key(|_| true);
            match (found, wrong) {
                (None, None) => {}
                (Some(("label", why)), Some(part)) => assert!(why.contains(part), "{why}"),
                (found, _) => panic!("{table}: {found:?}"),
            }
        }
    }
}
