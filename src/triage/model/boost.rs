//! Gradient-boosted trees over the candidates of a ticket: the loss is the softmax over one ticket's candidates.
//!
//! Histograms over at most 64 bins a feature, leaves grown best first, second-order steps as in Friedman (2001) and
//! Chen & Guestrin (2016). No crate at hand boosts a softmax over groups of varying size, and this is all it takes.

use std::thread;

const BINS: usize = 64;
const LEAVES: usize = 16;
const RATE: f32 = 0.06;
/// The share of the features and of the tickets that each tree sees; what one tree misses another one has.
const FEATURES_SEEN: f32 = 0.5;
const GROUPS_SEEN: f32 = 0.7;
/// The least second-order weight of a leaf, and what every leaf's is raised by.
const LEAST_WEIGHT: f32 = 4.0;
const SHRINK: f32 = 2.0;

/// Candidates of one ticket: rows of features, and which of them was right.
#[derive(Clone, Debug)]
pub struct Group {
    /// One row a candidate, all of the same length.
    pub rows: Vec<Vec<f32>>,
    /// The row of the true owner.
    pub owner: usize,
}

#[derive(Clone, Debug)]
enum Node {
    Split {
        feature: usize,
        upto: f32,
        left: usize,
        right: usize,
    },
    Leaf(f32),
}

/// A fitted model.
#[derive(Clone, Debug, Default)]
pub struct Boosted {
    trees: Vec<Vec<Node>>,
}

impl Boosted {
    /// Fits at most `rounds` trees; those after the best round on `check` are dropped.
    pub fn fit(groups: &[Group], check: &[Group], rounds: usize) -> Boosted {
        let mut data = Data::new(groups);
        let mut model = Boosted::default();
        let mut held: Vec<Vec<f32>> = check
            .iter()
            .map(|group| vec![0.0; group.rows.len()])
            .collect();
        let (mut best, mut best_at) = (f32::MAX, 0);
        for round in 0..rounds {
            data.gradients();
            let tree = data.grow();
            data.apply(&tree, groups);
            for (scores, group) in held.iter_mut().zip(check) {
                for (score, row) in scores.iter_mut().zip(&group.rows) {
                    *score += value(&tree, row);
                }
            }
            model.trees.push(tree);
            if !check.is_empty() {
                let loss: f32 = held
                    .iter()
                    .zip(check)
                    .map(|(scores, group)| {
                        -super::text::softmax(scores.iter().copied())[group.owner]
                            .max(1e-9)
                            .ln()
                    })
                    .sum();
                if loss < best {
                    (best, best_at) = (loss, round + 1);
                } else if round >= best_at + 25 {
                    break;
                }
            }
        }
        if !check.is_empty() {
            model.trees.truncate(best_at);
        }
        model
    }

    /// Returns a row's score; the softmax over a ticket's candidates gives their probabilities.
    pub fn score(&self, row: &[f32]) -> f32 {
        self.trees.iter().map(|tree| value(tree, row)).sum()
    }

    /// Returns of how many trees it is.
    pub fn rounds(&self) -> usize {
        self.trees.len()
    }

    /// Returns whether nothing was fitted yet.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }
}

fn value(tree: &[Node], row: &[f32]) -> f32 {
    let mut at = 0;
    loop {
        match &tree[at] {
            Node::Leaf(value) => return *value,
            Node::Split {
                feature,
                upto,
                left,
                right,
            } => {
                at = if row[*feature] <= *upto {
                    *left
                } else {
                    *right
                };
            }
        }
    }
}

/// Sums of the first and second derivative, bin by bin.
type Histogram = [[f32; 2]; BINS];

struct Leaf {
    at: usize,
    rows: Vec<u32>,
    histograms: Vec<Histogram>,
    best: Option<Best>,
}

/// The rows in bins, feature by feature.
struct Data {
    edges: Vec<Vec<f32>>,
    bins: Vec<Vec<u8>>,
    groups: Vec<(usize, usize, usize)>,
    scores: Vec<f32>,
    /// First and second derivative of the loss, row by row.
    steps: Vec<[f32; 2]>,
    features: Vec<usize>,
    random: u64,
}

#[derive(Clone, Copy, Debug)]
struct Best {
    gain: f32,
    feature: usize,
    bin: usize,
}

