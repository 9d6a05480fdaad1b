//! Mail on an IMAP server: new mails, and what has gone, folder by folder.
//!
//! Folders are opened read-only and bodies are peeked at, so nothing changes for the mailbox's owner. What a folder held
//! is part of the cursor (`stand`), so that a new UIDVALIDITY, a move or an expunge is told apart from news; `names`
//! decides which folders are read, `gather` asks, `wire` speaks, [`idle`] listens, and [`find`] looks for one mail on
//! behalf of the sink. Who may read is the same for all folders of one connector: a folder with other readers is a
//! connector of its own, so a mail that lies in both is never shown to more people than the narrower one says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use secrecy::SecretString;
use serde::Deserialize;

use super::files::AudienceOption;
use super::files::link::Link;
use super::mail::Options;
use super::oauth::{OAuth, OAuthConfig};
use super::{Cursor, Fact, Page, Source, secret};
use crate::http::Http;
use crate::model::{ConnectorId, Handle};

mod check;
pub mod find;
mod gather;
pub mod idle;
mod names;
mod stand;
pub mod tls;
mod wire;

#[cfg(test)]
mod tests;

use gather::Gatherer;
use tls::TlsMode;
use wire::Door;

/// `type = "imap"`: a mailbox on a server.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImapConfig {
    /// The server.
    pub host: String,
    /// Its port; 993, or 143 where `tls` is not `implicit`.
    pub port: Option<u16>,
    /// `implicit`, `starttls`, or `none`, which only this machine itself gets.
    pub tls: TlsMode,
    /// Certificates (PEM) that are trusted besides the system's, relative to the config.
    pub ca_file: Option<PathBuf>,
    /// The account.
    pub user: String,
    /// The environment variable that holds its password.
    pub password_env: Option<String>,
    /// A file that holds it instead, relative to the config; read anew for each connection.
    pub password_file: Option<PathBuf>,
    /// `password`, or `xoauth2`, where the password is an access token.
    pub auth: AuthOption,
    /// An app in place of a password: it gets the access tokens itself.
    pub oauth: Option<OAuthConfig>,
    /// Folders to read, with `*`; a leading `!` leaves out. Empty for all but trash, junk and drafts.
    pub folders: Vec<String>,
    /// Who may read: `participants` (sender, recipients and the account), `owner` (the account) or `everyone`.
    pub audience: MailAudience,
    /// How many days back the first reading goes, and for how long mails that go are noticed.
    pub history_days: u32,
    /// How long to listen for new mail at a stretch, in minutes; 0 to look only every `sync_minutes`.
    pub idle_minutes: u32,
    /// Where a mail can be read: `https://lists.example/message/{id}`, with its Message-ID.
    pub url: String,
}

impl Default for ImapConfig {
    fn default() -> Self {
        ImapConfig {
            host: String::new(),
            port: None,
            tls: TlsMode::default(),
            ca_file: None,
            user: String::new(),
            password_env: None,
            password_file: None,
            auth: AuthOption::default(),
            oauth: None,
            folders: Vec::new(),
            audience: MailAudience::default(),
            history_days: 90,
            idle_minutes: 9,
            url: String::new(),
        }
    }
}

/// How an account shows that it is itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthOption {
    /// A password.
    #[default]
    Password,
    /// An OAuth 2 access token.
    Xoauth2,
}

/// Who may read the mails of a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailAudience {
    /// A mail's sender and recipients, and the account: a live system that does not say more is closed.
    #[default]
    Participants,
    /// Only the member whose handle is the account.
    Owner,
    /// Every configured member, as in a list's archive.
    Everyone,
}

