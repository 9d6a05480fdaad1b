//! V4: the exact things of a sentence (numbers, dates, times, versions, amounts, keys, code) in one spelling.

mod reading;

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};

use self::reading::{
    DAYS, MONTHS, NUMBER_WORDS, Piece, TENS, day_number, is_code, month_of, number, numeric_days,
    pieces, time, weekday_of, year,
};

/// An exact thing that a sentence states.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Token {
    /// `1,000`, `1000` and `1k` alike.
    Number(String),
    /// A number written as a word.
    Word(String),
    /// A sum with its currency.
    Amount(char, String),
    /// A day, with or without its year.
    Day(Option<i16>, i8, i8),
    /// A month by name.
    Month(i8),
    /// A day of the week, Monday = 1.
    Weekday(i8),
    /// Minutes since midnight, and whether morning or afternoon was said.
    Time(u16, bool),
    /// Numbers joined with dots.
    Version(String),
    /// `CORE-16`, `#16`.
    Key(String),
    /// A piece of code: `snake_case`, `camelCase`, `a/b`, `--flag`, `f()`.
    Code(String),
}

/// The exact things that cited texts hold, and the texts in lower case.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    tokens: BTreeSet<Token>,
    lower: Vec<String>,
}

/// Returns the exact things of a text. `all_readings` keeps every reading of what is ambiguous, for evidence.
pub fn tokens_of(text: &str, all_readings: bool) -> BTreeSet<Token> {
    let mut found = BTreeSet::new();
    let all = pieces(text);
    let mut used: Vec<bool> = vec![false; all.len()];
    for at in 0..all.len() {
        let (word, next) = (all[at].word, all.get(at + 1).map(|piece| piece.word));
        // "15 March 2026", "March 15th, 2026".
        let day = match (
            day_number(word),
            next.and_then(month_of),
            month_of(word),
            next.and_then(day_number),
        ) {
            (Some(day), Some(month), ..) => Some((month, day)),
            (_, _, Some(month), Some(day))
                if word.starts_with(char::is_uppercase) || all_readings =>
            {
                Some((month, day))
            }
            _ => None,
        };
        // "15th of March".
        let day = day.or_else(|| {
            let month = all
                .get(at + 2)
                .filter(|_| next == Some("of"))
                .and_then(|piece| month_of(piece.word))?;
            Some((month, day_number(word)?))
        });
        if let Some((month, day)) = day {
            let last = if next == Some("of") { at + 2 } else { at + 1 };
            let year = all.get(last + 1).and_then(|piece| year(piece.word));
            found.insert(Token::Day(year, month, day));
            let end = if year.is_some() { last + 1 } else { last };
            used[at..=end].iter_mut().for_each(|used| *used = true);
            if all_readings {
                found.insert(Token::Number(day.to_string()));
                found.extend(year.map(|year| Token::Number(year.to_string())));
                found.insert(Token::Month(month));
            }
        }
    }
    for (at, piece) in all.iter().enumerate() {
        if used[at] && !all_readings {
            continue;
        }
        let word = piece.word.trim_end_matches("'s").trim_end_matches("’s");
        let next = all.get(at + 1).map(|piece| piece.word);
        let lead = text[..piece.start].chars().next_back().unwrap_or(' ');
        if let Some(weekday) = weekday_of(word.trim_end_matches('s')).or_else(|| weekday_of(word)) {
            found.insert(Token::Weekday(weekday));
        } else if let Some(month) = month_of(word).filter(|_| month_is_meant(word, at, &all)) {
            found.insert(Token::Month(month));
        }
        let lower = word.to_lowercase();
        if let Some(value) = NUMBER_WORDS.iter().position(|known| *known == lower) {
            if value != 1 {
                found.insert(Token::Word(value.to_string()));
            }
        } else if let Some((_, value)) = TENS.iter().find(|(known, _)| *known == lower) {
            found.insert(Token::Word(value.to_string()));
        }
        exact(word, next, lead, all_readings, &mut found);
    }
    found
}

