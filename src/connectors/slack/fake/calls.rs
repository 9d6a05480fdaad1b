//! A call as it comes over the network: who may, what goes wrong, which parameters there are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{APP_TOKEN, Fault, TOKEN, Workspace};

/// The parameters that the methods know; one more is an error, as a typing mistake would otherwise change nothing.
const KNOWN: [(&str, &[&str]); 12] = [
    ("apps.connections.open", &[]),
    ("auth.test", &[]),
    ("users.list", &["limit", "cursor", "include_locale"]),
    (
        "users.conversations",
        &["types", "exclude_archived", "limit", "cursor", "user"],
    ),
    (
        "conversations.list",
        &["types", "exclude_archived", "limit", "cursor"],
    ),
    ("conversations.members", &["channel", "limit", "cursor"]),
    (
        "conversations.info",
        &["channel", "include_locale", "include_num_members"],
    ),
    (
        "conversations.open",
        &["channel", "users", "return_im", "prevent_creation"],
    ),
    (
        "chat.postMessage",
        &[
            "channel",
            "text",
            "blocks",
            "thread_ts",
            "unfurl_links",
            "unfurl_media",
            "metadata",
            "mrkdwn",
            "parse",
        ],
    ),
    (
        "chat.update",
        &["channel", "ts", "text", "blocks", "metadata"],
    ),
    (
        "conversations.history",
        &[
            "channel",
            "latest",
            "oldest",
            "inclusive",
            "limit",
            "cursor",
            "include_all_metadata",
        ],
    ),
    (
        "conversations.replies",
        &[
            "channel",
            "ts",
            "latest",
            "oldest",
            "inclusive",
            "limit",
            "cursor",
            "include_all_metadata",
        ],
    ),
];

/// Answers one call, as it comes over the network.
pub async fn answer(
    State(workspace): State<Arc<Mutex<Workspace>>>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    let mut workspace = workspace.lock().unwrap();
    let method = uri.path().trim_start_matches("/api/").to_owned();
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    let url = reqwest::Url::parse(&format!("http://x{uri}")).unwrap();
    parameters.extend(
        url.query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned())),
    );
    if let Ok(Value::Object(fields)) = serde_json::from_slice(&body) {
        let text = |value: Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        parameters.extend(fields.into_iter().map(|(name, value)| (name, text(value))));
    }
    workspace.calls.push((method.clone(), parameters.clone()));
    let refuse = |word: &str| json!({ "ok": false, "error": word });
    let bearer = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let bearer = bearer
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    let wanted = if method == "apps.connections.open" {
        APP_TOKEN
    } else {
        &workspace.token
    };
    if bearer != wanted {
        let is_old = bearer == TOKEN && wanted != APP_TOKEN;
        return axum::Json(refuse(if is_old {
            "token_expired"
        } else {
            "invalid_auth"
        }))
        .into_response();
    }
    if let Some(weather) = &mut workspace.weather {
        let fault = weather.next();
        if workspace.is_too_fast(&method, &parameters) {
            workspace.too_fast.push(method.clone());
        }
        if let Some(fault) = fault {
            workspace.faults.push_front((fault_name(&method), 0, fault));
        }
    }
    let at = workspace
        .faults
        .iter()
        .position(|(name, passing, _)| *name == method && *passing == 0);
    let fault = at
        .and_then(|at| workspace.faults.remove(at))
        .map(|(_, _, fault)| fault);
    for (_, passing, _) in workspace
        .faults
        .iter_mut()
        .filter(|(name, passing, _)| *name == method && *passing > 0)
    {
        *passing -= 1;
    }
    match fault {
        Some(Fault::Status(status, retry_after)) => {
            let status = StatusCode::from_u16(status).unwrap();
            return (status, [("retry-after", retry_after)], "").into_response();
        }
        Some(Fault::Refusal(word)) => return axum::Json(refuse(word)).into_response(),
        Some(Fault::Cut) => {
            return (
                [("content-length", "400")],
                Body::from_stream(futures_util::stream::iter([
                    Ok::<_, std::io::Error>("{\"ok\":true,".to_owned()),
                    Err(std::io::Error::other("cut")),
                ])),
            )
                .into_response();
        }
        Some(Fault::AnswerLost) | None => {}
    }
    let said = match KNOWN.iter().find(|(name, _)| *name == method) {
        None => refuse("unknown_method"),
        Some((_, known))
            if parameters
                .keys()
                .any(|name| !known.contains(&name.as_str())) =>
        {
            refuse("invalid_arguments")
        }
        Some(_) => workspace.say(&method, &parameters),
    };
    if matches!(fault, Some(Fault::AnswerLost)) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    ([("x-oauth-scopes", workspace.scopes)], axum::Json(said)).into_response()
}

/// Returns the method's name as the list of faults has it.
fn fault_name(method: &str) -> &'static str {
    let known = KNOWN.iter().map(|(name, _)| *name);
    known
        .into_iter()
        .find(|name| *name == method)
        .unwrap_or("?")
}
