//! A disk without room: nothing is lost, nothing is doubled, it is said once, and it goes on when there is room again.

use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::world::World;

/// A log that is kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Returns the lines of a level.
    fn lines(&self, level: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(level));
        lines.map(str::to_owned).collect()
    }
}

#[test]
fn a_store_without_room_loses_nothing_and_goes_on_when_there_is_room() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut world = World::new("2026-11-20T12:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.chat("general", "2026-11-20T10:00:00Z", "bo", "Lunch is at one.");
    world.run_until("2026-11-23T08:05:00Z");
    let before = world.sent().len();
    world.fill_disk(true);
    let long = "The night ferry is missing on the new timetable. ".repeat(40);
    for minute in 10..50 {
        let when = format!("2026-11-23T08:{minute}:00Z");
        world.chat("general", &when, "bo", &format!("{minute}: {long}"));
    }
    // Her day starts at nine, while nothing can be kept.
    world.run_until("2026-11-23T09:20:00Z");
    assert_eq!(
        world.sent().len(),
        before,
        "nothing is sent that could not be settled"
    );
    let errors = log.lines("ERROR");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("make room on the disk"), "{errors:?}");
    assert_eq!(log.lines("WARN"), [""; 0], "no source is blamed for it");

    world.fill_disk(false);
    world.run_until("2026-11-23T09:30:00Z");
    assert_eq!(world.sent().len(), before + 1);
    let stored = world.store().read_now(|c| {
        let sql = "SELECT count(*) FROM events WHERE text LIKE '%night ferry%'";
        Ok(c.query_row(sql, [], |row| row.get::<_, u64>(0))?)
    });
    assert_eq!(stored.unwrap(), 40);
    assert_eq!(log.lines("can be written again").len(), 1);
    assert_eq!(log.lines("ERROR").len(), 1);
    world.check();
}
