//! New tickets without an owner with who might take them, for the people concerned; and who else could answer the reader's
//! ask while its addressee is away.

use jiff::{SignedDuration, Timestamp};

use super::changes::asked_accounts;
use super::rank::{Ranked, Reader};
use super::summarize::{citation_of, label_of};
use crate::model::{
    Area, BriefingItem, ItemKind, Logged, LoggedAsk, Member, MemberId, Reason, Section, ThreadId,
    ThreadRef, Topic,
};
use crate::schedule;
use crate::store::night::Night;
use crate::store::suggestions::Recorded;

/// How many tickets are named with their candidates; the others are counted.
pub const MOST_NAMED: usize = 3;
/// From which probability on somebody who does not stand out is concerned.
pub const LEAST_CONCERN: f32 = 0.2;
/// How alike another ticket has to be to be named beside.
const LEAST_REPEAT: f32 = 0.5;
/// What the line is worth among those worth knowing.
const SCORE: f32 = 0.5;

/// A new ticket without an owner that concerns the reader.
struct Concern<'a> {
    topic: &'a Topic,
    opened: &'a Logged,
    said: &'a Recorded,
}

/// Returns the line about new tickets without an owner in the reader's area, if there are any.
pub fn line_of(night: &Night, reader: &Reader<'_>) -> Option<BriefingItem> {
    let concerns: Vec<Concern<'_>> = night
        .suggested
        .iter()
        .filter_map(|said| concern_of(said, night, reader))
        .collect();
    let first = concerns.first()?;
    let label = |concern: &Concern<'_>| label_of(concern.topic, reader);
    // Who is in no team has no area that anybody wrote down.
    let mut teams = reader.roster.teams.iter();
    let whose = if teams.any(|team| team.members.contains(&reader.member.id)) {
        "in your area"
    } else {
        "that may be yours"
    };
    let headline = match concerns.len() {
        1 => format!(
            "new, without an owner {whose}: {}",
            first.topic.thread.title
        ),
        many => format!("{many} new tickets without an owner {whose}"),
    };
    let facts: Vec<String> = concerns
        .iter()
        .take(MOST_NAMED)
        .map(|concern| format!("{} {}", label(concern), words_for(concern, night, reader)))
        .collect();
    Some(BriefingItem {
        section: Section::WorthKnowing,
        kind: ItemKind::NewTicket,
        threads: concerns
            .iter()
            .map(|concern| ThreadRef {
                id: concern.topic.thread.id.clone(),
                url: concern.topic.thread.url.clone(),
                label: label(concern),
            })
            .collect(),
        carried: false,
        headline,
        facts: facts.join(" · "),
        summary: String::new(),
        wording: None,
        citations: concerns
            .iter()
            .take(MOST_NAMED)
            .map(|concern| citation_of(concern.opened, String::new(), reader))
            .collect(),
        reasons: vec![Reason::UnownedInYourArea],
        answer_by: None,
        asker: None,
        score: SCORE,
    })
}

/// Returns whether a line says what there is to say of a topic: the team's, and nothing but a new ticket.
pub fn tells_of(line: &BriefingItem, ranked: &Ranked<'_>) -> bool {
    let thread = &ranked.news.topic.thread.id;
    !ranked.is_direct()
        && ranked.kind == ItemKind::NewTicket
        && line.threads.iter().any(|told| told.id == *thread)
}

fn concern_of<'a>(
    said: &'a Recorded,
    night: &'a Night,
    reader: &Reader<'_>,
) -> Option<Concern<'a>> {
    let id = ThreadId::new(&said.connector, said.ticket.as_str());
    let topic = night.topics.values().find(|topic| topic.thread.id == id)?;
    let ticket = topic.thread.ticket.as_ref()?;
    let is_taken = ticket
        .assignee
        .as_ref()
        .is_some_and(|owner| reader.roster.member_of(owner).is_some());
    let opened = topic.events.iter().find(|logged| {
        logged.event.kind == crate::model::EventKind::Opened && !logged.is_removed
    })?;
    let is_concerned = is_candidate(said, reader.member)
        || looks_after(said, topic, reader)
        || said
            .duty
            .as_ref()
            .is_some_and(|(_, duty)| *duty == reader.member.id)
        || owns_repeated(said, night, reader.member);
    let is_shown =
        !ticket.is_closed && !is_taken && night.new.contains(&opened.seq) && is_concerned;
    is_shown.then_some(Concern {
        topic,
        opened,
        said,
    })
}

fn is_candidate(said: &Recorded, member: &Member) -> bool {
    said.candidates
        .iter()
        .any(|candidate| candidate.member == member.id && candidate.probability >= LEAST_CONCERN)
}

fn looks_after(said: &Recorded, topic: &Topic, reader: &Reader<'_>) -> bool {
    let teams = reader.roster.teams.iter();
    let mut own = teams.filter(|team| team.members.contains(&reader.member.id));
    own.any(|team| {
        team.areas.iter().any(|area| match area {
            Area::Component(at, name) => {
                *at == said.connector && said.area.as_ref().is_some_and(|(area, _)| area == name)
            }
            Area::Label(at, name) => {
                let ticket = topic.thread.ticket.as_ref();
                *at == said.connector && ticket.is_some_and(|ticket| ticket.labels.contains(name))
            }
            Area::Space(..) => false,
        })
    })
}

