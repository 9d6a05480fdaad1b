//! Full text: passages as tantivy documents, queries as one flat union of weighted terms.
//!
//! Filters, phrases and exclusions never enter the scoring query. They become one bit per passage, and scoring asks the bit.
//! That keeps block-max WAND at work whatever the filter is, and gives full text and vectors the very same answer to the
//! question who may see what.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use tantivy::columnar::ColumnValues;
use tantivy::query::{
    BooleanQuery, BoostQuery, EnableScoring, FuzzyTermQuery, Occur, PhraseQuery, Query as _,
    TermQuery, Weight,
};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, NumericOptions, STORED, Schema, TextFieldIndexing,
    TextOptions, Value,
};
use tantivy::tokenizer::{PreTokenizedString, Token as TantivyToken};
use tantivy::{
    DocAddress, DocId, DocSet, IndexReader, ReloadPolicy, Searcher, SegmentReader, TERMINATED,
    TantivyDocument, Term,
};

use crate::analyze::{self, Kind, Stems, Token};
use crate::passage::{Filter, Passage, Query};
use crate::snippet::Wanted;

/// The tantivy fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    pub id: Field,
    pub event: Field,
    pub thread: Field,
    connector: Field,
    kind: Field,
    space: Field,
    author: Field,
    status: Field,
    assignee: Field,
    language: Field,
    /// Stems of the text's words, and of the parts of its identifiers.
    body: Field,
    /// Stems and parts of the title.
    title: Field,
    /// Labels and author names.
    meta: Field,
    /// Stems of the end of the passage before.
    context: Field,
    /// Title and text unstemmed, with positions: phrases, prefixes, typos, identifiers.
    exact: Field,
    audience: Field,
    occurred: Field,
    thread_key: Field,
    kind_key: Field,
    pub row: Field,
    stored: Field,
}

/// The kinds of threads in the order of their stored number, which has three bits; 0 is any other.
pub(crate) const KINDS: [&str; 8] = [
    "",
    "conversation",
    "mail",
    "topic",
    "page",
    "document",
    "ticket",
    "recording",
];

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let name = |index: IndexRecordOption, norms: bool| {
        let indexing = TextFieldIndexing::default()
            .set_tokenizer("raw")
            .set_index_option(index)
            .set_fieldnorms(norms);
        TextOptions::default().set_indexing_options(indexing)
    };
    let key = name(IndexRecordOption::Basic, false);
    let scored = name(IndexRecordOption::WithFreqs, true);
    let placed = name(IndexRecordOption::WithFreqsAndPositions, true);
    let number = NumericOptions::from(FAST);
    let fields = Fields {
        id: builder.add_text_field("id", key.clone()),
        event: builder.add_text_field("event", key.clone()),
        thread: builder.add_text_field("thread", key.clone()),
        connector: builder.add_text_field("connector", key.clone()),
        kind: builder.add_text_field("kind", key.clone()),
        space: builder.add_text_field("space", key.clone()),
        author: builder.add_text_field("author", key.clone()),
        status: builder.add_text_field("status", key.clone()),
        assignee: builder.add_text_field("assignee", key.clone()),
        language: builder.add_text_field("language", key),
        body: builder.add_text_field("body", scored.clone()),
        title: builder.add_text_field("title", scored.clone()),
        meta: builder.add_text_field("meta", scored.clone()),
        context: builder.add_text_field("context", scored),
        exact: builder.add_text_field("exact", placed),
        audience: builder.add_u64_field("audience", number.clone()),
        occurred: builder.add_i64_field("occurred", number.clone()),
        thread_key: builder.add_u64_field("thread_key", number.clone()),
        kind_key: builder.add_u64_field("kind_key", number.clone()),
        row: builder.add_u64_field("row", number | INDEXED),
        stored: builder.add_bytes_field("stored", STORED),
    };
    (builder.build(), fields)
}

/// The reading side of the full-text index.
pub(crate) struct Lexical {
    pub index: tantivy::Index,
    pub fields: Fields,
    pub reader: IndexReader,
    pub languages: Vec<Stems>,
}

