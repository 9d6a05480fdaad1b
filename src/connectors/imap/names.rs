//! Folder names: which folders are read, and how a name that is not ASCII is written.

use async_imap::imap_proto::NameAttribute;
use base64::Engine as _;
use base64::alphabet::Alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// A folder as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The name on the wire.
    pub raw: String,
    /// The name as people read it.
    pub shown: String,
    /// What it is for.
    pub role: Role,
    /// Whether it can be opened.
    pub can_open: bool,
}

/// What a folder is for (RFC 6154).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Mail.
    #[default]
    Mail,
    /// Every mail of the account.
    All,
    /// What nobody sent, what nobody wants, what is thrown away.
    Aside,
    /// A view of mails that lie elsewhere.
    View,
}

/// Names of folders that are left out where a server does not say what they are for.
const ASIDE: [&str; 12] = [
    "trash",
    "deleted items",
    "deleted messages",
    "bin",
    "junk",
    "junk e-mail",
    "junk email",
    "spam",
    "bulk mail",
    "drafts",
    "draft",
    "outbox",
];

impl Folder {
    /// Reads a line of the server's list.
    pub fn new(raw: &str, delimiter: Option<&str>, attributes: &[NameAttribute<'_>]) -> Folder {
        // The parser keeps the backslashes of a quoted string.
        let mut name = String::with_capacity(raw.len());
        let mut chars = raw.chars();
        while let Some(c) = chars.next() {
            name.extend(if c == '\\' { chars.next() } else { Some(c) });
        }
        let mut shown = decode(&name);
        if shown.eq_ignore_ascii_case("inbox") {
            shown = "INBOX".to_owned();
        }
        let mut role = Role::Mail;
        let mut can_open = !name.contains(['\r', '\n', '\0']);
        for attribute in attributes {
            match attribute {
                NameAttribute::All => role = Role::All,
                NameAttribute::Drafts | NameAttribute::Junk | NameAttribute::Trash => {
                    role = Role::Aside
                }
                NameAttribute::Flagged => role = Role::View,
                NameAttribute::NoSelect => can_open = false,
                NameAttribute::Extension(name) if name.eq_ignore_ascii_case("\\nonexistent") => {
                    can_open = false
                }
                _ => {}
            }
        }
        if role == Role::Mail {
            let last = delimiter
                .filter(|delimiter| !delimiter.is_empty())
                .and_then(|delimiter| shown.rsplit(delimiter).next())
                .unwrap_or(&shown);
            if ASIDE.contains(&last.to_lowercase().as_str()) {
                role = Role::Aside;
            }
        }
        Folder {
            raw: name,
            shown,
            role,
            can_open,
        }
    }
}

/// Which folders are read, and which patterns of the config name none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Folders to read, the inbox first.
    pub folders: Vec<Folder>,
    /// Patterns that no folder has.
    pub unmatched: Vec<String>,
}

/// Chooses the folders to read.
///
/// Where nothing is named and the server has a folder of all mail, that one is read alone: archiving a mail there takes
/// it out of its folder, and it is not gone.
pub fn choose(listed: &[Folder], patterns: &[String]) -> Chosen {
    let (without, with): (Vec<&str>, Vec<&str>) = patterns
        .iter()
        .map(String::as_str)
        .partition(|pattern| pattern.starts_with('!'));
    let is_out = |folder: &Folder| {
        !folder.can_open
            || without
                .iter()
                .any(|pattern| matches(&pattern[1..], &folder.shown))
    };
    let open: Vec<&Folder> = listed.iter().filter(|folder| !is_out(folder)).collect();
    let all = open.iter().find(|folder| folder.role == Role::All);
    let mut folders: Vec<Folder> = match (with.is_empty(), all) {
        (true, Some(all)) => vec![(*all).clone()],
        (true, None) => open
            .iter()
            .filter(|folder| folder.role == Role::Mail)
            .map(|folder| (*folder).clone())
            .collect(),
        (false, _) => open
            .iter()
            .filter(|folder| {
                with.iter().any(|pattern| {
                    // Whoever writes a name out means it.
                    let is_meant = folder.role == Role::Mail || !pattern.contains('*');
                    is_meant && matches(pattern, &folder.shown)
                })
            })
            .map(|folder| (*folder).clone())
            .collect(),
    };
    folders.sort_by(|a, b| {
        let key = |folder: &Folder| (folder.shown != "INBOX", folder.shown.clone());
        key(a).cmp(&key(b))
    });
    folders.dedup_by(|a, b| a.raw == b.raw);
    let unmatched = with
        .into_iter()
        .filter(|pattern| !listed.iter().any(|folder| matches(pattern, &folder.shown)))
        .map(str::to_owned)
        .collect();
    Chosen { folders, unmatched }
}

