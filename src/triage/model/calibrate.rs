//! Scores into probabilities: a logistic curve over the score's log-odds (Platt 1999), fitted on predictions whose
//! outcome is known. Two numbers, so that little evidence is enough and the order of the scores stays.

/// A rising curve from a score to the probability of being right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    slope: f64,
    shift: f64,
}

impl Default for Calibration {
    /// A score is taken as it is.
    fn default() -> Self {
        Calibration {
            slope: 1.0,
            shift: 0.0,
        }
    }
}

/// How strongly the curve is held to another one; outweighed by some dozens of outcomes.
const HOLD: f64 = 10.0;

impl Calibration {
    /// Fits past predictions: the score, whether it was right, and how much it counts. Few of them move the curve little
    /// away from the one it is held to.
    pub fn fit(outcomes: &[(f32, bool, f32)], held_to: Calibration) -> Calibration {
        let mut fitted = held_to;
        for _ in 0..30 {
            // Newton's method on the logistic loss.
            let (mut g0, mut g1) = (
                HOLD * (fitted.shift - held_to.shift),
                HOLD * (fitted.slope - held_to.slope),
            );
            let (mut h00, mut h01, mut h11) = (HOLD, 0.0, HOLD);
            for (score, is_right, weight) in outcomes {
                let x = log_odds(*score);
                let p = logistic(fitted.slope * x + fitted.shift);
                let weight = f64::from(*weight);
                let error = weight * (p - f64::from(u8::from(*is_right)));
                let curve = weight * p * (1.0 - p);
                g0 += error;
                g1 += error * x;
                h00 += curve;
                h01 += curve * x;
                h11 += curve * x * x;
            }
            let determinant = (h00 * h11 - h01 * h01).max(1e-9);
            let (d0, d1) = (
                (h11 * g0 - h01 * g1) / determinant,
                (h00 * g1 - h01 * g0) / determinant,
            );
            fitted.shift -= d0;
            fitted.slope = (fitted.slope - d1).max(0.05);
            if d0.abs() + d1.abs() < 1e-7 {
                break;
            }
        }
        fitted
    }

    /// Returns the probability of a score.
    pub fn probability(&self, score: f32) -> f32 {
        logistic(self.slope * log_odds(score) + self.shift) as f32
    }
}

fn log_odds(score: f32) -> f64 {
    let score = f64::from(score).clamp(0.002, 0.998);
    (score / (1.0 - score)).ln()
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(score: f32) -> f32 {
        logistic(0.6 * log_odds(score) - 0.5) as f32
    }

    #[test]
    fn too_sure_scores_become_true_probabilities_and_never_fall() {
        let mut outcomes = Vec::new();
        for n in 0..4_000_u32 {
            let score = n as f32 / 4_000.0;
            // Right less often than the score says.
            let is_right =
                (n.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32 <= truth(score);
            outcomes.push((score, is_right, 1.0));
        }
        let fitted = Calibration::fit(&outcomes, Calibration::default());
        for score in [0.2, 0.5, 0.8, 0.95] {
            let probability = fitted.probability(score);
            assert!(
                (probability - truth(score)).abs() < 0.06,
                "{score} {probability}"
            );
        }
        let all: Vec<f32> = (0..=100)
            .map(|n| fitted.probability(n as f32 / 100.0))
            .collect();
        assert!(all.is_sorted());
        let held = Calibration::fit(&[], fitted);
        assert_eq!(held, fitted, "nothing new changes nothing");
        let few = Calibration::fit(&outcomes[..8], fitted);
        assert!((few.probability(0.5) - fitted.probability(0.5)).abs() < 0.1);
    }
}
