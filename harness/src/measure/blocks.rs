//! Points that run under the same clocks and power limit stand together in a round: what is changed costs a wait until the board stands still again.

use tilecast_kernels::devices::cuda::power::Wish;

/// `items` by what they ask of the board, in the order in which each is met first; order within is kept.
pub(super) fn blocks<T>(items: Vec<T>, wish: impl Fn(&T) -> Wish) -> Vec<(Wish, Vec<T>)> {
    let mut blocks: Vec<(Wish, Vec<T>)> = Vec::new();
    for item in items {
        let asked = wish(&item);
        match blocks.iter_mut().find(|(known, _)| *known == asked) {
            Some((_, block)) => block.push(item),
            None => blocks.push((asked, vec![item])),
        }
    }
    blocks
}

/// What is sampled next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The reference point.
    Reference,
    /// A point.
    Point(usize),
}

/// The samples of a round over the points of `order`, which stand in the order drawn: block by block, with the reference at the start and the middle of the block whose
/// clocks are its own. Where that block is done, the reference stands alone, first.
pub(super) fn round(order: Vec<usize>, wish: impl Fn(usize) -> Wish, reference: Wish) -> Vec<Asked> {
    let mut blocks = blocks(order, |&i| wish(i));
    if blocks.iter().all(|(known, _)| *known != reference) {
        blocks.insert(0, (reference, Vec::new()));
    }
    let mut asked = Vec::new();
    for (known, points) in blocks {
        let own = known == reference;
        if own && points.is_empty() {
            asked.push(Asked::Reference);
        }
        let half = points.len() / 2;
        for (at, i) in points.into_iter().enumerate() {
            if own && (at == 0 || at == half) {
                asked.push(Asked::Reference);
            }
            asked.push(Asked::Point(i));
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_changes_clocks_once_per_clock_and_the_reference_stands_under_its_own() {
        let clock = |mhz: u32| Wish { clock_mhz: Some(mhz), ..Wish::default() };
        // Even points run at 1200 MHz, odd ones at 1800.
        let wish = |i: usize| clock(if i.is_multiple_of(2) { 1200 } else { 1800 });
        let shown = |order: &[usize], reference: Wish| -> Vec<String> {
            let name = |asked| match asked {
                Asked::Reference => "r".to_owned(),
                Asked::Point(i) => i.to_string(),
            };
            round(order.to_vec(), wish, reference).into_iter().map(name).collect()
        };
        assert_eq!(shown(&[3, 0, 1, 2, 4, 6], clock(1200)).join(" "), "3 1 r 0 2 r 4 6");
        assert_eq!(shown(&[3, 1], clock(1200)).join(" "), "r 3 1");
        assert_eq!(shown(&[0, 1], Wish::default()).join(" "), "r 0 1");
        // Nothing set anywhere: one block, in the order drawn.
        let plain: Vec<Asked> = round(vec![2, 0, 1], |_| Wish::default(), Wish::default());
        assert_eq!(plain, [Asked::Reference, Asked::Point(2), Asked::Reference, Asked::Point(0), Asked::Point(1)]);
    }
}
