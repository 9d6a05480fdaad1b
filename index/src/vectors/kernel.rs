//! The two inner loops of the scan, in the widest form the processor knows.
//!
//! Each is written once, in plain Rust that the compiler turns into whatever it is allowed to use; the variants allow more.

/// Returns the sum of products of a question's values and a row's.
pub(super) fn dot(asked: &[i16], values: &[u8]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512bw") {
            // SAFETY: the processor has just said that it knows these instructions.
            return unsafe { dot_avx512(asked, values) };
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { dot_avx2(asked, values) };
        }
    }
    dot_plain(asked, values)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512bw")]
fn dot_avx512(asked: &[i16], values: &[u8]) -> i32 {
    use std::arch::x86_64::{
        _mm256_loadu_si256, _mm512_add_epi32, _mm512_cvtepi8_epi16, _mm512_loadu_si512,
        _mm512_madd_epi16, _mm512_reduce_add_epi32, _mm512_setzero_si512,
    };
    let (asked, rest) = asked.as_chunks::<32>();
    let (values, more) = values.as_chunks::<32>();
    let mut sum = _mm512_setzero_si512();
    for (asked, values) in asked.iter().zip(values) {
        // SAFETY: both are 32 elements long, and the loads need no alignment.
        let (asked, values) = unsafe {
            (
                _mm512_loadu_si512(asked.as_ptr().cast()),
                _mm256_loadu_si256(values.as_ptr().cast()),
            )
        };
        sum = _mm512_add_epi32(sum, _mm512_madd_epi16(asked, _mm512_cvtepi8_epi16(values)));
    }
    _mm512_reduce_add_epi32(sum) + dot_plain(rest, more)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_avx2(asked: &[i16], values: &[u8]) -> i32 {
    dot_plain(asked, values)
}

#[inline(always)]
fn dot_plain(asked: &[i16], values: &[u8]) -> i32 {
    asked
        .iter()
        .zip(values)
        .map(|(a, v)| i32::from(*a) * i32::from(*v as i8))
        .sum()
}

/// Counts, for rows of signs that lie side by side, in how many each differs from the question's.
pub(super) fn differing(asked: &[u64], signs: &[u8], out: &mut [u16]) {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512vpopcntdq")
            && std::arch::is_x86_feature_detected!("avx512vl")
        {
            // SAFETY: the processor has just said that it knows these instructions.
            return unsafe { differing_avx512(asked, signs, out) };
        }
        if std::arch::is_x86_feature_detected!("popcnt") {
            // SAFETY: as above.
            return unsafe { differing_popcnt(asked, signs, out) };
        }
    }
    differing_plain(asked, signs, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512vpopcntdq")]
fn differing_avx512(asked: &[u64], signs: &[u8], out: &mut [u16]) {
    differing_plain(asked, signs, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt")]
fn differing_popcnt(asked: &[u64], signs: &[u8], out: &mut [u16]) {
    differing_plain(asked, signs, out);
}

#[inline(always)]
fn differing_plain(asked: &[u64], signs: &[u8], out: &mut [u16]) {
    // The built-in table's length is known, and known lengths need no loop.
    if let Ok(asked) = <&[u64; 8]>::try_from(asked) {
        let (rows, _) = signs.as_chunks::<64>();
        for (out, row) in out.iter_mut().zip(rows) {
            *out = one(asked, row);
        }
    } else {
        for (out, row) in out.iter_mut().zip(signs.chunks_exact(asked.len() * 8)) {
            *out = one(asked, row);
        }
    }
}

#[inline(always)]
fn one(asked: &[u64], row: &[u8]) -> u16 {
    let (words, _) = row.as_chunks::<8>();
    let differ = |(a, s): (&u64, &[u8; 8])| (a ^ u64::from_le_bytes(*s)).count_ones();
    asked.iter().zip(words).map(differ).sum::<u32>() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_loops_gives_the_same() {
        let mut state = 7u64;
        let mut roll = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 33
        };
        for dims in [64, 384, 512, 1024] {
            let asked: Vec<i16> = (0..dims).map(|_| (roll() % 4096) as i16 - 2048).collect();
            let values: Vec<u8> = (0..dims).map(|_| roll() as u8).collect();
            assert_eq!(dot(&asked, &values), dot_plain(&asked, &values));
            let asked: Vec<u64> = (0..dims / 64).map(|_| roll() << 31 ^ roll()).collect();
            let signs: Vec<u8> = (0..dims / 8 * 5).map(|_| roll() as u8).collect();
            let (mut fast, mut slow) = ([0; 5], [0; 5]);
            differing(&asked, &signs, &mut fast);
            for (out, row) in slow.iter_mut().zip(signs.chunks(dims / 8)) {
                let bits = asked.iter().flat_map(|w| w.to_le_bytes()).zip(row);
                *out = bits.map(|(a, b)| (a ^ b).count_ones() as u16).sum();
            }
            assert_eq!(fast, slow);
        }
    }
}
