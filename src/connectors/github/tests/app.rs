//! An app in place of a token.

use super::*;
use crate::connectors::github::fake::app::{FakeApp, KEY};

impl Here {
    /// From now on only the tokens of an app are good.
    pub(super) fn with_app(&mut self) {
        std::fs::write(self.dir.path().join("app.pem"), KEY).unwrap();
        self.fake.get().app = Some(FakeApp::new(self.clock.clone()));
        self.more.push_str("\napp_id = 12345");
        self.source = None;
    }

    fn minted(&self) -> usize {
        self.fake.get().app.as_ref().unwrap().minted
    }
}

fn opened(here: &Here) -> String {
    let config = here.config();
    let client = config.client(&"code".into(), here.dir.path(), &here.http);
    format!("{:?}", client.unwrap())
}

#[tokio::test]
async fn nothing_is_lost_when_an_apps_tokens_end_in_the_middle() {
    let mut here = Here::new().await;
    fill(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let calm = here.log(0);

    let mut here = Here::new().await;
    fill(&here.fake);
    here.with_app();
    here.fake.get().app.as_mut().unwrap().calls_each = 3;
    here.sync_at(&on(23, "08:00")).await.unwrap();
    assert_eq!(here.log(0), calm);
    assert!(here.minted() >= 5, "{} tokens", here.minted());
    let shown = opened(&here);
    assert!(
        shown.contains("12345") && !shown.contains("PRIVATE") && !shown.contains("geheim"),
        "{shown}"
    );
}

#[tokio::test]
async fn an_apps_token_is_kept_until_shortly_before_it_ends() {
    let mut here = Here::new().await;
    fill(&here.fake);
    here.with_app();
    for (at, minted) in [
        ("08:00", 1),
        ("08:54", 1),
        ("08:56", 2),
        ("09:50", 2),
        ("09:52", 3),
    ] {
        here.sync_at(&on(23, at)).await.unwrap();
        assert_eq!(here.minted(), minted, "at {at}");
    }
    let (refused, _) = here.fake.calls_with("access_tokens");
    assert_eq!(refused, 3);

    // Where the app is installed need not be looked up when the config says it.
    (here.source, here.more) = (None, "app_id = \"12345\"\ninstallation_id = 678".into());
    let (before, _) = here.fake.calls_with("/installation");
    here.sync_at(&on(23, "10:00")).await.unwrap();
    // The path of the tokens has a plural.
    let looked_up = here.fake.calls_with("parser/installation").0;
    assert_eq!((looked_up, here.minted()), (3, 4), "{before} before");
}

#[tokio::test]
async fn an_app_writes_once_also_when_its_token_was_refused() {
    let mut here = Here::new().await;
    here.fake.open(REPO, 1, &on(22, "09:00"), "Ana", "one");
    let other = "<!-- daybrief:suggest --> of another program";
    here.fake
        .comment(REPO, 1, &on(22, "10:00"), "ci[bot]", other);
    here.with_app();
    // Reading the comments uses a token up, so that the write is what is refused.
    here.fake.get().app.as_mut().unwrap().calls_each = 1;
    let comments = here
        .config()
        .comments(&"code".into(), here.dir.path(), &here.http)
        .unwrap();
    let ticket = ThreadId::new(&"code".into(), format!("{REPO}#1"));
    for (text, is_changed) in [("Ana", true), ("Ana", false), ("Bo", true)] {
        let text = Markdown(text.into());
        let said = comments.comment(&ticket, "suggest", &text);
        assert_eq!(said.await.unwrap().is_changed, is_changed, "{text:?}");
    }
    let hub = here.fake.get();
    let bodies: Vec<&str> = hub.repositories[REPO].issues[&1]
        .comments
        .iter()
        .map(|comment| comment["body"].as_str().unwrap())
        .collect();
    assert_eq!(bodies, [other, "Bo\n\n<!-- daybrief:suggest -->"]);
}

#[tokio::test]
async fn an_app_that_is_not_installed_or_not_known_is_told_what_to_do() {
    let mut here = Here::new().await;
    here.fake.repository("other/tool", "public");
    here.fake.open(REPO, 1, &on(22, "09:00"), "Ana", "one");
    here.more = format!("repositories = [\"other/tool\", \"{REPO}\"]");
    here.with_app();
    let synced = here.sync_at(&on(23, "08:00")).await.unwrap();
    assert!(
        synced.skipped[0]
            .reason
            .starts_with("the app is not installed for other/tool"),
        "{:?}",
        synced.skipped
    );
    assert_eq!(here.log(0), ["opened #1 ana: body of one"]);
    let facts: Vec<String> = here
        .check()
        .await
        .iter()
        .map(|fact| match fact {
            Fact::Fine(says) => format!("+ {says}"),
            Fact::Note(says) => format!("! {}", says.split([':', ';']).next().unwrap()),
        })
        .collect();
    assert_eq!(
        facts,
        [
            "! the app is not installed for other/tool",
            "+ the app may: issues (write), metadata (read), pull_requests (read)",
            "! the app lacks discussions",
            "+ team/parser is public",
            "+ team/parser has no discussions",
        ]
    );

    here.more = here.more.replace("12345", "54321");
    here.source = None;
    let error = format!("{:#}", here.sync_at(&on(23, "08:05")).await.unwrap_err());
    assert!(
        error.contains("check that app_id and the private key"),
        "{error}"
    );
    std::fs::write(here.dir.path().join("app.pem"), "geheim").unwrap();
    let config = here.config();
    let error = config.open(&"code".into(), here.dir.path(), &here.http);
    let error = format!("{:#}", error.err().unwrap());
    assert!(
        error.contains("[connectors.code]") && !error.contains("geheim"),
        "{error}"
    );
}