impl ImapConfig {
    /// Opens the mailbox; nothing is asked yet.
    ///
    /// # Errors
    /// When a key cannot be right or the password is not there.
    pub fn open(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<ImapSource> {
        if self.history_days == 0 {
            bail!("history_days under [connectors.{id}] must be at least 1");
        }
        if self.idle_minutes > 28 {
            bail!(
                "idle_minutes under [connectors.{id}] must be at most 28: servers hang up after 29"
            );
        }
        let audience = match self.audience {
            MailAudience::Everyone => AudienceOption::Everyone,
            MailAudience::Participants | MailAudience::Owner => AudienceOption::Participants,
        };
        let options = Options {
            id: id.clone(),
            url: Link::new(id, &self.url, &["id"])?,
            audience,
        };
        Ok(ImapSource(Gatherer::new(
            self,
            self.door(id, base, http)?,
            options,
            http.clock().clone(),
        )))
    }

    /// Returns what the account may see and what the server can do.
    ///
    /// # Errors
    /// When the server cannot be reached or does not accept the account.
    pub async fn check(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Vec<Fact>> {
        check::check(self, &self.door(id, base, http)?).await
    }

    /// Returns the account as a handle of this connector: the mailbox's owner.
    pub fn owner(&self, id: &ConnectorId) -> Handle {
        Handle::new(id, self.user.to_lowercase())
    }

    /// Returns the way to the server.
    ///
    /// # Errors
    /// When a key cannot be right or the password is not there.
    fn door(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Door> {
        let table = format!("connectors.{id}");
        if self.host.is_empty() || self.user.is_empty() {
            bail!(
                "[{table}] needs `host` and `user`: the server and the account whose mail is read"
            );
        }
        self.tls.check(&table, &self.host)?;
        let password = Password {
            table: table.clone(),
            env: self.password_env.clone(),
            file: self.password_file.clone(),
            base: base.to_path_buf(),
        };
        let oauth = self.oauth.as_ref();
        Ok(Door {
            host: self.host.clone(),
            port: self.port.unwrap_or(self.tls.port(993, 143)),
            tls: self.tls,
            ca_file: self.ca_file.as_ref().map(|file| base.join(file)),
            user: self.user.clone(),
            login: Login::new(id.as_str(), self.auth, password, oauth, http)?,
            table,
        })
    }
}

/// How an account shows that it is itself, and with what.
#[derive(Clone, Debug)]
pub enum Login {
    /// With a password.
    Password(Password),
    /// With an access token that somebody else keeps fresh.
    Token(Password),
    /// With access tokens that an app gets.
    App(Arc<OAuth>),
}

impl Login {
    /// Returns what a table says; `name` is who asks.
    ///
    /// # Errors
    /// When a key cannot be right or a secret is not there.
    pub fn new(
        name: &str,
        auth: AuthOption,
        password: Password,
        oauth: Option<&OAuthConfig>,
        http: &Http,
    ) -> Result<Login> {
        if let Some(oauth) = oauth {
            let Password { table, base, .. } = &password;
            if password.env.is_some() || password.file.is_some() {
                bail!("[{table}] names both a password and an OAuth app; keep one");
            }
            let app = oauth.open(name, table, base, http)?;
            return Ok(Login::App(Arc::new(app)));
        }
        password.read()?;
        Ok(match auth {
            AuthOption::Password => Login::Password(password),
            AuthOption::Xoauth2 => Login::Token(password),
        })
    }

    /// Returns the password or token for a connection; not the one that was refused, if there can be another.
    ///
    /// # Errors
    /// When there is none; the message says what to do.
    pub async fn secret(&self, refused: Option<&SecretString>) -> Result<SecretString> {
        match self {
            Login::Password(password) | Login::Token(password) => password.read(),
            Login::App(app) => Ok(app.token(refused).await?),
        }
    }

    /// Returns whether a refused secret may be changed for another.
    pub fn is_renewable(&self) -> bool {
        matches!(self, Login::App(_))
    }

    /// Returns what to look at when the server refuses.
    pub fn advice(&self) -> &'static str {
        match self {
            Login::Password(_) => {
                "check `user` and the password; with two factors it needs an app password"
            }
            Login::Token(_) => {
                "the access token has run out or is another account's; put a new one in its place, or let daybrief get them by an `oauth` table"
            }
            Login::App(_) => {
                "even with a new access token; check `user`, and that the app was let in by that account and for mail"
            }
        }
    }
}

/// Where a password stands; it is read when it is needed, because access tokens change.
#[derive(Clone, Debug)]
pub struct Password {
    /// The table that names it, for messages.
    pub table: String,
    /// The environment variable.
    pub env: Option<String>,
    /// The file.
    pub file: Option<PathBuf>,
    /// The folder that the file's path starts from.
    pub base: PathBuf,
}

impl Password {
    /// Reads it.
    ///
    /// # Errors
    /// When it is not where the table says.
    pub fn read(&self) -> Result<SecretString> {
        secret::password(
            &self.table,
            self.env.as_deref(),
            self.file.as_deref(),
            &self.base,
        )
    }
}

/// A mailbox that is being read.
pub struct ImapSource(Gatherer);

impl Source for ImapSource {
    async fn fetch(&mut self, after: Option<&Cursor>) -> Result<Page> {
        self.0.page(after).await
    }
}
