//! What a server says, as far as it matters: the state of a folder, mails, and how UIDs are written.

use async_imap::imap_proto::{AttributeValue, MailboxDatum, Response, ResponseCode, Status};
use jiff::Timestamp;
use mail_parser::{MimeHeaders, PartType};

use super::{Fetched, Shown};
use crate::connectors::mail::body::close_parts;
use crate::connectors::mail::parse;

impl Shown {
    pub(super) fn note(&mut self, response: &Response<'_>) {
        match response {
            Response::Data {
                status: Status::Ok,
                outcome,
            }
            | Response::Done { outcome, .. } => match &outcome.code {
                Some(ResponseCode::UidValidity(validity)) => self.validity = *validity,
                Some(ResponseCode::UidNext(next)) => self.next = Some(*next),
                Some(ResponseCode::HighestModSeq(modseq)) => self.modseq = Some(*modseq),
                _ => {}
            },
            Response::MailboxData(MailboxDatum::Exists(exists)) => self.exists = *exists,
            Response::Vanished { uids, .. } => self.vanished.extend(uids.iter().cloned()),
            Response::Fetch(..) => self
                .flags
                .extend(fetched(response).map(|mail| (mail.uid, mail.is_aside))),
            _ => {}
        }
    }
}

/// Reads one FETCH response.
pub(super) fn fetched(response: &Response<'_>) -> Option<Fetched> {
    let Response::Fetch(_, attributes) = response else {
        return None;
    };
    let mut uid = None;
    let mut mail = Fetched {
        name: String::new(),
        shown: String::new(),
        uid: 0,
        raw: Vec::new(),
        delivered_at: None,
        size: 0,
        got: 0,
        is_aside: false,
        is_cut: false,
        is_history: false,
    };
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(number) => uid = Some(*number),
            AttributeValue::Rfc822Size(size) => mail.size = *size as usize,
            AttributeValue::InternalDate(date) => mail.delivered_at = moment(date),
            AttributeValue::Flags(flags) => {
                mail.is_aside = flags.iter().any(|flag| {
                    flag.eq_ignore_ascii_case("\\deleted") || flag.eq_ignore_ascii_case("\\draft")
                });
            }
            AttributeValue::BodySection {
                data: Some(data), ..
            } => {
                mail.got = data.len();
                mail.raw = unix_lines(data);
            }
            _ => {}
        }
    }
    mail.uid = uid?;
    Some(mail)
}

/// Returns the bytes of a mail with the line ends that mailboxes on a disk have.
fn unix_lines(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    for (at, byte) in data.iter().enumerate() {
        if *byte != b'\r' || data.get(at + 1) != Some(&b'\n') {
            out.push(*byte);
        }
    }
    out
}

/// Reads a time as servers write it: `17-Jul-1996 02:44:25 -0700`.
fn moment(text: &str) -> Option<Timestamp> {
    let at = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?;
    at.to_timestamp().ok()
}

/// Returns whether a mail that was fetched in part ends in the middle of its words.
pub(super) fn is_text_cut(raw: &[u8]) -> bool {
    let raw = close_parts(raw);
    let Some(message) = parse(&raw) else {
        return false;
    };
    let last = message
        .parts
        .iter()
        .filter(|part| !matches!(part.body, PartType::Multipart(_)))
        .max_by_key(|part| part.offset_end);
    last.is_some_and(|part| {
        matches!(part.body, PartType::Text(_) | PartType::Html(_))
            && part
                .content_disposition()
                .is_none_or(|how| !how.is_attachment())
    })
}

/// Returns UIDs as IMAP writes a set: `3:5,9`.
pub(super) fn set_of(uids: &[u32]) -> String {
    let mut uids = uids.to_vec();
    uids.sort_unstable();
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match parts.last_mut() {
            Some((_, last)) if uid <= last.saturating_add(1) => *last = uid,
            _ => parts.push((uid, uid)),
        }
    }
    let parts = parts.into_iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}:{last}"),
    });
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_short() {
        for (uids, set) in [
            (vec![7], "7"),
            (vec![3, 4, 5, 9], "3:5,9"),
            (vec![9, 1, 2], "1:2,9"),
            (vec![1, 3, 5], "1,3,5"),
        ] {
            assert_eq!(set_of(&uids), set);
        }
    }

    #[test]
    fn a_server_s_time_is_read_with_its_offset() {
        let at = |text: &str| moment(text).map(|at| at.to_string());
        assert_eq!(
            at("17-Jul-1996 02:44:25 -0700").as_deref(),
            Some("1996-07-17T09:44:25Z")
        );
        assert_eq!(
            at(" 7-Jul-1996 02:44:25 +0000").as_deref(),
            Some("1996-07-07T02:44:25Z")
        );
        assert_eq!(at("yesterday"), None);
    }

    #[test]
    fn a_mail_cut_within_an_attachment_has_all_its_words() {
        let head = "From: a@x\nMessage-ID: <1@x>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhello\n";
        let whole = format!(
            "{head}\n--b\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\nAAAAAAAAAAAA"
        );
        assert!(is_text_cut(head.as_bytes()));
        assert!(!is_text_cut(whole.as_bytes()));
    }
}
