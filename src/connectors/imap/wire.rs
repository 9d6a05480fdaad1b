//! A connection to an IMAP server: dial, TLS, login, and one command at a time with its time limit.
//!
//! `async-imap` frames and parses; its own helpers are not used for reading, because they drop VANISHED and take a
//! refused FETCH for an empty one.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_imap::error::Error;
use async_imap::imap_proto::{Capability, Response, Status};
use async_imap::{Authenticator, Client, Session};
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Login;
use super::tls::{self, TlsMode};

/// How long a connection may take to come about.
const LONGEST_DIAL: Duration = Duration::from_secs(15);
/// How long one command may take, the mails it brings included.
const LONGEST_COMMAND: Duration = Duration::from_secs(90);
/// How much of a server's own words is told.
const LONGEST_SAYING: usize = 160;

/// Bytes in both directions, encrypted or not.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + Sync + Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync + Debug> Io for T {}

/// The bytes under a session.
pub type Stream = Box<dyn Io>;

/// The way to a server.
#[derive(Clone, Debug)]
pub struct Door {
    pub host: String,
    pub port: u16,
    pub tls: TlsMode,
    pub ca_file: Option<PathBuf>,
    pub user: String,
    pub login: Login,
    /// The table that names it all, for messages.
    pub table: String,
}

/// Why a command brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The server said no; the connection is as good as before.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server sent something that is not IMAP.
    #[error("the server sent an answer that cannot be understood")]
    Garbled,
    /// There is no connection any more.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// It took too long.
    #[error("the server did not answer within {0} s")]
    TimedOut(u64),
}

/// The server does not accept the account.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
struct NotLetIn(String);

/// A session.
pub struct Wire {
    session: Session<Stream>,
    capabilities: BTreeSet<String>,
    /// Whether QRESYNC was switched on.
    pub has_qresync: bool,
}

impl Wire {
    /// Connects and logs in.
    ///
    /// # Errors
    /// Names the host and what to do.
    pub async fn open(door: &Door) -> Result<Wire> {
        let secret = door.login.secret(None).await?;
        match Wire::enter(door, &secret).await {
            // An access token can end before its time.
            Err(error) if door.login.is_renewable() && error.is::<NotLetIn>() => {
                let fresh = door.login.secret(Some(&secret)).await?;
                Wire::enter(door, &fresh).await
            }
            entered => entered,
        }
    }

    async fn enter(door: &Door, secret: &SecretString) -> Result<Wire> {
        let at = format!("{}:{}", door.host, door.port);
        let dialled = timeout(LONGEST_DIAL, dial(door)).await;
        let client = match dialled {
            Ok(dialled) => dialled.with_context(|| format!("cannot reach {at}"))?,
            Err(_) => bail!(
                "{at} did not answer within {} s; check `host`, `port` and `tls`",
                LONGEST_DIAL.as_secs()
            ),
        };
        let session = match timeout(LONGEST_DIAL, log_in(client, door, secret)).await {
            Ok(session) => session?,
            Err(_) => bail!(
                "{at} did not finish the login within {} s",
                LONGEST_DIAL.as_secs()
            ),
        };
        let mut wire = Wire {
            session,
            capabilities: BTreeSet::new(),
            has_qresync: false,
        };
        let mut found = BTreeSet::new();
        wire.run("CAPABILITY", |response| note(response, &mut found))
            .await?;
        wire.capabilities = found;
        if wire.has("QRESYNC") && wire.has("ENABLE") {
            wire.has_qresync = wire.run("ENABLE QRESYNC", |_| {}).await.is_ok();
        }
        Ok(wire)
    }

