//! One person across systems: which accounts may be the same person, who is to be made a member, who joined and who left.
//!
//! Accounts are joined by the configuration alone. What is found here is proposed ([`proposals`]), written to a file that
//! a person reads ([`newcomers`]), or follows a space that the configuration names ([`followed`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::model::{ConnectorId, Handle, Joiners, Member, MemberId, Person};

/// Why an account may be a member's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// Both systems tell the same mail address.
    SameEmail,
    /// It goes by the name of another account of theirs.
    SameLogin,
    /// It shows the same full name.
    SameName,
}

impl Sign {
    /// Returns it in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Sign::SameEmail => "same mail address",
            Sign::SameLogin => "same login",
            Sign::SameName => "same name",
        }
    }
}

/// An account that may be a member's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The member.
    pub member: MemberId,
    /// The account, which is nobody's so far.
    pub handle: Handle,
    /// The best sign for it.
    pub sign: Sign,
}

/// Returns the accounts that may be members', best signs first for each; an account that fits two members is proposed for
/// neither, and so is a program's.
pub fn proposals(members: &[Member], people: &[Person]) -> Vec<Proposal> {
    let owned: BTreeSet<&Handle> = members
        .iter()
        .flat_map(|member| member.handles.values().flatten())
        .collect();
    let by_handle: BTreeMap<&Handle, &Person> = people
        .iter()
        .filter_map(|person| Some((person.handle.as_ref()?, person)))
        .collect();
    let mut proposals = Vec::new();
    for (handle, person) in &by_handle {
        if owned.contains(handle) || person.is_bot {
            continue;
        }
        let mut fitting: Vec<(Sign, &Member)> = members
            .iter()
            .filter_map(|member| Some((sign_of(member, handle, person, &by_handle)?, member)))
            .collect();
        fitting.sort_by_key(|(sign, _)| *sign);
        match fitting.as_slice() {
            [] => {}
            [first, second, ..] if first.0 == second.0 => {}
            [(sign, member), ..] => proposals.push(Proposal {
                member: member.id.clone(),
                handle: (*handle).clone(),
                sign: *sign,
            }),
        }
    }
    proposals.sort_by(|a, b| (&a.member, a.sign, &a.handle).cmp(&(&b.member, b.sign, &b.handle)));
    proposals
}

fn sign_of(
    member: &Member,
    handle: &Handle,
    person: &Person,
    by_handle: &BTreeMap<&Handle, &Person>,
) -> Option<Sign> {
    let own: Vec<&Handle> = member.handles.values().flatten().collect();
    let known: Vec<&&Person> = own.iter().filter_map(|own| by_handle.get(*own)).collect();
    let address = email_of(handle, person);
    let is_address = |other: Option<String>| other.is_some() && other == address;
    let mut addresses = own.iter().map(|own| {
        by_handle.get(*own).map_or_else(
            || own.id.contains('@').then(|| own.id.to_lowercase()),
            |person| email_of(own, person),
        )
    });
    if addresses.any(is_address) {
        return Some(Sign::SameEmail);
    }
    let logins = logins_of(handle, person);
    let mine = own
        .iter()
        .flat_map(|own| match by_handle.get(*own) {
            Some(person) => logins_of(own, person),
            None => BTreeSet::from([own.id.to_lowercase()]),
        })
        .chain([member.id.to_string()])
        .collect::<BTreeSet<String>>();
    // Two letters are anybody's.
    if logins
        .intersection(&mine)
        .any(|login| login.chars().count() > 2)
    {
        return Some(Sign::SameLogin);
    }
    let name = folded(&person.name);
    let is_full = name.contains(' ');
    let names = known
        .iter()
        .map(|person| folded(&person.name))
        .chain([folded(&member.name)]);
    (is_full && names.into_iter().any(|own| own == name)).then_some(Sign::SameName)
}

fn email_of(handle: &Handle, person: &Person) -> Option<String> {
    let stated = person.email.as_ref().map(|email| email.to_lowercase());
    stated.or_else(|| handle.id.contains('@').then(|| handle.id.to_lowercase()))
}

fn logins_of(handle: &Handle, person: &Person) -> BTreeSet<String> {
    let one_word = |text: &&String| !text.is_empty() && !text.contains(char::is_whitespace);
    person
        .aliases
        .iter()
        .filter(one_word)
        .map(|alias| alias.to_lowercase())
        .chain([handle.id.to_lowercase()])
        .collect()
}