impl Lexical {
    pub fn create(dir: &Path, languages: Vec<Stems>) -> Result<Lexical> {
        let index = tantivy::Index::create_in_dir(dir, schema().0)?;
        Lexical::over(index, languages)
    }

    pub fn open(dir: &Path, languages: Vec<Stems>) -> Result<Lexical> {
        Lexical::over(tantivy::Index::open_in_dir(dir)?, languages)
    }

    pub fn in_memory(languages: Vec<Stems>) -> Result<Lexical> {
        Lexical::over(tantivy::Index::create_in_ram(schema().0), languages)
    }

    fn over(index: tantivy::Index, languages: Vec<Stems>) -> Result<Lexical> {
        let (schema, fields) = schema();
        anyhow::ensure!(
            index.schema() == schema,
            "the index was written with other fields"
        );
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        Ok(Lexical {
            index,
            fields,
            reader,
            languages,
        })
    }

    /// Returns the tantivy document of a passage.
    pub fn document(&self, passage: &Passage, row: u64) -> TantivyDocument {
        let fields = self.fields;
        let mut document = TantivyDocument::new();
        document.add_text(fields.id, &passage.id);
        document.add_text(fields.event, &passage.event);
        document.add_text(fields.thread, &passage.thread);
        document.add_text(fields.connector, name_key(&passage.connector));
        document.add_text(fields.kind, name_key(&passage.kind));
        for (field, names) in [
            (fields.author, &passage.authors),
            (fields.assignee, &passage.assignees),
        ] {
            for name in names.iter().map(|n| name_key(n)).collect::<BTreeSet<_>>() {
                document.add_text(field, name);
            }
        }
        for (field, name) in [
            (fields.space, &passage.space),
            (fields.status, &passage.status),
        ] {
            if let Some(name) = name {
                document.add_text(field, name_key(name));
            }
        }
        let language =
            analyze::language_of(&passage.text, passage.language.as_deref(), &self.languages);
        document.add_text(fields.language, language.code());

        let title = analyze::tokens(&passage.title);
        let body = analyze::tokens(&passage.text);
        let mut meta = Vec::new();
        for name in passage.labels.iter().chain(&passage.authors) {
            meta.extend(
                analyze::tokens(name)
                    .into_iter()
                    .filter(|t| t.kind != Kind::Part)
                    .map(|t| t.text),
            );
        }
        let scored = |tokens: &[Token]| -> Vec<String> {
            let scored = tokens.iter().filter(|t| t.kind != Kind::Whole);
            scored
                .map(|t| analyze::stem(language, &t.text).into_owned())
                .collect()
        };
        add(
            &mut document,
            fields.body,
            plain([scored(&title), scored(&body)].concat()),
        );
        add(&mut document, fields.title, plain(scored(&title)));
        add(&mut document, fields.meta, plain(meta));
        let context = analyze::tokens(&passage.context);
        add(&mut document, fields.context, plain(scored(&context)));
        // Phrases do not run from the title into the text.
        let gap = title.iter().map(|t| t.position + 10).max().unwrap_or(0);
        let exact = title
            .into_iter()
            .map(|t| (t, 0))
            .chain(body.into_iter().map(|t| (t, gap)));
        let mut exact: Vec<TantivyToken> = exact
            .filter(|(t, _)| t.kind != Kind::Part)
            .map(|(t, shift)| TantivyToken {
                text: t.text,
                position: t.position + shift,
                ..TantivyToken::default()
            })
            .collect();
        exact.sort_by_key(|t| t.position);
        add(&mut document, fields.exact, exact);

        document.add_u64(fields.audience, passage.audience.0);
        document.add_i64(fields.occurred, passage.occurred_at.as_microsecond());
        document.add_u64(fields.thread_key, key_of(&passage.thread));
        let kind = KINDS.iter().position(|k| *k == passage.kind).unwrap_or(0);
        let foreign =
            language != Stems::ENGLISH || analyze::is_mostly_unlike_english(&passage.text);
        document.add_u64(fields.kind_key, kind as u64 | u64::from(foreign) << 3);
        document.add_u64(fields.row, row);
        let stored = serde_json::to_vec(passage).expect("a passage is plain strings and numbers");
        document.add_bytes(fields.stored, &stored);
        document
    }

