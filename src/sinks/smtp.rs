//! Briefings by mail: one message a member and date, under a Message-ID that both always give.
//!
//! SMTP has no way to ask whether a mail arrived. Until the last dot is sent nothing was taken, and after a reply it is
//! known; in between only the reader's own mailbox can tell, if an `imap` connector reads it. Should a mail be sent a
//! second time all the same, because the first one was on its way for long, both have one Message-ID, and mail programs
//! show them as one.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use super::{Found, Message, NotTaken, Receipt};
use crate::brief::render::{self, Links, Screen};
use crate::connectors::Fact;
use crate::connectors::imap::tls::{self, TlsMode};
use crate::connectors::imap::{AuthOption, ImapConfig, Login, Password};
use crate::connectors::oauth::OAuthConfig;
use crate::http::Http;
use crate::model::ConnectorId;

/// How long a connection may take to come about, the login included.
const LONGEST_LOGIN: Duration = Duration::from_secs(15);
/// How long the server may think about an address.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);
/// How long it may take over a mail.
const LONGEST_TAKING: Duration = Duration::from_secs(20);
/// How long a mail whose reply was lost is looked for: it has to find its way into the mailbox.
const PATIENCE: Duration = Duration::from_secs(10);
/// How wide the text part is.
const TEXT_COLUMNS: usize = 72;

/// `type = "smtp"`: mail.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmtpConfig {
    /// The server that takes mail from us.
    pub host: String,
    /// Its port; 465, or 587 where `tls` is not `implicit`.
    pub port: Option<u16>,
    /// `implicit`, `starttls`, or `none`, which only this machine itself gets.
    pub tls: TlsMode,
    /// Certificates (PEM) that are trusted besides the system's, relative to the config.
    pub ca_file: Option<PathBuf>,
    /// The account; none for a server that asks for none.
    pub user: String,
    /// The environment variable that holds its password.
    pub password_env: Option<String>,
    /// A file that holds it instead, relative to the config.
    pub password_file: Option<PathBuf>,
    /// `password`, or `xoauth2`, where the password is an access token.
    pub auth: AuthOption,
    /// An app in place of a password: it gets the access tokens itself.
    pub oauth: Option<OAuthConfig>,
    /// Who the briefings come from: `Daybrief <daybrief@example.org>`.
    pub from: String,
    /// The mail connector whose handles are the members' addresses, for members without `email`.
    pub connector: Option<String>,
    /// Connectors of type `imap` that hold a copy of every briefing; a member's own mailbox counts by itself.
    pub mailboxes: Vec<String>,
    /// Where somebody can ask for no more of it, `mailto:` or `https:`; goes into List-Unsubscribe.
    pub unsubscribe: Option<String>,
}

impl SmtpConfig {
    /// Checks what can be checked without a server.
    ///
    /// # Errors
    /// Names the key of the table.
    pub fn verify(&self, name: &str) -> Result<()> {
        let table = format!("sinks.{name}");
        if self.host.is_empty() {
            bail!("[{table}] needs `host`, the server that takes mail from us");
        }
        self.tls.check(&table, &self.host)?;
        self.from.parse::<Mailbox>().map_err(|_| {
            anyhow!("from under [{table}] is no address: write \"Daybrief <daybrief@example.org>\"")
        })?;
        if let Some(to) = &self.unsubscribe
            && !((to.starts_with("mailto:") || to.starts_with("https://"))
                && to
                    .chars()
                    .all(|c| c.is_ascii_graphic() && !"<>,".contains(c)))
        {
            bail!("unsubscribe under [{table}] must be a mailto: or https: address");
        }
        Ok(())
    }
}

/// The mailbox of a reader.
#[derive(Clone, Debug)]
pub struct Smtp {
    name: Arc<str>,
    config: Arc<SmtpConfig>,
    base: PathBuf,
    http: Http,
    to: Arc<str>,
    /// The account, opened when it is first needed.
    login: Arc<OnceLock<Login>>,
    /// Where a mail to the reader can be looked for.
    mailboxes: Vec<(ConnectorId, ImapConfig)>,
}

