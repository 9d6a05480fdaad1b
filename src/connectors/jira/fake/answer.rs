//! Who is let in, what goes wrong on the way, and in which form an answer goes out.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Site, TOKEN};
use crate::connectors::loopback::{self, Fault};

pub async fn answer(
    State(site): State<Arc<Mutex<Site>>>,
    method: Method,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    let mut site = site.lock().unwrap();
    let shown = format!("{method} {uri}");
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    site.calls.push((shown.clone(), body.clone()));
    let expected = if site.is_cloud {
        "Basic Ym90QGV4YW1wbGUub3JnOkFUQVRULWdlaGVpbQ==".to_owned()
    } else {
        format!("Bearer {TOKEN}")
    };
    let refuse = |status: StatusCode, said: &str| {
        (
            status,
            axum::Json(json!({ "errorMessages": [said], "errors": {} })),
        )
            .into_response()
    };
    if let (Some(app), "/oauth/token") = (&mut site.app, uri.path()) {
        return match app.change(&body) {
            Ok(told) => axum::Json(told).into_response(),
            Err(_) => {
                let told = json!({ "error": "invalid_grant", "error_description": "Unknown or invalid refresh token." });
                (StatusCode::FORBIDDEN, axum::Json(told)).into_response()
            }
        };
    }
    let told = headers.get("authorization");
    let told = told
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let is_let_in = match &mut site.app {
        Some(app) => app.lets_in(told),
        None => told == expected,
    };
    if !is_let_in {
        return refuse(StatusCode::UNAUTHORIZED, "who are you?");
    }
    let fault = site.faults.met_by(&shown);
    if let Some(Fault::Status(status, name, value)) = fault {
        let mut answer = refuse(StatusCode::from_u16(status).unwrap(), "no");
        answer.headers_mut().insert(name, value.parse().unwrap());
        return answer;
    }
    if let Some(Fault::Cut) = fault {
        return loopback::cut("{\"issues\":[");
    }
    let query = loopback::query_of(&uri);
    let version = if site.is_cloud {
        "/rest/api/3/"
    } else {
        "/rest/api/2/"
    };
    let Some(path) = uri.path().strip_prefix(version) else {
        return refuse(StatusCode::NOT_FOUND, "another version");
    };
    let path: Vec<&str> = path.split('/').collect();
    let said = site.say(&method, &path, &query, &body);
    if matches!(fault, Some(Fault::AnswerLost)) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    match said {
        Ok(Value::Null) => StatusCode::NO_CONTENT.into_response(),
        Ok(said) => axum::Json(said).into_response(),
        Err(status) => refuse(StatusCode::from_u16(status).unwrap(), "it cannot be"),
    }
}