    /// Returns the stored passage at an address.
    pub fn passage(&self, searcher: &Searcher, address: DocAddress) -> Result<Passage> {
        let document: TantivyDocument = searcher.doc(address)?;
        let stored = document
            .get_first(self.fields.stored)
            .and_then(|v| v.as_bytes().map(<[u8]>::to_vec));
        serde_json::from_slice(&stored.context("a passage has lost its text")?)
            .context("a stored passage cannot be read")
    }

    /// Returns whether a passage of this id is committed.
    pub fn knows(&self, searcher: &Searcher, field: Field, value: &str) -> Result<bool> {
        Ok(searcher.doc_freq(&Term::from_field_text(field, value))? > 0)
    }
}

fn plain(texts: Vec<String>) -> Vec<TantivyToken> {
    let token = |(position, text)| TantivyToken {
        text,
        position,
        ..TantivyToken::default()
    };
    texts.into_iter().enumerate().map(token).collect()
}

fn add(document: &mut TantivyDocument, field: Field, tokens: Vec<TantivyToken>) {
    if !tokens.is_empty() {
        document.add_pre_tokenized_text(
            field,
            PreTokenizedString {
                text: String::new(),
                tokens,
            },
        );
    }
}

/// Returns the form in which names are compared: `@Ana`, `ana` and ` ANA ` are one.
pub(crate) fn name_key(name: &str) -> String {
    name.trim().trim_start_matches(['@', '#']).to_lowercase()
}

/// Returns 64 bits that stand for a string (FNV-1a with a final mix).
fn key_of(text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (hash >> 29)
}

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
    fn languages_in(&self, searcher: &Searcher) -> Result<Vec<Stems>> {
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
fn head(text: &str) -> &str {
    let mut end = text.len().min(64 * 1024);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// One bit for each passage of a segment: alive, readable, and all the filter asks for.
#[derive(Clone, Debug)]
pub(crate) struct Bits {
    words: Vec<u64>,
    pub count: usize,
}

impl Bits {
    fn none(len: u32) -> Bits {
        Bits {
            words: vec![0; (len as usize).div_ceil(64)],
            count: 0,
        }
    }

    fn set(&mut self, doc: DocId) {
        self.words[doc as usize / 64] |= 1 << (doc % 64);
    }

    pub fn has(&self, doc: DocId) -> bool {
        self.words[doc as usize / 64] >> (doc % 64) & 1 == 1
    }

    pub fn iter(&self) -> impl Iterator<Item = DocId> + '_ {
        self.words.iter().enumerate().flat_map(|(i, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                (word != 0).then(|| {
                    let bit = word.trailing_zeros();
                    word &= word - 1;
                    i as u32 * 64 + bit
                })
            })
        })
    }

    fn keep(&mut self, other: &Bits) {
        self.words
            .iter_mut()
            .zip(&other.words)
            .for_each(|(a, b)| *a &= b);
    }

    fn drop(&mut self, other: &Bits) {
        self.words
            .iter_mut()
            .zip(&other.words)
            .for_each(|(a, b)| *a &= !b);
    }

    fn recount(&mut self) {
        self.count = self.words.iter().map(|w| w.count_ones() as usize).sum();
    }
}

impl Lexical {
    /// Returns, for every segment, which passages may be found. There is no other way to a passage.
    pub fn allowed(&self, searcher: &Searcher, query: &Query) -> Result<Vec<Bits>> {
        searcher
            .segment_readers()
            .iter()
            .map(|segment| self.allowed_in(searcher, segment, query))
            .collect()
    }

