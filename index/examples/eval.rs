//! Measures the index on judged sets: `eval [--arms both|lexical|vectors] [--out DIR] SET…`, where each SET is a folder.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use daybrief_index::{Arms, Index, Options, eval};

fn main() -> Result<()> {
    let mut arms = Arms::Both;
    let mut out: Option<PathBuf> = None;
    let mut sets: Vec<PathBuf> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--arms" => {
                arms = match arguments.next().as_deref() {
                    Some("both") => Arms::Both,
                    Some("lexical") => Arms::Lexical,
                    Some("vectors") => Arms::Vectors,
                    _ => bail!("--arms is one of both, lexical, vectors"),
                }
            }
            "--out" => out = Some(arguments.next().context("--out needs a folder")?.into()),
            _ => sets.push(argument.into()),
        }
    }
    let mut sum = 0.0;
    println!("{:24} nDCG@10  MRR@10  R@100   questions  ms/query", "set");
    for dir in &sets {
        let set = eval::read(dir)?;
        let index = Index::in_memory(Options::default());
        eval::fill(&index, &set)?;
        let name = dir.file_name().and_then(|n| n.to_str()).unwrap_or("set");
        let mut writer: Box<dyn Write> = match &out {
            Some(out) => {
                fs::create_dir_all(out)?;
                Box::new(BufWriter::new(File::create(
                    out.join(format!("{name}.jsonl")),
                )?))
            }
            None => Box::new(std::io::sink()),
        };
        let start = Instant::now();
        let metrics = eval::run(&index, &set, arms, &mut writer)?;
        let ms = start.elapsed().as_secs_f64() * 1e3 / set.questions.len().max(1) as f64;
        writer.flush()?;
        sum += metrics.ndcg_10;
        println!(
            "{name:24} {:.4}   {:.4}  {:.4}  {:9}  {ms:8.2}",
            metrics.ndcg_10, metrics.mrr_10, metrics.recall_100, metrics.questions
        );
    }
    println!("{:24} {:.4}", "mean", sum / sets.len().max(1) as f64);
    Ok(())
}
