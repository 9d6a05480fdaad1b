//! Discussions: what GraphQL is asked about them, and one of them as a thread and its events. Its thread is
//! `owner/name!12`, its comments and replies `owner/name!12-c550062`, after the number in their addresses.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Client, GithubError};
use super::normalize::{Normalized, handle_in, is_bot, time, words};
use super::wire::User;
use crate::connectors::files::{bare_event, tolerant};
use crate::model::{
    Audience, ConnectorId, EventId, EventKind, SpaceId, Thread, ThreadId, ThreadKind,
};

macro_rules! said {
    () => {
        "id databaseId body url createdAt deletedAt author { __typename login }"
    };
}

/// The discussions of a repository, the last changed one first.
pub const LIST: &str = "query($owner: String!, $name: String!, $after: String) { repository(owner: $owner, name: $name) { hasDiscussionsEnabled discussions(first: 100, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) { nodes { number updatedAt } pageInfo { hasNextPage endCursor } } } }";

/// One discussion with a page of its comments and the first replies to each.
pub const ONE: &str = concat!(
    "query($owner: String!, $name: String!, $number: Int!, $after: String) { repository(owner: $owner, name: $name) { discussion(number: $number) { title body url createdAt updatedAt author { __typename login } answerChosenAt answerChosenBy { __typename login } answer { id databaseId url } comments(first: 50, after: $after) { nodes { ",
    said!(),
    " replies(first: 50) { nodes { ",
    said!(),
    " } pageInfo { hasNextPage endCursor } } } pageInfo { hasNextPage endCursor } } } } }"
);

/// Further replies to a comment.
pub const REPLIES: &str = concat!(
    "query($id: ID!, $after: String) { node(id: $id) { ... on DiscussionComment { replies(first: 100, after: $after) { nodes { ",
    said!(),
    " } pageInfo { hasNextPage endCursor } } } } }"
);

/// A page of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(
    default,
    rename_all = "camelCase",
    bound = "T: Deserialize<'de> + Default"
)]
pub struct Connection<T> {
    /// What may not be seen is null.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub nodes: Vec<Option<T>>,
    #[serde(deserialize_with = "tolerant::or_default")]
    page_info: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageInfo {
    #[serde(deserialize_with = "tolerant::or_default")]
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl<T> Connection<T> {
    /// Returns where the next page begins; a page that leads back to itself leads nowhere.
    pub fn next(&self, after: Option<&str>) -> Option<String> {
        let end = self.page_info.end_cursor.clone();
        end.filter(|end| self.page_info.has_next_page && after != Some(end))
    }
}

/// A discussion of a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Listed {
    /// Its number within the repository.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub number: u64,
    /// When it changed.
    #[serde(deserialize_with = "tolerant::text")]
    pub updated_at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Actor {
    #[serde(rename = "__typename", deserialize_with = "tolerant::text")]
    kind: String,
    #[serde(deserialize_with = "tolerant::text")]
    login: String,
}

impl Actor {
    /// Returns the account as the REST API calls it: there a program's login says so.
    fn user(&self) -> User {
        let is_bare = self.kind == "Bot" && !self.login.ends_with("[bot]");
        User {
            login: format!("{}{}", self.login, if is_bare { "[bot]" } else { "" }),
            kind: self.kind.clone(),
        }
    }
}

/// A discussion, complete.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Discussion {
    #[serde(deserialize_with = "tolerant::text")]
    title: String,
    body: Option<String>,
    /// Its page.
    #[serde(deserialize_with = "tolerant::text")]
    pub url: String,
    #[serde(deserialize_with = "tolerant::text")]
    created_at: String,
    /// When it changed.
    #[serde(deserialize_with = "tolerant::text")]
    pub updated_at: String,
    author: Option<Actor>,
    answer_chosen_at: Option<String>,
    answer_chosen_by: Option<Actor>,
    answer: Option<Said>,
    #[serde(deserialize_with = "tolerant::or_default")]
    comments: Connection<Said>,
}

/// A comment or a reply.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Said {
    #[serde(deserialize_with = "tolerant::text")]
    id: String,
    database_id: Option<u64>,
    body: Option<String>,
    #[serde(deserialize_with = "tolerant::text")]
    url: String,
    #[serde(deserialize_with = "tolerant::text")]
    created_at: String,
    /// A comment that was replied to leaves its place behind.
    deleted_at: Option<String>,
    author: Option<Actor>,
    #[serde(deserialize_with = "tolerant::or_default")]
    replies: Connection<Said>,
}

impl Said {
    fn number(&self) -> String {
        self.database_id
            .map_or_else(|| self.id.clone(), |number| number.to_string())
    }
}

/// What a question for one discussion brought.
pub enum Found {
    /// The discussion; not whole when something of it may not be seen.
    There(Box<Discussion>, bool),
    /// It was deleted, or moved to another repository.
    Gone,
}

/// Returns the variables that name a repository.
pub fn variables(repository: &str, after: Option<&str>) -> Value {
    let (owner, name) = repository.split_once('/').unwrap_or((repository, ""));
    json!({ "owner": owner, "name": name, "after": after })
}

