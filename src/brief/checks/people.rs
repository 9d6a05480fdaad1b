//! V5: who a sentence is about, and whether they said what it says they said.

use std::collections::{BTreeSet, HashSet};
use std::sync::OnceLock;

use super::words::{is_stop_word, stem};
use crate::brief::digest::{Digest, DigestMessage};

/// Verbs of saying and thinking, as stems.
const REPORTING: &str = "say said ask answer repli reply respond note think thought suggest propos agre disagre argu believ wonder explain add want point confirm report recommend mention stat claim thank offer object question writ wrote announc clarifi clarify doubt find found express describ request conclud counter provid send sent giv gave tell told insist acknowledg admit apologiz assert comment complain concur correct criticiz critiqu declar defend elaborat emphasiz expect feel felt forward highlight inform inquir interject introduc invit link list observ outlin plan post prefer present promis push quot rais react refer reiterat remark remind review shar show speculat stress summariz summaris support vot volunteer warn welcom worri worry";

/// Returns whether a lower-case word reports what somebody said or thought.
fn is_reporting(word: &str) -> bool {
    static WORDS: OnceLock<HashSet<&str>> = OnceLock::new();
    let known = WORDS.get_or_init(|| REPORTING.split(' ').collect());
    known.contains(word) || known.contains(&*stem(word))
}

/// Somebody a sentence is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The word or slot as it stands in the sentence.
    pub word: String,
    /// Whom it may be: places in [`Digest::people`]; empty when it is nobody of the thread.
    pub people: BTreeSet<usize>,
    /// Whether a verb of saying follows.
    pub speaks: bool,
    /// Whether it is a slot.
    pub is_slot: bool,
}

/// A word of a sentence.
struct Word<'a> {
    text: &'a str,
    /// Whether a sentence begins with it.
    begins: bool,
}

fn words_of(text: &str) -> Vec<Word<'_>> {
    let mut begins = true;
    text.split_whitespace()
        .filter_map(|raw| {
            let slot = raw
                .find('{')
                .and_then(|from| Some(&raw[from..=raw[from..].find('}')? + from]));
            let word = slot.unwrap_or_else(|| raw.trim_matches(|c: char| !c.is_alphanumeric()));
            let began = begins;
            let tail = raw.trim_end_matches(['"', '”', '\'', '’', ')']);
            // An initial ends no sentence.
            begins = tail.ends_with(['.', '!', '?', ':', ';']) && word.chars().count() > 1;
            if word.is_empty() {
                return None;
            }
            let opens = raw.starts_with(['"', '“', '‘', '(', '\'', '«']);
            Some(Word {
                text: word,
                begins: began || opens,
            })
        })
        .collect()
}

/// Returns a name without its possessive ending.
fn bare(word: &str) -> &str {
    word.strip_suffix("'s")
        .or_else(|| word.strip_suffix("’s"))
        .or_else(|| word.strip_suffix('\''))
        .or_else(|| word.strip_suffix('’'))
        .unwrap_or(word)
}

/// Endings of words that are no names, at the start of a sentence.
const NO_NAME_ENDINGS: &[&str] = &[
    "ing", "ion", "ions", "ment", "ments", "ness", "ity", "ers", "ors", "ly", "ence", "ance",
    "ism", "ists", "ical", "ous", "ive", "able", "ible", "ful", "less", "ship", "ward", "wards",
    "ults", "ages", "ures", "ems", "ems", "ies", "tics", "als", "ects", "ents", "ants", "ings",
];

/// Common first words of a sentence that are no names.
const OPENERS: &str = "people everyone everybody someone somebody anyone nobody none several another others various two three four five six first second third finally lastly next later earlier meanwhile additionally furthermore moreover therefore thus hence overall regarding concerning according based given instead rather despite although unless whether without within between among during since until because due part parts both neither either each every half most many much some any all no yes one ones user users author team group members member server client browser code data text test tests link links list file files page pages issue issues question answer response reply message email mail thread topic document documents spec specification standard version draft example examples problem solution point idea ideas proposal section language type types value values element elements attribute attributes name names node nodes number order change changes support work use using new old current different same similar possible good better best great sorry thanks hello hi dear please let lets here there where when why how what who which whose it its he she they we you i his her their our my your this that these those the a an and or but so if as at by for from in into of off on onto out over to under up with is are was were be been do does did has have had can could may might must should will would not only also just even still yet then than too very now today tomorrow yesterday monday tuesday wednesday thursday friday saturday sunday";