    /// Returns whether the server offers a capability.
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    /// Runs a command and shows every response to it.
    ///
    /// # Errors
    /// After anything but [`WireError::Refused`] the connection is of no more use.
    pub async fn run(
        &mut self,
        command: &str,
        mut see: impl FnMut(&Response<'_>),
    ) -> Result<(), WireError> {
        let work = async {
            let id = self.session.run_command(command).await.map_err(explain)?;
            loop {
                let response = self.session.read_response().await;
                let Some(response) = response.map_err(|error| explain(error.into()))? else {
                    return Err(WireError::Broken("it was closed".into()));
                };
                match response.parsed() {
                    Response::Done {
                        tag,
                        status,
                        outcome,
                    } if *tag == id => {
                        // Some servers tell HIGHESTMODSEQ only here.
                        see(response.parsed());
                        return match status {
                            Status::Ok => Ok(()),
                            _ => Err(WireError::Refused(said(
                                outcome.information.as_deref().unwrap_or_default(),
                            ))),
                        };
                    }
                    Response::Data {
                        status: Status::Bye,
                        outcome,
                    } => {
                        let why = said(outcome.information.as_deref().unwrap_or_default());
                        return Err(WireError::Broken(why));
                    }
                    response => see(response),
                }
            }
        };
        match timeout(LONGEST_COMMAND, work).await {
            Ok(done) => done,
            Err(_) => Err(WireError::TimedOut(LONGEST_COMMAND.as_secs())),
        }
    }

    /// Gives the session away, for IDLE.
    pub fn into_session(self) -> Session<Stream> {
        self.session
    }

    /// Says goodbye; whether it is heard does not matter.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(2), self.session.logout()).await;
    }
}

/// Connects, with TLS as configured.
async fn dial(door: &Door) -> Result<Client<Stream>> {
    let tcp = TcpStream::connect((door.host.as_str(), door.port)).await;
    let tcp = tcp.context("no connection; check `host` and `port`")?;
    tcp.set_nodelay(true)?;
    let mut client = match door.tls {
        TlsMode::Implicit => Client::new(encrypt(door, Box::new(tcp)).await?),
        TlsMode::StartTls | TlsMode::None => Client::new(Box::new(tcp) as Stream),
    };
    greet(&mut client).await?;
    if door.tls == TlsMode::StartTls {
        client
            .run_command_and_check_ok("STARTTLS", None)
            .await
            .map_err(explain)
            .context(
                "it offers no STARTTLS; if it speaks TLS from the start, set tls = \"implicit\"",
            )?;
        // What came with the answer was not encrypted and is thrown away with the old client.
        client = Client::new(encrypt(door, client.into_inner()).await?);
    }
    Ok(client)
}

async fn greet(client: &mut Client<Stream>) -> Result<()> {
    let greeting = client.read_response().await;
    match greeting.map_err(|error| explain(error.into()))? {
        Some(greeting) => match greeting.parsed() {
            Response::Data {
                status: Status::Ok, ..
            } => Ok(()),
            Response::Data { outcome, .. } => bail!(
                "it turns us away: {}",
                said(outcome.information.as_deref().unwrap_or_default())
            ),
            _ => bail!("it does not greet as an IMAP server does"),
        },
        None => bail!("it hung up at once; check `port` and `tls`"),
    }
}

async fn encrypt(door: &Door, stream: Stream) -> Result<Stream> {
    let config = tls::client_config(door.ca_file.as_deref())?;
    let name = ServerName::try_from(door.host.clone())
        .with_context(|| format!("{} is no name of a server", door.host))?;
    let encrypted = TlsConnector::from(config).connect(name, stream).await;
    let encrypted = encrypted.map_err(|error| anyhow::anyhow!(tls::advised(&error.to_string())));
    Ok(Box::new(encrypted.context(
        "TLS did not come about; check `port` and `tls`",
    )?))
}

async fn log_in(
    client: Client<Stream>,
    door: &Door,
    secret: &SecretString,
) -> Result<Session<Stream>> {
    let plain = || Sasl::new(format!("\0{}\0{}", door.user, secret.expose_secret()));
    let is_ascii = door.user.is_ascii() && secret.expose_secret().is_ascii();
    let answer = match door.login {
        Login::Token(_) | Login::App(_) => {
            let sasl = Sasl::new(xoauth2(&door.user, secret));
            client.authenticate("XOAUTH2", sasl).await
        }
        Login::Password(_) if is_ascii => {
            match client.login(&door.user, secret.expose_secret()).await {
                // Some servers know only the other way to hand over a password.
                Err((Error::Bad(_), client)) => client.authenticate("PLAIN", plain()).await,
                answer => answer,
            }
        }
        Login::Password(_) => client.authenticate("PLAIN", plain()).await,
    };
    answer.map_err(|(error, _)| match explain(error) {
        WireError::Refused(why) => NotLetIn(format!(
            "{} does not accept the account that [{}] names ({why}); {}",
            door.host,
            door.table,
            door.login.advice()
        ))
        .into(),
        error => error.into(),
    })
}

