//! What a GitHub token may and may not see, for `daybrief check`.

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;

use super::api::{Client, GithubError};
use super::wire::{Issue, Repository, User};
use super::{Fact, GithubConfig, Readers, discussions};
use crate::http::{Answer, Http};

/// How far the clocks may be apart, in seconds.
const MAX_SKEW: i64 = 60;
/// How many days before its end a token is spoken of.
const SOON: i64 = 14;

/// Asks GitHub who the token is and what it sees of each repository.
pub async fn check(config: &GithubConfig, client: &Client, http: &Http) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    let login = client.login().await?;
    let answer = match client.answer("rate_limit", "rate_limit").await {
        Ok(answer) => answer,
        // An app that is not installed for the first repository may be for another one.
        Err(error) if error.is_about_place() => {
            return of_repositories(config, client, facts).await;
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(skew) = answer.clock_skew_secs(http.clock().now())
        && skew.abs() > MAX_SKEW
    {
        let side = if skew > 0 { "behind" } else { "ahead of" };
        facts.push(Fact::Note(format!(
            "this machine's clock is {} s {side} GitHub's, so mornings come at the wrong time: let it follow a time server (`timedatectl set-ntp true`)",
            skew.abs()
        )));
    }
    facts.push(Fact::Fine(match login {
        Some(login) => format!("reads as {login}"),
        None => "reads as an app".into(),
    }));
    facts.extend(of_token(&answer, http.clock().now()));
    let limits: Value = answer.json("rate_limit")?;
    let core = &limits["resources"]["core"];
    if let (Some(remaining), Some(limit)) = (core["remaining"].as_u64(), core["limit"].as_u64()) {
        facts.push(Fact::Fine(format!(
            "{remaining} of {limit} calls left this hour"
        )));
    }
    of_repositories(config, client, facts).await
}

/// Names what GitHub says of a token: the scopes of a classic one, and when it ends.
fn of_token(answer: &Answer, now: Timestamp) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(scopes) = answer.header("x-oauth-scopes") {
        let more = match scopes.split(',').any(|scope| scope.trim() == "repo") {
            true => "",
            false => {
                "; for private repositories tick repo too, under Settings, Developer settings, Personal access tokens"
            }
        };
        facts.push(Fact::Fine(format!("the token's scopes: {scopes}{more}")));
    }
    let ends = answer.header("github-authentication-token-expiration");
    let ends = ends.and_then(|ends| ends.get(..19)?.parse::<jiff::civil::DateTime>().ok());
    let ends = ends.and_then(|ends| ends.to_zoned(jiff::tz::TimeZone::UTC).ok());
    if let Some(ends) = ends {
        let days = (ends.timestamp() - now).get_seconds() / 86_400;
        let date = ends.date();
        facts.push(match days < SOON {
            true => Fact::Note(format!(
                "the token ends on {date}: make a new one before and put it where the config says"
            )),
            false => Fact::Fine(format!("the token is good until {date}")),
        });
    }
    facts
}

async fn of_repositories(
    config: &GithubConfig,
    client: &Client,
    mut facts: Vec<Fact>,
) -> Result<Vec<Fact>> {
    for name in &config.repositories {
        match of_repository(config, client, name).await {
            Ok(found) => {
                for fact in found {
                    // What an app may do is the same in all repositories of an owner.
                    if !facts.contains(&fact) {
                        facts.push(fact);
                    }
                }
            }
            Err(error) if error.is_about_place() => facts.push(Fact::Note(error.to_string())),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(facts)
}

async fn of_repository(
    config: &GithubConfig,
    client: &Client,
    name: &str,
) -> Result<Vec<Fact>, GithubError> {
    let mut facts = rights_of_app(config, client, name).await?;
    let repository: Repository = client.get("repos.get", &format!("repos/{name}")).await?;
    let path = client.address(
        &format!("repos/{name}/issues"),
        &[("state", "all"), ("per_page", "1")],
    )?;
    client.list::<Issue>("issues.list", path, None).await?;
    if !repository.full_name.is_empty() && !repository.full_name.eq_ignore_ascii_case(name) {
        facts.push(Fact::Note(format!(
            "{name} is called {} now; write that under `repositories`",
            repository.full_name
        )));
    }
    if repository.is_public() {
        facts.push(Fact::Fine(format!("{name} is public")));
    } else if config.audience == Readers::Everyone {
        facts.push(Fact::Note(format!(
            "{name} is not public, and audience = \"everyone\" shows it to every member; take that line out to keep it to its collaborators"
        )));
    } else {
        let url = client.address(&format!("repos/{name}/collaborators"), &[("per_page", "1")])?;
        match client.list::<User>("repos.collaborators", url, None).await {
            Ok(_) => facts.push(Fact::Fine(format!("{name} is read by its collaborators"))),
            Err(error) if error.is_about_place() => facts.push(Fact::Note(format!(
                "the token may not list the collaborators of {name}, so nobody gets to see what stands there; use the token of an account with write access, or set audience = \"everyone\""
            ))),
            Err(error) => return Err(error),
        }
    }
    let may = &repository.permissions;
    if !may.is_empty() && may.get("triage").or(may.get("push")) != Some(&true) {
        facts.push(Fact::Fine(format!(
            "suggestions in {name} can be comments only; to set labels or owners, give the token's account the role Triage there"
        )));
    }
    if config.discussions {
        facts.push(of_discussions(client, name).await?);
    }
    Ok(facts)
}

async fn of_discussions(client: &Client, name: &str) -> Result<Fact, GithubError> {
    let asked = discussions::variables(name, None);
    let told = client.query("discussions.list", name, discussions::LIST, &asked);
    Ok(match told.await {
        Ok((data, _)) if data["repository"]["hasDiscussionsEnabled"] == false => {
            Fact::Fine(format!("{name} has no discussions"))
        }
        Ok((_, refused)) if refused.is_empty() => {
            Fact::Fine(format!("{name}: discussions are read"))
        }
        Ok((_, refused)) => Fact::Note(format!(
            "{name}: some discussions are kept from the token ({}); give it the permission Discussions (read), or set discussions = false",
            refused.join(", ")
        )),
        Err(error) if error.is_about_place() => Fact::Note(format!(
            "the discussions of {name} are not read: {error}; or set discussions = false"
        )),
        Err(error) => return Err(error),
    })
}

/// Names what an app may do, and what it lacks.
async fn rights_of_app(
    config: &GithubConfig,
    client: &Client,
    name: &str,
) -> Result<Vec<Fact>, GithubError> {
    let Some(rights) = client.permissions(name).await? else {
        return Ok(Vec::new());
    };
    let shown: Vec<String> = rights
        .iter()
        .map(|(right, level)| format!("{right} ({level})"))
        .collect();
    let mut facts = vec![Fact::Fine(format!("the app may: {}", shown.join(", ")))];
    let wanted = [
        ("metadata", true),
        ("issues", true),
        ("pull_requests", true),
        ("discussions", config.discussions),
    ];
    let lacking: Vec<&str> = wanted
        .into_iter()
        .filter(|(right, is_wanted)| *is_wanted && !rights.contains_key(*right))
        .map(|(right, _)| right)
        .collect();
    if !lacking.is_empty() {
        facts.push(Fact::Note(format!(
            "the app lacks {}; add it with Read under Permissions in the app's settings, and accept the change where it is installed",
            lacking.join(", ")
        )));
    }
    if rights.get("issues").is_some_and(|level| level == "read") {
        facts.push(Fact::Fine(
            "the app may not comment on issues or assign them; that needs issues (write)".into(),
        ));
    }
    Ok(facts)
}
