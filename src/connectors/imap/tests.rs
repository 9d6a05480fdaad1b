//! What the config of a mailbox may say; the servers' part stands in `tests/it/mail/`.

use std::path::Path;

use super::*;
use crate::connectors::ConnectorConfig;

fn opened(more: &str) -> Result<()> {
    let base = tempfile::tempdir()?;
    std::fs::write(base.path().join("password"), "geheim\n")?;
    let table =
        format!("type = \"imap\"\nhost = \"mail.example.org\"\nuser = \"ana@example.org\"\n{more}");
    let config: ConnectorConfig = toml::from_str(&table)?;
    let http = Http::new(Default::default(), Default::default());
    config.open(&"mail".into(), base.path(), &http).map(|_| ())
}

#[test]
fn a_table_that_cannot_be_right_says_why() {
    assert!(opened("password_file = \"password\"").is_ok());
    for (more, expected) in [
        ("", "names no password"),
        (
            "password_env = \"NO_SUCH_PASSWORD\"",
            "NO_SUCH_PASSWORD is not set",
        ),
        (
            "password_file = \"password\"\ntls = \"none\"",
            "in the clear",
        ),
        (
            "password_file = \"password\"\nhistory_days = 0",
            "at least 1",
        ),
        (
            "password_file = \"password\"\nidle_minutes = 40",
            "at most 28",
        ),
        ("password_file = \"password\"\ncolour = 1", "colour"),
        (
            "password_file = \"password\"\n[oauth]\nclient_id = \"app\"",
            "both a password and an OAuth app",
        ),
        ("[oauth]\ntoken_url = \"x\"", "needs `client_id`"),
    ] {
        let error = opened(more).unwrap_err().to_string();
        assert!(error.contains(expected), "{more}: {error}");
        assert!(!error.contains("geheim"));
    }
}

#[test]
fn ports_follow_the_encryption() {
    let http = Http::new(Default::default(), Default::default());
    for (more, port) in [
        ("", 993),
        ("tls = \"starttls\"", 143),
        ("port = 1143", 1143),
    ] {
        let table = format!("host = \"h\"\nuser = \"u\"\npassword_env = \"PATH\"\n{more}");
        let config: ImapConfig = toml::from_str(&table).unwrap();
        let door = config.door(&"mail".into(), Path::new("/"), &http).unwrap();
        assert_eq!(door.port, port, "{more}");
    }
}

#[test]
fn the_account_is_the_owner_s_handle() {
    let config = ImapConfig {
        user: "Ana@Example.org".into(),
        ..ImapConfig::default()
    };
    assert_eq!(&*config.owner(&"mail".into()).id, "ana@example.org");
}
