//! The names a person goes by, in lower case, and the one that is shown.

use std::collections::BTreeSet;

/// First names and the short forms people write for them; each line is one family.
const SHORT_FORMS: &str = "\
abigail abby abbie|abraham abe|albert al bert|alexander alex alec sandy sasha xander|alexandra alex sandra sasha|alfred al fred alf|\
alice ali|allan al alan allen|amanda mandy|andrew andy drew|andreas andy andi|angela angie|anthony tony|antonio tony toni|\
arthur art|barbara barb babs|bartholomew bart|benjamin ben benny|bernard bernie|bradley brad|cameron cam|\
catherine cathy kate katie cat|katherine kathy kate katie kat|christian chris|christina chris tina christy|christine chris tina|\
christopher chris kit topher|clifford cliff|cynthia cindy|daniel dan danny|daniela dani|david dave davey|deborah deb debbie|\
dennis denny|dominic dom nick|donald don donny|douglas doug|dorothy dot|edmund ed eddie|edward ed eddie ted ned|edwin ed|\
elizabeth liz beth lizzie betty eliza|eleanor ellie nora|emily em|eugene gene|evelyn evie|francis frank fran|francisco paco pancho fran|\
franklin frank|frederick fred freddie|friedrich fritz|gabriel gabe|geoffrey geoff|jeffrey jeff|gerald gerry jerry|gerard gerry|\
gregory greg|harold hal harry|henry hank harry|herbert herb bert|ignacio nacho|irene rene|isaac ike|jacob jake|jacqueline jackie|\
james jim jimmy jamie|janet jan|jennifer jen jenny|jeremy jerry jem|jessica jess|jesus chuy|joan joanie|johannes hannes jo|\
john johnny jack jon|jonathan jon jonny|joseph joe joey jo|jose pepe|joshua josh|juan juancho|judith judy|julian jules|\
karl charlie|charles charlie chuck chas|kenneth ken kenny|kimberly kim|konstantin kostya|lawrence larry|laurence larry laurie|\
leonard len lenny leo|leslie les|louis lou|manuel manny manolo|margaret maggie meg peggy marge|maria mary|marjorie marge|\
martin marty|matthew matt matty|matthias matt mats|maximilian max|maxwell max|melissa mel|melanie mel|michael mike mick mickey mikey mitch|\
mikhail misha mike|michelle shelly|mitchell mitch|mohammed mo|mohamed mo|nathan nate|nathaniel nate nat|nicholas nick nicky nico|\
nicolas nick nico|nikolai kolya nick|norman norm|oliver ollie|pamela pam|patricia pat patty tricia trish|patrick pat paddy|\
peter pete|philip phil|phillip phil|priscilla cilla|rachel rach|ralph raff|randolph randy|raymond ray|rebecca becky becca becki|\
reginald reg reggie|richard rich rick dick ricky|robert rob bob bobby robbie bert|roberto beto|roderick rod|rodney rod|roger rodge|\
ronald ron ronnie|rudolf rudi|russell russ|salvatore sal|samantha sam|samuel sam sammy|sandra sandy|sebastian seb bastian|\
sergei serge|sharon shari|sidney sid|simon si|solomon sol|stanley stan|stephanie steph|stephen steve|steven steve|stuart stu|\
stewart stu|susan sue susie|suzanne sue|sylvester sly|terence terry|teresa terry tess|theresa terry tess|theodore ted theo teddy|\
thomas tom tommy|timothy tim timmy|tobias toby|ulrich uli|valerie val|veronica ronnie|victor vic|victoria vicky tori|\
vincent vince vinny|virginia ginny|vladimir vlad volodya|walter walt wally|william will bill billy liam willy|wolfgang wolf|\
zachary zach zack|dmitri dima|dmitry dima|yevgeny zhenya|aleksandr sasha alex|guillermo memo|eduardo edu lalo|fernando nando|\
guilherme gui|rafael rafa|raphael rafa raph|lucas luke|stefan steff|siegfried sigi|johann hans|hans hansi|heinrich heinz|\
joachim jo achim|jurgen jorg|klaus claus|nikolaus nico klaus|ferdinand ferdi|josef sepp jupp joe|franz franzi|eberhard ebi";

/// Parts of a name that name nobody.
const TITLES: &[&str] = &[
    "dr", "mr", "mrs", "ms", "prof", "jr", "sr", "sir", "herr", "frau", "von", "van", "der", "den",
    "de", "la", "le", "di", "da", "el", "the", "user", "bot", "admin", "info", "mail", "team",
    "at", "of", "and", "for", "via", "list", "dev", "all", "no", "reply", "support", "office",
    "phd", "md", "inc", "ltd", "corp",
];