fn is_opener(word: &str) -> bool {
    is_stop_word(word)
        || OPENERS.split(' ').any(|known| known == word)
        || NO_NAME_ENDINGS
            .iter()
            .any(|ending| word.len() > ending.len() + 2 && word.ends_with(ending))
}

/// Returns whether a word has the shape of a name: a capital, then small letters.
fn is_name_shaped(word: &str) -> bool {
    let mut chars = word.chars();
    // "NDAs" is none.
    chars.next().is_some_and(char::is_uppercase)
        && !word.chars().nth(1).is_some_and(char::is_uppercase)
        && word.chars().count() > 2
        && chars.any(char::is_lowercase)
        && word
            .chars()
            .all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’'))
}

/// Returns whether a word could follow a subject as its verb.
fn is_verb_like(word: &str) -> bool {
    is_reporting(word)
        || word.ends_with("n't")
        || word.ends_with("n’t")
        || word.len() > 3 && (word.ends_with('s') && !word.ends_with("ss") || word.ends_with("ed"))
        || matches!(
            word,
            "is" | "was"
                | "has"
                | "had"
                | "will"
                | "would"
                | "and"
                | "also"
                | "does"
                | "did"
                | "can"
                | "could"
                | "then"
                | "however"
                | "likewise"
                | "still"
                | "never"
                | "may"
                | "might"
                | "should"
                | "must"
                | "not"
        )
}

/// Returns everybody a text names, with slots, names of the thread's people and names of nobody there.
///
/// `is_known` says of a word whether the sources hold it, written like this; a word that they hold is the name of a thing.
pub fn named_in(text: &str, digest: &Digest, is_known: impl Fn(&str) -> bool) -> Vec<Named> {
    let words = words_of(text);
    let mut found: Vec<Named> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let next = |step: usize| words.get(at + step).map(|word| word.text.to_lowercase());
        let speaks = || {
            (1..=3)
                .find_map(|step| {
                    let word = next(step)?;
                    if is_reporting(&word) {
                        return Some(true);
                    }
                    // "Ana also says", "Ana then says", "Ana Vale says", "{p1} and {p2} agree".
                    let goes_on = matches!(
                        word.as_str(),
                        "also"
                            | "then"
                            | "later"
                            | "again"
                            | "and"
                            | "further"
                            | "now"
                            | "finally"
                            | "apparently"
                    ) || word.starts_with('{')
                        || words
                            .get(at + step)
                            .is_some_and(|word| is_name_shaped(word.text));
                    if goes_on { None } else { Some(false) }
                })
                .unwrap_or(false)
        };
        if let Some(slot) = word
            .text
            .strip_prefix('{')
            .and_then(|slot| slot.strip_suffix('}'))
        {
            if slot.starts_with('p') {
                let people = digest
                    .people
                    .iter()
                    .position(|person| person.slot == slot)
                    .into_iter()
                    .collect();
                found.push(Named {
                    word: slot.to_owned(),
                    people,
                    speaks: speaks(),
                    is_slot: true,
                });
            }
            continue;
        }
        let name = bare(word.text);
        let lower = name.to_lowercase();
        let is_capital = name.starts_with(char::is_uppercase);
        let is_login = name.contains(|c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | '-'))
            && !name.contains('/');
        if !is_capital && !is_login || is_date_word(&lower) {
            continue;
        }
        if word.begins && is_opener(&lower) && !known_login(&lower, digest) {
            continue;
        }
        let mut people = called(&lower, digest);
        // Two names in a row are one person where one person has both.
        if let Some(after) = words.get(at + 1).map(|word| bare(word.text).to_lowercase()) {
            let both: BTreeSet<usize> = people
                .iter()
                .copied()
                .filter(|at| digest.people[*at].aliases.contains(&after))
                .collect();
            if !both.is_empty() {
                people = both;
            }
        }
        if people.is_empty() {
            let is_name = is_name_shaped(name)
                && !is_known(name)
                && !is_opener(&lower)
                && !is_opener(lower.trim_end_matches('s'))
                && (!word.begins
                    || next(1).is_some_and(|next| is_verb_like(&next))
                    || words
                        .get(at + 1)
                        .is_some_and(|word| is_name_shaped(word.text)));
            if !is_name {
                continue;
            }
        }
        found.push(Named {
            word: name.to_owned(),
            people,
            speaks: speaks(),
            is_slot: false,
        });
    }
    found
}

