//! Setting daybrief up: what `check` says, what `members import` writes, what a mistake costs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// A folder with a small export of a chat and a configuration.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(config: &str) -> Folder {
        let dir = tempfile::tempdir().unwrap();
        let chat = dir.path().join("chat");
        std::fs::create_dir_all(chat.join("general")).unwrap();
        let users = json!([
            { "id": "UANA", "name": "ana", "real_name": "Ana Reis", "tz": "Europe/Lisbon", "profile": {} },
            { "id": "UBO", "name": "bo", "real_name": "Bo Lind", "tz": "Europe/Berlin", "profile": {} },
            { "id": "UOLD", "name": "old", "real_name": "Otto Alt", "deleted": true, "profile": {} },
            { "id": "UBOT", "name": "bot", "real_name": "Bot", "is_bot": true, "profile": {} },
        ]);
        std::fs::write(chat.join("users.json"), users.to_string()).unwrap();
        let channels =
            json!([{ "id": "CGENERAL", "name": "general", "members": ["UANA", "UBO", "UOLD"] }]);
        std::fs::write(chat.join("channels.json"), channels.to_string()).unwrap();
        let ago = |days: i64| Timestamp::now() - SignedDuration::from_hours(24 * days);
        let said = |days: i64, user: &str, text: &str| json!({ "type": "message", "ts": format!("{}.000100", ago(days).as_second()), "user": user, "text": text });
        let messages = json!([
            said(40, "UOLD", "the ferryboat leaves at six"),
            said(2, "UANA", "the lighthouse is on"),
        ]);
        std::fs::write(chat.join("general/2026-11-01.json"), messages.to_string()).unwrap();
        let folder = Folder(dir);
        folder.configure(config);
        folder
    }

    fn configure(&self, config: &str) {
        let text =
            format!("{config}\n[connectors.chat]\ntype = \"slack-export\"\npath = \"chat\"\n");
        std::fs::write(self.0.path().join("daybrief.toml"), text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_daybrief"))
            .args(args)
            .current_dir(self.0.path())
            .env_remove("DAYBRIEF_CONFIG")
            .output()
            .unwrap()
    }

    /// Runs a command; returns whether it went well and all it printed.
    fn says(&self, args: &[&str]) -> (bool, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.run(args);
        let said = String::from_utf8([stdout, stderr].concat()).unwrap();
        (status.success(), said)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn people_are_imported_once_and_without_programs_and_accounts_that_were_switched_off() {
    let folder = Folder::new("");
    assert!(folder.says(&["sync"]).0);
    let import = ["members", "import", "--from", "chat"];
    let (_, first) = folder.says(&import);
    assert!(first.contains("Added 2 members"), "{first}");
    assert!(first.contains("members_file = \"members.toml\""), "{first}");
    let written = std::fs::read_to_string(folder.path("members.toml")).unwrap();
    assert!(
        !written.contains("UOLD") && !written.contains("UBOT"),
        "{written}"
    );

    // Nobody named the file yet, and it is read all the same.
    let (_, second) = folder.says(&import);
    assert!(second.contains("is a member already"), "{second}");
    assert!(
        second.contains("members_file = \"members.toml\""),
        "{second}"
    );
    assert_eq!(
        std::fs::read_to_string(folder.path("members.toml")).unwrap(),
        written
    );

    folder.configure("members_file = \"members.toml\"");
    let (is_well, checked) = folder.says(&["check"]);
    assert!(is_well, "{checked}");
    assert!(
        checked.contains("briefed at 09:00 in Europe/Berlin"),
        "{checked}"
    );
    let (_, third) = folder.says(&import);
    assert!(
        third.contains("is a member already") && !third.contains("members_file"),
        "{third}"
    );
}

#[test]
fn a_members_file_that_is_missing_or_repeats_a_member_is_named_with_the_next_step() {
    let folder = Folder::new("members_file = \"members.toml\"\n[members.ana]");
    let (_, missing) = folder.says(&["check"]);
    assert!(
        missing.contains("members.toml") && missing.contains("members import"),
        "{missing}"
    );
    std::fs::write(folder.path("members.toml"), "# ours\n[members.ana]\n").unwrap();
    let (_, twice) = folder.says(&["check"]);
    assert!(
        twice.contains("members.toml:2") && twice.contains("keep one"),
        "{twice}"
    );
}

#[test]
fn check_names_when_each_member_is_briefed_and_what_is_hardly_meant() {
    let folder = Folder::new(
        "[members.ana]\nhandles = { chat = \"UANA\" }\nemail = \"nowhere\"\nlanguages = [\"klingon\", \"pt-BR\"]\n\
         [members.bo]\ntime_zone = \"Europe/Berlin\"\nworkdays = [\"mon\", \"tue\"]\nhandles = { chat = \"UANA\" }\n\
         [members.cy]\ntime_zone = \"Asia/Tokyo\"\nbrief = false\nhandles = { chat = \"UBO\" }\n\
         [members.di]\ntime_zone = \"Asia/Tokyo\"\nworkdays = []\n",
    );
    folder.says(&["sync"]);
    let (_, said) = folder.says(&["check"]);
    for expected in [
        "✓ ana: briefed at 09:00 in UTC",
        "! ana: no time_zone",
        "! ana: email = \"nowhere\" is no mail address",
        "! ana: languages: \"klingon\"",
        "! ana: \"UANA\" at chat is also another member's",
        "✓ bo: briefed at 09:00 in Europe/Berlin on Mon, Tue",
        "✓ cy: not briefed",
        "✓ di: never briefed",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(
        !said.contains("\"pt-BR\" is no") && !said.contains("cy: no time_zone"),
        "{said}"
    );
}

#[test]
fn check_names_what_would_keep_run_from_starting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = Folder::new(&format!(
        "[members.ana]\ntime_zone = \"UTC\"\nhandles = {{ chat = \"UANA\" }}\n\
         [server]\nlisten = \"{address}\"\n[server.hooks.chat]\nsecret_env = \"NOBODY_SETS_THIS\"\n\
         [qdrant]\nurl = \"http://127.0.0.1:1\"\n"
    ));
    let (is_well, said) = folder.says(&["check"]);
    assert!(!is_well);
    for expected in [
        format!("! server: {address} is taken"),
        "✗ server: [server.hooks.chat]: connectors of type slack-export send no hooks".into(),
        "✗ qdrant: 127.0.0.1:1 cannot be reached".into(),
    ] {
        assert!(said.contains(&expected), "{expected}: {said}");
    }
}

#[test]
fn an_embedding_model_that_cannot_be_used_is_named_by_check_and_search_goes_on() {
    let folder = Folder::new(
        "[members.ana]\ntime_zone = \"UTC\"\nhandles = { chat = \"UANA\" }\n\
         [embedding]\nbase_url = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\napi_key_env = \"NOBODY_SETS_THIS\"\n",
    );
    let (is_well, synced) = folder.says(&["sync"]);
    assert!(is_well, "{synced}");
    let (is_well, checked) = folder.says(&["check"]);
    assert!(
        !is_well && checked.contains("✗ embedding: [embedding] api_key_env: NOBODY_SETS_THIS"),
        "{checked}"
    );
    let (is_well, found) = folder.says(&["search", "lighthouse"]);
    assert!(is_well && found.contains("lighthouse"), "{found}");
    assert!(found.contains("built-in vectors"), "{found}");
}

#[test]
fn what_is_past_its_time_is_gone_after_a_sync() {
    let folder = Folder::new("[retention]\ndays = 30\n");
    let (_, said) = folder.says(&["sync"]);
    assert!(said.contains("Forgot the words of 1 event"), "{said}");
    let (_, found) = folder.says(&["search", "ferryboat"]);
    assert!(!found.contains("ferryboat leaves"), "{found}");
    let (_, found) = folder.says(&["search", "lighthouse"]);
    assert!(found.contains("lighthouse is on"), "{found}");
}

#[test]
fn a_backup_is_for_its_owner_alone_and_so_should_a_token_be() {
    let folder = Folder::new("[members.ana]\ntime_zone = \"UTC\"\nhandles = { chat = \"UANA\" }\n");
    folder.says(&["sync"]);
    let (is_well, said) = folder.says(&["backup", "copy.db"]);
    assert!(is_well, "{said}");
    assert_eq!(mode(&folder.path("copy.db")), 0o600);

    std::fs::write(folder.path("key"), "geheim").unwrap();
    std::fs::set_permissions(folder.path("key"), PermissionsExt::from_mode(0o644)).unwrap();
    folder.configure("[members.ana]\ntime_zone = \"UTC\"\nhandles = { chat = \"UANA\" }\n[server]\nlisten = \"127.0.0.1:0\"\n[server.hooks.chat]\nsecret_file = \"key\"\n");
    let (_, said) = folder.says(&["check"]);
    assert!(
        said.contains("! server.hooks.chat: others on this machine may read key (mode 0644)"),
        "{said}"
    );
    std::fs::set_permissions(folder.path("key"), PermissionsExt::from_mode(0o600)).unwrap();
    assert!(!folder.says(&["check"]).1.contains("may read"));
}

#[test]
fn a_mail_to_one_person_asks_that_person_and_a_subject_alone_is_read() {
    let folder = Folder::new(
        "[members.anton]\ntime_zone = \"UTC\"\nhandles = { post = \"anton@example.org\" }\n\
         [members.bo]\ntime_zone = \"UTC\"\nhandles = { post = \"bo@example.org\" }\n\
         [connectors.post]\ntype = \"mbox\"\npath = \"post.mbox\"\n",
    );
    let mail = |id: &str, to: &str, subject: &str, body: &str| {
        let at =
            (Timestamp::now() - SignedDuration::from_hours(1)).to_zoned(jiff::tz::TimeZone::UTC);
        let (delivered, date) = (
            at.strftime("%a %b %e %H:%M:%S %Y"),
            at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        );
        format!(
            "From x@example.org {delivered}\nFrom: Cleo <cleo@example.org>\nTo: {to}\nSubject: {subject}\n\
             Date: {date}\nMessage-ID: <{id}@example.org>\nContent-Type: text/plain; charset=utf-8\n\n{body}\n\n"
        )
    };
    let mails = [
        mail(
            "one",
            "anton@example.org",
            "The lamp",
            "Could you change the lamp in the lighthouse until Friday?",
        ),
        mail(
            "two",
            "anton@example.org, bo@example.org",
            "The pier",
            "Could you paint the pier until Friday?",
        ),
        mail(
            "three",
            "anton@example.org",
            "Can you approve the invoice of the shipyard by tomorrow?",
            "",
        ),
    ];
    std::fs::write(folder.path("post.mbox"), mails.concat()).unwrap();
    assert!(folder.says(&["sync"]).0);
    let asked = |who: &str| {
        let (is_well, said) = folder.says(&["brief", who, "--json"]);
        assert!(is_well, "{said}");
        let briefing: serde_json::Value = serde_json::from_str(&said).unwrap();
        let items = briefing["items"].as_array().unwrap().clone();
        let asks = items.into_iter().filter(|item| item["kind"] == "ask");
        asks.map(|item| item["citations"].to_string())
            .collect::<String>()
    };
    let anton = asked("anton");
    assert!(anton.contains("change the lamp"), "{anton}");
    assert!(anton.contains("approve the invoice"), "{anton}");
    assert!(
        !anton.contains("paint the pier"),
        "who of two is meant is not guessed: {anton}"
    );
    assert_eq!(asked("bo"), "");
    let (_, found) = folder.says(&["search", "invoice shipyard"]);
    assert!(found.contains("approve the invoice"), "{found}");
}

/// Starts a server that answers every request alike; returns its address up to `/v1`.
fn answering(status: &'static str, body: String) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut heard = [0; 65_536];
            if stream.read(&mut heard).is_ok_and(|count| count > 0) {
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close"
                );
                let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).ok();
            }
        }
    });
    format!("http://127.0.0.1:{port}/v1")
}

