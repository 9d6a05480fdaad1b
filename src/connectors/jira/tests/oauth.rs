//! An OAuth app in place of a token.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::connectors::jira::fake::OAuthApp;

impl Here {
    /// From now on only the tokens of an app are good, each for so many calls.
    fn with_app(&mut self, calls_each: usize) {
        let refresh_token = "geheim-refresh-0".to_owned();
        std::fs::write(self.dir.path().join("refresh"), &refresh_token).unwrap();
        std::fs::write(self.dir.path().join("secret"), "geheim-app").unwrap();
        let url = self.fake.url.clone();
        self.more.push_str(&format!(
            "\nclient_id = \"app\"\nclient_secret_file = \"secret\"\nrefresh_token_file = \"refresh\"\n\
             api_url = \"{url}\"\ntoken_url = \"{url}/oauth/token\"\n"
        ));
        self.fake.get().app = Some(OAuthApp {
            refresh_token,
            access_token: String::new(),
            calls_each,
            left: 0,
            minted: 0,
        });
        self.source = None;
    }

    fn minted(&self) -> usize {
        self.fake.get().app.as_ref().unwrap().minted
    }

    fn kept(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("refresh")).unwrap()
    }
}

fn fill(here: &Here) {
    for id in 1..8 {
        here.fake.open(id, &on(20, "09:00"), "ana", "it dies");
        here.fake
            .comment(id, &on(21, "09:00"), "bo", "here too", json!({}));
    }
}

#[tokio::test]
async fn nothing_is_lost_when_access_tokens_end_in_the_middle_and_each_refresh_token_is_kept() {
    let mut here = Here::new(true).await;
    fill(&here);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let calm = here.log(0);

    let mut here = Here::new(true).await;
    fill(&here);
    here.with_app(2);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    assert_eq!(here.log(0), calm);
    assert!(here.minted() >= 2, "{} tokens", here.minted());
    let refresh_token = here.fake.get().app.as_ref().unwrap().refresh_token.clone();
    assert!(here.kept().contains(&refresh_token), "the last one is kept");
    let mode = std::fs::metadata(here.dir.path().join("refresh")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    let config = here.config();
    let client = config.client(&"jira".into(), here.dir.path(), &here.http);
    let shown = format!("{:?}", client.unwrap());
    assert!(
        shown.contains("app") && !shown.contains("geheim"),
        "{shown}"
    );

    // A comment is written once, also when its token was refused.
    let tracker = here.tracker();
    let ticket = ThreadId::new(&"jira".into(), "1");
    let text = Markdown("Ana knows this best".into());
    for is_changed in [true, false] {
        let said = tracker.comment(&ticket, "suggestion", &text).await.unwrap();
        assert_eq!(said.is_changed, is_changed);
    }
}

#[tokio::test]
async fn an_access_token_is_kept_for_its_hour_by_every_process() {
    let mut here = Here::new(true).await;
    fill(&here);
    here.with_app(usize::MAX);
    for (at, minted) in [("08:00", 1), ("08:50", 1), ("08:56", 2), ("09:40", 2)] {
        here.source = None;
        here.sync_at(&on(23, at)).await.unwrap();
        assert_eq!(here.minted(), minted, "at {at}");
    }
}

#[tokio::test]
async fn a_refresh_token_that_ended_or_cannot_be_kept_is_told_with_the_next_step() {
    let mut here = Here::new(true).await;
    fill(&here);
    here.with_app(usize::MAX);
    std::fs::write(here.dir.path().join("refresh"), "geheim-other").unwrap();
    let error = format!("{:#}", here.sync_at(&on(23, "08:00")).await.unwrap_err());
    assert!(
        error.contains("invalid_grant") && error.contains("let the app in again"),
        "{error}"
    );
    assert!(!error.contains("geheim"), "{error}");

    let mut here = Here::new(true).await;
    here.with_app(usize::MAX);
    here.more = here.more.replace("\"refresh\"", "\"nowhere/refresh\"");
    let error = format!("{:#}", here.sync_at(&on(23, "08:00")).await.unwrap_err());
    assert!(
        error.contains("refresh_token_file") && error.contains("nowhere"),
        "{error}"
    );
    assert_eq!(here.minted(), 0, "what cannot be kept is not asked for");

    for (more, expected) in [
        (
            "client_id = \"app\"\ntoken_env = \"A\"",
            "both a token and an OAuth app",
        ),
        ("client_id = \"app\"", "is for Cloud, through api_url"),
        (
            "client_id = \"app\"\napi_url = \"https://x.org\"",
            "names no refresh token",
        ),
        ("refresh_token_file = \"x\"", "add client_id"),
    ] {
        let table = format!("site = \"https://team.atlassian.net\"\n{more}");
        let config: JiraConfig = toml::from_str(&table).unwrap();
        let error = config.open(&"jira".into(), here.dir.path(), &here.http);
        let error = error.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