/// Returns the answer of an account with an access token.
fn xoauth2(user: &str, token: &SecretString) -> String {
    format!(
        "user={user}\x01auth=Bearer {}\x01\x01",
        token.expose_secret()
    )
}

/// Answers the first challenge; a second one only tells why it was not enough.
struct Sasl(Option<SecretString>);

impl Sasl {
    fn new(answer: String) -> Sasl {
        Sasl(Some(SecretString::from(answer)))
    }
}

impl Authenticator for Sasl {
    type Response = String;

    fn process(&mut self, _: &[u8]) -> String {
        let answer = self.0.take();
        answer.map_or_else(String::new, |answer| answer.expose_secret().to_owned())
    }
}

fn note(response: &Response<'_>, found: &mut BTreeSet<String>) {
    if let Response::Capabilities(capabilities) = response {
        found.extend(capabilities.iter().map(|capability| match capability {
            Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
            Capability::Auth(name) => format!("AUTH={}", name.to_uppercase()),
            Capability::Atom(name) => name.to_uppercase(),
        }));
    }
}

/// Returns an error of the library without what the server sent: that may be mail.
fn explain(error: Error) -> WireError {
    match error {
        Error::No(text) | Error::Bad(text) => WireError::Refused(said(&info_in(&text))),
        // The library's parser reports what it cannot read this way, text and all.
        Error::Io(error) if error.kind() == std::io::ErrorKind::Other => WireError::Garbled,
        Error::Io(error) => WireError::Broken(error.kind().to_string()),
        Error::ConnectionLost => WireError::Broken("it was closed".into()),
        Error::Validate(_) => WireError::Refused("a name holds a line break".into()),
        _ => WireError::Garbled,
    }
}

/// Returns the server's words from what the library makes of them: `code: None, info: Some("[ALERT] not \"now\"")`.
fn info_in(text: &str) -> String {
    let info = text.split_once("info: Some(\"");
    match info.and_then(|(_, rest)| rest.strip_suffix("\")")) {
        Some(info) => info.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => text.to_owned(),
    }
}

/// Returns a few of a server's words, fit for a log.
fn said(text: &str) -> String {
    let visible = text.chars().filter(|c| !c.is_control());
    let short: String = visible.take(LONGEST_SAYING).collect();
    if short.trim().is_empty() {
        "without a reason".to_owned()
    } else {
        short
    }
}

/// Returns a text as a quoted string of a command.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_token_is_sent_as_the_mechanism_wants_it_and_once() {
        let token = SecretString::from("tok");
        let mut sasl = Sasl::new(xoauth2("ana@x", &token));
        assert_eq!(
            sasl.process(b""),
            "user=ana@x\u{1}auth=Bearer tok\u{1}\u{1}"
        );
        assert_eq!(sasl.process(b"{\"status\":\"401\"}"), "");
    }

    #[test]
    fn a_refusal_is_told_in_the_server_s_own_words() {
        for (text, expected) in [
            (
                r#"code: None, info: Some("[AUTHENTICATIONFAILED] Not \"you\".")"#,
                "[AUTHENTICATIONFAILED] Not \"you\".",
            ),
            (r#"code: Some(Alert), info: Some("Full")"#, "Full"),
            ("code: None, info: None", "code: None, info: None"),
        ] {
            let refused = WireError::Refused(expected.into());
            assert_eq!(explain(Error::No(text.into())), refused);
        }
    }

    #[test]
    fn what_a_server_sends_is_not_in_the_error() {
        let error = std::io::Error::other("Error during parsing of \"Dear Ana, the salary\"");
        assert_eq!(explain(error.into()), WireError::Garbled);
        let long = "x".repeat(1000);
        let WireError::Refused(why) = explain(Error::No(format!("{long}\u{1b}[2J"))) else {
            panic!("a NO is a refusal");
        };
        assert!(why.len() <= LONGEST_SAYING && !why.contains('\u{1b}'));
    }
}
