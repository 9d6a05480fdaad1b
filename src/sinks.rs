//! Where briefings go: the seam and the sinks.

use std::fs::File;
use std::future::Future;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use crate::ask::Answer;
use crate::brief::render::{self, Screen};
use crate::brief::standing::Standing;
use crate::config::{Config, SinkConfig};
use crate::connectors::ConnectorConfig;
use crate::connectors::slack::dm::Dm;
use crate::http::Http;
use crate::model::suggestion::Offer;
use crate::model::{Briefing, ConnectorId, Heard, Member};

pub mod smtp;

use smtp::Smtp;

/// A briefing on its way to a reader.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Member and local date; the sink stores it with the message.
    pub key: &'a str,
    /// The reader.
    pub to: &'a Member,
    /// The briefing.
    pub briefing: &'a Briefing,
    /// What there is to press for the tickets in it, where something hears it pressed.
    pub offers: &'a [Offer],
    /// The moment of sending.
    pub now: Timestamp,
}

/// What a sink gives back: where the message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt(pub String);

/// What a sink knows of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The message is there.
    Yes(Receipt),
    /// It never arrived.
    No,
    /// This sink cannot look.
    CannotTell,
}

/// The sink surely does not have the message; without it nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotTaken(pub String);

/// Somewhere briefings can go.
pub trait ChatSink: Send + Sync {
    /// Sends a message.
    ///
    /// # Errors
    /// [`NotTaken`] when the sink surely does not have it. Otherwise nobody can say whether it arrived, and
    /// [`ChatSink::find`] may tell.
    fn send(&self, message: Message<'_>) -> impl Future<Output = Result<Receipt>> + Send;

    /// Looks for a message by its key.
    ///
    /// # Errors
    /// When the sink cannot be reached now.
    fn find(&self, key: &str) -> impl Future<Output = Result<Found>> + Send;

    /// Returns what its reader has said there since a mark of an earlier call; a sink that cannot be read hears nothing.
    ///
    /// # Errors
    /// When the sink cannot be reached now.
    fn hear(&self, after: &str) -> impl Future<Output = Result<Heard>> + Send {
        let _ = after;
        async { Ok(Heard::default()) }
    }

    /// Answers what the reader asked, once a key; a sink that hears nothing has nothing to answer.
    ///
    /// # Errors
    /// When the sink refused it.
    fn answer(
        &self,
        key: &str,
        found: &Answer,
        to: &Member,
        now: Timestamp,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (key, found, to, now);
        async { Ok(()) }
    }

    /// Returns whether its reader may say something there that is heard by asking; what pushes may have missed it.
    fn is_to_be_asked(&self) -> bool {
        false
    }

    /// Shows in a message that was sent how things stand now; `place` is where it is, as the sink named it. A sink that shows
    /// nothing of it has nothing to do.
    ///
    /// # Errors
    /// When the sink cannot be reached now.
    fn show(
        &self,
        place: &str,
        key: &str,
        now: &Standing,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (place, key, now);
        async { Ok(()) }
    }

    /// Answers the reader in a few words, once a key; a sink that hears nothing has nothing to answer.
    ///
    /// # Errors
    /// When the sink refused it.
    fn say(&self, key: &str, text: &str) -> impl Future<Output = Result<()>> + Send {
        let _ = (key, text);
        async { Ok(()) }
    }
}

/// The sinks of the configuration.
#[derive(Clone, Debug)]
pub enum Sink {
    /// Standard output.
    Console,
    /// A folder of Markdown files.
    Folder(PathBuf),
    /// A direct message in Slack.
    Slack(Dm),
    /// A mail.
    Smtp(Box<Smtp>),
}

impl Sink {
    /// Returns the sink of a member.
    ///
    /// # Errors
    /// When its token is not there, or the member has no account where it sends to.
    pub fn of(config: &Config, http: &Http, member: &Member) -> Result<Sink> {
        match config.sink_of(&member.id) {
            SinkConfig::Console => Ok(Sink::Console),
            SinkConfig::File { path } => Ok(Sink::Folder(config.base.join(path))),
            SinkConfig::Slack { connector } => {
                let id = ConnectorId::new(connector.as_str());
                let Some(ConnectorConfig::Slack(slack)) = config.connectors.get(&id) else {
                    bail!("there is no [connectors.{id}] of type slack");
                };
                // Somebody who is not briefed needs no account.
                let Some(handle) = member.handles.get(&id).and_then(|handles| handles.first())
                else {
                    anyhow::ensure!(
                        !member.is_briefed,
                        "members.{} has no handle at {id}",
                        member.id
                    );
                    return Ok(Sink::Console);
                };
                let client = slack.client(&id, &config.base, http)?;
                let dm = Dm::new(client, &handle.id);
                Ok(Sink::Slack(dm.with_buttons(slack.has_app_token())))
            }
            SinkConfig::Smtp(smtp) => {
                let name = config.sink_name_of(&member.id);
                let Some(to) = config.address_of(&member.id, &smtp) else {
                    anyhow::ensure!(
                        !member.is_briefed,
                        "members.{} has no mail address for [sinks.{name}]",
                        member.id
                    );
                    return Ok(Sink::Console);
                };
                let mailboxes = config.mailboxes_of(&smtp, &to);
                let base = config.base.clone();
                Ok(Sink::Smtp(Box::new(Smtp::new(
                    name, *smtp, base, http, &to, mailboxes,
                ))))
            }
        }
    }
}

impl ChatSink for Sink {
    async fn send(&self, message: Message<'_>) -> Result<Receipt> {
        match self {
            Sink::Console => {
                let screen = Screen::default();
                let text = render::terminal(message.briefing, message.to, message.now, &screen);
                let mut out = std::io::stdout().lock();
                write!(out, "── {} ──\n\n{}\n\n", message.key, text.trim_end())?;
                out.flush()?;
                Ok(Receipt("console".into()))
            }
            Sink::Folder(dir) => {
                let text = render::markdown(message.briefing, message.to, message.now);
                let (dir, key) = (dir.clone(), message.key.to_owned());
                tokio::task::spawn_blocking(move || write_file(&dir, &key, &text)).await?
            }
            Sink::Slack(dm) => {
                let is_first = dm.is_new().await?;
                // A button is there only where somebody hears it pressed.
                let key = dm.has_buttons().then_some(message.key);
                let (briefing, to, now) = (message.briefing, message.to, message.now);
                let posts =
                    render::slack_with_buttons(briefing, to, now, is_first, key, message.offers);
                Ok(Receipt(dm.send(message.key, &posts).await?))
            }
            Sink::Smtp(smtp) => smtp.send(message).await,
        }
    }

