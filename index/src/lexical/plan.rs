//! A query as full text sees it: one flat union of weighted terms.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;
use tantivy::postings::TermInfo;
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::Field;
use tantivy::{InvertedIndexReader, Searcher, Term};

use super::Lexical;
use crate::analyze::{self, Kind, Stems, Token};
use crate::passage::Query;
use crate::snippet::Wanted;

/// One weighted term of a query, and where it is in every segment: looked up once.
#[derive(Clone, Debug)]
pub(crate) struct Clause {
    pub field: Field,
    pub text: String,
    pub boost: f32,
    /// How many passages have the term.
    pub found: u64,
    /// The term's postings by segment.
    pub postings: Vec<Option<TermInfo>>,
}

impl Clause {
    pub fn term(&self) -> Term {
        Term::from_field_text(self.field, &self.text)
    }
}

/// A query as full text sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub clauses: Vec<Clause>,
    pub wanted: Wanted,
    pub notes: Vec<String>,
}

// Weights that won on the development sets, one setting for all (index/README.md has the figures).
const TITLE: f32 = 0.5;
const WHOLE: f32 = 0.5;
const META: f32 = 0.3;
const CONTEXT: f32 = 0.25;
const BODY_QUERY: f32 = 0.3;
/// More terms than a person types; a pasted log is searched by its rarest ones.
const MOST_TERMS: usize = 64;
const MOST_TOKENS: usize = 4_000;
const MOST_EXPANSIONS: usize = 20;

impl Lexical {
    /// Returns the terms a query is scored by.
    pub fn plan(&self, searcher: &Searcher, query: &Query) -> Result<Plan> {
        let mut plan = Plan::default();
        let languages = self.languages_in(searcher)?;
        let shares = if query.body.is_empty() || query.text.is_empty() {
            (1.0, 1.0)
        } else {
            (1.0 - BODY_QUERY, BODY_QUERY)
        };
        let mut weights: BTreeMap<(Field, String), f32> = BTreeMap::new();
        let mut words: Vec<String> = Vec::new();
        for (text, share) in [(&query.text, shares.0), (&query.body, shares.1)] {
            if text.is_empty() {
                continue;
            }
            let mut tokens = analyze::tokens(head(text));
            tokens.truncate(MOST_TOKENS);
            let language = analyze::language_of(text, None, &languages);
            let content = tokens
                .iter()
                .filter(|t| !analyze::is_function_word(language, &t.text))
                .count();
            if content >= 2 {
                tokens.retain(|t| !analyze::is_function_word(language, &t.text));
            }
            let mut seen = HashSet::new();
            let mut here = BTreeMap::new();
            for token in tokens {
                if !seen.insert((token.kind, token.text.clone())) {
                    continue;
                }
                self.weigh(&token, &languages, &mut here);
                if token.kind == Kind::Word {
                    words.push(token.text);
                }
            }
            for (key, weight) in here {
                *weights.entry(key).or_insert(0.0) += weight * share;
            }
        }
        let mut clauses: Vec<(f32, Clause)> = Vec::new();
        let total = searcher.num_docs() as f32;
        let mut dictionaries = Dictionaries::new(searcher);
        let mut in_body: HashSet<&str> = HashSet::new();
        for ((field, text), boost) in &weights {
            // What is in a title is in the body too, and the body's field comes first.
            if *field == self.fields.title && !in_body.contains(text.as_str()) {
                continue;
            }
            let Some(clause) = dictionaries.clause(*field, text, *boost)? else {
                continue;
            };
            if *field == self.fields.body {
                in_body.insert(text);
            }
            let found = clause.found as f32;
            let rarity = (1.0 + (total - found + 0.5).max(0.0) / (found + 0.5)).ln();
            plan.wanted.terms.entry(text.clone()).or_insert(rarity);
            clauses.push((rarity * boost, clause));
        }
        if clauses.len() > MOST_TERMS * 4 {
            clauses.sort_by(|a, b| b.0.total_cmp(&a.0));
            clauses.truncate(MOST_TERMS * 4);
        }
        plan.clauses = clauses.into_iter().map(|c| c.1).collect();
        self.expand_prefixes(searcher, &query.prefixes, &mut plan)?;
        self.expand_typos(searcher, &words, &mut plan)?;
        plan.wanted.languages = languages;
        Ok(plan)
    }

    fn weigh(
        &self,
        token: &Token,
        languages: &[Stems],
        weights: &mut BTreeMap<(Field, String), f32>,
    ) {
        let fields = self.fields;
        let mut put = |field: Field, text: &str, weight: f32| {
            let entry = weights.entry((field, text.to_string())).or_insert(0.0);
            *entry = entry.max(weight);
        };
        match token.kind {
            Kind::Word | Kind::Part | Kind::Gram => {
                let stems = languages
                    .iter()
                    .map(|l| analyze::stem(*l, &token.text).into_owned());
                for stem in stems.collect::<BTreeSet<_>>() {
                    put(fields.body, &stem, 1.0);
                    put(fields.title, &stem, TITLE);
                    put(fields.context, &stem, CONTEXT);
                }
                put(fields.meta, &token.text, META);
            }
            Kind::Whole => {
                put(fields.exact, &token.text, WHOLE);
                put(fields.meta, &token.text, META);
            }
        }
    }