/// Returns whether a name fits a pattern, where `*` is anything.
fn matches(pattern: &str, name: &str) -> bool {
    if name == "INBOX" && pattern.eq_ignore_ascii_case("inbox") {
        return true;
    }
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Returns a name in modified UTF-7 (RFC 3501, 5.1.3) as people read it; one that is damaged stays as it is.
fn decode(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('-') else {
            return name.to_owned();
        };
        let code = &rest[at + 1..at + end];
        if code.is_empty() {
            out.push('&');
        } else {
            match decode_run(code) {
                Some(text) => out.push_str(&text),
                None => return name.to_owned(),
            }
        }
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    out
}

fn decode_run(code: &str) -> Option<String> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&Alphabet::new(LETTERS).ok()?, config);
    let bytes = engine.decode(code).ok()?;
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let units: Vec<u16> = bytes
        .chunks(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        for (raw, shown) in [
            ("Entw&APw-rfe", "Entwürfe"),
            ("&U,BTFw-", "台北"),
            ("R&-D", "R&D"),
            ("&2D3eAA-", "😀"),
            ("inbox", "INBOX"),
            ("&broken", "&broken"),
            ("&A-", "&A-"),
            ("say \\\"hi\\\"", "say \"hi\""),
        ] {
            assert_eq!(Folder::new(raw, Some("/"), &[]).shown, shown);
        }
    }

    fn chosen(listed: &[(&str, &[NameAttribute<'_>])], patterns: &[&str]) -> (String, String) {
        let listed: Vec<Folder> = listed
            .iter()
            .map(|(name, attributes)| Folder::new(name, Some("/"), attributes))
            .collect();
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.into()).collect();
        let chosen = choose(&listed, &patterns);
        let names: Vec<String> = chosen.folders.into_iter().map(|one| one.shown).collect();
        (names.join(" "), chosen.unmatched.join(" "))
    }

    #[test]
    fn trash_junk_and_drafts_are_read_only_by_name() {
        let plain: &[(&str, &[NameAttribute<'_>])] = &[
            ("Lists/dev", &[]),
            ("INBOX", &[]),
            ("M&APw-ll", &[NameAttribute::Trash]),
            ("INBOX/Drafts", &[]),
            ("Lists", &[NameAttribute::NoSelect]),
            ("Lists/dev-announce", &[]),
            ("Starred", &[NameAttribute::Flagged]),
        ];
        let cases: &[(&[&str], &str, &str)] = &[
            (&[], "INBOX Lists/dev Lists/dev-announce", ""),
            (&["*"], "INBOX Lists/dev Lists/dev-announce", ""),
            (&["!*announce"], "INBOX Lists/dev", ""),
            (
                &["inbox", "Lists/d*"],
                "INBOX Lists/dev Lists/dev-announce",
                "",
            ),
            (&["Müll", "Archive/*"], "Müll", "Archive/*"),
            (&["Lists/*-*", "!Lists/dev"], "Lists/dev-announce", ""),
            (&["Lists"], "", ""),
        ];
        for (patterns, folders, unmatched) in cases {
            assert_eq!(
                chosen(plain, patterns),
                ((*folders).to_owned(), (*unmatched).to_owned()),
                "{patterns:?}"
            );
        }
    }

    #[test]
    fn a_folder_of_all_mail_is_read_alone() {
        let all: &[(&str, &[NameAttribute<'_>])] = &[
            ("INBOX", &[]),
            ("[Gmail]/All Mail", &[NameAttribute::All]),
            ("[Gmail]/Spam", &[NameAttribute::Junk]),
        ];
        assert_eq!(chosen(all, &[]).0, "[Gmail]/All Mail");
        assert_eq!(chosen(all, &["INBOX"]).0, "INBOX");
    }
}
