//! Requests held against a system's official description (Swagger 2 or OpenAPI 3): no unknown parameter, no missing one,
//! no value of a type or a choice that is not documented. For tests only.
//!
//! How a connector uses it:
//!
//! 1. Its tests make their stack with [`Recorded::http`](crate::http::Recorded::http) in place of `Http::new` and keep the
//!    second half.
//! 2. Where a test ends (`Drop` of its world) it calls [`check_if_shared`]: with `DAYBRIEF_SHARED` set, whatever any test
//!    sent is checked.
//! 3. One `#[ignore]`d test plays the connector through, calls [`Spec::open`] (loud without the folder), [`Spec::check`],
//!    and compares the operations that [`Spec::check`] returns with the list of all that the connector knows, so that a
//!    new call cannot be forgotten.
//!
//! What the description does not know yet is named with [`Spec::newer`], never left out in silence.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::http::{Call, header};

/// A description, read.
pub struct Spec {
    document: Value,
    /// The path that the tests' server has in front of the description's paths.
    under: String,
    /// By operation: parameters that are documented elsewhere.
    newer: BTreeMap<&'static str, Vec<&'static str>>,
}

/// The folder of official material.
///
/// # Panics
/// When `DAYBRIEF_SHARED` names none: a check that does not run is no check.
pub fn shared() -> PathBuf {
    let shared = std::env::var("DAYBRIEF_SHARED").expect("DAYBRIEF_SHARED names the shared folder");
    let specs = Path::new(&shared).join("specs");
    assert!(specs.is_dir(), "{} is missing", specs.display());
    specs
}

/// Checks what was sent, where the official material is at hand; for the `Drop` of test worlds.
pub fn check_if_shared(spec: impl FnOnce() -> Spec, calls: &[Call]) {
    if std::env::var_os("DAYBRIEF_SHARED").is_some()
        && !calls.is_empty()
        && !std::thread::panicking()
    {
        spec().check(calls);
    }
}

impl Spec {
    /// Reads a description, `slack/….json` or `.json.gz`, from the shared folder.
    pub fn open(path: &str) -> Spec {
        let path = shared().join(path);
        let bytes =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut text = Vec::new();
        if path.extension().is_some_and(|extension| extension == "gz") {
            flate2::read::GzDecoder::new(&*bytes)
                .read_to_end(&mut text)
                .unwrap();
        } else {
            text = bytes;
        }
        Spec::of(serde_json::from_slice(&text).unwrap())
    }

    fn of(document: Value) -> Spec {
        Spec {
            document,
            under: String::new(),
            newer: BTreeMap::new(),
        }
    }

    /// Returns the description for a server that has its paths below this one.
    #[must_use]
    pub fn under(mut self, path: &str) -> Spec {
        self.under = path.trim_end_matches('/').to_owned();
        self
    }

