//! How single words are read: as a month, a day, a number, a time, a piece of code.

use super::Token;

pub const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
pub const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
pub const NUMBER_WORDS: [&str; 21] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];
pub const TENS: [(&str, u32); 10] = [
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
    ("hundred", 100),
    ("thousand", 1000),
    ("dozen", 12),
];

pub fn month_of(word: &str) -> Option<i8> {
    let word = word.to_lowercase();
    let word = if word == "sept" { "sep" } else { &word };
    (word.len() >= 3)
        .then(|| {
            MONTHS
                .iter()
                .position(|month| *month == word || month[..3] == *word)
        })?
        .map(|at| at as i8 + 1)
}

pub fn weekday_of(word: &str) -> Option<i8> {
    let lower = word.to_lowercase();
    // "sun", "sat" and "wed" are words of their own unless written as names of days.
    let short = |day: &str| {
        let stem = &day[..3];
        word.starts_with(char::is_uppercase)
            && (lower == stem
                || lower == "tues" && stem == "tue"
                || lower == "thur" && stem == "thu"
                || lower == "thurs" && stem == "thu")
    };
    DAYS.iter()
        .position(|day| *day == lower || short(day))
        .map(|at| at as i8 + 1)
}

/// A word of the text with what stands around it.
pub struct Piece<'a> {
    pub word: &'a str,
    pub start: usize,
}

pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    for word in text.split(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '(' | ')'
                    | '"'
                    | '“'
                    | '”'
                    | '`'
                    | ';'
                    | '!'
                    | '?'
                    | '['
                    | ']'
                    | '<'
                    | '>'
                    | '{'
                    | '}'
                    | '|'
                    | '*'
                    | '…'
                    | '«'
                    | '»'
            )
    }) {
        let trimmed = word.trim_matches(|c: char| {
            matches!(
                c,
                ',' | '.' | ':' | '\'' | '’' | '‘' | '-' | '–' | '—' | '=' | '_' | '~'
            )
        });
        if !trimmed.is_empty() {
            let start = trimmed.as_ptr() as usize - text.as_ptr() as usize;
            // A flag keeps its dashes, a sum and a key their sign.
            let lead = &text[..start];
            let start = if lead.ends_with("--") && trimmed.starts_with(char::is_alphabetic) {
                start - 2
            } else {
                start
            };
            found.push(Piece {
                word: &text
                    [start..trimmed.as_ptr() as usize - text.as_ptr() as usize + trimmed.len()],
                start,
            });
        }
    }
    found
}

/// Returns the digits of a number in one spelling: no separators, no empty fraction; `None` when it is none.
pub fn number(word: &str) -> Option<String> {
    let word = word.trim_start_matches(['+', '-', '−', '~', '≈']);
    if !word.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (digits, unit) = word.split_at(
        word.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','))
            .unwrap_or(word.len()),
    );
    let digits = digits.trim_end_matches(['.', ',']);
    let groups = |mark: char| {
        let parts: Vec<&str> = digits.split(mark).collect();
        parts.len() > 1 && parts[0].len() <= 3 && parts[1..].iter().all(|part| part.len() == 3)
    };
    let plain = match (digits.contains(','), digits.contains('.')) {
        (true, true) => {
            // The last mark is the decimal one.
            let comma_last = digits.rfind(',') > digits.rfind('.');
            let (group, decimal) = if comma_last { ('.', ',') } else { (',', '.') };
            digits.replace(group, "").replace(decimal, ".")
        }
        (true, false) if groups(',') => digits.replace(',', ""),
        (true, false) => digits.replacen(',', ".", 1),
        _ => digits.to_owned(),
    };
    if plain.matches('.').count() > 1 || plain.contains(',') {
        return None;
    }
    let scale = match unit.to_lowercase().as_str() {
        "k" => 3,
        "m" | "mio" => 6,
        "bn" => 9,
        _ => 0,
    };
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut whole = whole.trim_start_matches('0').to_owned();
    let mut fraction = fraction.to_owned();
    for _ in 0..scale {
        let next = if fraction.is_empty() {
            '0'
        } else {
            fraction.remove(0)
        };
        whole.push(next);
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    Some(if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    })
}

