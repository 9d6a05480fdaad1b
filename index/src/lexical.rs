//! Full text: passages as tantivy documents, queries as one flat union of weighted terms.
//!
//! Filters, phrases and exclusions never enter the scoring query. They become one bit per passage, and scoring asks the bit.
//! That keeps block-max WAND at work whatever the filter is, and gives full text and vectors the very same answer to the
//! question who may see what.

mod allowed;
mod best;
mod facts;
mod plan;
mod window;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, NumericOptions, STORED, Schema, TextFieldIndexing,
    TextOptions, Value,
};
use tantivy::tokenizer::{PreTokenizedString, Token as TantivyToken};
use tantivy::{DocAddress, IndexReader, ReloadPolicy, Searcher, TantivyDocument, Term};

use crate::analyze::{self, Kind, Stems, Token};
pub(crate) use crate::lexical::allowed::Bits;
pub(crate) use crate::lexical::best::Scored;
#[cfg(feature = "plain")]
pub(crate) use crate::lexical::best::union;
pub(crate) use crate::lexical::facts::{ByAddress, Facts};
pub(crate) use crate::lexical::plan::{Clause, Plan};
use crate::passage::Passage;

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
