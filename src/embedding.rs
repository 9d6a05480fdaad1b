//! Vectors from a model behind any OpenAI-compatible `/embeddings` endpoint, for the index.
//!
//! The index asks from ordinary threads, the network is async: a thread of its own stands between them, so that an index may
//! ask from anywhere. Texts go out in batches; an answer that does not fit its question is an error and never a vector.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::types::embeddings::{
    CreateEmbeddingRequest, CreateEmbeddingResponse, EmbeddingInput, EncodingFormat,
};
use daybrief_index::Embedder;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::http::openai::{Through, reason_of};
use crate::http::{Http, Pace, Scope};

/// `[embedding]`: a model behind an OpenAI-compatible endpoint that gives its opinion on what the index finds. Without a
/// `base_url` the built-in table answers alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingConfig {
    /// The address up to and with `/v1`, such as `http://localhost:8282/v1`.
    pub base_url: Option<String>,
    /// The model's name, as the endpoint knows it.
    pub model: String,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// How long the vectors shall be, for models that can be cut; without it the model decides.
    pub dimensions: Option<u32>,
    /// How many texts one request may hold.
    pub batch: usize,
    /// How many requests a minute the endpoint may get.
    pub requests_per_minute: u32,
}

impl Default for EmbeddingConfig {
    fn default() -> Self {
        EmbeddingConfig {
            base_url: None,
            model: String::new(),
            api_key_env: None,
            dimensions: None,
            batch: 32,
            requests_per_minute: 300,
        }
    }
}

impl EmbeddingConfig {
    /// Returns the embedder, if one is configured.
    ///
    /// # Errors
    /// When the model or the key is missing, or the address is none.
    pub fn endpoint(&self, http: &Http) -> Result<Option<Endpoint>> {
        let Some(base_url) = &self.base_url else {
            return Ok(None);
        };
        ensure!(
            !self.model.is_empty(),
            "[embedding] base_url is set, and so must model be"
        );
        ensure!(self.batch > 0, "[embedding] batch must be at least 1");
        reqwest::Url::parse(base_url)
            .with_context(|| format!("[embedding] base_url: {base_url} is no address"))?;
        let key = match &self.api_key_env {
            None => SecretString::from(""),
            Some(name) => SecretString::from(
                std::env::var(name)
                    .with_context(|| format!("[embedding] api_key_env: {name} is not set"))?,
            ),
        };
        Ok(Some(Endpoint::start(self, http, base_url, &key)?))
    }
}

/// What is asked of the thread that talks to the endpoint.
struct Asked {
    texts: Vec<String>,
    answer: SyncSender<Result<Vec<Vec<f32>>>>,
}

/// A model behind an endpoint.
pub struct Endpoint {
    model: String,
    dims: AtomicUsize,
    wanted: Option<usize>,
    batch: usize,
    asks: Mutex<SyncSender<Asked>>,
}

impl Endpoint {
    fn start(
        config: &EmbeddingConfig,
        http: &Http,
        base_url: &str,
        key: &SecretString,
    ) -> Result<Endpoint> {
        // The client that is replaced below is made first, and asks for a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let api = OpenAIConfig::new()
            .with_api_base(base_url.trim_end_matches('/'))
            .with_api_key(key.expose_secret());
        let scope = Scope::new("embedding", Pace::per_minute(config.requests_per_minute));
        let client = Client::with_config(api).with_http_service(Through::new(
            http.clone(),
            "embedding",
            scope,
        ));
        let (asks, asked) = sync_channel(0);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the embedding thread")?;
        let (model, dimensions) = (config.model.clone(), config.dimensions);
        std::thread::Builder::new()
            .name("embedding".into())
            .spawn(move || answer_all(&runtime, &client, &model, dimensions, asked))
            .context("cannot start the embedding thread")?;
        Ok(Endpoint {
            model: config.model.clone(),
            dims: AtomicUsize::new(0),
            wanted: config.dimensions.map(|dimensions| dimensions as usize),
            batch: config.batch,
            asks: Mutex::new(asks),
        })
    }

    fn ask(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        let (answer, answered) = sync_channel(1);
        self.asks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(Asked { texts, answer })
            .map_err(|_| anyhow!("the embedding thread has ended"))?;
        answered
            .recv()
            .map_err(|_| anyhow!("the embedding thread has ended"))?
    }
}

/// Answers until nobody can ask any more.
fn answer_all(
    runtime: &tokio::runtime::Runtime,
    client: &Client<OpenAIConfig>,
    model: &str,
    dimensions: Option<u32>,
    asked: Receiver<Asked>,
) {
    for Asked { texts, answer } in asked {
        let expected = texts.len();
        let request = CreateEmbeddingRequest {
            model: model.to_owned(),
            input: EmbeddingInput::StringArray(texts),
            encoding_format: Some(EncodingFormat::Float),
            user: None,
            dimensions,
        };
        let response = runtime.block_on(client.embeddings().create(request));
        let vectors = response
            .map_err(|error| anyhow!("{}", reason_of(&error, "the embedding model")))
            .and_then(|response| vectors_of(response, expected));
        // Whoever asked may have gone.
        let _ = answer.send(vectors);
    }
}

