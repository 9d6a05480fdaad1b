//! Stems: which language a text is in, what a word of it is without its ending, and which words only hold a sentence together.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use tantivy::tokenizer::{Language, RawTokenizer, Stemmer, TextAnalyzer, TokenStream};

/// The languages the index can stem, by their ISO 639-1 codes.
const LANGUAGES: [(&str, Language, whatlang::Lang); 18] = [
    ("en", Language::English, whatlang::Lang::Eng),
    ("de", Language::German, whatlang::Lang::Deu),
    ("fr", Language::French, whatlang::Lang::Fra),
    ("es", Language::Spanish, whatlang::Lang::Spa),
    ("pt", Language::Portuguese, whatlang::Lang::Por),
    ("it", Language::Italian, whatlang::Lang::Ita),
    ("nl", Language::Dutch, whatlang::Lang::Nld),
    ("ru", Language::Russian, whatlang::Lang::Rus),
    ("sv", Language::Swedish, whatlang::Lang::Swe),
    ("da", Language::Danish, whatlang::Lang::Dan),
    ("no", Language::Norwegian, whatlang::Lang::Nob),
    ("fi", Language::Finnish, whatlang::Lang::Fin),
    ("hu", Language::Hungarian, whatlang::Lang::Hun),
    ("ro", Language::Romanian, whatlang::Lang::Ron),
    ("tr", Language::Turkish, whatlang::Lang::Tur),
    ("el", Language::Greek, whatlang::Lang::Ell),
    ("ar", Language::Arabic, whatlang::Lang::Ara),
    ("ta", Language::Tamil, whatlang::Lang::Tam),
];

/// One stemming language; the number is an index into [`LANGUAGES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stems(u8);

impl Stems {
    pub const ENGLISH: Stems = Stems(0);

    pub fn from_code(code: &str) -> Option<Stems> {
        let code = code.split(['-', '_']).next().unwrap_or(code);
        LANGUAGES
            .iter()
            .position(|l| l.0.eq_ignore_ascii_case(code))
            .map(|i| Stems(i as u8))
    }

    pub fn code(self) -> &'static str {
        LANGUAGES[usize::from(self.0)].0
    }
}

/// Returns the language to stem a text by: what its source says, a reliable guess, or the first of `languages`.
pub(crate) fn language_of(text: &str, known: Option<&str>, languages: &[Stems]) -> Stems {
    let usual = languages.first().copied().unwrap_or(Stems::ENGLISH);
    if let Some(stems) = known.and_then(Stems::from_code) {
        return stems;
    }
    if languages.len() < 2 || text.len() < 24 || looks_english(text) {
        return usual;
    }
    let mut end = text.len().min(400);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let allowed: Vec<whatlang::Lang> = languages
        .iter()
        .map(|l| LANGUAGES[usize::from(l.0)].2)
        .collect();
    // A guess among the configured languages alone is bolder than a free one, so it has to be reliable and sure.
    match whatlang::Detector::with_allowlist(allowed).detect(&text[..end]) {
        Some(info) if info.is_reliable() && info.confidence() > 0.7 => LANGUAGES
            .iter()
            .position(|l| l.2 == info.lang())
            .map_or(usual, |i| Stems(i as u8)),
        _ => usual,
    }
}

/// Returns whether the beginning of a text has so many letters outside ASCII that it is no English.
pub(crate) fn is_mostly_unlike_english(text: &str) -> bool {
    let (mut all, mut other) = (0, 0);
    for c in text.chars().take(400).filter(|c| c.is_alphabetic()) {
        all += 1;
        other += usize::from(!c.is_ascii());
    }
    other * 10 > all
}

/// English is what most teams write; a glance at the function words spares the guess, which costs as much as indexing.
fn looks_english(text: &str) -> bool {
    let mut words = 0;
    let mut hits = 0;
    for word in text.split_ascii_whitespace().take(60) {
        words += 1;
        let function = [
            "the", "and", "is", "to", "of", "it", "this", "that", "with", "for", "not", "when",
            "you", "I", "we",
        ];
        hits += usize::from(function.contains(&word));
    }
    hits >= 3 && hits * 8 >= words
}

thread_local! {
    static STEMMED: RefCell<HashMap<Stems, HashMap<String, String>>> = RefCell::default();
    static STEMMERS: RefCell<HashMap<Stems, TextAnalyzer>> = RefCell::default();
}

/// Returns the stem of a folded word.
pub(crate) fn stem(language: Stems, word: &str) -> Cow<'_, str> {
    if word.len() < 3 || word.bytes().any(|b| b.is_ascii_digit() || b == b'_') {
        return Cow::Borrowed(word);
    }
    STEMMED.with_borrow_mut(|stemmed| {
        let stemmed = stemmed.entry(language).or_default();
        if let Some(stem) = stemmed.get(word) {
            return Cow::Owned(stem.clone());
        }
        if stemmed.len() > 30_000 {
            stemmed.clear();
        }
        let stem = STEMMERS.with_borrow_mut(|stemmers| {
            let analyzer = stemmers.entry(language).or_insert_with(|| {
                let stemmer = Stemmer::new(LANGUAGES[usize::from(language.0)].1);
                TextAnalyzer::builder(RawTokenizer::default())
                    .filter(stemmer)
                    .build()
            });
            let mut stream = analyzer.token_stream(word);
            if stream.advance() {
                std::mem::take(&mut stream.token_mut().text)
            } else {
                word.to_string()
            }
        });
        stemmed.insert(word.to_string(), stem.clone());
        Cow::Owned(stem)
    })
}

const ENGLISH_FUNCTION_WORDS: &str = "a about above after again all also am an and any are aren't as at be because been before \
being below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't down during each for \
from further had hadn't has hasn't have haven't having he her here hers herself him himself his how i i'd i'll i'm i've if in \
into is isn't it it's its itself just let's me more most my myself no nor not now of off on once only or other our ours \
ourselves out over own same she should shouldn't so some such than that that's the their theirs them themselves then there \
these they this those through to too under until up very was wasn't we we're were weren't what what's when where which while \
who whom why will with won't would wouldn't you your you're yours yourself yourselves";

/// Returns whether a folded word only holds a sentence together.
pub(crate) fn is_function_word(language: Stems, word: &str) -> bool {
    use std::sync::LazyLock;
    static WORDS: LazyLock<Vec<HashSet<&'static str>>> =
        LazyLock::new(|| vec![ENGLISH_FUNCTION_WORDS.split(' ').collect()]);
    WORDS
        .get(usize::from(language.0))
        .is_some_and(|words| words.contains(word))
}