fn folded(name: &str) -> String {
    name.split_whitespace()
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Somebody who is no member yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// An id that nobody has.
    pub id: MemberId,
    /// The name to show.
    pub name: String,
    /// Their mail address, if a source says.
    pub email: Option<String>,
    /// Their IANA zone, if a source says and it is one.
    pub time_zone: Option<String>,
    /// Their account, and accounts elsewhere with the same mail address.
    pub handles: Vec<Handle>,
}

/// The most letters of an id that is made of a name.
const LONGEST_ID: usize = 40;

/// Returns the people of a connector who are no members: no programs, no accounts that were switched off,
/// and only those in `among` where it is given. Whoever
/// is in `known` goes by the same id as before, and nobody else ever does.
pub fn newcomers(
    members: &[Member],
    people: &[Person],
    from: &ConnectorId,
    among: Option<&BTreeSet<Handle>>,
    known: &Joiners,
) -> Vec<Newcomer> {
    let owned: BTreeSet<&Handle> = members
        .iter()
        .flat_map(|member| member.handles.values().flatten())
        .collect();
    let configured: BTreeSet<&MemberId> = members.iter().map(|member| &member.id).collect();
    let taken = configured.iter().copied().chain(known.values());
    let mut taken: BTreeSet<String> = taken.map(ToString::to_string).collect();
    let mut newcomers = Vec::new();
    for person in people {
        let Some(handle) = &person.handle else {
            continue;
        };
        if handle.connector != *from
            || person.is_bot
            || person.is_gone
            || owned.contains(handle)
            || among.is_some_and(|among| !among.contains(handle))
        {
            continue;
        }
        let email = email_of(handle, person);
        let elsewhere = people.iter().filter_map(|other| {
            let at = other.handle.as_ref()?;
            let is_same = email.is_some() && email_of(at, other) == email;
            (is_same && at.connector != *from && !owned.contains(at)).then(|| at.clone())
        });
        let name = if person.name.is_empty() {
            handle.id.to_string()
        } else {
            person.name.clone()
        };
        let zone = person.time_zone.clone();
        let before = known.get(handle);
        let before = before.filter(|id| !configured.contains(id)).cloned();
        newcomers.push(Newcomer {
            id: before.unwrap_or_else(|| MemberId::new(free_id(&name, &handle.id, &mut taken))),
            name,
            time_zone: zone.filter(|zone| TimeZone::get(zone).is_ok()),
            handles: [handle.clone()].into_iter().chain(elsewhere).collect(),
            email,
        });
    }
    newcomers
}