/// Returns whether a new ticket may say the same as an open one of the member's own.
fn owns_repeated(said: &Recorded, night: &Night, member: &Member) -> bool {
    let alike = said
        .repeats
        .iter()
        .filter(|(_, likeness)| *likeness >= LEAST_REPEAT);
    alike.into_iter().any(|(id, _)| {
        let id = ThreadId::new(&said.connector, id.as_str());
        let topic = night.topics.values().find(|topic| topic.thread.id == id);
        let ticket = topic.and_then(|topic| topic.thread.ticket.as_ref());
        ticket.is_some_and(|ticket| {
            !ticket.is_closed
                && ticket
                    .assignee
                    .as_ref()
                    .is_some_and(|owner| member.owns(owner))
        })
    })
}

/// Returns who might take a ticket, in words, and what it may repeat.
fn words_for(concern: &Concern<'_>, night: &Night, reader: &Reader<'_>) -> String {
    let said = concern.said;
    let name = |id: &MemberId| {
        let member = reader.roster.member(id);
        let handle = member.and_then(|member| member.handles.values().flatten().next());
        handle.map_or_else(|| id.to_string(), |handle| reader.roster.name_of(handle))
    };
    let who = |id: &MemberId| {
        if *id == reader.member.id {
            "you".to_owned()
        } else {
            name(id)
        }
    };
    let mut words = match said.candidates.first() {
        Some(first) if !said.is_abstained => {
            let why = first.evidence.first().map_or(String::new(), |evidence| {
                format!(", {}", evidence.in_words(str::to_owned, said.made_at))
            });
            format!(
                "perhaps {} ({:.0} %){why}",
                who(&first.member),
                100.0 * first.probability
            )
        }
        _ => {
            // Whoever is likeliest is a start, with the number that says how little that means.
            let likeliest: Vec<String> = said
                .candidates
                .iter()
                .filter(|candidate| candidate.probability >= LEAST_CONCERN)
                .take(2)
                .map(|candidate| {
                    let share = 100.0 * candidate.probability;
                    format!("{} {share:.0} %", who(&candidate.member))
                })
                .collect();
            let shortlist = if likeliest.is_empty() {
                String::new()
            } else {
                format!(" ({})", likeliest.join(", "))
            };
            match &said.duty {
                Some((_, duty)) if *duty == reader.member.id => {
                    format!("nobody stands out{shortlist}, you are on duty")
                }
                Some((_, duty)) => {
                    format!("nobody stands out{shortlist}, {} is on duty", name(duty))
                }
                None => format!("nobody stands out{shortlist}"),
            }
        }
    };
    let repeat = said
        .repeats
        .first()
        .filter(|(_, likeness)| *likeness >= LEAST_REPEAT);
    if let Some((id, likeness)) = repeat {
        let id = ThreadId::new(&said.connector, id.as_str());
        let known = night.topics.values().find(|topic| topic.thread.id == id);
        let label = known.map_or_else(|| id.id.to_string(), |topic| label_of(topic, reader));
        words += &format!(", may repeat {label} ({:.0} % alike)", 100.0 * likeness);
    }
    words
}

/// Returns what to say beside the reader's ask while everybody it asks is away: until when, and who else could answer.
pub fn instead_of(ask: &LoggedAsk, night: &Night, reader: &Reader<'_>, now: Timestamp) -> String {
    let asked: Option<Vec<_>> = asked_accounts(&ask.ask.to)
        .iter()
        .map(|handle| schedule::away_until(reader.roster.member_of(handle)?, now))
        .collect();
    let Some(until) = asked.and_then(|until| until.into_iter().max()) else {
        return String::new();
    };
    let back = until.saturating_add(jiff::Span::new().days(1));
    let days = reader.today.until(back).map_or(0, |span| span.get_days());
    let back = if days <= 6 {
        back.strftime("%A")
    } else {
        back.strftime("%-d %b")
    };
    let mut words = format!("away until {back}");
    let stand_in = night
        .stand_ins
        .get(&ask.seq)
        .and_then(|found| found.first());
    let stand_in = stand_in.and_then(|found| Some((found, reader.roster.member(&found.member)?)));
    if let Some((found, member)) = stand_in {
        let handle = member.handles.values().flatten().next();
        let name = handle.map_or_else(
            || member.name.clone(),
            |handle| reader.roster.name_of(handle),
        );
        let why = found.evidence.first().map_or(String::new(), |evidence| {
            format!(" {} and", evidence.in_words(str::to_owned, now))
        });
        words += &format!("; {name}{why} {}", presence(member, reader, now));
    }
    words
}

/// Returns when somebody is there: `is at work`, `starts in 40 min`, `starts Mon 09:00`.
fn presence(member: &Member, reader: &Reader<'_>, now: Timestamp) -> String {
    let date = schedule::work_date(member, now);
    let is_in = schedule::is_workday(member, date)
        && schedule::day_start(member, date) <= now
        && now < schedule::day_end(member, date);
    if is_in {
        return "is at work".to_owned();
    }
    let Some((_, start)) = schedule::next_start(member, now) else {
        return "is not at work".to_owned();
    };
    let wait = start.duration_since(now);
    if wait < SignedDuration::from_hours(1) {
        return format!("starts in {} min", (wait.as_secs() + 59) / 60);
    }
    if wait < SignedDuration::from_hours(12) {
        return format!("starts in {} h", (wait.as_mins() + 30) / 60);
    }
    let start = start.to_zoned(reader.member.time_zone.clone());
    format!("starts {}", start.strftime("%a %H:%M"))
}
