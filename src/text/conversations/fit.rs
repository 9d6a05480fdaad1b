//! Fitting the weights of the disentangler to marked replies.

use anyhow::Result;

use super::features::{COUNT, Known, WEIGHTS, features_of, opening_features};
use super::measure::{Stream, is_for_fitting, streams_of};
use super::{Disentangler, Placed};

/// How often the streams are gone through; the weights of the second half are averaged.
const ROUNDS: usize = 12;

/// Returns weights fitted to the streams of a file that are meant for fitting, as `weights.in` holds them.
///
/// Stochastic gradient descent on the log likelihood of the gold reply among all candidates, an opening being one of them.
pub fn fitted_weights<'l>(lines: impl IntoIterator<Item = &'l str>) -> Result<String> {
    let streams = streams_of(lines)?;
    let streams: Vec<&Stream> = streams
        .iter()
        .filter(|stream| is_for_fitting(&stream.name))
        .collect();
    let mut weights = WEIGHTS;
    let mut sums = [0.0f64; COUNT];
    for round in 0..ROUNDS {
        let rate = 0.05 / (1.0 + round as f32 * 0.5);
        for stream in &streams {
            learn(&mut weights, rate, stream);
            if round >= ROUNDS / 2 {
                sums.iter_mut()
                    .zip(&weights)
                    .for_each(|(sum, weight)| *sum += f64::from(*weight));
            }
        }
    }
    let count = (streams.len() * (ROUNDS - ROUNDS / 2)).max(1) as f64;
    let list: Vec<String> = sums
        .iter()
        .map(|sum| format!("{:.3}", sum / count))
        .collect();
    Ok(format!("[{}]", list.join(", ")))
}

/// Moves the weights towards the gold replies of one stream.
fn learn(weights: &mut [f32; COUNT], rate: f32, stream: &Stream) {
    let mut state = Disentangler::new();
    let mut talks: Vec<usize> = Vec::new();
    for (n, &gold) in stream.gold.iter().enumerate() {
        let known = Known::new(&stream.line(n), n, &state.recent);
        let first = n - state.recent.len();
        let talk = gold.map_or(n, |to| talks[to]);
        talks.push(talk);
        // A reply to a line that has left the window teaches nothing.
        if gold.is_none_or(|to| to >= first) {
            let mut candidates = vec![opening_features(&known, &state.recent)];
            let earlier = state.recent.iter().enumerate();
            candidates.extend(
                earlier.map(|(k, earlier)| {
                    features_of(&known, earlier, k, &state.recent, &state.spread)
                }),
            );
            step(
                weights,
                rate,
                &candidates,
                gold.map_or(0, |to| to - first + 1),
            );
        }
        state.remember(
            known,
            Placed {
                reply_to: gold,
                conversation: talk,
            },
        );
    }
}

/// Makes one step of gradient descent: the candidate `right` is to win.
fn step(weights: &mut [f32; COUNT], rate: f32, candidates: &[[f32; COUNT]], right: usize) {
    let scores: Vec<f32> = candidates
        .iter()
        .map(|features| features.iter().zip(&*weights).map(|(x, w)| x * w).sum())
        .collect();
    let top = scores.iter().copied().fold(f32::MIN, f32::max);
    let total: f32 = scores.iter().map(|score| (score - top).exp()).sum();
    for (k, features) in candidates.iter().enumerate() {
        let error = f32::from(u8::from(k == right)) - (scores[k] - top).exp() / total;
        if error.abs() > 1e-4 {
            weights
                .iter_mut()
                .zip(features)
                .for_each(|(w, x)| *w += rate * error * x);
        }
    }
    weights.iter_mut().for_each(|w| *w *= 1.0 - rate * 1e-5);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_prefers_the_right_candidate() {
        let mut weights = [0.0; COUNT];
        let (mut near, mut far) = ([0.0; COUNT], [0.0; COUNT]);
        (near[2], far[0]) = (1.0, 3.0);
        for _ in 0..50 {
            step(&mut weights, 0.1, &[far, near], 1);
        }
        assert!(weights[2] > 0.0 && weights[0] < 0.0);
    }
}