fn month_is_meant(word: &str, at: usize, all: &[Piece<'_>]) -> bool {
    let before = at
        .checked_sub(1)
        .map_or("", |at| all[at].word)
        .to_lowercase();
    let after = all.get(at + 1).map_or("", |piece| piece.word);
    let is_ambiguous = matches!(
        word.to_lowercase().as_str(),
        "may" | "march" | "mar" | "jan" | "dec" | "sep"
    );
    word.starts_with(char::is_uppercase)
        && (!is_ambiguous
            || matches!(
                before.as_str(),
                "in" | "by"
                    | "until"
                    | "since"
                    | "of"
                    | "early"
                    | "late"
                    | "mid"
                    | "last"
                    | "next"
                    | "this"
            )
            || year(after).is_some())
}

/// Adds what one word is exactly.
fn exact(
    word: &str,
    next: Option<&str>,
    lead: char,
    all_readings: bool,
    found: &mut BTreeSet<Token>,
) {
    let days = numeric_days(word);
    if !days.is_empty() {
        found.extend(days);
        if !all_readings {
            return;
        }
    }
    if let Some(at) = time(word, next) {
        found.insert(at);
        if !all_readings {
            return;
        }
    }
    // "CORE-16", "#16".
    let (front, back) = word.rsplit_once('-').unwrap_or(("", ""));
    let is_key = front.starts_with(|c: char| c.is_ascii_uppercase())
        && front
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        && front.len() > 1
        && !back.is_empty()
        && back.bytes().all(|byte| byte.is_ascii_digit());
    if is_key {
        found.insert(Token::Key(word.to_lowercase()));
        if !all_readings {
            return;
        }
    }
    if let Some(digits) = word
        .strip_prefix('#')
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    {
        found.insert(Token::Key(format!("#{digits}")));
        if all_readings {
            found.insert(Token::Number(digits.to_owned()));
        }
        return;
    }
    let currency = ['$', '€', '£', '¥']
        .into_iter()
        .find(|sign| word.starts_with(*sign) || word.ends_with(*sign) || lead == *sign);
    let bare = word.trim_matches(['$', '€', '£', '¥', '%', '°', '+', '~', '≈', '±', '×']);
    if let (Some(sign), Some(value)) = (currency, number(bare)) {
        found.insert(Token::Amount(sign, value.clone()));
        if all_readings {
            found.insert(Token::Number(value));
        }
        return;
    }
    let version = bare.trim_start_matches(['v', 'V']);
    if version.matches('.').count() > 1
        && version
            .split('.')
            .all(|part| !part.is_empty() && part.starts_with(|c: char| c.is_ascii_digit()))
    {
        found.insert(Token::Version(version.to_lowercase()));
        return;
    }
    if let Some(value) = number(version) {
        if version.contains('.') {
            // "1.10" is another version than "1.1", and the same number.
            let digits: String = version
                .chars()
                .take_while(|c| c.is_ascii_digit() || *c == '.')
                .collect();
            found.insert(Token::Version(digits.trim_end_matches('.').to_owned()));
            if all_readings {
                found.insert(Token::Number(value));
            }
        } else {
            found.insert(Token::Number(value));
        }
    }
    if all_readings || number(bare).is_none() && !word.contains('@') {
        // "256-bit", "5/10", "2x4", "utf8": every run of digits, and in a claim those that begin the word or a part of it.
        for part in word.split(|c: char| !c.is_alphanumeric() && c != '.' && c != ',') {
            if let Some(value) = number(part) {
                found.insert(Token::Number(value));
            } else if all_readings {
                for run in part
                    .split(|c: char| !c.is_ascii_digit())
                    .filter(|run| !run.is_empty())
                {
                    found.extend(number(run).map(Token::Number));
                }
            } else {
                let run: String = part
                    .chars()
                    .skip_while(|c| !c.is_ascii_digit())
                    .take_while(char::is_ascii_digit)
                    .collect();
                if !run.is_empty() && part.len() < 24 {
                    found.insert(Token::Code(part.to_lowercase()));
                }
            }
        }
    }
    if is_code(word) && !word.contains('@') {
        found.insert(Token::Code(
            word.trim_matches(['(', ')', ',', ';']).to_lowercase(),
        ));
    }
}

impl Evidence {
    /// Takes in a text.
    pub fn add(&mut self, text: &str) {
        self.tokens.extend(tokens_of(text, true));
        self.lower.push(text.to_lowercase());
    }

    /// Takes in the day of a cited message.
    pub fn add_day(&mut self, date: Date) {
        self.tokens
            .insert(Token::Day(Some(date.year()), date.month(), date.day()));
        self.tokens
            .insert(Token::Weekday(weekday_number(date.weekday())));
        self.tokens.insert(Token::Month(date.month()));
    }

    /// Returns whether the evidence holds a thing, in whatever spelling.
    pub fn holds(&self, token: &Token) -> bool {
        if self.tokens.contains(token) {
            return true;
        }
        let number = |value: &str| {
            self.tokens.contains(&Token::Number(value.to_owned()))
                || self.tokens.contains(&Token::Word(value.to_owned()))
        };
        match token {
            Token::Number(value) | Token::Word(value) => number(value) || self.tokens.iter().any(|known| match known {
                Token::Amount(_, amount) => amount == value,
                Token::Version(version) => same_number(version, value),
                Token::Day(year, ..) => year.is_some_and(|year| year.to_string() == *value),
                _ => false,
            }),
            // A sum in another currency is another sum; a bare number may be the same one.
            Token::Amount(_, value) => {
                let other = self.tokens.iter().any(|known| matches!(known, Token::Amount(_, amount) if amount == value));
                !other && number(value)
            }
            Token::Day(year, month, day) => self.tokens.iter().any(|known| {
                matches!(known, Token::Day(other, m, d) if m == month && d == day && (year.is_none() || other.is_none() || year == other))
            }),
            Token::Weekday(weekday) => self.tokens.iter().any(|known| match known {
                Token::Day(Some(year), month, day) => Date::new(*year, *month, *day).is_ok_and(|date| weekday_number(date.weekday()) == *weekday),
                _ => false,
            }),
            Token::Time(at, is_sure) => self.tokens.iter().any(|known| match known {
                Token::Time(other, other_sure) => at == other || !(*is_sure && *other_sure) && at % 720 == other % 720,
                _ => false,
            }),
            Token::Version(version) => number(version) || version.strip_suffix(".0").is_some_and(|whole| number(whole) || self.tokens.contains(&Token::Version(whole.to_owned())))
                || self.tokens.iter().any(|known| matches!(known, Token::Version(other) if other.strip_suffix(".0") == Some(version) || other.starts_with(version) && other[version.len()..].starts_with(|c: char| c.is_alphabetic()))),
            Token::Code(code) => {
                let bare = code.trim_end_matches("()").trim_start_matches("--");
                self.lower.iter().any(|text| text.contains(bare))
            }
            Token::Key(key) => self.lower.iter().any(|text| text.contains(key)),
            Token::Month(_) => false,
        }
    }
}

fn same_number(version: &str, value: &str) -> bool {
    number(version).is_some_and(|number| number == value)
}

fn weekday_number(weekday: Weekday) -> i8 {
    weekday.to_monday_one_offset()
}

impl Token {
    /// Returns the thing as a person reads it.
    pub fn shown(&self) -> String {
        match self {
            Token::Number(value)
            | Token::Word(value)
            | Token::Version(value)
            | Token::Key(value)
            | Token::Code(value) => value.clone(),
            Token::Amount(sign, value) => format!("{sign}{value}"),
            Token::Day(_, month, day) => format!("{day} {}", MONTHS[*month as usize - 1]),
            Token::Month(month) => MONTHS[*month as usize - 1].to_owned(),
            Token::Weekday(day) => DAYS[*day as usize - 1].to_owned(),
            Token::Time(at, _) => format!("{}:{:02}", at / 60, at % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_in_two_spellings_is_the_same_thing() {
        let check = |claim: &str, source: &str, expected: bool| {
            let mut evidence = Evidence::default();
            evidence.add(source);
            let missing: Vec<Token> = tokens_of(claim, false)
                .into_iter()
                .filter(|token| !evidence.holds(token))
                .collect();
            assert_eq!(
                missing.is_empty(),
                expected,
                "{claim:?} from {source:?}: {missing:?}"
            );
        };
        check("a limit of 1,000", "limit = 1000", true);
        check(
            "a limit of 1000",
            "we said 1.000 requests, 1,000 at most",
            true,
        );
        check("a limit of 10k", "a limit of 10,000", true);
        check("a limit of 1001", "limit = 1000", false);
        check("two mirrors", "there are 2 mirrors", true);
        check("2 mirrors", "there are two mirrors", true);
        check("four mirrors", "there are two mirrors", false);
        check("it costs $20", "20 bucks", true);
        check("it costs €20", "it costs $20", false);
        check("50% of it", "50 percent", true);
        check("moved to March 15", "let's do 15 March", true);
        check("moved to 15th of March", "on 2026-03-15", true);
        check("moved to March 16", "let's do 15 March", false);
        check("due 15.03.2026", "due March 15, 2026", true);
        check("due 15.03.2025", "due March 15, 2026", false);
        check("on Monday", "see you Mon 16 Nov", true);
        check("on Tuesday", "see you on Monday", false);
        check("it may help in May", "it can help", false);
        check("it may help", "it can help", true);
        check("at 2pm", "at 14:00", true);
        check("at 2:30 pm", "2.30? no, 14:30", true);
        check("at 3pm", "at 14:00", false);
        check("version 1.10", "v1.1 is out", false);
        check("version 2.0", "v2 is out", true);
        check("v1.2.3 is out", "release 1.2.3", true);
        check("v1.2.4 is out", "release 1.2.3", false);
        check("CORE-16 is done", "see core-16", true);
        check("CORE-17 is done", "see CORE-16", false);
        check("#16 is done", "PR #17", false);
        check("uses max_retries", "max_retries = 3", true);
        check("uses max_tries", "max_retries = 3", false);
        check("the parseUrl() call", "fn parseURL()", true);
        check("a 256-bit key", "256 bits", true);
        check("a 512-bit key", "256 bits", false);
        check("sha512 it is", "use SHA256", false);
        check("Ana and one other", "Ana and Bo", true);
    }
}