impl Data {
    fn new(groups: &[Group]) -> Data {
        let count: usize = groups.iter().map(|group| group.rows.len()).sum();
        let features = groups.first().map_or(0, |group| group.rows[0].len());
        let mut places = Vec::with_capacity(groups.len());
        let mut start = 0;
        for group in groups {
            places.push((start, group.rows.len(), group.owner));
            start += group.rows.len();
        }
        let (mut edges, mut bins) = (Vec::new(), Vec::new());
        for feature in 0..features {
            let column: Vec<f32> = groups
                .iter()
                .flat_map(|group| group.rows.iter().map(|row| row[feature]))
                .collect();
            let cuts = cuts_of(&column);
            bins.push(
                column
                    .iter()
                    .map(|value| cuts.partition_point(|cut| cut < value) as u8)
                    .collect(),
            );
            edges.push(cuts);
        }
        Data {
            edges,
            bins,
            groups: places,
            scores: vec![0.0; count],
            steps: vec![[0.0; 2]; count],
            features: (0..features).collect(),
            random: 1,
        }
    }

    fn gradients(&mut self) {
        for (start, length, owner) in &self.groups {
            let shares = super::text::softmax(self.scores[*start..start + length].iter().copied());
            for (n, share) in shares.into_iter().enumerate() {
                let truth = if n == *owner { 1.0 } else { 0.0 };
                self.steps[start + n] = [share - truth, (share * (1.0 - share)).max(1e-6)];
            }
        }
    }

    fn grow(&mut self) -> Vec<Node> {
        let all = self.draw();
        let sums = self.sums(&all);
        let mut nodes = vec![Node::Leaf(leaf_value(sums))];
        let histograms = self.histograms(&all);
        let best = self.best_split(&histograms, sums);
        let mut open = vec![Leaf {
            at: 0,
            rows: all,
            histograms,
            best,
        }];
        let mut leaves = 1;
        while leaves < LEAVES {
            let next = open
                .iter()
                .enumerate()
                .filter_map(|(n, leaf)| leaf.best.map(|best| (n, best.gain)))
                .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
            let Some((n, _)) = next else { break };
            let leaf = open.swap_remove(n);
            let Some(best) = leaf.best else { break };
            let bins = &self.bins[best.feature];
            let (left, right): (Vec<u32>, Vec<u32>) = leaf
                .rows
                .into_iter()
                .partition(|row| usize::from(bins[*row as usize]) <= best.bin);
            let (left_at, right_at) = (nodes.len(), nodes.len() + 1);
            nodes[leaf.at] = Node::Split {
                feature: best.feature,
                upto: self.edges[best.feature][best.bin],
                left: left_at,
                right: right_at,
            };
            // The smaller half is counted; the other one is what is left of the whole.
            let is_left_smaller = left.len() < right.len();
            let smaller = self.histograms(if is_left_smaller { &left } else { &right });
            let mut larger = leaf.histograms;
            for (whole, part) in larger.iter_mut().zip(&smaller) {
                for (whole, part) in whole.iter_mut().zip(part) {
                    whole[0] -= part[0];
                    whole[1] -= part[1];
                }
            }
            let (of_left, of_right) = if is_left_smaller {
                (smaller, larger)
            } else {
                (larger, smaller)
            };
            for (at, rows, histograms) in [(left_at, left, of_left), (right_at, right, of_right)] {
                let sums = self.sums(&rows);
                nodes.push(Node::Leaf(leaf_value(sums)));
                open.push(Leaf {
                    at,
                    best: self.best_split(&histograms, sums),
                    rows,
                    histograms,
                });
            }
            leaves += 1;
        }
        nodes
    }

    fn apply(&mut self, tree: &[Node], groups: &[Group]) {
        let rows = groups.iter().flat_map(|group| &group.rows);
        for (score, row) in self.scores.iter_mut().zip(rows) {
            *score += value(tree, row);
        }
    }