    fn allowed_in(
        &self,
        searcher: &Searcher,
        segment: &SegmentReader,
        query: &Query,
    ) -> Result<Bits> {
        let mut bits = readable(segment, query)?;
        let fields = self.fields;
        let Filter {
            connectors,
            kinds,
            spaces,
            authors,
            statuses,
            assignees,
            after,
            before,
        } = &query.filter;
        let lists = [
            (fields.connector, connectors),
            (fields.kind, kinds),
            (fields.space, spaces),
            (fields.author, authors),
            (fields.status, statuses),
            (fields.assignee, assignees),
        ];
        for (field, names) in lists {
            if !names.is_empty() {
                let terms: Vec<Term> = names
                    .iter()
                    .map(|n| Term::from_field_text(field, &name_key(n)))
                    .collect();
                bits.keep(&any_of(segment, &terms)?);
            }
        }
        if after.is_some() || before.is_some() {
            within(segment, *after, *before, &mut bits)?;
        }
        for phrase in &query.phrases {
            bits.keep(&self.with_phrase(searcher, segment, phrase)?);
        }
        for phrase in &query.excluded {
            bits.drop(&self.with_phrase(searcher, segment, phrase)?);
        }
        if !query.without.is_empty() {
            let terms = query.without.iter().flat_map(|id| {
                [fields.id, fields.event, fields.thread]
                    .map(|field| Term::from_field_text(field, id))
            });
            bits.drop(&any_of(segment, &terms.collect::<Vec<_>>())?);
        }
        bits.recount();
        Ok(bits)
    }

    /// Returns the passages that contain a phrase; a single word counts in all its forms.
    fn with_phrase(
        &self,
        searcher: &Searcher,
        segment: &SegmentReader,
        phrase: &str,
    ) -> Result<Bits> {
        let tokens = analyze::tokens(head(phrase));
        let words: Vec<&Token> = tokens
            .iter()
            .filter(|t| matches!(t.kind, Kind::Word | Kind::Gram))
            .take(32)
            .collect();
        let terms: Vec<(usize, Term)> = words
            .iter()
            .map(|t| {
                (
                    t.position,
                    Term::from_field_text(self.fields.exact, &t.text),
                )
            })
            .collect();
        let query: Box<dyn tantivy::query::Query> = match terms.as_slice() {
            // A phrase without words excludes nothing and is contained nowhere.
            [] => return Ok(Bits::none(segment.max_doc())),
            [(_, term)] => {
                let mut forms = vec![
                    (self.fields.exact, words[0].text.clone()),
                    (self.fields.meta, words[0].text.clone()),
                ];
                for language in self.languages_in(searcher)? {
                    let stem = analyze::stem(language, &words[0].text).into_owned();
                    forms.extend([self.fields.body, self.fields.title].map(|f| (f, stem.clone())));
                }
                let mut terms: Vec<Term> = forms
                    .iter()
                    .map(|(f, t)| Term::from_field_text(*f, t))
                    .collect();
                terms.push(term.clone());
                return any_of(segment, &terms);
            }
            _ => Box::new(PhraseQuery::new_with_offset(terms)),
        };
        let weight = query.weight(EnableScoring::disabled_from_schema(searcher.schema()))?;
        let mut bits = Bits::none(segment.max_doc());
        let mut scorer = weight.scorer(segment, 1.0)?;
        fill(&mut bits, scorer.as_mut());
        Ok(bits)
    }
}

