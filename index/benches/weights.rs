//! How far the weights of the fusion are fitted to the sets they were chosen on: `cargo bench -p daybrief-index --bench weights`.
//!
//! Every judged set under `DAYBRIEF_SHARED` is asked once, with every part of every score kept. The first hundred are then
//! placed anew for each share of full text and each strength of the candidates' say in each other's scores. One set at a time is
//! left out: the weights that are best on the others are judged by it. The mean over the sets left out is what the weights are
//! worth where nobody has tuned them; it stands beside the mean of the weights in use, and of the best for each set alone.

use std::path::Path;

use daybrief_index::{Index, Options, eval};

const SETS: [&str; 9] = [
    "jira-titanium",
    "jira-hadoop",
    "forum-qatar",
    "stackfaq",
    "slack-racket",
    "meetings-qmsum",
    "cranfield",
    "cjk-title-body",
    "vscode-multilingual",
];
const SHARES: [f32; 9] = [0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7];
const COMPANY: [f32; 5] = [0.0, 0.5, 1.0, 1.5, 2.0];
/// The weights in use, by their places in the two lists.
const IN_USE: (usize, usize) = (4, 2);

fn main() {
    let Ok(shared) = std::env::var("DAYBRIEF_SHARED") else {
        println!(
            "weights: DAYBRIEF_SHARED is not set, and without judged sets there is nothing to weigh"
        );
        return;
    };
    // By set, by share, by company.
    let figures: Vec<Vec<Vec<f64>>> = SETS
        .iter()
        .map(|name| {
            let dir = Path::new(&shared).join("data/search").join(name);
            let set = eval::read(&dir).expect("DAYBRIEF_SHARED names the shared folder");
            let index = Index::in_memory(Options::default());
            eval::fill(&index, &set).expect("an index in memory takes passages");
            let asked = eval::explained(&index, &set).expect("an index in memory answers");
            let figure = |share: f32, company: f32| {
                asked
                    .judged_by(|hit| {
                        // Other languages have a share of their own, which is not weighed here.
                        let share = match hit.lexical_weight {
                            0.5 => share,
                            other => other,
                        };
                        share * hit.lexical
                            + (1.0 - share) * hit.vector
                            + hit.recency
                            + company * hit.company
                    })
                    .ndcg_10
            };
            SHARES
                .iter()
                .map(|share| {
                    COMPANY
                        .iter()
                        .map(|company| figure(*share, *company))
                        .collect()
                })
                .collect()
        })
        .collect();
    let all: Vec<(usize, usize)> = (0..SHARES.len())
        .flat_map(|share| (0..COMPANY.len()).map(move |company| (share, company)))
        .collect();
    let best = |sets: &[usize]| {
        let mean = |at: &(usize, usize)| {
            sets.iter()
                .map(|set| figures[*set][at.0][at.1])
                .sum::<f64>()
        };
        *all.iter()
            .max_by(|a, b| mean(a).total_cmp(&mean(b)))
            .expect("there are weights to choose from")
    };
    println!("| set left out | share | company | nDCG@10 | in use | best for it alone |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut sums = [0.0; 3];
    for (set, name) in SETS.iter().enumerate() {
        let others: Vec<usize> = (0..SETS.len()).filter(|other| *other != set).collect();
        let (at, own) = (best(&others), best(&[set]));
        let row = [at, IN_USE, own].map(|at| figures[set][at.0][at.1]);
        println!(
            "| {name} | {} | {} | {:.4} | {:.4} | {:.4} |",
            SHARES[at.0], COMPANY[at.1], row[0], row[1], row[2]
        );
        sums.iter_mut()
            .zip(row)
            .for_each(|(sum, value)| *sum += value);
    }
    let [left_out, in_use, own] = sums.map(|sum| sum / SETS.len() as f64);
    println!("| mean | | | {left_out:.4} | {in_use:.4} | {own:.4} |");
}