pub fn day_number(word: &str) -> Option<i8> {
    let digits = word.trim_end_matches(|c: char| c.is_alphabetic() || c == '.');
    let rest = &word[digits.len()..];
    if !matches!(
        rest.to_lowercase().as_str(),
        "" | "." | "st" | "nd" | "rd" | "th"
    ) {
        return None;
    }
    digits.parse().ok().filter(|day| (1..=31).contains(day))
}

pub fn year(word: &str) -> Option<i16> {
    (word.len() == 4)
        .then(|| word.parse().ok())?
        .filter(|year| (1950..2100).contains(year))
}

/// Returns the days a numeric date may mean: `2026-03-15`, `15.03.2026`, `3/15`.
pub fn numeric_days(word: &str) -> Vec<Token> {
    for mark in ['-', '/', '.'] {
        let parts: Vec<&str> = word.split(mark).collect();
        if parts.len() < 2
            || parts.len() > 3
            || parts
                .iter()
                .any(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()))
        {
            continue;
        }
        let value = |at: usize| parts[at].parse::<i16>().unwrap_or(0);
        let is_day = |month: i16, day: i16| (1..=12).contains(&month) && (1..=31).contains(&day);
        let day =
            |year: Option<i16>, month: i16, day: i16| Token::Day(year, month as i8, day as i8);
        if parts.len() == 3 && parts[0].len() == 4 && is_day(value(1), value(2)) {
            return vec![day(Some(value(0)), value(1), value(2))];
        }
        let year = match parts.len() {
            3 if parts[2].len() == 4 => Some(value(2)),
            3 if parts[2].len() == 2 && mark != '-' => Some(2000 + value(2)),
            2 if mark == '/' => None,
            _ => continue,
        };
        let mut found = Vec::new();
        if is_day(value(0), value(1)) && mark != '.' {
            found.push(day(year, value(0), value(1)));
        }
        if is_day(value(1), value(0)) {
            found.push(day(year, value(1), value(0)));
        }
        return found;
    }
    Vec::new()
}

/// Returns the minutes of a time of day, and whether it says morning or afternoon.
pub fn time(word: &str, next: Option<&str>) -> Option<Token> {
    let lower = word.to_lowercase();
    let half = |text: &str| match text.trim_end_matches('.').replace('.', "").as_str() {
        "am" => Some(0),
        "pm" => Some(12),
        _ => None,
    };
    let digits_end = lower
        .find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.')
        .unwrap_or(lower.len());
    let (clock, suffix) = lower.split_at(digits_end);
    let half = half(suffix.trim_start_matches('.')).or_else(|| {
        if suffix.is_empty() {
            next.map(str::to_lowercase).as_deref().and_then(half)
        } else {
            None
        }
    });
    if suffix == "h" && !clock.contains(':')
        || !suffix.is_empty() && half.is_none() && suffix != "h" && suffix != "z"
    {
        return None;
    }
    let (hours, minutes) = match clock.split_once(':') {
        Some((hours, minutes)) => (
            hours.parse::<u16>().ok()?,
            minutes.get(..2)?.parse::<u16>().ok()?,
        ),
        None => (
            half.and_then(|_| clock.trim_end_matches('.').parse::<u16>().ok())?,
            0,
        ),
    };
    if hours > 24 || minutes > 59 {
        return None;
    }
    let hours = match half {
        Some(add) => hours % 12 + add,
        None => hours % 24,
    };
    Some(Token::Time(
        hours * 60 + minutes,
        half.is_some() || hours > 12,
    ))
}

/// Returns whether a word is code by its shape.
pub fn is_code(word: &str) -> bool {
    let chars: Vec<char> = word.chars().collect();
    let letters = chars.iter().filter(|c| c.is_alphabetic()).count();
    if letters < 2 {
        return false;
    }
    let has_hump = chars
        .windows(2)
        .any(|pair| pair[0].is_lowercase() && pair[1].is_uppercase());
    let is_name = word.starts_with("Mc") || word.starts_with("Mac") || word.starts_with("O'");
    word.contains('_')
        || word.starts_with("--")
        || word.contains("()")
        || has_hump && !is_name && !word.contains('-') && !word.contains('/')
        || word.starts_with('/') && letters > 2
        || word.matches('/').count() > 1
        || word.contains('.')
            && !word.ends_with('.')
            && word.split('.').all(|part| part.chars().count() > 1)
            && !word.contains(['/', '@'])
}
