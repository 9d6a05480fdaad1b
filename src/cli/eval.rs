//! `daybrief eval`: measure a part of daybrief on labelled data; needs no configuration.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use daybrief_index::eval::{self as judged, Asking};
use daybrief_index::{Arms, Index, Options, Rescorer};

use super::{Global, output};
use crate::clock::Clock;
use crate::embedding::EmbeddingConfig;
use crate::http::{self, Http};
use crate::text::conversations::measure::evaluate_conversations;

mod words;

/// Measures a part of daybrief on labelled data.
#[derive(Debug, Args)]
pub struct Eval {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Asks, addressees, answers and decisions on labelled messages.
    Asks {
        /// The labelled messages, JSON lines.
        labels: PathBuf,
        /// Where to write the predictions, JSON lines.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Which line replies to which, on marked threads of unthreaded talk.
    Conversations {
        /// The marked threads, JSON lines; a name ending in .gz is unpacked.
        threads: PathBuf,
    },
    /// Search, on folders of judged questions (`corpus.jsonl`, `queries.jsonl`, `qrels.tsv`; .gz is unpacked).
    Search {
        /// The folders, one a set.
        #[arg(required = true, value_name = "DIR")]
        sets: Vec<PathBuf>,
        /// Where to write what was found, JSON lines; for several sets, a folder.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Which part of the index answers.
        #[arg(long, value_enum, default_value_t = Part::Both)]
        arms: Part,
        /// Ask the short form of each question alone, and as if it stood for no ticket.
        #[arg(long)]
        short: bool,
        /// A model behind an OpenAI-compatible endpoint that places the first fifty anew: its address up to and with `/v1`.
        #[arg(long, value_name = "URL")]
        embeddings: Option<String>,
        /// The name by which the endpoint knows the model.
        #[arg(
            long,
            value_name = "NAME",
            requires = "embeddings",
            default_value = "default"
        )]
        model: String,
    },
    /// The checks of a model's words, on a folder of threads with summaries and of meetings with cited answers.
    Words {
        /// The folder of JSON lines (.gz is unpacked).
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// A part of the index.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// Full text and vectors.
    Both,
    /// Full text alone.
    Text,
    /// Vectors alone.
    Vectors,
}

impl From<Part> for Arms {
    fn from(part: Part) -> Arms {
        match part {
            Part::Both => Arms::Both,
            Part::Text => Arms::Lexical,
            Part::Vectors => Arms::Vectors,
        }
    }
}

impl Eval {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        match self.what {
            What::Asks { labels, out } => asks(&labels, &out),
            What::Conversations { threads } => conversations(&threads, global.json),
            What::Words { dir } => words::words(&dir, global.json),
            What::Search {
                sets,
                out,
                arms,
                short,
                embeddings,
                model,
            } => {
                let asking = Asking {
                    arms: arms.into(),
                    short,
                };
                let rescorer = embeddings.map(|url| rescorer(url, model)).transpose()?;
                search(&sets, out.as_deref(), asking, rescorer, global.json)
            }
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

fn asks(labels: &Path, out: &Path) -> Result<()> {
    let text = std::fs::read_to_string(labels)
        .with_context(|| format!("cannot read {}", labels.display()))?;
    let predictions = crate::text::eval::evaluate(text.lines())
        .with_context(|| format!("in {}", labels.display()))?;
    let mut file = create(out)?;
    for line in &predictions {
        writeln!(file, "{}", serde_json::to_string(line)?)?;
    }
    file.flush()?;
    output::line(&format!(
        "{} predictions written to {}",
        predictions.len(),
        out.display()
    ))
}

fn conversations(threads: &Path, as_json: bool) -> Result<()> {
    let text = unpacked(threads)?;
    let report = evaluate_conversations(text.lines())
        .with_context(|| format!("in {}", threads.display()))?;
    if as_json {
        return output::json_line(&serde_json::to_value(&report)?);
    }
    let parts = [
        ("streams the weights have not seen", &report.unseen),
        ("of these, other channels", &report.unseen_channels),
        ("streams the weights were fitted on", &report.fitted),
    ];
    for (name, part) in parts {
        output::line(&format!(
            "{name}: {} streams, {} lines, {} replies",
            part.streams,
            output::count(part.lines),
            output::count(part.replies)
        ))?;
        output::line("                          P     R    F1  accuracy    VI   1-1")?;
        let rows = [
            ("daybrief", part.daybrief),
            ("the line before", part.previous_line),
            ("within five minutes", part.five_minutes),
        ];
        for (way, score) in rows {
            output::line(&format!(
                "  {way:<20} {:>5.3} {:>5.3} {:>5.3}     {:>5.3} {:>5.3} {:>5.3}",
                score.precision, score.recall, score.f1, score.accuracy, score.vi, score.one_to_one
            ))?;
        }
    }
    Ok(())
}

/// Returns the model behind an endpoint. Nobody waits for an answer here, so that a slow one gets its time.
fn rescorer(base_url: String, model: String) -> Result<Rescorer> {
    let http = Http::new(
        http::Options {
            patience: Duration::from_secs(600),
            ..http::Options::default()
        },
        Clock::System,
    );
    let config = EmbeddingConfig {
        base_url: Some(base_url),
        model,
        requests_per_minute: 60_000,
        ..EmbeddingConfig::default()
    };
    let endpoint = config.endpoint(&http)?;
    Ok(Rescorer(Arc::new(
        endpoint.context("there is no endpoint")?,
    )))
}

fn search(
    sets: &[PathBuf],
    out: Option<&Path>,
    asking: Asking,
    rescorer: Option<Rescorer>,
    as_json: bool,
) -> Result<()> {
    if let Some(folder) = out.filter(|_| sets.len() > 1) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    if !as_json {
        output::line("set                       nDCG@10  MRR@10  R@100  questions")?;
    }
    let mut sum = 0.0;
    for dir in sets {
        let name = dir
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("set");
        let set = judged::read(dir).with_context(|| format!("in {}", dir.display()))?;
        let index = Index::in_memory(Options {
            rescorer: rescorer.clone(),
            ..Options::default()
        });
        judged::fill(&index, &set)?;
        while index.has_model() && index.embed_more(256)?.left > 0 {}
        let mut file: Box<dyn Write> = match out {
            None => Box::new(std::io::sink()),
            Some(file) if sets.len() == 1 => Box::new(create(file)?),
            Some(folder) => Box::new(create(&folder.join(format!("{name}.jsonl")))?),
        };
        let metrics = judged::run(&index, &set, asking, &mut file)?;
        file.flush()?;
        sum += metrics.ndcg_10;
        if as_json {
            let mut line = serde_json::to_value(metrics)?;
            line["set"] = name.into();
            output::json_line(&line)?;
        } else {
            output::line(&format!(
                "{name:24}   {:.4}  {:.4}  {:.3}  {:9}",
                metrics.ndcg_10, metrics.mrr_10, metrics.recall_100, metrics.questions
            ))?;
        }
    }
    if sets.len() > 1 && !as_json {
        output::line(&format!(
            "{:24}   {:.4}",
            "mean of the sets",
            sum / sets.len() as f64
        ))?;
    }
    Ok(())
}

fn create(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(BufWriter::new(file))
}

fn unpacked(path: &Path) -> Result<String> {
    let reading = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(reading)?;
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text)
    } else {
        std::io::BufReader::new(file).read_to_string(&mut text)
    }
    .with_context(reading)?;
    Ok(text)
}
