//! What a kill leaves behind.

use super::*;

/// The child of the next test: applies one passage a commit until it is killed.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Ok(dir) = std::env::var("DAYBRIEF_INDEX_KILL_DIR") else {
        return;
    };
    let index = Index::open(Path::new(&dir), "log", Options::default()).unwrap();
    for seq in index.applied().0 + 1.. {
        let ops = [
            Op::Put(passage(&format!("k{seq}"), &format!("login number{seq}"))),
            Op::DeletePassage(format!("k{}", seq - 1)),
        ];
        index
            .apply(&ops[..if seq % 3 == 0 { 2 } else { 1 }], Seq(seq))
            .unwrap();
    }
}

#[test]
fn kill_9_loses_nothing_that_was_applied() {
    let dir = tempfile::tempdir().unwrap();
    let mut reached = 0;
    for round in 0..4u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "tests::crash::child_that_writes_until_it_is_killed",
                "--nocapture",
            ])
            .env("DAYBRIEF_INDEX_KILL_DIR", dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(400 + round * 173));
        child.kill().unwrap();
        child.wait().unwrap();
        let index = Index::open(dir.path(), "log", Options::default()).unwrap();
        let applied = index.applied().0;
        assert!(
            applied >= reached && index.notices().is_empty(),
            "{applied} {reached}"
        );
        reached = applied;
        let expected = (1..=applied)
            .filter(|seq| !((seq + 1) % 3 == 0 && *seq < applied))
            .count() as u64;
        assert_eq!(
            index.verify().unwrap(),
            Report {
                passages: expected,
                read: expected,
                problems: Vec::new()
            }
        );
    }
    assert!(reached > 0);
}
