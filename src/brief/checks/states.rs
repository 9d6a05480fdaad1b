//! V6: state words agree with the tracker or stand in a cited message.

/// A state and the words for it, stems first.
struct State {
    name: &'static str,
    /// Words that claim it.
    words: &'static [&'static str],
    /// Further words of a source that carry it.
    also: &'static [&'static str],
}

const STATES: &[State] = &[
    State {
        name: "closed",
        words: &["closed", "closes"],
        also: &[
            "close",
            "closing",
            "geschlossen",
            "cerrado",
            "fermé",
            "shut",
        ],
    },
    State {
        name: "resolved",
        words: &["resolved", "fixed", "resolves", "fixes"],
        also: &[
            "fix",
            "resolve",
            "resolution",
            "solved",
            "gelöst",
            "behoben",
            "works now",
        ],
    },
    State {
        name: "merged",
        words: &["merged", "merges", "landed"],
        also: &["merge", "landed", "land", "merging"],
    },
    State {
        name: "approved",
        words: &["approved", "approves", "accepted"],
        also: &[
            "approve", "approval", "accept", "lgtm", "r+", "accepts", "+1",
        ],
    },
    State {
        name: "rejected",
        words: &["rejected", "rejects", "declined", "declines", "wontfix"],
        also: &["reject", "decline", "won't fix", "wont fix"],
    },
    State {
        name: "released",
        words: &["released", "shipped", "deployed", "published"],
        also: &[
            "release",
            "ship",
            "deploy",
            "publish",
            "rolled out",
            "is out",
        ],
    },
    State {
        name: "blocked",
        words: &["blocked"],
        also: &[
            "block",
            "blocks",
            "blocking",
            "blocker",
            "waiting for",
            "stuck",
            "waits for",
        ],
    },
    State {
        name: "assigned",
        words: &["assigned", "reassigned"],
        also: &["assign", "assignee", "assigning", "owner"],
    },
    State {
        name: "reopened",
        words: &["reopened", "re-opened"],
        also: &["reopen", "re-open", "opened again", "open again"],
    },
    State {
        name: "opened",
        words: &[],
        also: &["open"],
    },
    State {
        name: "cancelled",
        words: &["cancelled", "canceled", "withdrawn"],
        also: &["cancel", "withdraw", "withdrew", "called off"],
    },
    State {
        name: "postponed",
        words: &["postponed", "deferred"],
        also: &["postpone", "defer", "put off", "later"],
    },
    State {
        name: "done",
        words: &["completed", "finished"],
        also: &["complete", "finish", "done"],
    },
    State {
        name: "reverted",
        words: &["reverted", "rolled back"],
        also: &["revert", "roll back", "rollback", "backed out"],
    },
    State {
        name: "duplicate",
        words: &["duplicate"],
        also: &["dup", "same as", "duplicates"],
    },
];

/// Words that make a state word a wish, a question or a plan.
const NOT_YET: &[&str] = &[
    "not", "never", "n't", "should", "could", "would", "will", "can", "must", "might", "may", "to",
    "if", "whether", "before", "until", "once", "when", "wants", "want", "hopes",
];

/// Returns the first state word of a text that neither the tracker's words nor the cited texts bear out.
///
/// `tracker` are the status words of the ticket now and in the window, lower case; `cited` are the cited texts, lower case.
pub fn unsupported(text: &str, tracker: &[String], cited: &[&str]) -> Option<&'static str> {
    let lower = text.to_lowercase();
    STATES
        .iter()
        .filter(|state| state.words.iter().any(|word| has_word(&lower, word)))
        .find(|state| {
            let in_tracker = tracker.iter().any(|status| {
                state
                    .words
                    .iter()
                    .chain(state.also)
                    .any(|word| has_word(status, word))
                    || is_kin(state.name, status)
            });
            let in_cited = cited.iter().any(|source| {
                state
                    .words
                    .iter()
                    .chain(state.also)
                    .any(|word| has_word(source, word))
            });
            !in_tracker && !in_cited
        })
        .map(|state| state.name)
}

/// Returns whether a tracker's closed word bears out a state: "done" is closed, "merged" is closed, "fixed" is resolved.
fn is_kin(state: &str, status: &str) -> bool {
    let is_closed = crate::model::is_closed_status(status);
    match state {
        "closed" | "done" => is_closed,
        "resolved" => {
            is_closed
                && !matches!(
                    status,
                    "rejected"
                        | "wontfix"
                        | "won't fix"
                        | "won't do"
                        | "declined"
                        | "cancelled"
                        | "canceled"
                        | "invalid"
                        | "duplicate"
                )
        }
        _ => false,
    }
}

/// Returns whether a word or phrase stands in a lower-case text.
pub fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        let after = text[at + word.len()..].chars().next().unwrap_or(' ');
        !before.is_alphanumeric() && !after.is_alphanumeric()
    })
}

/// Returns whether a state is claimed of a ticket that the tracker knows to be in another one: "closed" of an open ticket.
pub fn contradicts(text: &str, is_closed: bool) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .collect();
    let claims = |list: &[&str]| {
        words.iter().enumerate().any(|(at, word)| {
            list.contains(word)
                && !words[at.saturating_sub(3)..at]
                    .iter()
                    .any(|before| NOT_YET.contains(before) || before.ends_with("n't"))
        })
    };
    if is_closed {
        claims(&["reopened"])
    } else {
        claims(&["closed", "merged"])
    }
}

/// Words that take back what was settled, at the start of a sentence or of a message.
const CONTRARY: &[&str] = &[
    "but",
    "wait",
    "hold",
    "actually",
    "revert",
    "reverting",
    "hmm",
    "however",
    "no",
    "aber",
    "pero",
    "mais",
];

/// Returns whether a message begins by speaking against what came before, or asks to revert it.
pub fn is_contrary(source: &str) -> bool {
    let lower = source.to_lowercase();
    let begins = lower.split(['.', '!', '?', '\n']).any(|sentence| {
        let first = sentence
            .split(|c: char| !c.is_alphanumeric())
            .find(|word| !word.is_empty());
        first.is_some_and(|word| CONTRARY.contains(&word))
    });
    begins
        || [
            "hold on",
            "let's not",
            "revert",
            "changed my mind",
            "on second thought",
        ]
        .iter()
        .any(|cue| has_word(&lower, cue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_needs_the_tracker_or_a_source() {
        let check = |text: &str, status: &str, cited: &str, expected: Option<&str>| {
            assert_eq!(
                unsupported(text, &[status.to_owned()], &[cited]),
                expected,
                "{text:?}"
            );
        };
        check("Ana closed it", "closed", "", None);
        check("Ana closed it", "done", "", None);
        check("Ana closed it", "open", "i closed the ticket", None);
        check("Ana closed it", "open", "please look at it", Some("closed"));
        check("it was merged", "closed", "thanks", Some("merged"));
        check("it was merged", "merged", "thanks", None);
        check("it was approved", "open", "r+ from me", None);
        check(
            "it was approved and released",
            "open",
            "approved",
            Some("released"),
        );
        check("the disclosed enclosed letter", "open", "", None);
        check("it was fixed", "rejected", "", Some("resolved"));
    }

    #[test]
    fn the_tracker_has_the_last_word_on_its_own_ticket() {
        assert!(contradicts("{t1} was closed by Ana", false));
        assert!(!contradicts("{t1} should be closed soon", false));
        assert!(!contradicts("{t1} isn't closed", false));
        assert!(!contradicts("{t1} was closed by Ana", true));
        assert!(contradicts("{t1} was reopened", true));
    }
}