fn readable(segment: &SegmentReader, query: &Query) -> Result<Bits> {
    let audiences = segment
        .fast_fields()
        .column_first_or_default::<u64>("audience")?;
    let mut bits = Bits::none(segment.max_doc());
    if query.readable.is_empty() {
        return Ok(bits);
    }
    // Audience ids are interned and small, so that a table answers faster than a set.
    let largest = query.readable.last().map_or(0, |a| a.0);
    let table: Option<Vec<bool>> = (largest < 1 << 20).then(|| {
        let mut table = vec![false; largest as usize + 1];
        query
            .readable
            .iter()
            .for_each(|a| table[a.0 as usize] = true);
        table
    });
    let may = |audience: u64| match &table {
        Some(table) => usize::try_from(audience)
            .ok()
            .and_then(|a| table.get(a))
            .copied()
            .unwrap_or(false),
        None => query.readable.contains(&crate::AudienceId(audience)),
    };
    blocks(segment, audiences.as_ref(), |doc, audience| {
        if may(audience) {
            bits.set(doc);
        }
    });
    if let Some(alive) = segment.alive_bitset() {
        for (i, word) in bits.words.iter_mut().enumerate() {
            let start = i as u32 * 64;
            for bit in 0..64.min(segment.max_doc() - start) {
                if *word >> bit & 1 == 1 && alive.is_deleted(start + bit) {
                    *word &= !(1 << bit);
                }
            }
        }
    }
    Ok(bits)
}

fn within(
    segment: &SegmentReader,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
    bits: &mut Bits,
) -> Result<()> {
    let occurred = segment
        .fast_fields()
        .column_first_or_default::<i64>("occurred")?;
    let from = after.map_or(i64::MIN, Timestamp::as_microsecond);
    let to = before.map_or(i64::MAX, Timestamp::as_microsecond);
    let mut inside = Bits::none(segment.max_doc());
    blocks(segment, occurred.as_ref(), |doc, at| {
        if from <= at && at < to {
            inside.set(doc);
        }
    });
    bits.keep(&inside);
    Ok(())
}

/// Reads a column in blocks, which decodes several times faster than value by value.
fn blocks<T: Copy + Default + PartialOrd + std::fmt::Debug + Send + Sync + 'static>(
    segment: &SegmentReader,
    column: &dyn ColumnValues<T>,
    mut each: impl FnMut(DocId, T),
) {
    let mut buffer = [T::default(); 256];
    let end = segment.max_doc();
    let mut start = 0;
    while start < end {
        let length = (end - start).min(256) as usize;
        column.get_range(u64::from(start), &mut buffer[..length]);
        for (i, value) in buffer[..length].iter().enumerate() {
            each(start + i as u32, *value);
        }
        start += length as u32;
    }
}

fn any_of(segment: &SegmentReader, terms: &[Term]) -> Result<Bits> {
    let mut bits = Bits::none(segment.max_doc());
    for term in terms {
        let inverted = segment.inverted_index(term.field())?;
        if let Some(mut postings) = inverted.read_postings(term, IndexRecordOption::Basic)? {
            fill(&mut bits, &mut postings);
        }
    }
    Ok(bits)
}

fn fill(bits: &mut Bits, docs: &mut (impl DocSet + ?Sized)) {
    while docs.doc() != TERMINATED {
        bits.set(docs.doc());
        docs.advance();
    }
}

/// A passage and its full-text score.
pub(crate) type Scored = (DocAddress, f32);

impl Lexical {
    /// Returns the `most` best passages among the allowed ones, best first.
    pub fn best(
        &self,
        searcher: &Searcher,
        plan: &Plan,
        allowed: &[Bits],
        most: usize,
    ) -> Result<Vec<Scored>> {
        if plan.clauses.is_empty() || most == 0 {
            return Ok(Vec::new());
        }
        let scoring = EnableScoring::enabled_from_searcher(searcher);
        let mut top = Top::new(most);
        let weight = union(&plan.clauses).weight(scoring)?;
        let mut singles: Option<Vec<Box<dyn Weight>>> = None;
        for (ord, (segment, bits)) in searcher.segment_readers().iter().zip(allowed).enumerate() {
            let ord = ord as u32;
            if bits.count == 0 {
                continue;
            }
            // Where few may be found, walking those few beats walking the postings.
            if bits.count < segment.max_doc() as usize / 16 {
                if singles.is_none() {
                    let made = plan
                        .clauses
                        .iter()
                        .map(|c| Ok(single(c).weight(scoring)?))
                        .collect::<Result<_>>()?;
                    singles = Some(made);
                }
                for weight in singles.iter().flatten() {
                    let mut scorer = weight.scorer(segment, 1.0)?;
                    top.walk(scorer.as_mut(), bits);
                }
                top.settle(ord);
                continue;
            }
            weight.for_each_pruning(top.threshold(), segment, &mut |doc, score| {
                if bits.has(doc) {
                    top.offer(DocAddress::new(ord, doc), score);
                }
                top.threshold()
            })?;
        }
        Ok(top.into_sorted())
    }

