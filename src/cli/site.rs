//! What most commands stand on: the configuration, the store, the index and who is who.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use daybrief_index::{Index, Rescorer};
use jiff::Timestamp;
use tracing::warn;

use super::Global;
use crate::brief::Style;
use crate::clock::Clock;
use crate::config::Config;
use crate::embedding::Endpoint;
use crate::http::{Http, Options};
use crate::llm::Llm;
use crate::model::{Member, MemberId};
use crate::roster::Roster;
use crate::store::{Store, people};

/// How many members are named to somebody who asked for one that there is not.
const MEMBERS_NAMED: usize = 20;

/// A loaded installation.
pub struct Site {
    /// The configuration.
    pub config: Config,
    /// The folder of store and index.
    pub data_dir: PathBuf,
    /// The store.
    pub store: Store,
    /// Everybody.
    pub roster: Roster,
    /// The way out.
    pub http: Http,
}

impl Site {
    /// Opens an installation for writing.
    ///
    /// # Errors
    /// When the configuration is wrong or the store cannot be opened.
    pub fn open(global: &Global) -> Result<Site> {
        let (config, data_dir) = load(global)?;
        let store = Store::open(&data_dir)?;
        Site::at(config, data_dir, store, Timestamp::now())
    }

    /// Opens an installation without writing to it.
    ///
    /// # Errors
    /// When the configuration is wrong or nothing was ever read.
    pub fn open_read_only(global: &Global) -> Result<Site> {
        let (config, data_dir) = load(global)?;
        let store = Store::open_read_only(&data_dir)?;
        Site::at(config, data_dir, store, Timestamp::now())
    }

    /// Joins the parts of an installation; calendars are read for the years around `now`.
    ///
    /// # Errors
    /// When a member or a team of the configuration is wrong.
    pub fn at(config: Config, data_dir: PathBuf, store: Store, now: Timestamp) -> Result<Site> {
        let (members, teams) = (config.members(now)?, config.teams(now)?);
        let (people, spaces) =
            store.read_now(|c| Ok((people::people(c, None)?, people::spaces(c)?)))?;
        let members = store.read_now(|c| config.roster.followed(c, members, &people))?;
        let roster = Roster::new(members, teams, people, spaces);
        Ok(Site {
            config,
            data_dir,
            store,
            roster,
            http: Http::new(Options::default(), Clock::System),
        })
    }

    /// Returns the roster with what the sources say now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn renewed_roster(&self) -> Result<Roster> {
        let (people, spaces) = self
            .store
            .read_now(|c| Ok((people::people(c, None)?, people::spaces(c)?)))?;
        Ok(self.roster.renewed(people, spaces))
    }

    /// Returns a member by the name of their table.
    ///
    /// # Errors
    /// When there is none; the message names those known.
    pub fn member(&self, id: &str) -> Result<&Member> {
        self.roster.member(&MemberId::new(id)).with_context(|| {
            let mut known: Vec<&str> = self
                .roster
                .members
                .iter()
                .map(|member| member.id.as_str())
                .collect();
            let more = known.len().saturating_sub(MEMBERS_NAMED);
            known.truncate(MEMBERS_NAMED);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            match known.as_slice() {
                [] => format!(
                    "there is no member {id:?}, as there are none yet; add a [members.{id}] table"
                ),
                known => format!(
                    "there is no member {id:?}; known: {}{more}",
                    known.join(", ")
                ),
            }
        })
    }

    /// Opens the index for writing.
    ///
    /// # Errors
    /// When another process writes to it.
    pub fn index(&self) -> Result<Index> {
        Index::open(
            &self.data_dir.join("index"),
            &self.store.log_uuid()?,
            self.index_options()?,
        )
        .context("cannot open the index")
    }

    /// Opens the index for searching beside whoever writes to it.
    ///
    /// # Errors
    /// When there is none.
    pub fn index_read_only(&self) -> Result<Index> {
        let index = Index::open_read_only(
            &self.data_dir.join("index"),
            &self.store.log_uuid()?,
            self.index_options()?,
        );
        index.context("cannot open the index")
    }

    /// Returns the configured embedding model, if there is one.
    ///
    /// # Errors
    /// When it cannot be used as it is configured.
    pub fn embedding(&self) -> Result<Option<Endpoint>> {
        // Whoever searches waits for the endpoint, so that patience is short; the index answers without it.
        let http = Http::new(
            Options {
                attempts: 3,
                patience: Duration::from_secs(5),
                ..Options::default()
            },
            Clock::System,
        );
        self.config.embedding.endpoint(&http)
    }

    fn index_options(&self) -> Result<daybrief_index::Options> {
        let endpoint = self.embedding().unwrap_or_else(|error| {
            warn!(error = %format!("{error:#}"), "The embedding model cannot be used; search goes on with the built-in vectors");
            None
        });
        Ok(daybrief_index::Options {
            rescorer: endpoint.map(|endpoint| Rescorer(Arc::new(endpoint))),
            qdrant: self.config.qdrant.place()?,
            ..daybrief_index::Options::default()
        })
    }

    /// Returns the model of the configuration; without a table, or while it cannot be used, there is none and lines are
    /// quotes.
    pub fn llm(&self) -> Option<Llm> {
        let config = self.config.llm.as_ref()?;
        match Llm::open(config, &self.config.base, self.http.clock().clone()) {
            Ok(llm) => Some(llm),
            Err(error) => {
                warn!(error = %format!("{error:#}"), "The model cannot be used; every line is a quote");
                None
            }
        }
    }

    /// Returns what the team decided about its briefings.
    pub fn style(&self) -> Style {
        let delivery = &self.config.delivery;
        let mut style = Style {
            max_words: delivery.max_words,
            stale_after_days: delivery.stale_after_days,
            ..Style::default()
        };
        style.caps.items = delivery.max_items;
        style
    }
}

fn load(global: &Global) -> Result<(Config, PathBuf)> {
    let config = Config::load(&global.config)?;
    let data_dir = global.data_dir.clone().unwrap_or_else(|| config.data_dir());
    Ok((config, data_dir))
}

/// Waits for one call outside of any runtime.
///
/// # Errors
/// When the call fails.
pub fn one_call<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(call)
}
