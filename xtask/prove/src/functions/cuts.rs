//! Where rounds of a function may begin: where its loops do; and where it has none, at any branch, since the compiler
//! may have written all rounds one behind the other.

use std::collections::{BTreeSet, HashSet};

use crate::{image::Image, insn::Operation};

/// By the numbers of instructions.
pub fn of(image: &Image, first: usize) -> HashSet<usize> {
    let heads = loops(image, first);
    if !heads.is_empty() {
        return heads;
    }
    let is_branch = |number: &usize| matches!(image.code[*number].operation(), Ok(Operation::Jump { .. }));
    reached(image, first).into_iter().filter(is_branch).collect()
}

/// Where an instruction goes on within the function.
fn successors(image: &Image, number: usize) -> Vec<usize> {
    let insn = &image.code[number];
    let behind = number + if insn.is_wide() { 2 } else { 1 };
    let target = (number + 1).wrapping_add_signed(insn.off.into());
    let found = match insn.operation() {
        Ok(Operation::Exit) | Err(_) => vec![],
        Ok(Operation::Goto) => vec![target],
        Ok(Operation::Jump { .. }) => vec![target, behind],
        Ok(_) => vec![behind],
    };
    found.into_iter().filter(|number| *number < image.code.len()).collect()
}

fn reached(image: &Image, first: usize) -> BTreeSet<usize> {
    let (mut found, mut work) = (BTreeSet::new(), vec![first]);
    while let Some(number) = work.pop() {
        if found.insert(number) {
            work.extend(successors(image, number));
        }
    }
    found
}

/// Instructions that a way leads back to, depth first.
fn loops(image: &Image, first: usize) -> HashSet<usize> {
    let (mut heads, mut done, mut on_the_way) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut work = vec![(first, false)];
    while let Some((number, is_left)) = work.pop() {
        if is_left {
            on_the_way.remove(&number);
            continue;
        }
        if on_the_way.contains(&number) {
            heads.insert(number);
            continue;
        }
        if !done.insert(number) {
            continue;
        }
        on_the_way.insert(number);
        work.push((number, true));
        work.extend(successors(image, number).into_iter().map(|next| (next, false)));
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::image;

    const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];
    const fn jump(off: u8) -> [u8; 8] {
        [0x15, 1, off, if off > 127 { 0xff } else { 0 }, 0, 0, 0, 0]
    }
    const SET: [u8; 8] = [0xb7, 1, 0, 0, 0, 0, 0, 0];

    #[test]
    fn rounds_begin_where_loops_do() {
        // Into the middle, and from the end back to there.
        let entered = [[5, 0, 1, 0, 0, 0, 0, 0], SET, jump(1), [5, 0, 0xfd, 0xff, 0, 0, 0, 0], EXIT];
        assert_eq!(of(&image(&entered), 0), HashSet::from([2]));
        // Two ways that lead to one place are no loop.
        assert_eq!(of(&image(&[jump(1), SET, jump(0), EXIT]), 0), HashSet::from([0, 2]));
    }
}