    fn expand_prefixes(
        &self,
        searcher: &Searcher,
        prefixes: &[String],
        plan: &mut Plan,
    ) -> Result<()> {
        for prefix in prefixes.iter().take(8) {
            let prefix = analyze::fold(prefix.trim_matches(|c: char| !c.is_alphanumeric()));
            if prefix.is_empty() {
                continue;
            }
            let mut found: BTreeSet<String> = BTreeSet::new();
            for segment in searcher.segment_readers() {
                let inverted = segment.inverted_index(self.fields.exact)?;
                let mut stream = inverted
                    .terms()
                    .range()
                    .ge(prefix.as_bytes())
                    .into_stream()?;
                let mut seen = 0;
                while stream.advance() && seen < MOST_EXPANSIONS * 5 {
                    let Ok(text) = std::str::from_utf8(stream.key()) else {
                        break;
                    };
                    if !text.starts_with(&prefix) {
                        break;
                    }
                    found.insert(text.to_string());
                    seen += 1;
                }
            }
            self.add_expansions(searcher, found, 0.8, plan)?;
            plan.wanted.prefixes.push(prefix);
        }
        Ok(())
    }

    /// A word that nobody has written is a typo of one that somebody has.
    fn expand_typos(&self, searcher: &Searcher, words: &[String], plan: &mut Plan) -> Result<()> {
        let unknown = words
            .iter()
            .filter(|w| w.chars().count() >= 4 && w.chars().all(char::is_alphabetic));
        for word in unknown.take(12) {
            let term = Term::from_field_text(self.fields.exact, word);
            let known = plan.wanted.terms.contains_key(word.as_str())
                || searcher.doc_freq(&term)? > 0
                || self.languages.iter().any(|l| {
                    plan.wanted
                        .terms
                        .contains_key(analyze::stem(*l, word).as_ref())
                });
            if known {
                continue;
            }
            let distance = if word.chars().count() >= 8 { 2 } else { 1 };
            let automaton = FuzzyTermQuery::new(term, distance, true).automaton()?;
            let mut found: BTreeSet<String> = BTreeSet::new();
            for segment in searcher.segment_readers() {
                let inverted = segment.inverted_index(self.fields.exact)?;
                let mut stream = inverted.terms().search(&automaton).into_stream()?;
                while stream.advance() && found.len() < 200 {
                    if let Ok(text) = std::str::from_utf8(stream.key()) {
                        found.insert(text.to_string());
                    }
                }
            }
            // Few people mistype the first letter; those who do still find it when nothing else is near.
            let same_start: BTreeSet<String> = found
                .iter()
                .filter(|f| f.chars().next() == word.chars().next())
                .cloned()
                .collect();
            let found = if same_start.is_empty() {
                found
            } else {
                same_start
            };
            self.add_expansions(searcher, found, 0.6, plan)?;
        }
        Ok(())
    }

    /// Adds the most frequent of the found words, unstemmed.
    fn add_expansions(
        &self,
        searcher: &Searcher,
        found: BTreeSet<String>,
        boost: f32,
        plan: &mut Plan,
    ) -> Result<()> {
        let mut dictionaries = Dictionaries::new(searcher);
        let mut ranked = Vec::new();
        for text in found {
            ranked.extend(dictionaries.clause(self.fields.exact, &text, boost)?);
        }
        ranked.sort_by(|a, b| b.found.cmp(&a.found).then_with(|| a.text.cmp(&b.text)));
        for clause in ranked.into_iter().take(MOST_EXPANSIONS) {
            plan.wanted.terms.entry(clause.text.clone()).or_insert(1.0);
            plan.clauses.push(clause);
        }
        Ok(())
    }

    /// Returns the languages that passages of the index were stemmed by.
    pub(super) fn languages_in(&self, searcher: &Searcher) -> Result<Vec<Stems>> {
        let mut found = BTreeSet::new();
        for segment in searcher.segment_readers() {
            let inverted = segment.inverted_index(self.fields.language)?;
            let mut stream = inverted.terms().stream()?;
            while stream.advance() {
                found.extend(
                    std::str::from_utf8(stream.key())
                        .ok()
                        .and_then(Stems::from_code),
                );
            }
        }
        Ok(found.into_iter().collect())
    }
}

/// The term dictionaries of all segments, opened once a field.
struct Dictionaries<'a> {
    searcher: &'a Searcher,
    of_field: HashMap<Field, Vec<Arc<InvertedIndexReader>>>,
}

impl Dictionaries<'_> {
    fn new(searcher: &Searcher) -> Dictionaries<'_> {
        Dictionaries {
            searcher,
            of_field: HashMap::new(),
        }
    }

    /// Returns the clause of a term; nothing when no passage has it.
    fn clause(&mut self, field: Field, text: &str, boost: f32) -> Result<Option<Clause>> {
        let segments = match self.of_field.entry(field) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(
                self.searcher
                    .segment_readers()
                    .iter()
                    .map(|segment| segment.inverted_index(field))
                    .collect::<tantivy::Result<_>>()?,
            ),
        };
        let mut found = 0;
        let mut postings = Vec::with_capacity(segments.len());
        for segment in segments {
            let info = segment.terms().get(text)?;
            found += info.as_ref().map_or(0, |info| u64::from(info.doc_freq));
            postings.push(info);
        }
        Ok((found > 0).then(|| Clause {
            field,
            text: text.to_string(),
            boost,
            found,
            postings,
        }))
    }
}

/// Cuts what nobody reads to the end: 64 kB of a query say all it has to say.
pub(super) fn head(text: &str) -> &str {
    let mut end = text.len().min(64 * 1024);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
