//! WebVTT and SubRip: cues, who speaks in them, and the utterances they make.

/// An utterance ends after about this many words.
const MAX_WORDS: usize = 60;
/// An utterance ends at a pause longer than this.
const MAX_PAUSE_MS: u64 = 8_000;

/// What a transcript holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// What was said, in order.
    pub utterances: Vec<Utterance>,
    /// The texts of `NOTE` blocks.
    pub notes: Vec<String>,
    /// Lines that could not be read, and why.
    pub broken: Vec<(u64, String)>,
}

/// What one person said in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utterance {
    /// Who, if the transcript says.
    pub speaker: Option<String>,
    /// When it began, from the start of the recording.
    pub from_ms: u64,
    /// When it ended.
    pub upto_ms: u64,
    /// The words.
    pub text: String,
}

impl Transcript {
    /// Reads a transcript; the two formats differ so little that one reader serves both.
    pub fn parse(text: &str) -> Transcript {
        let mut transcript = Transcript::default();
        let has_spans = text.contains("<v ") || text.contains("<v.");
        let mut cues: Vec<Utterance> = Vec::new();
        let mut lines = (1..)
            .zip(text.trim_start_matches('\u{feff}').lines())
            .peekable();
        while let Some((number, line)) = lines.next() {
            let line = line.trim();
            if let Some(first) = line
                .strip_prefix("NOTE")
                .filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
            {
                let mut note = first.trim().to_owned();
                while let Some((_, line)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
                    note = format!("{note} {}", line.trim());
                }
                transcript.notes.push(note.trim().to_owned());
            } else if line == "STYLE" || line == "REGION" {
                while lines.next_if(|(_, line)| !line.trim().is_empty()).is_some() {}
            } else if let Some((from, upto)) = line.split_once("-->") {
                let upto = upto.split_whitespace().next().unwrap_or_default();
                let mut words = Vec::new();
                while let Some((_, line)) =
                    lines.next_if(|(_, line)| !line.trim().is_empty() && !line.contains("-->"))
                {
                    words.push(line.trim());
                }
                // The number of the next cue, where the blank line before it is missing.
                if lines.peek().is_some_and(|(_, line)| line.contains("-->"))
                    && words.last().is_some_and(|word| word.parse::<u32>().is_ok())
                {
                    words.pop();
                }
                let from_ms = millis(from.trim());
                if from_ms.is_some() && millis(upto).is_none() && !upto.is_empty() {
                    let reason = "the cue's end is no time; its start stands in";
                    transcript.broken.push((number, reason.to_owned()));
                }
                match (from_ms, millis(upto)) {
                    (Some(from_ms), upto_ms) => push_cue(
                        &mut cues,
                        from_ms,
                        upto_ms.unwrap_or(from_ms).max(from_ms),
                        &words,
                        has_spans,
                    ),
                    (None, _) => transcript.broken.push((
                        number,
                        "the cue has no start time; it was left out".to_owned(),
                    )),
                }
            }
        }
        cues.sort_by_key(|cue| cue.from_ms);
        transcript.utterances = joined(cues, has_spans);
        transcript
    }
}

/// Adds a cue's lines; a voice span or a name before a colon begins another speaker's words.
fn push_cue(
    cues: &mut Vec<Utterance>,
    from_ms: u64,
    upto_ms: u64,
    lines: &[&str],
    has_spans: bool,
) {
    let mut speaker: Option<String> = None;
    let mut parts: Vec<(Option<String>, String)> = Vec::new();
    for line in lines {
        let mut rest = *line;
        while let Some(start) = rest.find("<v") {
            let (before, tag) = rest.split_at(start);
            let Some((tag, after)) = tag
                .split_once('>')
                .filter(|(tag, _)| tag[2..].starts_with([' ', '.', '\t']))
            else {
                break;
            };
            push_words(&mut parts, &speaker, before);
            speaker = tag
                .split_once([' ', '\t'])
                .map(|(_, name)| plain(name))
                .filter(|name| !name.is_empty());
            rest = after;
        }
        let words = plain(rest);
        match named(&words).filter(|_| !has_spans) {
            Some((name, words)) => {
                speaker = Some(name.to_owned());
                push_words(&mut parts, &speaker, words);
            }
            None => push_words(&mut parts, &speaker, &words),
        }
    }
    for (speaker, text) in parts {
        cues.push(Utterance {
            speaker,
            from_ms,
            upto_ms,
            text,
        });
    }
}

