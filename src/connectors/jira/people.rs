//! Who may read what, as far as Jira tells: the people of roles and groups, the readers of narrowed issues.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::api::{Client, JiraError};
use super::normalize::IssueReaders;
use super::wire::{Issue, User, Visibility};
use crate::model::{ConnectorId, Handle};

/// Jira looks at no more accounts than this for one question.
const MOST_USERS: usize = 1_000;
/// How many accounts a page of a group holds.
const PAGE: usize = 50;

/// The people of roles and groups, asked for once a pass.
pub type Circles = BTreeMap<Visibility, Option<BTreeSet<Handle>>>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Members {
    values: Vec<User>,
    is_last: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Role {
    actors: Vec<Actor>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Actor {
    #[serde(rename = "type")]
    kind: String,
    /// Data Center's account or group.
    name: String,
    actor_user: Option<User>,
    actor_group: Option<Value>,
}

/// Returns who is in a role of a project or in a group; `None` where the token's account may not know.
pub async fn members_of(
    client: &Client,
    id: &ConnectorId,
    circle: &Visibility,
    project: &str,
) -> Result<Option<BTreeSet<Handle>>, JiraError> {
    let listed = if circle.kind == "group" {
        group(client, id, &circle.identifier, &circle.value).await
    } else {
        role(client, id, &circle.value, project).await
    };
    match listed {
        Ok(members) => Ok(Some(members)),
        Err(error)
            if error.is_about_place() || matches!(error, JiraError::Misunderstood { .. }) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn group(
    client: &Client,
    id: &ConnectorId,
    number: &str,
    name: &str,
) -> Result<BTreeSet<Handle>, JiraError> {
    let mut members = BTreeSet::new();
    let mut start = 0;
    loop {
        let by = if client.is_cloud() && !number.is_empty() {
            ("groupId", number)
        } else {
            ("groupname", name)
        };
        let (at, size) = (start.to_string(), PAGE.to_string());
        let query = [by, ("startAt", at.as_str()), ("maxResults", size.as_str())];
        let page: Members = client.get("group.members", "group/member", &query).await?;
        start += page.values.len();
        let is_over = page.is_last || page.values.is_empty();
        let handles = page.values.iter().filter_map(User::handle);
        members.extend(handles.map(|name| Handle::new(id, name)));
        if is_over {
            return Ok(members);
        }
    }
}

async fn role(
    client: &Client,
    id: &ConnectorId,
    name: &str,
    project: &str,
) -> Result<BTreeSet<Handle>, JiraError> {
    let path = format!("project/{project}/role");
    let roles: BTreeMap<String, String> = client.get("project.roles", &path, &[]).await?;
    let number = roles.get(name).and_then(|url| url.rsplit('/').next());
    let number = number.filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
    let Some(number) = number else {
        return Err(JiraError::Missing {
            place: format!("a role of project {project}"),
        });
    };
    let path = format!("{path}/{number}");
    let role: Role = client.get("project.role", &path, &[]).await?;
    let mut members = BTreeSet::new();
    for actor in role.actors {
        if actor.kind == "atlassian-group-role-actor" {
            let told = |key: &str| {
                let told = actor
                    .actor_group
                    .as_ref()
                    .and_then(|group| group[key].as_str());
                told.unwrap_or_default().to_owned()
            };
            let (number, name) = (told("groupId"), told("name"));
            let name = if name.is_empty() { actor.name } else { name };
            members.extend(group(client, id, &number, &name).await?);
        } else {
            let own = actor.actor_user.and_then(|user| user.handle());
            let own =
                own.or_else(|| Some(actor.name.to_lowercase()).filter(|name| !name.is_empty()));
            members.extend(own.map(|name| Handle::new(id, name)));
        }
    }
    Ok(members)
}

/// Returns who may read an issue that a level narrows. Jira answers with nobody where the token's account may not know.
pub async fn readers_of(
    client: &Client,
    id: &ConnectorId,
    issue: &Issue,
) -> Result<IssueReaders, JiraError> {
    let most = MOST_USERS.to_string();
    let anybody = if client.is_cloud() {
        ("query", "")
    } else {
        ("username", ".")
    };
    let query = [
        anybody,
        ("issueKey", issue.key.as_str()),
        ("maxResults", most.as_str()),
    ];
    let asked: Result<Vec<User>, JiraError> = client
        .get("user.viewIssue", "user/viewissue/search", &query)
        .await;
    match asked {
        Ok(users) if !users.is_empty() => {
            let handles = users.iter().filter_map(User::handle);
            Ok(IssueReaders::Named(
                handles.map(|name| Handle::new(id, name)).collect(),
            ))
        }
        Ok(_)
        | Err(
            JiraError::Forbidden { .. }
            | JiraError::Missing { .. }
            | JiraError::Misunderstood { .. },
        ) => Ok(IssueReaders::Closest),
        Err(error) => Err(error),
    }
}