    /// Returns, for each given passage, the clauses that match it and what each adds.
    pub fn score_parts(
        &self,
        searcher: &Searcher,
        clauses: &[Clause],
        addresses: &[DocAddress],
    ) -> Result<Vec<Vec<(usize, f32)>>> {
        let scoring = EnableScoring::enabled_from_searcher(searcher);
        let mut order: Vec<usize> = (0..addresses.len()).collect();
        order.sort_by_key(|i| addresses[*i]);
        let mut out = vec![Vec::new(); addresses.len()];
        for (number, clause) in clauses.iter().enumerate() {
            let weight = single(clause).weight(scoring)?;
            let mut scorer: Option<(u32, Box<dyn tantivy::query::Scorer>)> = None;
            for &i in &order {
                let address = addresses[i];
                if scorer.as_ref().is_none_or(|s| s.0 != address.segment_ord) {
                    let segment = searcher.segment_reader(address.segment_ord);
                    scorer = Some((address.segment_ord, weight.scorer(segment, 1.0)?));
                }
                let (_, scorer) = scorer.as_mut().expect("it was just made");
                if scorer.doc() < address.doc_id {
                    scorer.seek(address.doc_id);
                }
                if scorer.doc() == address.doc_id {
                    out[i].push((number, scorer.score()));
                }
            }
        }
        Ok(out)
    }

    /// Returns the newest of the allowed passages: what a query without words asks for.
    pub fn newest(
        &self,
        searcher: &Searcher,
        allowed: &[Bits],
        most: usize,
    ) -> Result<Vec<DocAddress>> {
        let mut all: Vec<(i64, DocAddress)> = Vec::new();
        for (ord, (segment, bits)) in searcher.segment_readers().iter().zip(allowed).enumerate() {
            let occurred = segment
                .fast_fields()
                .column_first_or_default::<i64>("occurred")?;
            all.extend(
                bits.iter()
                    .map(|doc| (occurred.get_val(doc), DocAddress::new(ord as u32, doc))),
            );
        }
        let order =
            |a: &(i64, DocAddress), b: &(i64, DocAddress)| b.0.cmp(&a.0).then(a.1.cmp(&b.1));
        if all.len() > most && most > 0 {
            all.select_nth_unstable_by(most - 1, order);
            all.truncate(most);
        }
        all.sort_by(order);
        Ok(all.into_iter().map(|a| a.1).collect())
    }

    /// Returns the thread, kind, time and row of given passages.
    pub fn facts(&self, searcher: &Searcher, addresses: &[DocAddress]) -> Result<Vec<Facts>> {
        let mut columns = HashMap::new();
        addresses
            .iter()
            .map(|address| {
                let ord = address.segment_ord;
                if let std::collections::hash_map::Entry::Vacant(entry) = columns.entry(ord) {
                    let fast = searcher.segment_reader(ord).fast_fields();
                    let threads = fast.column_first_or_default::<u64>("thread_key")?;
                    let kinds = fast.column_first_or_default::<u64>("kind_key")?;
                    let occurred = fast.column_first_or_default::<i64>("occurred")?;
                    let rows = fast.column_first_or_default::<u64>("row")?;
                    entry.insert((threads, kinds, occurred, rows));
                }
                let (threads, kinds, occurred, rows) = &columns[&ord];
                let doc = address.doc_id;
                Ok(Facts {
                    thread: threads.get_val(doc),
                    kind: kinds.get_val(doc) as usize & 7,
                    is_foreign: kinds.get_val(doc) & 8 != 0,
                    occurred_us: occurred.get_val(doc),
                    row: rows.get_val(doc),
                })
            })
            .collect()
    }
}

