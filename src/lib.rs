//! daybrief: a morning briefing for every member of a distributed team, at the start of their own day.
//!
//! # The map
//!
//! ```text
//!  connectors ──► ingest ──► store (event log) ──► index (full text and vectors)
//!                              │
//!                              ├─► brief: changes ► rank ► select ► summarize ► verify ► render ► deliver
//!                              └─► triage: past ► model ► candidates ► evidence ► watch ► post ► verdicts
//!  cli and daemon call the spines; the server only leaves hints for the daemon
//! ```
//!
//! Read in this order: [`model`] (the words), [`ingest`], [`brief`] and [`triage`] (the spines), then the stage you came for.
//!
//! # Walkthrough 1: a message comes in
//!
//! A [`connectors::Source`] turns its wire types into a [`connectors::Page`] of threads, events, spaces and people, with
//! a cursor. [`ingest::store_page`] writes all of it in one transaction: it interns the audience, finds whom the text
//! names (`ingest/mentions`), compares snapshots with what is stored and adds the events that must have happened
//! between (`ingest/compare`), groups unthreaded talk into conversations (`ingest/conversations`, rules in
//! [`text::conversations`]) and keeps the ledger of asks (`ingest/ledger`, rules in [`text::asks`]). The first sync is
//! history and learns at the source's own times; every later one learns now. [`ingest::follow`] then brings the index up
//! to the log; the index is never a source of truth.
//!
//! # Walkthrough 2: a morning
//!
//! [`schedule`] knows when a member's day starts. [`brief::window_of`] reaches back to the end of their last work day.
//! [`store::night`] reads what of it they may read; [`brief::changes`] turns each topic into facts, [`brief::rank`]
//! weighs how it is theirs, [`brief::select`] decides what gets a line, what shares one and what is only named,
//! [`brief::summarize`] writes facts and word-for-word quotes at the greatest length that fits, and [`brief::verify`]
//! drops whatever does not stand in its source. Where a model is to word a thread, [`brief::digest`] is what it may see,
//! [`brief::draft`] what it may answer, [`brief::checks`] what that is held against and `brief/words` who asks, keeps and
//! shares it through [`llm`]. [`brief::render`] makes text, Markdown, HTML, Slack blocks or JSON of it, [`brief::deliver`]
//! hands it to a sink once, and [`brief::steer`] obeys what the reader said of earlier lines. [`daemon::desk`] hears what
//! they press and ask in Slack (a press is in the store before Slack hears that we have it; without a socket, or between two,
//! `daemon/hearing` asks with each reading), [`brief::offers`] says what there is to press. What goes at its source leaves
//! the briefings that are kept, too ([`store::quoted`]).
//!
//! # Walkthrough 3: a question
//!
//! `daybrief search` reads the question with [`daybrief_index::parse`], asks the index with the audiences the asker may
//! read ([`store::audiences`]), and shows only hits that the store confirms. [`ask`] ranks the messages of the threads it
//! finds and quotes the three that answer, or says that nothing does. [`embedding`] is another model's opinion for the index.
//!
//! # Walkthrough 4: a ticket without an owner
//!
//! `daybrief suggest` has [`triage::Memory::learn`] walk through the tracker's past ([`triage::past`]) in the order in
//! which things became known. [`triage::model`] keeps decayed counts, words and a text classifier, fits boosted trees over
//! the candidates of past tickets and holds their probabilities against what then happened. [`triage::candidates`] says
//! which members may be asked; evidence names only tickets that the asker may read. `daybrief backtest owners` walks the
//! same way and compares. The daemon's [`triage::watch`] does it for every new ticket, once a state, into the ledger
//! ([`store::suggestions`]); [`triage::post`] writes to the tracker what the config allows, through an outbox of its own
//! ([`store::postings`]), and [`triage::verdicts`] hears what people made of it.
//!
//! # Who is who
//!
//! [`roster`] joins the members of the configuration with the accounts the sources tell of; [`identity`] proposes matches
//! and follows a space. [`server`] takes hooks and answers for health and metrics; [`daemon::hints`] brings readings forward.
//!
//! # Where the code differs from the first design
//!
//! * `brief/select.rs` stands between rank and summarize: which lines share a place is a decision of its own.
//! * A line's facts and a model's prose are two fields (`facts`, `summary`), so that a check can drop one and keep the other.
//! * `triage/model` knows accounts and numbers only, no store and no roster, so that a backtest on files and a suggestion
//!   from the log learn by the same lines.
//! * [`text`] holds every rule over wording (asks, decisions, conversations, clean sentences) as pure functions.

pub mod model;

pub mod ask;
pub mod brief;
pub mod ingest;
pub mod triage;

pub mod connectors;
pub mod identity;
pub mod roster;
pub mod schedule;
pub mod stage;
pub mod store;
pub mod text;

pub mod clock;
pub mod config;
pub mod embedding;
pub mod http;
pub mod llm;
pub mod lock;
pub mod metrics;
pub mod sinks;

pub mod cli;
pub mod daemon;
pub mod server;

#[cfg(test)]
pub(crate) mod spec_check;