    async fn find(&self, key: &str) -> Result<Found> {
        match self {
            Sink::Console => Ok(Found::CannotTell),
            Sink::Folder(dir) => {
                let (dir, key) = (dir.clone(), key.to_owned());
                tokio::task::spawn_blocking(move || find_file(&dir, &key)).await?
            }
            Sink::Slack(dm) => Ok(match dm.find(key).await? {
                Some(receipt) => Found::Yes(Receipt(receipt)),
                None => Found::No,
            }),
            Sink::Smtp(smtp) => smtp.find(key).await,
        }
    }

    async fn hear(&self, after: &str) -> Result<Heard> {
        match self {
            Sink::Slack(dm) => Ok(dm.hear(after).await?),
            _ => Ok(Heard::default()),
        }
    }

    fn is_to_be_asked(&self) -> bool {
        matches!(self, Sink::Slack(_))
    }

    async fn answer(&self, key: &str, found: &Answer, to: &Member, now: Timestamp) -> Result<()> {
        if let Sink::Slack(dm) = self {
            dm.say(key, &render::slack::answer(found, to, now)).await?;
        }
        Ok(())
    }

    async fn show(&self, place: &str, key: &str, now: &Standing) -> Result<()> {
        if let Sink::Slack(dm) = self {
            let revised = |message| render::slack::as_it_stands(message, key, now);
            dm.revise(place, revised).await?;
        }
        Ok(())
    }

    async fn say(&self, key: &str, text: &str) -> Result<()> {
        if let Sink::Slack(dm) = self {
            dm.say(key, &render::slack::words(text)).await?;
        }
        Ok(())
    }
}

/// Writes one briefing to a file of its own: under another name first, so that a file with the right name is whole.
fn write_file(dir: &Path, key: &str, text: &str) -> Result<Receipt> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the folder {}", dir.display()))?;
    let path = path_of(dir, key);
    let half = path.with_extension("md.part");
    let mut file =
        File::create(&half).with_context(|| format!("cannot write {}", half.display()))?;
    write!(file, "{}\n{}\n", first_line(key), text.trim_end())?;
    file.sync_all()?;
    std::fs::rename(&half, &path).with_context(|| format!("cannot write {}", path.display()))?;
    // The new name survives a power cut only once its folder is on the disk too.
    File::open(dir)?.sync_all()?;
    Ok(Receipt(path.display().to_string()))
}

/// Looks for the file of a key; a file of that name that holds another key is not it.
fn find_file(dir: &Path, key: &str) -> Result<Found> {
    let path = path_of(dir, key);
    match std::fs::read_to_string(&path) {
        Ok(text) if text.lines().next() == Some(&first_line(key)) => {
            Ok(Found::Yes(Receipt(path.display().to_string())))
        }
        Ok(_) => Ok(Found::No),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Found::No),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn first_line(key: &str) -> String {
    format!("<!-- daybrief {key} -->")
}

/// Returns the file of a key, `<date>-<member>.md`, so that a listing is in the order of time.
fn path_of(dir: &Path, key: &str) -> PathBuf {
    let dated = key
        .len()
        .checked_sub("-2026-11-23".len())
        .and_then(|at| key.split_at_checked(at))
        .map(|(member, date)| format!("{}-{member}.md", &date[1..]));
    dir.join(dated.unwrap_or_else(|| format!("{key}.md")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_key_and_by_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let key = "ana-2026-11-23";
        assert_eq!(find_file(dir.path(), key).unwrap(), Found::No);
        let receipt = write_file(dir.path(), key, "# Good morning\n").unwrap();
        assert!(receipt.0.ends_with("/2026-11-23-ana.md"), "{receipt:?}");
        assert_eq!(find_file(dir.path(), key).unwrap(), Found::Yes(receipt));
        let text = std::fs::read_to_string(dir.path().join("2026-11-23-ana.md")).unwrap();
        assert_eq!(text, "<!-- daybrief ana-2026-11-23 -->\n# Good morning\n");
        let names = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 1, "the half-written name is gone");

        std::fs::write(dir.path().join("2026-11-24-ana.md"), "notes of my own\n").unwrap();
        assert_eq!(find_file(dir.path(), "ana-2026-11-24").unwrap(), Found::No);
    }
}
