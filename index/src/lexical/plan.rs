//! A query as full text sees it: one flat union of weighted terms.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::Result;
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::Field;
use tantivy::{Searcher, Term};

use super::Lexical;
use crate::analyze::{self, Kind, Stems, Token};
use crate::passage::Query;
use crate::snippet::Wanted;

/// One weighted term of a query.
#[derive(Clone, Debug)]
pub(crate) struct Clause {
    pub term: Term,
    pub boost: f32,
    pub name: String,
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
        for ((field, text), boost) in weights {
            let term = Term::from_field_text(field, &text);
            let found = searcher.doc_freq(&term)? as f32;
            if found == 0.0 {
                continue;
            }
            let rarity = (1.0 + (total - found + 0.5).max(0.0) / (found + 0.5)).ln();
            plan.wanted.terms.entry(text.clone()).or_insert(rarity);
            let name = format!("{}:{text}", searcher.schema().get_field_name(field));
            clauses.push((rarity * boost, Clause { term, boost, name }));
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
        let mut ranked = Vec::new();
        for text in found {
            let term = Term::from_field_text(self.fields.exact, &text);
            ranked.push((searcher.doc_freq(&term)?, text, term));
        }
        ranked.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        for (_, text, term) in ranked.into_iter().take(MOST_EXPANSIONS) {
            plan.wanted.terms.entry(text.clone()).or_insert(1.0);
            plan.clauses.push(Clause {
                name: format!("exact:{text}"),
                term,
                boost,
            });
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

/// Cuts what nobody reads to the end: 64 kB of a query say all it has to say.
pub(super) fn head(text: &str) -> &str {
    let mut end = text.len().min(64 * 1024);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
