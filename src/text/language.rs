//! In which language a text is written, said only where a guess is reliable.

use whatlang::Lang;

/// Languages by ISO 639-1 code, as members list them, with their English names.
const KNOWN: [(&str, &str, Lang); 33] = [
    ("ar", "Arabic", Lang::Ara),
    ("bg", "Bulgarian", Lang::Bul),
    ("cs", "Czech", Lang::Ces),
    ("da", "Danish", Lang::Dan),
    ("de", "German", Lang::Deu),
    ("el", "Greek", Lang::Ell),
    ("en", "English", Lang::Eng),
    ("es", "Spanish", Lang::Spa),
    ("fa", "Persian", Lang::Pes),
    ("fi", "Finnish", Lang::Fin),
    ("fr", "French", Lang::Fra),
    ("he", "Hebrew", Lang::Heb),
    ("hi", "Hindi", Lang::Hin),
    ("hr", "Croatian", Lang::Hrv),
    ("hu", "Hungarian", Lang::Hun),
    ("id", "Indonesian", Lang::Ind),
    ("it", "Italian", Lang::Ita),
    ("ja", "Japanese", Lang::Jpn),
    ("ko", "Korean", Lang::Kor),
    ("nb", "Norwegian", Lang::Nob),
    ("nl", "Dutch", Lang::Nld),
    ("pl", "Polish", Lang::Pol),
    ("pt", "Portuguese", Lang::Por),
    ("ro", "Romanian", Lang::Ron),
    ("ru", "Russian", Lang::Rus),
    ("sk", "Slovak", Lang::Slk),
    ("sr", "Serbian", Lang::Srp),
    ("sv", "Swedish", Lang::Swe),
    ("th", "Thai", Lang::Tha),
    ("tr", "Turkish", Lang::Tur),
    ("uk", "Ukrainian", Lang::Ukr),
    ("vi", "Vietnamese", Lang::Vie),
    ("zh", "Chinese", Lang::Cmn),
];

/// Returns the code of the language of a text; `None` where a guess would be one.
///
/// Short texts are left alone in scripts that many languages share: "El despliegue falló" reads as Catalan.
pub fn language_of(text: &str) -> Option<&'static str> {
    const LEAST_WORDS: usize = 6;
    let info = whatlang::detect(text)?;
    let shares_script = matches!(
        info.script(),
        whatlang::Script::Latin | whatlang::Script::Cyrillic | whatlang::Script::Arabic
    );
    let is_short = shares_script && text.split_whitespace().count() < LEAST_WORDS;
    if !info.is_reliable() || is_short {
        return None;
    }
    let found = KNOWN.iter().find(|(_, _, lang)| *lang == info.lang())?;
    Some(found.0)
}

/// Returns the English name of a language by its code.
pub fn name_of(code: &str) -> Option<&'static str> {
    let code = code.split(['-', '_']).next().unwrap_or(code);
    let found = KNOWN
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(code))?;
    Some(found.1)
}

/// Returns the language of a text if it is surely none of those a reader reads; readers who list none read everything.
pub fn foreign_to(text: &str, languages: &[String]) -> Option<&'static str> {
    if languages.is_empty() {
        return None;
    }
    let code = language_of(text)?;
    let is_read = languages.iter().any(|own| {
        let own = own.split(['-', '_']).next().unwrap_or(own);
        own.eq_ignore_ascii_case(code)
    });
    (!is_read).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_named_only_when_the_guess_is_reliable() {
        let cases = [
            (
                "Der Import der alten Buchungen ist seit heute Mittag fertig und wurde geprüft.",
                Some("de"),
            ),
            (
                "The import of the old bookings has been finished since noon and was checked.",
                Some("en"),
            ),
            ("山田さん、確認をお願いします。", Some("ja")),
            ("lgtm", None),
            ("El despliegue falló", None),
            ("", None),
            ("42 + 17 = 59", None),
        ];
        for (text, expected) in cases {
            assert_eq!(language_of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_reader_who_lists_no_languages_reads_all() {
        let german =
            "Der Import der alten Buchungen ist seit heute Mittag fertig und wurde geprüft.";
        let read = |languages: &[&str]| {
            let languages: Vec<String> = languages.iter().map(|code| (*code).to_owned()).collect();
            foreign_to(german, &languages)
        };
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["en", "de-AT"]), None);
        assert_eq!(read(&["en"]), Some("de"));
        assert_eq!(name_of("de-AT"), Some("German"));
        assert_eq!(name_of("xx"), None);
    }
}
