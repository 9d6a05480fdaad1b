//! What an account sees and what its server can do, for `daybrief check`.

use anyhow::Result;

use super::gather::{list, search};
use super::idle::LISTENED;
use super::names::{self, Role};
use super::tls::TlsMode;
use super::wire::{Door, Wire, WireError, quoted};
use super::{Fact, ImapConfig, MailAudience};
use crate::connectors::files::counted;

/// How many folders are named.
const NAMED: usize = 8;

/// Logs in and looks at the folders.
pub async fn check(config: &ImapConfig, door: &Door) -> Result<Vec<Fact>> {
    let mut wire = Wire::open(door).await?;
    let how = match door.tls {
        TlsMode::None => "in the clear",
        TlsMode::Implicit | TlsMode::StartTls => "over TLS",
    };
    let mut facts = vec![Fact::Fine(format!(
        "reads the mail of {} at {}:{} {how}",
        door.user, door.host, door.port
    ))];
    let listed = list(&mut wire).await?;
    let chosen = names::choose(&listed, &config.folders);
    let mut mails = 0;
    let mut named = Vec::new();
    for folder in &chosen.folders {
        let command = format!("EXAMINE {}", quoted(&folder.raw));
        match wire.run(&command, |_| {}).await {
            Ok(()) => {
                let found = search(&mut wire, "UID SEARCH UNDELETED UNDRAFT").await?.len();
                mails += found;
                named.push(format!("{} ({found})", folder.shown));
            }
            Err(WireError::Refused(why)) => facts.push(Fact::Note(format!(
                "the folder {} cannot be opened: {why}; leave it out with \"!{}\" or have it shared",
                folder.shown, folder.shown
            ))),
            Err(error) => return Err(error.into()),
        }
    }
    let more = named.len().saturating_sub(NAMED);
    named.truncate(NAMED);
    if more > 0 {
        named.push(format!("{more} more"));
    }
    facts.push(Fact::Fine(format!(
        "{} in {}",
        counted(mails as u64, "mail", "mails"),
        named.join(", ")
    )));
    for pattern in &chosen.unmatched {
        let there: Vec<&str> = listed
            .iter()
            .filter(|folder| folder.can_open)
            .map(|folder| folder.shown.as_str())
            .take(NAMED)
            .collect();
        facts.push(Fact::Note(format!(
            "no folder is called {pattern:?}; there are {}",
            there.join(", ")
        )));
    }
    let aside = listed
        .iter()
        .filter(|folder| folder.role == Role::Aside && !chosen.folders.contains(folder));
    let aside: Vec<&str> = aside.map(|folder| folder.shown.as_str()).collect();
    if !aside.is_empty() {
        facts.push(Fact::Fine(format!("leaves out {}", aside.join(", "))));
    }
    facts.push(Fact::Fine(
        match (wire.has_qresync, wire.has("CONDSTORE")) {
            (true, _) => "the server tells what was deleted (QRESYNC)".into(),
            (false, true) => "deletions are found by comparing lists (CONDSTORE)".into(),
            (false, false) => "deletions are found by comparing lists".into(),
        },
    ));
    match (wire.has("IDLE"), config.idle_minutes) {
        (_, 0) => {}
        (true, _) => facts.push(Fact::Fine(match chosen.folders.len() {
            0..=LISTENED => "new mail is heard at once (IDLE)".into(),
            many => format!(
                "new mail is heard at once (IDLE) in the first {LISTENED} folders, in {} more with the next reading",
                many - LISTENED
            ),
        })),
        (false, _) => facts.push(Fact::Note(
            "the server offers no IDLE: new mail is seen every sync_minutes".into(),
        )),
    }
    facts.push(Fact::Fine(match config.audience {
        MailAudience::Participants => {
            format!(
                "a mail is shown to its sender, its recipients and {}",
                door.user
            )
        }
        MailAudience::Owner => format!(
            "a mail is shown to the member with the handle {}",
            door.user
        ),
        MailAudience::Everyone => "every member may read these mails".into(),
    }));
    wire.close().await;
    Ok(facts)
}