/// Returns everybody a lower-case name may mean: by an alias, by a part of it, by a login that holds it, or else by a name that is
/// one letter off.
pub fn called(lower: &str, digest: &Digest) -> BTreeSet<usize> {
    let all = |is: &dyn Fn(&BTreeSet<String>) -> bool| -> BTreeSet<usize> {
        digest
            .people
            .iter()
            .enumerate()
            .filter(|(_, person)| is(&person.aliases))
            .map(|(at, _)| at)
            .collect()
    };
    let exact = all(&|aliases| aliases.contains(lower));
    if !exact.is_empty() {
        return exact;
    }
    let plain = crate::brief::digest::folded(lower);
    let lower = plain.as_deref().unwrap_or(lower);
    let length = lower.chars().count();
    let parts: Vec<&str> = lower
        .split(['-', '.', '_'])
        .filter(|part| part.chars().count() > 2)
        .collect();
    let by_parts = all(&|aliases| {
        aliases.contains(lower)
            || parts.len() > 1 && parts.iter().all(|part| aliases.contains(*part))
    });
    if !by_parts.is_empty() || length < 5 {
        return by_parts;
    }
    let by_login = all(&|aliases| {
        aliases.iter().any(|alias| {
            !alias.contains(' ') && (alias.ends_with(lower) || alias.starts_with(lower))
        })
    });
    if !by_login.is_empty() {
        return by_login;
    }
    all(&|aliases| {
        aliases
            .iter()
            .any(|alias| alias.chars().next() == lower.chars().next() && is_one_off(alias, lower))
    })
}

/// Returns whether two names differ by one letter: another one, one more or one less.
fn is_one_off(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 1 || a.len() < 5 {
        return false;
    }
    let front = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let back = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    front + back + 1 >= a.len().max(b.len())
}

fn known_login(lower: &str, digest: &Digest) -> bool {
    digest.people.iter().any(|person| {
        person
            .handles
            .iter()
            .any(|handle| handle.id.eq_ignore_ascii_case(lower))
    })
}

fn is_date_word(lower: &str) -> bool {
    const WORDS: &str = "january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun jan feb mar apr jun jul aug sep oct nov dec utc gmt cet english german french spanish";
    WORDS.split(' ').any(|word| word == lower)
}

/// What does not hold about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The slot or name is nobody's of the thread.
    Nobody(String),
    /// The person neither wrote nor is named in a cited message.
    NotThere(String),
    /// The person wrote none of the cited messages and is said to have said something.
    DidNotSay(String),
}

/// Returns what is wrong about the people a text names, given the cited messages.
pub fn wrong(
    named: &[Named],
    digest: &Digest,
    cited: &[&DigestMessage],
    lower: &[&str],
) -> Option<Wrong> {
    let wrote = |person: &usize| cited.iter().any(|message| message.who == Some(*person));
    let is_named = |person: &usize| cited.iter().any(|message| message.names.contains(person));
    let in_facts = |person: &usize| {
        let facts = &digest.facts;
        facts
            .owner
            .is_some_and(|(from, to)| from == Some(*person) || to == Some(*person))
            || digest
                .tickets
                .iter()
                .any(|ticket| ticket.owner == Some(*person))
    };
    for one in named {
        if one.people.is_empty() {
            return Some(Wrong::Nobody(one.word.clone()));
        }
        let stands = |word: &str| lower.iter().any(|text| super::states::has_word(text, word));
        let is_there = |person: &usize| wrote(person) || is_named(person) || in_facts(person);
        let stands_there = !one.is_slot && stands(&one.word.to_lowercase());
        if !stands_there && !one.people.iter().any(is_there) {
            return Some(Wrong::NotThere(one.word.clone()));
        }
        if one.speaks && !one.people.iter().any(wrote) {
            return Some(Wrong::DidNotSay(one.word.clone()));
        }
    }
    None
}