/// The server does not accept the account.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
struct NotLetIn(String);

/// How a try failed.
enum Failure {
    /// The server does not have it.
    NotTaken(anyhow::Error),
    /// It may have it.
    Unclear(anyhow::Error),
}

impl Smtp {
    /// Makes the sink of one reader.
    pub fn new(
        name: &str,
        config: SmtpConfig,
        base: PathBuf,
        http: &Http,
        to: &str,
        mailboxes: Vec<(ConnectorId, ImapConfig)>,
    ) -> Smtp {
        Smtp {
            name: name.into(),
            config: Arc::new(config),
            base,
            http: http.clone(),
            to: to.into(),
            login: Arc::default(),
            mailboxes,
        }
    }

    /// Sends a briefing.
    ///
    /// # Errors
    /// [`NotTaken`] when the server surely does not have it; anything else means that nobody knows.
    pub async fn send(&self, message: Message<'_>) -> Result<Receipt> {
        let mail = self
            .compose(message)
            .map_err(|error| NotTaken(format!("{error:#}")))?;
        match self.hand_over(&mail).await {
            Ok(()) => Ok(Receipt(self.message_id(message.key))),
            Err(Failure::NotTaken(error)) => Err(NotTaken(format!("{error:#}")).into()),
            Err(Failure::Unclear(error)) => {
                let begun = Instant::now();
                loop {
                    if let Ok(Found::Yes(receipt)) = self.find(message.key).await {
                        return Ok(receipt);
                    }
                    if self.mailboxes.is_empty() || begun.elapsed() > PATIENCE {
                        return Err(error);
                    }
                    sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Looks for a briefing in the mailboxes that can be read.
    ///
    /// # Errors
    /// When one of them cannot be read now and no other has it.
    pub async fn find(&self, key: &str) -> Result<Found> {
        let id = self.message_id(key);
        let mut trouble = None;
        for (connector, mailbox) in &self.mailboxes {
            match mailbox.find(connector, &self.base, &self.http, &id).await {
                Ok(Some(_)) => return Ok(Found::Yes(Receipt(id))),
                Ok(None) => {}
                Err(error) => trouble = Some(error),
            }
        }
        match trouble {
            Some(error) => Err(error),
            None if self.mailboxes.is_empty() => Ok(Found::CannotTell),
            None => Ok(Found::No),
        }
    }

    /// Returns the Message-ID of a key, the same every time.
    fn message_id(&self, key: &str) -> String {
        format!("<{key}.daybrief@{}>", self.domain())
    }

    fn domain(&self) -> String {
        let from = self.config.from.parse::<Mailbox>();
        from.map_or_else(
            |_| "localhost".to_owned(),
            |from| from.email.domain().to_owned(),
        )
    }

    fn compose(&self, message: Message<'_>) -> Result<lettre::Message> {
        let Message {
            key,
            to,
            briefing,
            now,
            ..
        } = message;
        let screen = Screen {
            width: TEXT_COLUMNS,
            links: Links::Listed,
            ..Screen::default()
        };
        // A word joiner keeps a mail program from making an address or a mention of somebody's name.
        let text = render::terminal(briefing, to, now, &screen).replace('@', "@\u{2060}");
        let html = render::html(briefing, to, now);
        let mut builder = lettre::Message::builder()
            .from(self.config.from.parse()?)
            .to(Mailbox::new(
                Some(to.name.clone()).filter(|name| !name.is_empty()),
                self.to
                    .parse()
                    .with_context(|| format!("the address of {} is none", to.id))?,
            ))
            .subject(render::subject(briefing, to, now))
            .message_id(Some(self.message_id(key)))
            .date(SystemTime::from(now))
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("List-Id", &format!("<daybrief.{}>", self.domain())));
        if let Some(to) = &self.config.unsubscribe {
            builder = builder.raw_header(header("List-Unsubscribe", &format!("<{to}>")));
        }
        Ok(builder.multipart(MultiPart::alternative_plain_html(text, html))?)
    }

    /// Gives a mail to the server.
    async fn hand_over(&self, mail: &lettre::Message) -> Result<(), Failure> {
        let envelope = mail.envelope().clone();
        let bytes = mail.formatted();
        let mut connection = self.connect().await.map_err(Failure::NotTaken)?;
        let opening = async {
            let from = Mail::new(envelope.from().cloned(), Vec::new());
            connection.command(from).await?;
            for to in envelope.to() {
                connection
                    .command(Rcpt::new(to.clone(), Vec::new()))
                    .await?;
            }
            connection.command(Data).await
        };
        match timeout(3 * LONGEST_ANSWER, opening).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(Failure::NotTaken(self.explain(error))),
            Err(_) => return Err(Failure::NotTaken(self.silent())),
        }
        match timeout(LONGEST_TAKING, connection.message(&bytes)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.is_permanent() || error.is_transient() => {
                return Err(Failure::NotTaken(self.explain(error)));
            }
            Ok(Err(error)) => return Err(Failure::Unclear(self.explain(error))),
            Err(_) => return Err(Failure::Unclear(self.silent())),
        }
        // It has the mail; how the goodbye goes does not matter.
        let _ = timeout(Duration::from_secs(2), connection.quit()).await;
        Ok(())
    }

    /// Connects and logs in.
    async fn connect(&self) -> Result<AsyncSmtpConnection> {
        if self.config.user.is_empty() {
            return self.dial_within(None).await;
        }
        let login = self.login()?;
        let secret = login.secret(None).await?;
        match self.dial_within(Some((login, &secret))).await {
            // An access token can end before its time.
            Err(error) if login.is_renewable() && error.is::<NotLetIn>() => {
                let fresh = login.secret(Some(&secret)).await?;
                self.dial_within(Some((login, &fresh))).await
            }
            connected => connected,
        }
    }

    async fn dial_within(
        &self,
        account: Option<(&Login, &SecretString)>,
    ) -> Result<AsyncSmtpConnection> {
        match timeout(LONGEST_LOGIN, self.dial(account)).await {
            Ok(connected) => connected,
            Err(_) => bail!(
                "{} did not answer within {} s; check `host`, `port` and `tls`",
                self.at(),
                LONGEST_LOGIN.as_secs()
            ),
        }
    }

    async fn dial(&self, account: Option<(&Login, &SecretString)>) -> Result<AsyncSmtpConnection> {
        let (config, at) = (&*self.config, self.at());
        let hello = ClientId::default();
        let implicit = match config.tls {
            TlsMode::Implicit => Some(self.tls()?),
            TlsMode::StartTls | TlsMode::None => None,
        };
        let place = (config.host.as_str(), self.port());
        let limit = Some(LONGEST_LOGIN);
        let connected =
            AsyncSmtpConnection::connect_tokio1(place, limit, &hello, implicit, None).await;
        let mut connection = connected
            .map_err(|error| self.explain(error))
            .with_context(|| format!("cannot reach {at}; check `host`, `port` and `tls`"))?;
        if config.tls == TlsMode::StartTls {
            let upgraded = connection.starttls(self.tls()?, &hello).await;
            upgraded
                .map_err(|error| self.explain(error))
                .with_context(|| format!("{at} does not start TLS; if it speaks it from the first byte, set tls = \"implicit\""))?;
        }
        if let Some((login, secret)) = account {
            let mechanisms: &[Mechanism] = match login {
                Login::Password(_) => &[Mechanism::Plain, Mechanism::Login],
                Login::Token(_) | Login::App(_) => &[Mechanism::Xoauth2],
            };
            let credentials =
                Credentials::new(config.user.clone(), secret.expose_secret().to_owned());
            let answer = connection.auth(mechanisms, &credentials).await;
            answer.map_err(|error| {
                let why = match (login, error.status()) {
                    // A refused token is told by a challenge, which the library has no answer to.
                    (Login::Token(_) | Login::App(_), None) => {
                        "the access token was refused".into()
                    }
                    _ => format!("{:#}", self.explain(error)),
                };
                NotLetIn(format!(
                    "{at} does not accept the account that [sinks.{}] names ({why}); {}",
                    self.name,
                    login.advice()
                ))
            })?;
        }
        Ok(connection)
    }

    fn port(&self) -> u16 {
        let config = &*self.config;
        config.port.unwrap_or(config.tls.port(465, 587))
    }

    fn at(&self) -> String {
        format!("{}:{}", self.config.host, self.port())
    }

    fn login(&self) -> Result<&Login> {
        if let Some(login) = self.login.get() {
            return Ok(login);
        }
        let config = &*self.config;
        let password = Password {
            table: format!("sinks.{}", self.name),
            env: config.password_env.clone(),
            file: config.password_file.clone(),
            base: self.base.clone(),
        };
        let oauth = config.oauth.as_ref();
        let login = Login::new(&self.name, config.auth, password, oauth, &self.http)?;
        Ok(self.login.get_or_init(|| login))
    }

    fn tls(&self) -> Result<TlsParameters> {
        let mut builder = TlsParameters::builder(self.config.host.clone());
        if let Some(file) = &self.config.ca_file {
            let path = self.base.join(file);
            let pem = std::fs::read(&path)
                .with_context(|| format!("ca_file: cannot read {}", path.display()))?;
            let certificate = Certificate::from_pem(&pem)
                .map_err(|_| anyhow!("ca_file: {} holds no certificate in PEM", path.display()))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder
            .build_rustls()
            .map_err(|_| anyhow!("TLS cannot be set up for {}", self.config.host))
    }

    /// Returns what a server said, short and without anything that a log does not want.
    fn explain(&self, error: lettre::transport::smtp::Error) -> anyhow::Error {
        let text = error.to_string();
        let short: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
        match error.status() {
            Some(_) => anyhow!("the server refused: {short}"),
            None => anyhow!("{}", tls::advised(&short.replace("Connection error: ", ""))),
        }
    }

    fn silent(&self) -> anyhow::Error {
        anyhow!("{} does not answer any more", self.config.host)
    }

    /// Returns whether the server takes mail from us, for `daybrief check`; nothing is sent.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the account or the sender.
    pub async fn check(&self) -> Result<Vec<Fact>> {
        let mut connection = self.connect().await?;
        let how = if connection.is_encrypted() {
            "over TLS"
        } else {
            "in the clear"
        };
        let from: Mailbox = self.config.from.parse()?;
        let asked = async {
            connection
                .command(Mail::new(Some(from.email.clone()), Vec::new()))
                .await?;
            connection.command(Rset).await
        };
        match timeout(LONGEST_ANSWER, asked).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                return Err(self.explain(error).context(format!(
                    "{} takes no mail from {}; correct `from` or allow the account to send as it",
                    self.config.host, from.email
                )));
            }
            Err(_) => return Err(self.silent()),
        }
        let _ = timeout(Duration::from_secs(2), connection.quit()).await;
        let mut facts = vec![Fact::Fine(format!(
            "sends as {} through {} {how}",
            from.email, self.config.host
        ))];
        if self.config.unsubscribe.is_none() {
            facts.push(Fact::Note(
                "mails name no way to stop them; set unsubscribe = \"mailto:…\" to whoever keeps this configuration"
                    .into(),
            ));
        }
        Ok(facts)
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brief::render::sample;

    fn smtp(more: &str) -> Smtp {
        let table = format!(
            "host = \"mail.example.org\"\nfrom = \"Daybrief <daybrief@example.org>\"\n{more}"
        );
        let config: SmtpConfig = toml::from_str(&table).unwrap();
        Smtp::new(
            "mail",
            config,
            PathBuf::from("/"),
            &Http::new(Default::default(), Default::default()),
            "becki@example.org",
            Vec::new(),
        )
    }

    fn mail(smtp: &Smtp) -> String {
        let (member, briefing) = (sample::member(), sample::full());
        let message = Message {
            offers: &[],
            key: "becki-2026-11-16",
            to: &member,
            briefing: &briefing,
            now: sample::now(),
        };
        String::from_utf8(smtp.compose(message).unwrap().formatted()).unwrap()
    }

    #[test]
    fn a_mail_has_one_id_for_a_member_and_a_date_and_says_that_a_program_sent_it() {
        let raw = mail(&smtp(
            "unsubscribe = \"mailto:ops@example.org?subject=no%20briefing\"",
        ));
        for header in [
            "Message-ID: <becki-2026-11-16.daybrief@example.org>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "List-Id: <daybrief.example.org>\r\n",
            "List-Unsubscribe: <mailto:ops@example.org?subject=no%20briefing>\r\n",
            "Date: Mon, 16 Nov 2026 08:00:00 +0000\r\n",
        ] {
            assert!(raw.contains(header), "{header} is missing in {raw}");
        }
        assert!(!mail(&smtp("")).contains("List-Unsubscribe"));
        assert!(raw.lines().all(|line| line.len() <= 998));
        assert!(raw.is_ascii());
    }

    #[test]
    fn both_parts_say_the_same_and_the_subject_is_the_headline() {
        let raw = mail(&smtp(""));
        let parsed = mail_parser::MessageParser::default()
            .parse(raw.as_bytes())
            .unwrap();
        assert_eq!(parsed.subject().unwrap(), sample::full().headline);
        assert_eq!((parsed.text_body_count(), parsed.html_body_count()), (1, 1));
        let (text, html) = (parsed.body_text(0).unwrap(), parsed.body_html(0).unwrap());
        for words in [
            "CORE-123",
            "Serve the nightly archives",
            "yesterday 20:09",
            "9 work hours",
        ] {
            assert!(text.contains(words) && html.contains(words), "{words}");
        }
        assert!(html.len() <= render::html::MAX_BYTES);
        assert!(crate::connectors::mail::is_own(&parsed));
    }

    #[test]
    fn what_cannot_be_right_is_said_before_anything_is_sent() {
        for (more, expected) in [
            ("tls = \"none\"", "in the clear"),
            ("unsubscribe = \"ops@example.org\"", "mailto:"),
            ("from = \"nobody\"", "is no address"),
            ("host = \"\"", "needs `host`"),
        ] {
            let mut table: toml::Table = "host = \"mail.example.org\"\nfrom = \"a@example.org\""
                .parse()
                .unwrap();
            table.extend(more.parse::<toml::Table>().unwrap());
            let config: SmtpConfig = table.try_into().unwrap();
            let error = config.verify("mail").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_has_surely_not_taken_it() {
        let config: SmtpConfig = toml::from_str(
            "host = \"127.0.0.1\"\nport = 1\ntls = \"none\"\nfrom = \"a@example.org\"",
        )
        .unwrap();
        let smtp = Smtp::new(
            "mail",
            config,
            PathBuf::from("/"),
            &Http::new(Default::default(), Default::default()),
            "becki@example.org",
            Vec::new(),
        );
        let (member, briefing) = (sample::member(), sample::full());
        let message = Message {
            offers: &[],
            key: "becki-2026-11-16",
            to: &member,
            briefing: &briefing,
            now: sample::now(),
        };
        let error = smtp.send(message).await.unwrap_err();
        assert!(error.is::<NotTaken>(), "{error:#}");
        assert_eq!(
            smtp.find("becki-2026-11-16").await.unwrap(),
            Found::CannotTell
        );
    }
}