/// Returns the vectors in the order of the texts, each of unit length.
fn vectors_of(response: CreateEmbeddingResponse, expected: usize) -> Result<Vec<Vec<f32>>> {
    ensure!(
        response.data.len() == expected,
        "the embedding endpoint sent {} vectors for {expected} texts",
        response.data.len()
    );
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; expected];
    for embedding in response.data {
        let place = vectors.get_mut(embedding.index as usize);
        let place = place.filter(|place| place.is_none());
        let place = place.context("the embedding endpoint numbered its vectors wrongly")?;
        let mut vector = embedding.embedding;
        ensure!(
            vector.iter().all(|value| value.is_finite()),
            "the embedding endpoint sent a vector that holds no numbers"
        );
        let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        if norm > 1e-9 {
            vector.iter_mut().for_each(|value| *value /= norm);
        }
        *place = Some(vector);
    }
    Ok(vectors.into_iter().flatten().collect())
}

impl Embedder for Endpoint {
    fn model(&self) -> String {
        match self.wanted {
            Some(dimensions) => format!("{}/{dimensions}", self.model),
            None => self.model.clone(),
        }
    }

    fn dims(&self) -> usize {
        self.dims.load(Ordering::Relaxed)
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        // An endpoint may refuse an empty text, and its vector is known anyway.
        let worded: Vec<usize> = (0..texts.len())
            .filter(|at| texts[*at].chars().any(char::is_alphanumeric))
            .collect();
        let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); texts.len()];
        for batch in worded.chunks(self.batch) {
            let asked = batch.iter().map(|at| texts[*at].to_owned()).collect();
            for (at, vector) in batch.iter().zip(self.ask(asked)?) {
                if let Some(wanted) = self.wanted {
                    ensure!(
                        vector.len() == wanted,
                        "the embedding endpoint sent {} dimensions, and [embedding] dimensions asks for {wanted}; correct it, or take it out for a model that cannot be cut",
                        vector.len()
                    );
                }
                let known = self.dims();
                ensure!(
                    !vector.is_empty() && (known == 0 || known == vector.len()),
                    "the embedding endpoint sent {} dimensions, and {known} before",
                    vector.len()
                );
                self.dims.store(vector.len(), Ordering::Relaxed);
                vectors[*at] = vector;
            }
        }
        let dims = match self.dims() {
            0 => self.wanted.unwrap_or(0),
            dims => dims,
        };
        vectors
            .iter_mut()
            .filter(|vector| vector.is_empty())
            .for_each(|vector| *vector = vec![0.0; dims]);
        Ok(vectors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(json: &str) -> CreateEmbeddingResponse {
        let data = format!(
            "{{\"object\":\"list\",\"model\":\"m\",\"data\":[{json}],\"usage\":{{\"prompt_tokens\":1,\"total_tokens\":1}}}}"
        );
        serde_json::from_str(&data).unwrap()
    }

    #[test]
    fn vectors_come_in_the_order_of_the_texts_and_of_unit_length() {
        let one = r#"{"object":"embedding","index":1,"embedding":[0.0,2.0]}"#;
        let zero = r#"{"object":"embedding","index":0,"embedding":[3.0,4.0]}"#;
        let vectors = vectors_of(response(&format!("{one},{zero}")), 2).unwrap();
        assert_eq!(vectors, [[0.6, 0.8], [0.0, 1.0]]);
    }

    #[test]
    fn an_answer_that_does_not_fit_is_an_error() {
        let zero = r#"{"object":"embedding","index":0,"embedding":[1.0]}"#;
        for (json, expected) in [
            (zero.to_owned(), 2),
            (format!("{zero},{zero}"), 2),
            (zero.replace("\"index\":0", "\"index\":7"), 1),
            (zero.replace("1.0", "1e39"), 1),
        ] {
            assert!(vectors_of(response(&json), expected).is_err(), "{json}");
        }
    }

    #[test]
    fn without_an_address_there_is_no_endpoint_and_a_half_one_is_named() {
        let http = Http::new(crate::http::Options::default(), crate::clock::Clock::System);
        let mut config = EmbeddingConfig::default();
        assert!(config.endpoint(&http).unwrap().is_none());
        config.base_url = Some("http://localhost:1/v1".into());
        let why = config.endpoint(&http).err().unwrap().to_string();
        assert!(why.contains("model"), "{why}");
        config.model = "m".into();
        config.api_key_env = Some("DAYBRIEF_TEST_NO_SUCH_KEY".into());
        let why = config.endpoint(&http).err().unwrap().to_string();
        assert!(why.contains("DAYBRIEF_TEST_NO_SUCH_KEY"), "{why}");
    }
}
