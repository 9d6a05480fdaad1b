//! How to ask a server for JSON: strict schema, JSON object with a schema, JSON object, plain words; and what a refusal
//! teaches.

use serde_json::{Value, json};

use super::{Failure, Question, Reply, form_in_words, tokens};

/// A way of asking for JSON, the strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Rung {
    /// `json_schema`, strict.
    Schema = 0,
    /// `json_object` with the schema beside it, as llama.cpp and its kin know it.
    ObjectWithSchema = 1,
    /// `json_object`; the schema stands in the words.
    Object = 2,
    /// Nothing but words.
    Plain = 3,
}

impl Rung {
    /// Every way, in order.
    pub const ALL: [Rung; 4] = [
        Rung::Schema,
        Rung::ObjectWithSchema,
        Rung::Object,
        Rung::Plain,
    ];

    /// Returns the way at a place; beyond the last one it is the last one.
    pub fn at(place: u8) -> Rung {
        Self::ALL[usize::from(place).min(Self::ALL.len() - 1)]
    }

    /// Returns its name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Rung::Schema => "json_schema",
            Rung::ObjectWithSchema => "json_object with a schema",
            Rung::Object => "json_object",
            Rung::Plain => "plain",
        }
    }
}

/// A parameter that a server may not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Trait {
    /// It wants `max_completion_tokens` instead of `max_tokens`.
    NewLimitName = 1,
    /// It knows only its own temperature.
    NoTemperature = 2,
}

impl Trait {
    /// Every one.
    pub const ALL: [Trait; 2] = [Trait::NewLimitName, Trait::NoTemperature];
}

/// What a refusal teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// This way of asking for JSON is not known.
    Format,
    /// A parameter is not known.
    Without(Trait),
    /// The question is too long.
    TooLong,
    /// Later perhaps.
    Unavailable,
    /// Never.
    Refused,
}

/// Returns the body of a call.
pub fn body_of(question: &Question, model: &str, rung: Rung, traits: u8) -> Value {
    let (name, schema) = &question.schema;
    let mut turns: Vec<Value> = Vec::with_capacity(question.turns.len());
    for (index, (role, text)) in question.turns.iter().enumerate() {
        let text = match (index, rung) {
            (0, Rung::Object | Rung::Plain) => format!("{text}\n\n{}", form_in_words(schema)),
            _ => text.clone(),
        };
        turns.push(json!({ "role": role, "content": text }));
    }
    let mut body = json!({ "model": model, "messages": turns, "stream": false });
    let limit = if traits & Trait::NewLimitName as u8 == 0 {
        "max_tokens"
    } else {
        "max_completion_tokens"
    };
    body[limit] = json!(question.max_output_tokens);
    if traits & Trait::NoTemperature as u8 == 0 {
        body["temperature"] = json!(0);
    }
    let format = match rung {
        Rung::Schema => {
            json!({ "type": "json_schema", "json_schema": { "name": name, "strict": true, "schema": schema } })
        }
        Rung::ObjectWithSchema => json!({ "type": "json_object", "schema": schema }),
        Rung::Object => json!({ "type": "json_object" }),
        Rung::Plain => Value::Null,
    };
    if !format.is_null() {
        body["response_format"] = format;
    }
    body
}

/// Returns what an error teaches. A 500 that names the format is a server that does not know it, and no outage.
pub fn lesson_of(status: Option<u16>, said: &str, rung: Rung, traits: u8) -> Lesson {
    let said = said.to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let is_answer = status.is_none_or(|status| matches!(status, 400 | 404 | 413 | 422 | 500 | 501));
    if !said.is_empty() && is_answer {
        let is_long = names(&[
            "exceed_context_size",
            "context_length_exceeded",
            "context length",
            "context window",
            "context size",
            "maximum context",
            "too many tokens",
            "prompt is too long",
        ]);
        if is_long {
            return Lesson::TooLong;
        }
        let has = |what: Trait| traits & what as u8 != 0;
        if names(&["max_completion_tokens"]) && !has(Trait::NewLimitName) {
            return Lesson::Without(Trait::NewLimitName);
        }
        if names(&["temperature"]) && !has(Trait::NoTemperature) {
            return Lesson::Without(Trait::NoTemperature);
        }
        let is_format = names(&[
            "response_format",
            "json_schema",
            "json_object",
            "json schema",
            "grammar",
            "structured output",
            "guided",
        ]);
        if is_format && rung != Rung::Plain {
            return Lesson::Format;
        }
    }
    match status {
        Some(400 | 401 | 403 | 404 | 405 | 413 | 422) => Lesson::Refused,
        _ => Lesson::Unavailable,
    }
}