#[test]
fn what_a_models_server_says_is_never_repeated_and_one_that_says_nothing_is_named() {
    let refusal = json!({ "error": { "message": "Incorrect API key: sk-geheim", "type": "invalid_request_error" } });
    let thinks = json!({ "id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "finish_reason": "length", "message": { "role": "assistant", "content": null } }] });
    let silent = json!({ "id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": null } }] });
    let numbers = json!({ "object": "list", "model": "m", "usage": { "prompt_tokens": 1, "total_tokens": 1 },
        "data": [{ "object": "embedding", "index": 0, "embedding": [0.6, 0.8] }] });
    for (table, status, body, expected) in [
        (
            "embedding",
            "401 Unauthorized",
            &refusal,
            "✗ embedding: the embedding model's server refuses the key",
        ),
        (
            "embedding",
            "200 OK",
            &numbers,
            "sent 2 dimensions, and [embedding] dimensions asks for 384",
        ),
        (
            "llm",
            "401 Unauthorized",
            &refusal,
            "✗ model m: the model's server refuses the key",
        ),
        (
            "llm",
            "200 OK",
            &thinks,
            "✗ model m: says more than 200 tokens",
        ),
        (
            "llm",
            "200 OK",
            &silent,
            "✗ model m: answers without a word",
        ),
    ] {
        let url = answering(status, body.to_string());
        let more = if table == "embedding" {
            "dimensions = 384\n"
        } else {
            ""
        };
        let folder = Folder::new(&format!(
            "[members.ana]\ntime_zone = \"UTC\"\nhandles = {{ chat = \"UANA\" }}\n\
             [{table}]\nbase_url = \"{url}\"\nmodel = \"m\"\n{more}"
        ));
        let (is_well, said) = folder.says(&["check"]);
        assert!(!is_well && said.contains(expected), "{expected}: {said}");
        let (_, synced) = folder.says(&["sync"]);
        assert!(
            !said.contains("geheim") && !synced.contains("geheim"),
            "{said}{synced}"
        );
    }
}