fn push_words(parts: &mut Vec<(Option<String>, String)>, speaker: &Option<String>, words: &str) {
    let words = plain(words);
    if words.is_empty() {
        return;
    }
    match parts.last_mut() {
        Some((last, text)) if last == speaker => {
            text.push(' ');
            text.push_str(&words);
        }
        _ => parts.push((speaker.clone(), words)),
    }
}

/// Returns the speaker and the words of `Ana Berg: let us begin`.
fn named(line: &str) -> Option<(&str, &str)> {
    let (name, words) = line
        .split_once(": ")
        .or_else(|| line.strip_suffix(':').map(|name| (name, "")))?;
    let name = name.trim_start_matches(['-', '–', '>', ' ']).trim();
    let is_name = !name.is_empty()
        && name.split_whitespace().count() <= 4
        && name.chars().count() <= 40
        && name
            .split_whitespace()
            .all(|word| !word.starts_with(char::is_lowercase))
        && name.chars().all(|c| {
            c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '\'' | '’' | '(' | ')' | '_')
        });
    is_name.then_some((name, words))
}

/// Returns a line without tags and with entities decoded.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        let tag = &rest[start + 1..];
        let is_tag =
            tag.starts_with(|c: char| c.is_ascii_alphabetic() || c.is_ascii_digit() || c == '/');
        match tag.find('>').filter(|_| is_tag) {
            Some(end) => rest = &tag[end + 1..],
            None => {
                text.push('<');
                rest = tag;
            }
        }
    }
    text.push_str(rest);
    let text = text
        .replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads `HH:MM:SS.mmm`, `MM:SS.mmm` and `HH:MM:SS,mmm`.
