//! What a Jira token may and may not see, for `daybrief check`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

use super::api::{Client, Deployment, JiraError};
use super::wire::{Project, User};
use super::{Fact, JiraConfig, Readers};
use crate::http::Http;

/// How far the clocks may be apart, in seconds.
const MAX_SKEW: i64 = 60;

/// The permissions that matter, with what is lost without each.
const PERMISSIONS: [(&str, &str, &str); 3] = [
    (
        "ADD_COMMENTS",
        "Add comments",
        "suggestions cannot be posted as comments",
    ),
    (
        "ASSIGN_ISSUES",
        "Assign issues",
        "nobody can be made the owner of an issue",
    ),
    (
        "EDIT_ISSUES",
        "Edit issues",
        "no label and no owner field can be set",
    ),
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Granted {
    permissions: BTreeMap<String, Permission>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Permission {
    have_permission: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Projects {
    values: Vec<Project>,
    is_last: bool,
}

/// Asks Jira who the token is and what it sees of each project.
pub async fn check(config: &JiraConfig, client: &Client, http: &Http) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    let answer = match client.answer("myself", "myself", &[]).await {
        // Every Jira knows who asks; where that is not there, it is another edition or no Jira at all.
        Err(JiraError::Missing { .. }) => {
            let (version, other) = match client.deployment {
                Deployment::Cloud => ("3", "data-center"),
                Deployment::DataCenter => ("2", "cloud"),
            };
            return Ok(vec![Fact::Note(format!(
                "nothing answers under {}/rest/api/{version}: check `site`, and write deployment = \"{other}\" if it is of that edition",
                config.site.trim_end_matches('/')
            ))]);
        }
        other => other?,
    };
    let me: User = answer.json("myself")?;
    facts.push(Fact::Fine(format!("reads as {}", me.display_name)));
    if let Some(skew) = answer.clock_skew_secs(http.clock().now())
        && skew.abs() > MAX_SKEW
    {
        let side = if skew > 0 { "behind" } else { "ahead of" };
        facts.push(Fact::Note(format!(
            "this machine's clock is {} s {side} Jira's, so mornings come at the wrong time: let it follow a time server (`timedatectl set-ntp true`)",
            skew.abs()
        )));
    }
    facts.extend(of_server(client).await?);
    let seen = projects(client).await?;
    let hidden = config
        .projects
        .iter()
        .filter(|key| !seen.iter().any(|project| project.key == **key));
    for key in hidden {
        facts.push(Fact::Note(format!(
            "project {key} is not there or hidden from the token's account; check the key, or give the account the permission \"Browse projects\" there"
        )));
    }
    let is_wanted =
        |project: &&Project| config.projects.is_empty() || config.projects.contains(&project.key);
    let wanted: Vec<&Project> = seen.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        facts.push(Fact::Note(
            "the token's account sees no project, so nothing is read; give it the permission \"Browse projects\"".into(),
        ));
    }
    for project in wanted {
        facts.extend(of_project(client, project).await?);
    }
    if granted(client, &["USER_PICKER"], None)
        .await?
        .contains("USER_PICKER")
    {
        facts.push(Fact::Fine("may list users and groups".into()));
    } else {
        facts.push(Fact::Note(
            "may not list users and groups (\"Browse users and groups\"): issues with a security level are shown to their reporter and owner only, comments kept to a group to their author; grant it under System, Global permissions".into(),
        ));
    }
    if config.audience == Readers::Everyone {
        facts.push(Fact::Note(
            "audience = \"everyone\" shows every issue without a security level to every member; take that line out to keep issues to those who take part".into(),
        ));
    }
    Ok(facts)
}

async fn of_server(client: &Client) -> Result<Option<Fact>, JiraError> {
    let server: Value = client.get("serverInfo", "serverInfo", &[]).await?;
    let told = server["deploymentType"].as_str().unwrap_or_default();
    let is_cloud = told.eq_ignore_ascii_case("cloud");
    if !told.is_empty() && is_cloud != client.is_cloud() {
        let (is, write) = if is_cloud {
            ("Cloud", "cloud")
        } else {
            ("Data Center or Server", "data-center")
        };
        return Ok(Some(Fact::Note(format!(
            "this Jira is {is}; write deployment = \"{write}\""
        ))));
    }
    let version = server["version"].as_str().unwrap_or("of unknown version");
    let name = match client.deployment {
        Deployment::Cloud => "Cloud",
        Deployment::DataCenter => "Data Center",
    };
    Ok(Some(Fact::Fine(format!("Jira {name} {version}"))))
}

async fn projects(client: &Client) -> Result<Vec<Project>, JiraError> {
    if !client.is_cloud() {
        return client.get("projects", "project", &[]).await;
    }
    let mut all: Vec<Project> = Vec::new();
    loop {
        let start = all.len().to_string();
        let query = [("startAt", start.as_str()), ("maxResults", "50")];
        let page: Projects = client.get("projects", "project/search", &query).await?;
        let is_over = page.is_last || page.values.is_empty();
        all.extend(page.values);
        if is_over {
            return Ok(all);
        }
    }
}

async fn of_project(client: &Client, project: &Project) -> Result<Vec<Fact>, JiraError> {
    let keys: Vec<&str> = PERMISSIONS.iter().map(|(key, ..)| *key).collect();
    let mut facts = vec![Fact::Fine(format!("project {} is read", project.key))];
    let have = match granted(client, &keys, Some(&project.key)).await {
        Ok(have) => have,
        Err(JiraError::Missing { .. }) => {
            facts.push(Fact::Note(format!(
                "project {}: this Jira does not say what the token's account may do; try `suggest --post` on one issue",
                project.key
            )));
            return Ok(facts);
        }
        Err(error) => return Err(error),
    };
    for (key, name, lost) in PERMISSIONS {
        if !have.contains(key) {
            facts.push(Fact::Note(format!(
                "project {}: without the permission \"{name}\" {lost}; grant it to the token's account under Project settings, Permissions",
                project.key
            )));
        }
    }
    Ok(facts)
}

/// Returns which of some permissions the account has.
async fn granted(
    client: &Client,
    wanted: &[&str],
    project: Option<&str>,
) -> Result<BTreeSet<String>, JiraError> {
    let names = wanted.join(",");
    let mut query = Vec::new();
    // Older servers tell of all permissions and take no choice.
    if client.is_cloud() {
        query.push(("permissions", names.as_str()));
    }
    query.extend(project.map(|project| ("projectKey", project)));
    let granted: Granted = client.get("mypermissions", "mypermissions", &query).await?;
    let have = granted
        .permissions
        .into_iter()
        .filter(|(_, permission)| permission.have_permission);
    Ok(have.map(|(key, _)| newer(&key).to_owned()).collect())
}

/// Returns what a permission of older servers is called now.
fn newer(key: &str) -> &str {
    match key {
        "ASSIGN_ISSUE" => "ASSIGN_ISSUES",
        "COMMENT_ISSUE" => "ADD_COMMENTS",
        "EDIT_ISSUE" => "EDIT_ISSUES",
        other => other,
    }
}