/// Reads the answer of a server: the first choice's words.
///
/// # Errors
/// When there are none.
pub fn reply_of(value: &Value, question: &Question) -> Result<Reply, Failure> {
    let choice = &value["choices"][0];
    let text = match &choice["message"]["content"] {
        Value::String(text) => text.clone(),
        // Some servers send the words in parts.
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ if choice["message"].is_object() => String::new(),
        _ => {
            return Err(Failure::Unavailable(
                "the model's server answers with something else".into(),
            ));
        }
    };
    let asked: usize = question
        .turns
        .iter()
        .map(|(_, text)| tokens::estimate(text))
        .sum();
    let counted = |key: &str| value["usage"][key].as_u64();
    Ok(Reply {
        is_cut: choice["finish_reason"].as_str() == Some("length"),
        input_tokens: counted("prompt_tokens").unwrap_or(asked as u64),
        output_tokens: counted("completion_tokens")
            .unwrap_or_else(|| tokens::estimate(&text) as u64),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Question {
            purpose: "test".into(),
            turns: vec![("system", "Say.".into()), ("user", "[]".into())],
            schema: ("items".into(), json!({ "type": "object" })),
            max_output_tokens: 50,
        }
    }

    #[test]
    fn a_refusal_is_told_from_an_outage_by_its_words() {
        use Lesson::*;
        let cases = [
            // llama-cpp-python answers 500 to what its schema does not know.
            (
                Some(500),
                "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type')}]",
                Format,
            ),
            (
                None,
                r#"{"detail":[{"loc":["body","response_format"]}]}"#,
                Format,
            ),
            (
                Some(400),
                "json_schema is not supported by this model",
                Format,
            ),
            (
                Some(400),
                "the request exceeds the available context size (exceed_context_size_error)",
                TooLong,
            ),
            (
                Some(400),
                "This model's maximum context length is 8192 tokens",
                TooLong,
            ),
            (
                Some(400),
                "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
                Without(Trait::NewLimitName),
            ),
            (
                Some(400),
                "Unsupported value: 'temperature' does not support 0",
                Without(Trait::NoTemperature),
            ),
            (Some(500), "boom", Unavailable),
            (Some(503), "response_format", Unavailable),
            (Some(429), "slow down", Unavailable),
            (Some(401), "bad key", Refused),
            (Some(404), "no such model", Refused),
            (None, "", Unavailable),
            (None, "<html>", Unavailable),
        ];
        for (status, said, expected) in cases {
            assert_eq!(
                lesson_of(status, said, Rung::Schema, 0),
                expected,
                "{status:?} {said}"
            );
        }
        // Nothing is learned twice.
        let all = Trait::NewLimitName as u8 | Trait::NoTemperature as u8;
        assert_eq!(
            lesson_of(Some(400), "temperature", Rung::Schema, all),
            Refused
        );
        assert_eq!(lesson_of(Some(400), "json_schema", Rung::Plain, 0), Refused);
    }

    #[test]
    fn each_rung_asks_in_its_own_way() {
        let asked = |rung| body_of(&question(), "m", rung, 0);
        assert_eq!(
            asked(Rung::Schema)["response_format"]["json_schema"]["strict"],
            true
        );
        assert_eq!(
            asked(Rung::ObjectWithSchema)["response_format"]["schema"]["type"],
            "object"
        );
        assert_eq!(
            asked(Rung::Object)["response_format"],
            json!({ "type": "json_object" })
        );
        assert!(asked(Rung::Plain).get("response_format").is_none());
        for rung in [Rung::Object, Rung::Plain] {
            let system = asked(rung)["messages"][0]["content"].to_string();
            assert!(system.contains("JSON schema"), "{system}");
        }
        assert_eq!(asked(Rung::Schema)["temperature"], 0);
        let other = body_of(&question(), "m", Rung::Schema, 3);
        assert_eq!(other["max_completion_tokens"], 50);
        assert!(other.get("temperature").is_none() && other.get("max_tokens").is_none());
    }
}
