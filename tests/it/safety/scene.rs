//! A store, a team and a thread for one attack, and the briefing that a model words of it.

use super::*;

/// What was built for one attack.
pub(super) struct Scene {
    pub(super) store: Store,
    pub(super) roster: Roster,
    pub(super) ana: Member,
    pub(super) clock: Clock,
    pub(super) urls: BTreeSet<String>,
}

fn handle(connector: &ConnectorId, name: &str) -> Handle {
    let id: String = name
        .to_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    Handle::new(connector, format!("u{id}"))
}

impl Scene {
    /// `are_members`: whether the thread's authors belong to the team.
    pub(super) fn new(attack: &Attack, are_members: bool) -> Scene {
        let kind = match attack.carrier.as_str() {
            "email" => ThreadKind::Mail,
            "ticket" => ThreadKind::Ticket,
            "meeting" => ThreadKind::Recording,
            _ => ThreadKind::Conversation,
        };
        let office = ConnectorId::new("office");
        let mut config = String::from(
            "[connectors.office]\ntype = \"slack-export\"\npath = \"x\"\n[members.ana]\nhandles = { office = \"uana\" }\n",
        );
        if are_members {
            let names: BTreeSet<&String> =
                attack.messages.iter().map(|(author, _)| author).collect();
            for (index, name) in names.into_iter().enumerate() {
                config += &format!(
                    "[members.m{index}]\nname = {:?}\nhandles = {{ office = {:?} }}\n",
                    name,
                    &*handle(&office, name).id
                );
            }
        }
        let now = at("2026-11-18T09:00:00Z");
        let members = Config::parse(&config, Path::new("test"))
            .unwrap()
            .members(now)
            .unwrap();
        let people = (!attack.name.is_empty()).then(|| Person {
            handle: Some(handle(&office, "Mal")),
            name: attack.name.clone(),
            ..Person::default()
        });
        let spaces = (!attack.space.is_empty()).then(|| Space {
            id: SpaceId::new(&office, "general"),
            name: attack.space.clone(),
            members: None,
        });
        let people = people.into_iter().collect();
        let roster = Roster::new(members, Vec::new(), people, spaces.into_iter().collect());
        let ana = roster
            .members
            .iter()
            .find(|member| member.id.as_str() == "ana")
            .unwrap()
            .clone();

        let mut page = Page::default();
        let mut urls = BTreeSet::new();
        let mut thread = |id: &str, kind, title: &str, ticket| {
            let url = format!("https://office.example/{id}");
            urls.insert(url.clone());
            let thread = Thread {
                id: ThreadId::new(&office, id),
                kind,
                space: (kind == ThreadKind::Conversation).then(|| SpaceId::new(&office, "general")),
                title: title.into(),
                url,
                audience: Audience::Everyone,
                participants: BTreeSet::new(),
                ticket,
            };
            page.threads.push(thread.clone());
            thread.id
        };
        let own = |key: &str| Ticket {
            key: key.into(),
            status: "open".into(),
            reporter: Some(handle(&office, "ana")),
            assignee: Some(handle(&office, "ana")),
            ..Ticket::default()
        };
        let title = if kind == ThreadKind::Conversation {
            ""
        } else {
            &attack.title
        };
        let attacked = thread(
            "t1",
            kind,
            title,
            (kind == ThreadKind::Ticket).then(|| Ticket {
                labels: attack.labels.clone(),
                ..own("TEAM-1")
            }),
        );
        let asked = thread("t2", ThreadKind::Conversation, "", None);
        let ticket = thread(
            "t3",
            ThreadKind::Ticket,
            "Crash when the list is empty",
            Some(own("TEAM-2")),
        );
        let night = at("2026-11-17T20:00:00Z");
        let mut events = Vec::new();
        let mut say = |thread: &ThreadId, kind: EventKind, author: &str, text: &str| {
            let minute = events.len() as i64;
            let id = format!("{}:{minute}", &*thread.id);
            urls.insert(format!("https://office.example/m/{minute}"));
            events.push(Event {
                id: EventId::new(&office, id),
                thread: thread.clone(),
                kind,
                author: Some(handle(&office, author)),
                occurred_at: night
                    .checked_add(SignedDuration::from_mins(minute))
                    .unwrap(),
                text: Markdown(text.into()),
                aside: String::new(),
                mentions: if text.starts_with("@ana") {
                    vec![handle(&office, "ana")]
                } else {
                    Vec::new()
                },
                url: format!("https://office.example/m/{minute}"),
                audience: None,
                by_bot: false,
            });
        };
        let first = if kind == ThreadKind::Ticket {
            EventKind::Opened
        } else {
            EventKind::Posted
        };
        say(
            &attacked,
            first,
            "ana",
            "I would like to hear what you think about this.",
        );
        for (author, text) in &attack.messages {
            say(&attacked, EventKind::Posted, author, text);
        }
        say(&asked, EventKind::Posted, "dee", QUESTION);
        say(
            &ticket,
            EventKind::Opened,
            "ana",
            "It crashes when the list is empty.",
        );
        say(
            &ticket,
            EventKind::Posted,
            "dee",
            "I can see the crash on my machine, too, since yesterday.",
        );
        page.events = events;
        let store = Store::in_memory().unwrap();
        store
            .write_now(|c| {
                store_page(
                    c,
                    &office,
                    &page,
                    &roster,
                    at("2026-11-18T08:00:00Z"),
                    false,
                )
            })
            .unwrap();
        Scene {
            store,
            roster,
            ana,
            clock: Clock::simulated(now),
            urls,
        }
    }

    pub(super) fn briefing(
        &self,
        llm: Option<&Llm>,
    ) -> (Briefing, Vec<daybrief::brief::words::Job>) {
        self.store
            .read_now(|c| {
                let window = Window {
                    after: Learned(at("2026-11-17T17:30:00Z")),
                    upto: Learned(at("2026-11-18T09:00:00Z")),
                    upto_seq: events::last_seq(c)?,
                };
                briefing_with_words(
                    c,
                    &self.ana,
                    &self.roster,
                    window,
                    None,
                    &Style::default(),
                    Vec::new(),
                    llm,
                )
            })
            .unwrap()
    }

    /// The briefing with whatever this model wrote.
    pub(super) fn with_words(
        &self,
        mind: Mind,
        runtime: &tokio::runtime::Runtime,
    ) -> (Briefing, Vec<String>) {
        let config = LlmConfig {
            base_url: "http://model.invalid/v1".into(),
            model: fake::MODEL.into(),
            ..LlmConfig::default()
        };
        let server = Fake::new(Manner::Well, mind);
        let http = server.http(stack_options(&config), self.clock.clone());
        let llm = Llm::over(http, &config, Path::new("."), self.clock.clone()).unwrap();
        let (_, missing) = self.briefing(Some(&llm));
        let asking = Asking {
            store: &self.store,
            llm: &llm,
            member: &self.ana.id,
            within: Duration::from_secs(60),
        };
        runtime.block_on(fill(&asking, missing)).unwrap();
        let (briefing, _) = self.briefing(Some(&llm));
        // The next model starts without these.
        self.store
            .write_now(|c| daybrief::store::words::forget_model(c, fake::MODEL))
            .unwrap();
        let asked = server.asked().iter().map(Value::to_string).collect();
        (briefing, asked)
    }
}