/// Returns the names that a set of written-out names stands for, in lower case.
pub(super) fn of(names: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in names {
        let name = crate::text::safe(name).to_lowercase();
        let name = name.trim().trim_start_matches('@');
        if name.is_empty() {
            continue;
        }
        found.insert(name.to_owned());
        let shown = match name.split_once('@') {
            Some((local, _)) => {
                found.insert(local.to_owned());
                local
            }
            None => name,
        };
        let parts: Vec<&str> = shown
            .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
            .map(|part| part.trim_end_matches(|c: char| c.is_ascii_digit()))
            .filter(|part| part.chars().count() >= 2 && !TITLES.contains(part))
            .collect();
        for part in &parts {
            found.insert((*part).to_owned());
            found.extend(folded(part));
            for family in SHORT_FORMS.split('|') {
                let mut forms = family.split(' ');
                if forms.next() == Some(part) {
                    found.extend(family.split(' ').map(str::to_owned));
                } else if forms.any(|form| form == *part) {
                    found.extend(family.split(' ').next().map(str::to_owned));
                }
            }
        }
        // "Ana Maria Vale" also signs as "AMV" and is "Ana Vale" and "avale".
        if let (Some(first), Some(last)) = (parts.first(), parts.last())
            && parts.len() > 1
        {
            found.insert(format!("{first} {last}"));
            found.insert(format!("{last} {first}"));
            let initials: String = parts
                .iter()
                .filter_map(|part| part.chars().next())
                .collect();
            if initials.chars().count() > 1 {
                found.insert(initials);
            }
            let initial: String = first.chars().take(1).collect();
            found.insert(format!("{initial}{last}"));
        }
    }
    found
}

/// Returns the name without accents, where it has some.
pub(crate) fn folded(name: &str) -> Option<String> {
    use unicode_normalization::UnicodeNormalization;
    use unicode_normalization::char::is_combining_mark;
    (!name.is_ascii()).then(|| name.nfd().filter(|c| !is_combining_mark(*c)).collect())
}

/// The longest name that is shown.
const MAX_NAME: usize = 40;

/// Returns a name that no surface can take for markup, a mention, a link or a command: whoever chose it is outside.
pub(crate) fn display(name: &str) -> String {
    let name = crate::text::safe(name);
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '.' | '-' | '\'' | '’' | ' ' => out.push(c),
            _ if c.is_alphanumeric() => out.push(c),
            // "snake_case" logins keep their shape; marks around a word would be emphasis.
            '_' => out.push('-'),
            _ => out.push(' '),
        }
    }
    // "ana.vale" is a login, "evil.example.com" looks like a place: no dot stands between two letters.
    let chars: Vec<char> = out.chars().collect();
    let shown: String = chars
        .iter()
        .enumerate()
        .map(|(at, c)| {
            let is_joint =
                *c == '.' && chars.get(at + 1).is_some_and(|next| next.is_alphanumeric());
            if is_joint { ' ' } else { *c }
        })
        .take(MAX_NAME)
        .collect();
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = shown
        .trim_matches(|c: char| !c.is_alphanumeric() && c != '.')
        .to_owned();
    if shown.is_empty() {
        "somebody".to_owned()
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_known_by_parts_short_forms_and_mail() {
        let check = |names: &[&str], alias: &str, expected: bool| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(
                of(&names).contains(alias),
                expected,
                "{alias:?} in {names:?}"
            );
        };
        check(&["Vale, David"], "dave", true);
        check(&["Vale, David"], "vale", true);
        check(&["Dave Vale"], "david", true);
        check(&["Dave Vale"], "davey", false);
        check(&["rené@team.test"], "rene", true);
        check(&["bo.lind@team.test"], "bo.lind", true);
        check(&["bo.lind@team.test"], "lind", true);
        check(&["bo.lind@team.test"], "team.test", false);
        check(&["U024", "Ana Maria Vale"], "ana vale", true);
        check(&["U024", "Ana Maria Vale"], "avale", true);
        check(&["Dr. van Dyke"], "van", false);
        check(&["@cleo844"], "cleo", true);
    }

    #[test]
    fn a_shown_name_is_nothing_but_a_name() {
        let check = |name: &str, expected: &str| assert_eq!(display(name), expected, "{name:?}");
        check("Ana Vale", "Ana Vale");
        check("J. Park", "J. Park");
        check("<!channel>", "channel");
        check("**Ana** https://evil.test/x", "Ana https evil test x");
        check("@here", "here");
        check("ana_vale", "ana-vale");
        check("evil.example.com", "evil example com");
        check("\u{202e}🙂", "somebody");
    }
}