impl Lexical {
    /// Returns the rows of a segment's passages, by document number.
    pub fn rows(&self, segment: &SegmentReader) -> Result<Vec<u32>> {
        let column = segment
            .fast_fields()
            .column_first_or_default::<u64>("row")?;
        let mut rows = Vec::with_capacity(segment.max_doc() as usize);
        blocks(segment, column.as_ref(), |_, row| rows.push(row as u32));
        Ok(rows)
    }

    /// Returns the allowed passage of a row.
    pub fn locate(&self, searcher: &Searcher, allowed: &[Bits], row: u64) -> Option<DocAddress> {
        let term = Term::from_field_u64(self.fields.row, row);
        searcher
            .segment_readers()
            .iter()
            .zip(allowed)
            .enumerate()
            .find_map(|(ord, (segment, bits))| {
                let inverted = segment.inverted_index(self.fields.row).ok()?;
                let mut postings = inverted
                    .read_postings(&term, IndexRecordOption::Basic)
                    .ok()??;
                while postings.doc() != TERMINATED {
                    if bits.has(postings.doc()) {
                        return Some(DocAddress::new(ord as u32, postings.doc()));
                    }
                    postings.advance();
                }
                None
            })
    }
}

/// What ranking needs to know of a passage beside its scores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub thread: u64,
    pub kind: usize,
    /// Whether the text is in another language than the built-in table was made of.
    pub is_foreign: bool,
    pub occurred_us: i64,
    pub row: u64,
}

fn single(clause: &Clause) -> BoostQuery {
    BoostQuery::new(
        Box::new(TermQuery::new(
            clause.term.clone(),
            IndexRecordOption::WithFreqs,
        )),
        clause.boost,
    )
}

pub(crate) fn union(clauses: &[Clause]) -> BooleanQuery {
    let clauses = clauses.iter().map(|c| {
        (
            Occur::Should,
            Box::new(single(c)) as Box<dyn tantivy::query::Query>,
        )
    });
    BooleanQuery::new(clauses.collect())
}

/// The best so far: a heap with its worst on top.
struct Top {
    most: usize,
    heap: std::collections::BinaryHeap<Ranked>,
    sums: HashMap<DocId, f32>,
}

#[derive(PartialEq)]
struct Ranked(f32, DocAddress);

impl Eq for Ranked {}
impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Ranked) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ranked {
    // The worst is the greatest: low score first, then the later address.
    fn cmp(&self, other: &Ranked) -> std::cmp::Ordering {
        other.0.total_cmp(&self.0).then(self.1.cmp(&other.1))
    }
}

impl Top {
    fn new(most: usize) -> Top {
        Top {
            most,
            heap: std::collections::BinaryHeap::with_capacity(most + 1),
            sums: HashMap::new(),
        }
    }

    fn threshold(&self) -> f32 {
        if self.heap.len() < self.most {
            f32::MIN
        } else {
            self.heap.peek().map_or(f32::MIN, |r| r.0)
        }
    }

    fn offer(&mut self, address: DocAddress, score: f32) {
        if self.heap.len() < self.most {
            self.heap.push(Ranked(score, address));
        } else if score > self.threshold() {
            self.heap.pop();
            self.heap.push(Ranked(score, address));
        }
    }

    /// Adds one clause's scores of the allowed passages.
    fn walk(&mut self, scorer: &mut dyn tantivy::query::Scorer, bits: &Bits) {
        for doc in bits.iter() {
            if scorer.doc() < doc {
                scorer.seek(doc);
            }
            if scorer.doc() == doc {
                *self.sums.entry(doc).or_insert(0.0) += scorer.score();
            }
        }
    }

    fn settle(&mut self, ord: u32) {
        for (doc, score) in std::mem::take(&mut self.sums) {
            self.offer(DocAddress::new(ord, doc), score);
        }
    }

    fn into_sorted(self) -> Vec<Scored> {
        let mut all: Vec<Scored> = self.heap.into_iter().map(|r| (r.1, r.0)).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all
    }
}