    /// Returns the description with parameters of an operation (`post /chat.update`) that it is too old for, or with an
    /// operation that it does not have at all. `body` stands for a body that it says nothing of; a field named here may
    /// also be null.
    #[must_use]
    pub fn newer(mut self, operation: &'static str, parameters: &[&'static str]) -> Spec {
        self.newer.entry(operation).or_default().extend(parameters);
        self
    }

    /// Checks calls and returns the operations they were, as `get /path/{id}`.
    ///
    /// # Panics
    /// With everything that is wrong with any of them.
    pub fn check(&self, calls: &[Call]) -> BTreeSet<String> {
        assert!(!calls.is_empty(), "nothing was sent");
        let mut operations = BTreeSet::new();
        let mut complaints = BTreeSet::new();
        for call in calls {
            let (operation, wrong) = self.complaints(call);
            complaints.extend(
                wrong
                    .into_iter()
                    .map(|wrong| format!("{operation}: {wrong}")),
            );
            operations.insert(operation);
        }
        assert!(complaints.is_empty(), "{complaints:#?}");
        operations
    }

    /// Returns which operation a call is, and what is wrong with it.
    fn complaints(&self, call: &Call) -> (String, Vec<String>) {
        let method = call.method.as_str().to_lowercase();
        let path = call.url.path();
        let path = path.strip_prefix(&self.under).unwrap_or(path);
        let Some((template, item, operation)) = self.operation(&method, path) else {
            let name = format!("{method} {path}");
            let wrong = match self.newer.contains_key(name.as_str()) {
                true => Vec::new(),
                false => vec!["there is no such operation".to_owned()],
            };
            return (name, wrong);
        };
        let name = format!("{method} {template}");
        let newer = self
            .newer
            .get(name.as_str())
            .map(Vec::as_slice)
            .unwrap_or_default();
        let parameters: Vec<&Value> = [item, operation]
            .into_iter()
            .flat_map(|value| value["parameters"].as_array().into_iter().flatten())
            .map(|parameter| self.resolved(parameter))
            .collect();
        let mut wrong = Vec::new();
        let sent: Vec<(String, String)> = call.url.query_pairs().into_owned().collect();
        self.check_query(&parameters, &sent, newer, &mut wrong);
        self.check_body(&parameters, operation, call, newer, &mut wrong);
        (name, wrong)
    }

    /// Returns the operation of a path; a written part of a path goes before one in braces.
    fn operation<'a>(
        &'a self,
        method: &str,
        path: &str,
    ) -> Option<(&'a str, &'a Value, &'a Value)> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let fits = |template: &str| {
            let named: Vec<&str> = template.trim_matches('/').split('/').collect();
            let is_same = |(named, part): (&&str, &&str)| {
                named == part || named.starts_with('{') && named.ends_with('}') && !part.is_empty()
            };
            named.len() == parts.len() && named.iter().zip(&parts).all(is_same)
        };
        let paths = self.document["paths"]
            .as_object()
            .expect("a description has paths");
        let found = paths
            .iter()
            .filter(|(template, item)| fits(template) && item.get(method).is_some());
        let (template, item) = found.min_by_key(|(template, _)| template.matches('{').count())?;
        Some((template, item, &item[method]))
    }

    fn check_query(
        &self,
        parameters: &[&Value],
        sent: &[(String, String)],
        newer: &[&str],
        wrong: &mut Vec<String>,
    ) {
        let in_query = || {
            parameters
                .iter()
                .filter(|parameter| parameter["in"] == "query")
        };
        for (name, value) in sent {
            let known = in_query().find(|parameter| parameter["name"] == name.as_str());
            match known {
                None if newer.contains(&name.as_str()) => {}
                None => wrong.push(format!("the query parameter {name} is unknown")),
                // Swagger 2 puts the type beside the name, OpenAPI 3 below `schema`.
                Some(parameter) => {
                    let schema = self.resolved(parameter.get("schema").unwrap_or(parameter));
                    if !self.takes_text(schema, value) {
                        wrong.push(format!("the query parameter {name} cannot be {value:?}"));
                    }
                }
            }
        }
        for parameter in in_query().filter(|parameter| parameter["required"] == true) {
            let name = parameter["name"].as_str().unwrap_or_default();
            if !sent.iter().any(|(sent, _)| sent == name) {
                wrong.push(format!("the query parameter {name} is missing"));
            }
        }
    }

    /// Returns whether a value in an address is of the type that is wanted.
    fn takes_text(&self, schema: &Value, text: &str) -> bool {
        if let Some(choices) = schema["enum"].as_array() {
            return choices.iter().any(|choice| choice.as_str() == Some(text));
        }
        let any = |key: &str| schema[key].as_array();
        if let Some(choices) = any("oneOf").or(any("anyOf")) {
            return choices
                .iter()
                .any(|choice| self.takes_text(self.resolved(choice), text));
        }
        let within = |number: f64| {
            schema["minimum"]
                .as_f64()
                .is_none_or(|least| number >= least)
                && schema["maximum"].as_f64().is_none_or(|most| number <= most)
        };
        match schema["type"].as_str() {
            Some("integer") => text
                .parse::<i64>()
                .is_ok_and(|number| within(number as f64)),
            Some("number") => text.parse::<f64>().is_ok_and(within),
            Some("boolean") => matches!(text, "true" | "false"),
            Some("array") => {
                let items = self.resolved(&schema["items"]);
                text.split(',').all(|item| self.takes_text(items, item))
            }
            _ => true,
        }
    }

    fn check_body(
        &self,
        parameters: &[&Value],
        operation: &Value,
        call: &Call,
        newer: &[&str],
        wrong: &mut Vec<String>,
    ) {
        let fields: Vec<&&Value> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "formData")
            .collect();
        let content_type = call
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let kind = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default();
        if !fields.is_empty() {
            return self.check_fields(&fields, operation, call, kind, newer, wrong);
        }
        let described = self.resolved(&operation["requestBody"]);
        if call.body.is_empty() {
            if described["required"] == true {
                wrong.push("the body is missing".to_owned());
            }
            return;
        }
        let Some(content) = described["content"].as_object() else {
            if !newer.contains(&"body") {
                wrong.push("there is a body, and none is described".to_owned());
            }
            return;
        };
        let Some(schema) = content.get(kind).map(|content| &content["schema"]) else {
            wrong.push(format!("the body is {kind}"));
            return;
        };
        match serde_json::from_slice::<Value>(&call.body) {
            Ok(body) => self.check_value(schema, &body, "body", newer, wrong),
            Err(_) => wrong.push("the body is no JSON".to_owned()),
        }
    }

    /// Checks a form, or the JSON object that stands for one.
    fn check_fields(
        &self,
        fields: &[&&Value],
        operation: &Value,
        call: &Call,
        kind: &str,
        newer: &[&str],
        wrong: &mut Vec<String>,
    ) {
        let consumes = operation["consumes"].as_array();
        let may_be = consumes.is_none_or(|kinds| kinds.iter().any(|known| known == kind));
        if !may_be {
            wrong.push(format!("the body is {kind}"));
        }
        let sent: BTreeMap<String, Value> = if kind == "application/json" {
            serde_json::from_slice(&call.body).unwrap_or_default()
        } else {
            let pairs = reqwest::Url::parse(&format!(
                "http://x/?{}",
                String::from_utf8_lossy(&call.body)
            ))
            .unwrap();
            let pairs = pairs.query_pairs().into_owned();
            pairs
                .map(|(name, value)| (name, Value::String(value)))
                .collect()
        };
        for (name, value) in &sent {
            let known = fields.iter().find(|field| field["name"] == name.as_str());
            let is_right = known.map(|field| match (field["type"].as_str(), value) {
                (_, Value::String(text)) => self.takes_text(field, text),
                (Some("boolean"), Value::Bool(_))
                | (Some("integer" | "number"), Value::Number(_)) => true,
                // What is a list of blocks in JSON is a text of JSON in a form.
                (Some("string"), Value::Array(_) | Value::Object(_)) => true,
                _ => false,
            });
            match is_right {
                None if newer.contains(&name.as_str()) => {}
                None => wrong.push(format!("the field {name} is unknown")),
                Some(false) => wrong.push(format!("the field {name} cannot be {value}")),
                Some(true) => {}
            }
        }
        for field in fields.iter().filter(|field| field["required"] == true) {
            let name = field["name"].as_str().unwrap_or_default();
            if !sent.contains_key(name) {
                wrong.push(format!("the field {name} is missing"));
            }
        }
    }

    /// Checks a value of a body against its schema.
    fn check_value(
        &self,
        schema: &Value,
        value: &Value,
        at: &str,
        newer: &[&str],
        wrong: &mut Vec<String>,
    ) {
        let schema = self.resolved(schema);
        for all in schema["allOf"].as_array().into_iter().flatten() {
            self.check_value(all, value, at, newer, wrong);
        }
        for key in ["oneOf", "anyOf"] {
            let Some(choices) = schema[key].as_array() else {
                continue;
            };
            let wrong_by_choice = choices.iter().map(|choice| {
                let mut wrong = Vec::new();
                self.check_value(choice, value, at, newer, &mut wrong);
                wrong
            });
            // The choice that fits best says what is wrong.
            wrong.extend(wrong_by_choice.min_by_key(Vec::len).unwrap_or_default());
        }
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        let is_type = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            _ => true,
        };
        let is_choice = schema["enum"]
            .as_array()
            .is_none_or(|choices| choices.contains(value));
        if !is_type || !is_choice {
            wrong.push(format!("{at} is not as described"));
            return;
        }
        if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
            for (index, value) in values.iter().enumerate() {
                self.check_value(items, value, &format!("{at}[{index}]"), newer, wrong);
            }
        }
        let Some(sent) = value.as_object() else {
            return;
        };
        if let Some(known) = schema["properties"].as_object() {
            let is_open = matches!(
                schema.get("additionalProperties"),
                Some(Value::Bool(true) | Value::Object(_))
            );
            for (name, value) in sent {
                match known.get(name) {
                    Some(_) if value.is_null() && newer.contains(&name.as_str()) => {}
                    Some(schema) => {
                        self.check_value(schema, value, &format!("{at}.{name}"), newer, wrong)
                    }
                    None if is_open || newer.contains(&name.as_str()) => {}
                    None => wrong.push(format!("{at}.{name} is unknown")),
                }
            }
        }
        let required = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        for name in required.filter(|name| !sent.contains_key(*name)) {
            wrong.push(format!("{at}.{name} is missing"));
        }
    }

    /// Follows a reference within the description.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else {
            return value;
        };
        let found = self.document.pointer(reference.trim_start_matches('#'));
        found.unwrap_or_else(|| panic!("{reference} is described nowhere"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::{Method, Pace, Scope};

    fn spec() -> Spec {
        let limit = json!({ "name": "limit", "in": "query", "schema": { "type": "integer", "maximum": 100 } });
        Spec::of(json!({
            "paths": {
                "/things/{id}": { "get": { "parameters": [
                    { "$ref": "#/parameters/limit" },
                    { "name": "state", "in": "query", "required": true, "schema": { "type": "string", "enum": ["open", "all"] } },
                ] } },
                "/things/mine": { "get": {} },
                "/things": { "post": { "requestBody": { "required": true, "content": { "application/json": { "schema": { "$ref": "#/schemas/thing" } } } } } },
                "/say": { "post": { "consumes": ["application/json"], "parameters": [
                    { "name": "text", "in": "formData", "type": "string", "required": true },
                    { "name": "loud", "in": "formData", "type": "boolean" },
                ] } },
            },
            "parameters": { "limit": limit },
            "schemas": { "thing": {
                "type": "object", "required": ["name"],
                "properties": { "name": { "type": "string" }, "parts": { "type": "array", "items": { "$ref": "#/schemas/thing" } },
                    "size": { "oneOf": [{ "type": "integer" }, { "type": "string", "enum": ["big"] }] } },
            } },
        }))
        .under("/api")
        .newer("post /say", &["mood"])
    }

    fn get(path: &str) -> Call {
        let url = reqwest::Url::parse(&format!("http://localhost{path}")).unwrap();
        Call::get("here", "it", Scope::new("x", Pace::per_minute(1)), url)
    }

    #[test]
    fn what_is_not_described_is_named() {
        let post = |path: &str, body: Value| get(path).with_json(Method::POST, &body);
        for (call, expected) in [
            (
                get("/api/things/7?state=open&limit=20"),
                "get /things/{id} []",
            ),
            (get("/api/things/mine"), "get /things/mine []"),
            (
                get("/api/things/7?state=shut"),
                r#"get /things/{id} ["the query parameter state cannot be \"shut\""]"#,
            ),
            (
                get("/api/things/7?limit=200"),
                r#"get /things/{id} ["the query parameter limit cannot be \"200\"", "the query parameter state is missing"]"#,
            ),
            (
                get("/api/things/mine?x=1"),
                r#"get /things/mine ["the query parameter x is unknown"]"#,
            ),
            (
                get("/api/nothing"),
                r#"get /nothing ["there is no such operation"]"#,
            ),
            (
                post(
                    "/api/things",
                    json!({ "name": "a", "parts": [{ "name": "b", "size": 3 }] }),
                ),
                "post /things []",
            ),
            (
                post(
                    "/api/things",
                    json!({ "parts": [{ "name": 1, "size": "small" }], "colour": 1 }),
                ),
                r#"post /things ["body.colour is unknown", "body.parts[0].name is not as described", "body.parts[0].size is not as described", "body.name is missing"]"#,
            ),
            (
                get("/api/things").with_json(Method::POST, &json!([])),
                r#"post /things ["body is not as described"]"#,
            ),
            (
                post("/api/say", json!({ "text": "x", "loud": true, "mood": 1 })),
                "post /say []",
            ),
            (
                post("/api/say", json!({ "loud": 1, "tone": "x" })),
                r#"post /say ["the field loud cannot be 1", "the field tone is unknown", "the field text is missing"]"#,
            ),
            (
                get("/api/say").form(&[("text", "x")]),
                "post /say [\"the body is application/x-www-form-urlencoded\"]",
            ),
        ] {
            let (operation, wrong) = spec().complaints(&call);
            assert_eq!(format!("{operation} {wrong:?}"), expected);
        }
    }
}
