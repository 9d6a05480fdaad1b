//! What a GitHub token may and may not see, for `daybrief check`.

use anyhow::Result;
use serde_json::Value;

use super::api::{Client, GithubError, Issue, Repository, User};
use super::{Fact, GithubConfig, Readers};
use crate::http::Http;

/// How far the clocks may be apart, in seconds.
const MAX_SKEW: i64 = 60;

/// Asks GitHub who the token is and what it sees of each repository.
pub async fn check(config: &GithubConfig, client: &Client, http: &Http) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    let answer = client.answer("rate_limit", "rate_limit").await?;
    if let Some(skew) = answer.clock_skew_secs(http.clock().now())
        && skew.abs() > MAX_SKEW
    {
        let side = if skew > 0 { "behind" } else { "ahead of" };
        facts.push(Fact::Note(format!(
            "this machine's clock is {} s {side} GitHub's; set it, or mornings come at the wrong time",
            skew.abs()
        )));
    }
    match client.get::<User>("user", "user").await {
        Ok(user) => facts.push(Fact::Fine(format!("reads as {}", user.login))),
        Err(error) if error.is_about_place() => facts.push(Fact::Fine("reads as an app".into())),
        Err(error) => return Err(error.into()),
    }
    let limits: Value = answer.json("rate_limit")?;
    let core = &limits["resources"]["core"];
    if let (Some(remaining), Some(limit)) = (core["remaining"].as_u64(), core["limit"].as_u64()) {
        facts.push(Fact::Fine(format!(
            "{remaining} of {limit} calls left this hour"
        )));
    }
    for name in &config.repositories {
        match of_repository(config, client, name).await {
            Ok(found) => facts.extend(found),
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
    let repository: Repository = client.get("repos.get", &format!("repos/{name}")).await?;
    let path = client.address(
        &format!("repos/{name}/issues"),
        &[("state", "all"), ("per_page", "1")],
    )?;
    client.list::<Issue>("issues.list", path, None).await?;
    let mut facts = Vec::new();
    if !repository.full_name.is_empty() && !repository.full_name.eq_ignore_ascii_case(name) {
        facts.push(Fact::Note(format!(
            "{name} is called {} now; write that",
            repository.full_name
        )));
    }
    if repository.is_public() {
        facts.push(Fact::Fine(format!("{name} is public")));
    } else if config.audience == Readers::Everyone {
        facts.push(Fact::Note(format!(
            "{name} is not public; audience = \"everyone\" shows it to every member"
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
    Ok(facts)
}
