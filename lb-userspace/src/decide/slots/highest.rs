//! The highest of many hashes, which is most of the work of a table with servers down.

use lb_common::ring::mix;

/// The highest hash, and where it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Highest {
    /// The hash.
    pub hash: u64,
    /// The index of the last number that has it.
    pub index: usize,
}

/// Of the hashes of these numbers with a slot's, the highest; `None`: there are no numbers.
pub(super) fn highest(numbers: &[u64], slot: u64) -> Option<Highest> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
        // SAFETY: this CPU has the instructions.
        return unsafe { by_blocks(numbers, slot) };
    }
    one_by_one(numbers, slot)
}

fn one_by_one(numbers: &[u64], slot: u64) -> Option<Highest> {
    let mut highest = Highest { hash: 0, index: 0 };
    for (index, number) in numbers.iter().enumerate() {
        let hash = mix(slot ^ number);
        if hash >= highest.hash {
            highest = Highest { hash, index };
        }
    }
    (!numbers.is_empty()).then_some(highest)
}

/// The same with eight multiplications at a time: first the highest of each block alone, which the compiler turns into
/// vector instructions, then its place in the block. Four times as fast; no other extension pays.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn by_blocks(numbers: &[u64], slot: u64) -> Option<Highest> {
    const BLOCK: usize = 128;
    let (mut highest, mut block) = (0, &numbers[..0]);
    let mut first = 0;
    for (start, candidate) in (0..).step_by(BLOCK).zip(numbers.chunks(BLOCK)) {
        let hash = candidate.iter().fold(0, |highest: u64, number| highest.max(mix(slot ^ number)));
        if hash >= highest {
            (highest, block, first) = (hash, candidate, start);
        }
    }
    let Highest { hash, index } = one_by_one(block, slot)?;
    Some(Highest { hash, index: first + index })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        /// Whatever the CPU, and with the same number several times.
        #[test]
        fn every_way_finds_the_same(numbers in vec(any::<u64>(), 0..600), again in vec(any::<usize>(), 0..4), slot: u64) {
            let mut numbers = numbers;
            for place in again.into_iter().filter(|_| !numbers.is_empty()).collect::<Vec<_>>() {
                numbers.push(numbers[place % numbers.len()]);
            }
            let hashes = numbers.iter().map(|number| mix(slot ^ number));
            let expected = hashes.enumerate().max_by_key(|(_, hash)| *hash).map(|(index, hash)| Highest { hash, index });
            prop_assert_eq!(one_by_one(&numbers, slot), expected);
            prop_assert_eq!(highest(&numbers, slot), expected);
        }
    }
}