/// Asks for a discussion with all its comments and their replies.
pub async fn find(client: &Client, repository: &str, number: u64) -> Result<Found, GithubError> {
    let mut whole: Option<Discussion> = None;
    let mut is_whole = true;
    let mut after: Option<String> = None;
    loop {
        let mut asked = variables(repository, after.as_deref());
        asked["number"] = number.into();
        let told = client.query("discussions.get", repository, ONE, &asked);
        let (mut data, refused) = told.await?;
        let found = data["repository"]["discussion"].take();
        if found.is_null() {
            // Without its repository nothing is known of it.
            let is_seen = data["repository"].is_object();
            if is_seen && refused.iter().all(|kind| kind == "NOT_FOUND") {
                return Ok(Found::Gone);
            }
            return Err(GithubError::Forbidden {
                operation: "read a discussion".into(),
                place: thread_name(repository, number),
                said: refused.join(", "),
            });
        }
        is_whole &= refused.is_empty();
        let mut found: Discussion = read("discussions.get", found)?;
        let next = found.comments.next(after.as_deref());
        for comment in found.comments.nodes.iter_mut().flatten() {
            is_whole &= more_replies(client, repository, comment).await?;
        }
        match &mut whole {
            Some(whole) => whole.comments.nodes.append(&mut found.comments.nodes),
            None => whole = Some(found),
        }
        let Some(next) = next else { break };
        after = Some(next);
    }
    let whole = whole.unwrap_or_default();
    let own = format!("/{repository}/").to_lowercase();
    if !whole.url.to_lowercase().contains(&own) {
        return Ok(Found::Gone);
    }
    Ok(Found::There(Box::new(whole), is_whole))
}

/// Asks for the replies that did not come with their comment; returns whether nothing was held back.
async fn more_replies(
    client: &Client,
    repository: &str,
    comment: &mut Said,
) -> Result<bool, GithubError> {
    let mut is_whole = true;
    let mut next = comment.replies.next(None);
    while let Some(after) = next {
        let asked = json!({ "id": comment.id, "after": after });
        let told = client.query("discussions.replies", repository, REPLIES, &asked);
        let (mut data, refused) = told.await?;
        is_whole &= refused.is_empty();
        let mut page: Connection<Said> =
            read("discussions.replies", data["node"]["replies"].take()).unwrap_or_default();
        next = page.next(Some(&after));
        comment.replies.nodes.append(&mut page.nodes);
    }
    Ok(is_whole)
}

/// Reads a part of an answer.
pub fn read<T: serde::de::DeserializeOwned>(
    operation: &str,
    value: Value,
) -> Result<T, GithubError> {
    serde_json::from_value(value).map_err(|_| {
        GithubError::Http(crate::http::HttpError::Unreadable {
            operation: operation.to_owned(),
            reason: "a field has another type than documented".into(),
        })
    })
}

/// Returns the id of a discussion's thread.
pub fn thread_name(repository: &str, number: u64) -> String {
    format!("{repository}!{number}")
}

/// Returns a discussion as a thread and its events.
///
/// # Errors
/// When it has no time.
pub fn normalize(
    discussion: &Discussion,
    repository: &str,
    number: u64,
    id: &ConnectorId,
) -> Result<Normalized, String> {
    let opened_at =
        time(&discussion.created_at).ok_or("a discussion without a time was left out")?;
    let thread = ThreadId::new(id, thread_name(repository, number));
    let mut people = BTreeMap::new();
    let mut tell = |event_id: String, kind, at, author: Option<&Actor>, body, url: &str| {
        let mut event = bare_event(EventId::new(id, event_id), thread.clone(), kind, at);
        let user = author.map(Actor::user);
        event.by_bot = user.as_ref().is_some_and(is_bot);
        event.author = handle_in(&mut people, user.as_ref(), id);
        (event.text, event.url) = (words(body), url.to_owned());
        event
    };
    let mut events = vec![tell(
        thread.id.to_string(),
        EventKind::Opened,
        opened_at,
        discussion.author.as_ref(),
        discussion.body.as_deref(),
        &discussion.url,
    )];
    let comments = discussion.comments.nodes.iter().flatten();
    for said in comments
        .flat_map(|comment| std::iter::once(comment).chain(comment.replies.nodes.iter().flatten()))
    {
        let is_there = said.deleted_at.is_none() && !said.number().is_empty();
        let Some(at) = time(&said.created_at).filter(|_| is_there) else {
            continue;
        };
        events.push(tell(
            format!("{}-c{}", thread.id, said.number()),
            EventKind::Posted,
            at,
            said.author.as_ref(),
            said.body.as_deref(),
            &said.url,
        ));
    }
    let chosen_at = discussion.answer_chosen_at.as_deref().and_then(time);
    if let (Some(answer), Some(at)) = (&discussion.answer, chosen_at) {
        let to = EventKind::Transitioned {
            from: None,
            to: "answered".into(),
        };
        let event_id = format!("{}@answered-{}", thread.id, answer.number());
        let by = discussion.answer_chosen_by.as_ref();
        events.push(tell(event_id, to, at, by, None, &answer.url));
    }
    events.sort_by_key(|event| event.occurred_at);
    let space = SpaceId::new(id, repository);
    let thread = Thread {
        id: thread,
        kind: ThreadKind::Topic,
        space: Some(space.clone()),
        title: discussion.title.trim().to_owned(),
        url: discussion.url.clone(),
        audience: Audience::Space(space),
        participants: Default::default(),
        ticket: None,
    };
    Ok(Normalized {
        thread,
        events,
        people: people.into_values().collect(),
    })
}