/// Returns an id made of a name, one that nobody has.
fn free_id(name: &str, handle: &str, taken: &mut BTreeSet<String>) -> String {
    use unicode_normalization::UnicodeNormalization;
    let slug = |text: &str| {
        let letters = text.nfkd().flat_map(char::to_lowercase);
        let mut slug = String::new();
        for letter in letters {
            if letter.is_ascii_alphanumeric() {
                slug.push(letter);
            } else if letter.is_whitespace() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(LONGEST_ID);
        slug.trim_matches('-').to_owned()
    };
    let first = slug(name.split_whitespace().next().unwrap_or(""));
    let numbered = (2..).map(|number| format!("{first}-{number}"));
    let whole = [first.clone(), slug(name), slug(handle)];
    let id = whole
        .into_iter()
        .chain(numbered)
        .find(|id| !id.is_empty() && *id != "-" && !taken.contains(id))
        .unwrap_or_else(|| "member".into());
    taken.insert(id.clone());
    id
}

/// Returns the members as a space has them now: whoever is in it and no member becomes one, whoever of the connector's
/// members is not in it any more is neither briefed nor suggested. An empty space changes nothing: nobody has looked yet.
pub fn followed(
    mut members: Vec<Member>,
    people: &[Person],
    from: &ConnectorId,
    in_space: &BTreeSet<Handle>,
    known: &Joiners,
) -> Vec<Member> {
    if in_space.is_empty() {
        return members;
    }
    let joined = newcomers(&members, people, from, Some(in_space), known);
    for member in &mut members {
        let own = member.handles.get(from);
        if own.is_some_and(|own| !own.iter().any(|handle| in_space.contains(handle))) {
            member.is_briefed = false;
            member.is_suggested = false;
        }
    }
    members.extend(joined.into_iter().map(|newcomer| {
        let mut handles: BTreeMap<ConnectorId, Vec<Handle>> = BTreeMap::new();
        for handle in newcomer.handles {
            handles
                .entry(handle.connector.clone())
                .or_default()
                .push(handle);
        }
        let zone = newcomer.time_zone.as_deref();
        Member {
            id: newcomer.id,
            name: newcomer.name,
            handles,
            time_zone: zone
                .and_then(|zone| TimeZone::get(zone).ok())
                .unwrap_or(TimeZone::UTC),
            day_start: civil::time(9, 0, 0, 0),
            day_end: civil::time(17, 30, 0, 0),
            workdays: [true, true, true, true, true, false, false],
            holidays: Arc::default(),
            away: Vec::new(),
            languages: Vec::new(),
            capacity: None,
            is_briefed: true,
            is_suggested: true,
            is_quoted: true,
        }
    }));
    members.sort_by(|a, b| a.id.cmp(&b.id));
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(handle: &str, name: &str, aliases: &[&str], email: Option<&str>) -> Person {
        let (connector, id) = handle.split_once('/').unwrap();
        Person {
            handle: Some(Handle::new(&ConnectorId::new(connector), id)),
            name: name.into(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            email: email.map(str::to_owned),
            time_zone: Some("Europe/Lisbon".into()),
            is_bot: name.ends_with("bot"),
            is_gone: name.starts_with("Gone"),
        }
    }

    fn member(people: &[Person]) -> Member {
        let office = ConnectorId::new("office");
        let among = BTreeSet::from([Handle::new(&office, "U1")]);
        followed(Vec::new(), people, &office, &among, &Joiners::new()).remove(0)
    }

    #[test]
    fn accounts_are_proposed_by_the_best_sign_and_never_when_two_fit() {
        let people = [
            person("office/U1", "Ana Lima", &["alima"], Some("ana@example.org")),
            person("office/U2", "Bo Berg", &["bo"], None),
            person("list/Ana@Example.org", "A. L.", &[], None),
            person("code/alima", "", &[], None),
            person("code/other", "ana  LIMA", &[], None),
            person("code/ana-bot", "Ana bot", &[], Some("ana@example.org")),
            person("tracker/bo", "Bo", &[], None),
        ];
        let ana = member(&people[..2]);
        let found = |members: &[Member]| -> Vec<String> {
            proposals(members, &people)
                .iter()
                .map(|proposal| {
                    let sign = proposal.sign.as_str();
                    format!("{} {} {sign}", proposal.member, proposal.handle)
                })
                .collect()
        };
        let expected = [
            "ana list/Ana@Example.org same mail address",
            "ana code/alima same login",
            "ana code/other same name",
        ];
        assert_eq!(found(std::slice::from_ref(&ana)), expected);
        let twin = Member {
            id: "ana-2".into(),
            ..ana.clone()
        };
        assert!(found(&[ana, twin]).is_empty());
    }

    #[test]
    fn who_joins_the_space_becomes_a_member_and_who_leaves_is_left_alone() {
        let people = [
            person("office/U1", "Ana Lima", &[], Some("ana@example.org")),
            person("office/U2", "Ana Berg", &[], None),
            person("office/U3", "Zoë 山田", &[], None),
            person("office/U4", "build bot", &[], None),
            person("list/ana@example.org", "Ana", &[], None),
        ];
        let office = ConnectorId::new("office");
        let space = |ids: &[&str]| -> BTreeSet<Handle> {
            ids.iter().map(|id| Handle::new(&office, *id)).collect()
        };
        let mut known = Joiners::new();
        let first = followed(Vec::new(), &people, &office, &space(&["U1", "U4"]), &known);
        assert_eq!(first.len(), 1, "a program is no member");
        assert_eq!(first[0].handles.len(), 2, "by the mail address");
        let then = followed(first, &people, &office, &space(&["U2", "U3"]), &known);
        let shown: Vec<String> = then
            .iter()
            .map(|member| format!("{} {}", member.id, member.is_briefed))
            .collect();
        assert_eq!(shown, ["ana false", "ana-berg true", "zoe true"]);
        let same = followed(then.clone(), &people, &office, &BTreeSet::new(), &known);
        assert_eq!(same.len(), then.len(), "nobody has looked yet");

        // Ana Berg was there first; the other Ana never gets her name, nor what was written under it.
        known.insert(Handle::new(&office, "U2"), "ana".into());
        let shown = |known: &Joiners, ids: &[&str]| -> Vec<String> {
            let members = followed(Vec::new(), &people, &office, &space(ids), known);
            let shown = members.iter().map(|member| {
                let account = &member.handles[&office][0].id;
                format!("{} {account}", member.id)
            });
            shown.collect()
        };
        assert_eq!(shown(&known, &["U1", "U2"]), ["ana U2", "ana-lima U1"]);
        assert_eq!(shown(&known, &["U1"]), ["ana-lima U1"], "she left");
    }

    #[test]
    fn a_name_without_end_makes_no_id_without_end() {
        let people = [person("office/U1", &"a".repeat(40_000), &[], None)];
        assert_eq!(member(&people).id.as_str(), "a".repeat(LONGEST_ID));
    }
}
