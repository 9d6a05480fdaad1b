//! Reading a connector to its end, as `ingest` does.

use crate::connectors::{AnySource, ConnectorConfig, Cursor, Fact, Page, Source};
use std::path::Path;

/// Everything that came, and the cursor after it.
#[derive(Debug, Default)]
pub struct All {
    pub page: Page,
    pub pages: usize,
    pub cursor: Option<Cursor>,
}

impl All {
    /// Returns the ids of the events.
    pub fn ids(&self) -> Vec<&str> {
        self.page.events.iter().map(|event| &*event.id.id).collect()
    }

    /// Returns `place: reason` of what was skipped.
    pub fn skipped(&self) -> Vec<String> {
        self.page
            .skipped
            .iter()
            .map(|item| format!("{}: {}", item.at, item.reason))
            .collect()
    }
}

/// Opens the connector that a table of the config describes; its id is `here`.
pub fn open(table: &str, base: &Path) -> AnySource {
    let config: ConnectorConfig = toml::from_str(table).unwrap();
    let http = crate::http::Http::new(Default::default(), Default::default());
    config.open(&"here".into(), base, &http).unwrap()
}

/// Returns what `daybrief check` says of a connector over files.
pub fn check(config: &ConnectorConfig, base: &Path) -> anyhow::Result<Vec<String>> {
    let http = crate::http::Http::new(Default::default(), Default::default());
    let id = "here".into();
    let checked = config.check(&id, base, &http);
    let facts = futures_util::FutureExt::now_or_never(checked)
        .expect("files are looked at without waiting")?;
    let says = facts.into_iter().map(|fact| match fact {
        Fact::Fine(says) | Fact::Note(says) => says,
    });
    Ok(says.collect())
}

/// Reads a source from a cursor to its end.
pub fn read(source: &mut AnySource, cursor: Option<Cursor>) -> All {
    let mut all = All {
        cursor,
        ..All::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    loop {
        let page = runtime.block_on(source.fetch(all.cursor.as_ref())).unwrap();
        all.pages += 1;
        assert!(
            page.events.len() < 4_000 && all.pages < 1_000,
            "pages are bounded"
        );
        assert!(
            page.progress.is_none_or(|(done, total)| done <= total),
            "{:?}",
            page.progress
        );
        all.page.threads.extend(page.threads);
        all.page.events.extend(page.events);
        all.page.spaces.extend(page.spaces);
        all.page.people.extend(page.people);
        all.page.skipped.extend(page.skipped);
        all.page.again.extend(page.again);
        all.cursor = page.next.or(all.cursor);
        if !page.more {
            return all;
        }
    }
}

/// Opens and reads a source from the beginning, and sees that a second reading brings nothing.
pub fn read_new(table: &str, base: &Path) -> All {
    let all = read(&mut open(table, base), None);
    let again = read(&mut open(table, base), all.cursor.clone());
    assert!(
        again.page.events.is_empty() && again.page.skipped.is_empty(),
        "{again:?}"
    );
    assert_eq!(again.cursor, all.cursor);
    all
}

/// Returns the folder of a system's fixtures.
pub fn fixtures(system: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(system)
}
