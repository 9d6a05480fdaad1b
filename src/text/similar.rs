//! How much two texts share, for cross-posts and quotes of quotes.

/// Hashes kept of a text: the smallest of its word pairs.
const SKETCH: usize = 64;

/// A text's smallest shingle hashes; two sketches compare in a few hundred steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Sorted, at most [`SKETCH`].
    hashes: Vec<u32>,
    is_whole: bool,
}

impl Sketch {
    /// Returns the sketch of a text: hashes of neighboring word pairs, case and punctuation aside.
    pub fn new(text: &str) -> Self {
        let mut hashes = Vec::with_capacity(text.len() / 6);
        let mut before = 0u32;
        for word in text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
        {
            let hash = hash_of(word);
            hashes.push(before.rotate_left(5).wrapping_mul(0x9E37_79B1) ^ hash);
            before = hash;
        }
        hashes.sort_unstable();
        hashes.dedup();
        let is_whole = hashes.len() <= SKETCH;
        hashes.truncate(SKETCH);
        Self { hashes, is_whole }
    }

    /// Returns the estimated share of common shingles, 0 to 1.
    pub fn similarity(&self, other: &Self) -> f32 {
        if self.hashes.is_empty() || other.hashes.is_empty() {
            return 0.0;
        }
        let limit = if self.is_whole && other.is_whole {
            usize::MAX
        } else {
            SKETCH
        };
        let (mut a, mut b, mut common, mut seen) = (0, 0, 0, 0);
        while (a < self.hashes.len() || b < other.hashes.len()) && seen < limit {
            match (self.hashes.get(a), other.hashes.get(b)) {
                (Some(left), Some(right)) if left == right => {
                    common += 1;
                    a += 1;
                    b += 1;
                }
                (Some(left), Some(right)) if left < right => a += 1,
                (Some(_), None) => a += 1,
                _ => b += 1,
            }
            seen += 1;
        }
        common as f32 / seen as f32
    }
}

/// Returns how much two texts share, 0 to 1.
pub fn similarity(a: &str, b: &str) -> f32 {
    Sketch::new(a).similarity(&Sketch::new(b))
}

/// Returns the FNV-1a hash of a word in lower case.
fn hash_of(word: &str) -> u32 {
    let mut hash = 0x811C_9DC5u32;
    for c in word.chars().flat_map(char::to_lowercase) {
        hash = (hash ^ c as u32).wrapping_mul(0x0100_0193);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::similarity;

    #[test]
    fn a_cross_post_is_recognized_and_a_reply_is_not() {
        let post = "The staging database moves to the new host on Thursday at ten, expect an hour of downtime.";
        let cross = "FYI: the staging database moves to the new host on Thursday at ten, expect an hour of downtime!";
        assert_eq!(similarity(post, post), 1.0);
        assert!(similarity(post, cross) > 0.8);
        assert!(
            similarity(
                post,
                "Will the staging database be read-only before the move?"
            ) < 0.3
        );
        assert_eq!(similarity(post, ""), 0.0);
    }
}