    /// Draws the tickets and the features that the next tree sees.
    fn draw(&mut self) -> Vec<u32> {
        let mut random = self.random;
        let mut next = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 40) as f32 / (1_u64 << 24) as f32
        };
        self.features = (0..self.bins.len())
            .filter(|_| next() < FEATURES_SEEN)
            .collect();
        let mut rows = Vec::with_capacity(self.scores.len());
        for (start, length, ..) in &self.groups {
            if next() < GROUPS_SEEN {
                rows.extend(*start as u32..(start + length) as u32);
            }
        }
        self.random = random;
        rows
    }

    fn sums(&self, rows: &[u32]) -> (f32, f32) {
        rows.iter().fold((0.0, 0.0), |(slope, curve), row| {
            let [own_slope, own_curve] = self.steps[*row as usize];
            (slope + own_slope, curve + own_curve)
        })
    }

    /// Returns the sums of each bin of each drawn feature; two threads share a large leaf.
    fn histograms(&self, rows: &[u32]) -> Vec<Histogram> {
        let count = |features: &[usize]| -> Vec<Histogram> {
            features
                .iter()
                .map(|feature| {
                    let bins = &self.bins[*feature];
                    let mut sums = [[0.0_f32; 2]; BINS];
                    for row in rows {
                        let row = *row as usize;
                        let [slope, curve] = self.steps[row];
                        let sum = &mut sums[usize::from(bins[row])];
                        sum[0] += slope;
                        sum[1] += curve;
                    }
                    sums
                })
                .collect()
        };
        if rows.len() < 4_000 {
            return count(&self.features);
        }
        let (first, second) = self.features.split_at(self.features.len() / 2);
        thread::scope(|scope| {
            let second = scope.spawn(|| count(second));
            let mut all = count(first);
            all.extend(second.join().unwrap_or_default());
            all
        })
    }

    /// Returns the split of a leaf that lowers the loss most.
    fn best_split(&self, histograms: &[Histogram], (slope, curve): (f32, f32)) -> Option<Best> {
        let gain_of = |slope: f32, curve: f32| slope * slope / (curve + SHRINK);
        let whole = gain_of(slope, curve);
        let mut best: Option<Best> = None;
        for (feature, sums) in self.features.iter().zip(histograms) {
            let (mut left_slope, mut left_curve) = (0.0, 0.0);
            for (bin, sum) in sums.iter().enumerate().take(self.edges[*feature].len()) {
                left_slope += sum[0];
                left_curve += sum[1];
                let (right_slope, right_curve) = (slope - left_slope, curve - left_curve);
                if left_curve < LEAST_WEIGHT || right_curve < LEAST_WEIGHT {
                    continue;
                }
                let gain =
                    gain_of(left_slope, left_curve) + gain_of(right_slope, right_curve) - whole;
                if gain > 0.01 && best.is_none_or(|best| gain > best.gain) {
                    best = Some(Best {
                        gain,
                        feature: *feature,
                        bin,
                    });
                }
            }
        }
        best
    }
}

fn leaf_value((slope, curve): (f32, f32)) -> f32 {
    -RATE * slope / (curve + SHRINK)
}

/// Returns at most `BINS - 1` cuts between the values of a column, about as many rows in each bin.
fn cuts_of(column: &[f32]) -> Vec<f32> {
    let mut sorted = column.to_vec();
    sorted.sort_by(f32::total_cmp);
    let mut cuts: Vec<f32> = (1..BINS)
        .filter_map(|n| sorted.get(n * sorted.len() / BINS).copied())
        .collect();
    cuts.dedup();
    // Rare values stand at the ends: the whole of what lies above the most common value must not be one bin.
    if let Some(last) = sorted.last()
        && cuts.last() == Some(last)
    {
        cuts.pop();
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(count: usize, seed: u64) -> Vec<Group> {
        let mut random = seed;
        let mut next = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 40) as f32 / (1 << 24) as f32
        };
        (0..count)
            .map(|_| {
                let rows: Vec<Vec<f32>> = (0..5).map(|_| vec![next(), next(), next()]).collect();
                // Right is who has most of the first, unless the second says no; the third is noise.
                let worth = |row: &Vec<f32>| row[0] - if row[1] > 0.7 { 2.0 } else { 0.0 };
                let owner = (0..5)
                    .max_by(|a, b| worth(&rows[*a]).total_cmp(&worth(&rows[*b])))
                    .unwrap_or(0);
                Group { rows, owner }
            })
            .collect()
    }

    #[test]
    fn an_interaction_is_learned_and_holds_on_what_was_not_seen() {
        let model = Boosted::fit(&groups(1_500, 1), &groups(200, 2), 80);
        let unseen = groups(500, 3);
        let right = unseen
            .iter()
            .filter(|group| {
                let best = (0..5).max_by(|a, b| {
                    model
                        .score(&group.rows[*a])
                        .total_cmp(&model.score(&group.rows[*b]))
                });
                best == Some(group.owner)
            })
            .count();
        assert!(right > 425, "{right} of 500");
    }
}