fn millis(text: &str) -> Option<u64> {
    let text = text.replace(',', ".");
    let (clock, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let mut seconds = 0_u64;
    let parts: Vec<&str> = clock.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for (at, part) in parts.into_iter().enumerate() {
        let part: u64 = part.trim().parse().ok()?;
        // The first one may be long: a talk of 75 minutes.
        if at > 0 && part > 59 {
            return None;
        }
        seconds = seconds.checked_mul(60)?.checked_add(part)?;
    }
    let fraction: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    seconds.checked_mul(1_000)?.checked_add(fraction)
}

/// Joins the cues of one speaker up to a pause or about sixty words.
///
/// Where names stand before colons they are written when the speaker changes, so a cue without one is the same person's.
fn joined(cues: Vec<Utterance>, has_spans: bool) -> Vec<Utterance> {
    let mut utterances: Vec<Utterance> = Vec::new();
    // The words of the last cue, which captions that roll up repeat.
    let mut last_words = String::new();
    for mut cue in cues {
        let open = utterances
            .last_mut()
            .filter(|open| cue.from_ms <= open.upto_ms + MAX_PAUSE_MS);
        if let (None, Some(open), false) = (&cue.speaker, &open, has_spans) {
            cue.speaker.clone_from(&open.speaker);
        }
        let Some(open) = open.filter(|open| open.speaker == cue.speaker) else {
            last_words.clone_from(&cue.text);
            utterances.push(cue);
            continue;
        };
        let words = cue.text.clone();
        if last_words.ends_with(&words) {
            open.upto_ms = open.upto_ms.max(cue.upto_ms);
            continue;
        }
        if let Some(more) = words
            .strip_prefix(&last_words)
            .filter(|more| more.starts_with(' '))
        {
            cue.text = more.trim_start().to_owned();
        }
        last_words = words;
        let count = open.text.split_whitespace().count() + cue.text.split_whitespace().count();
        if count > MAX_WORDS {
            utterances.push(cue);
        } else {
            open.text.push(' ');
            open.text.push_str(&cue.text);
            open.upto_ms = open.upto_ms.max(cue.upto_ms);
        }
    }
    utterances
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(Option<&str>, u64, &str)]) {
        let transcript = Transcript::parse(text);
        let seen: Vec<_> = transcript
            .utterances
            .iter()
            .map(|said| (said.speaker.as_deref(), said.from_ms, said.text.as_str()))
            .collect();
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn both_formats_say_who_spoke_when() {
        check(
            "WEBVTT - a title\n\nNOTE recorded\non Friday\n\nSTYLE\n::cue { }\n\nintro\n00:01.500 --> 00:03.000 align:start\n<v Ana Berg>Let us <b>begin</b>.</v>\n\n00:04.000 --> 00:05.000\n<v.loud Bo>Yes &amp; no</v> <v Ana Berg>fine\n",
            &[
                (Some("Ana Berg"), 1_500, "Let us begin."),
                (Some("Bo"), 4_000, "Yes & no"),
                (Some("Ana Berg"), 4_000, "fine"),
            ],
        );
        check(
            "1\r\n01:00:01,000 --> 01:00:02,000\r\nAna: so\r\n\r\n2\r\n01:00:02,500 --> 01:00:04,000\r\nwe ship\r\n3\r\n01:00:05,000 --> 01:00:06,000\r\nBo: at 10:30\r\n",
            &[
                (Some("Ana"), 3_601_000, "so we ship"),
                (Some("Bo"), 3_605_000, "at 10:30"),
            ],
        );
    }

    #[test]
    fn cues_are_joined_up_to_a_pause_and_repeats_are_dropped() {
        check(
            "00:00.000 --> 00:01.000\nAna: one\n\n00:02.000 --> 00:03.000\nAna: two\n\n00:12.000 --> 00:13.000\nAna: three",
            &[(Some("Ana"), 0, "one two"), (Some("Ana"), 12_000, "three")],
        );
        check(
            "00:00.000 --> 00:01.000\nso we\n\n00:01.000 --> 00:02.000\nso we ship\n\n00:02.000 --> 00:03.000\nship",
            &[(None, 0, "so we ship")],
        );
        let long = (0..100)
            .map(|at| {
                format!(
                    "00:{:02}.000 --> 00:{:02}.500\nAna: word\n\n",
                    at / 2,
                    at / 2
                )
            })
            .collect::<String>();
        // Equal cues are repeats, so each has to say something else.
        let long = long
            .split("word")
            .enumerate()
            .map(|(at, part)| format!("{part}w{at}"))
            .collect::<String>();
        assert_eq!(Transcript::parse(&long).utterances.len(), 2);
    }

    #[test]
    fn what_is_broken_is_named_and_the_rest_is_read() {
        let transcript =
            Transcript::parse("WEBVTT\n\nxx --> 00:01.000\nlost\n\n00:02.000 -->\nkept");
        assert_eq!(
            transcript.broken,
            [(3, "the cue has no start time; it was left out".to_owned())]
        );
        assert_eq!(transcript.utterances[0].text, "kept");
        let broken = Transcript::parse("00:00:99,000 --> x\nlost\n\n75:00.000 --> x\nkept").broken;
        let broken: Vec<_> = broken.iter().map(|(line, says)| (*line, &**says)).collect();
        assert_eq!(
            broken,
            [
                (1, "the cue has no start time; it was left out"),
                (4, "the cue's end is no time; its start stands in"),
            ]
        );
        check("", &[]);
        check("no cues at all", &[]);
    }
}
