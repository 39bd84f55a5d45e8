//! Virtual registers → few slots. PTX names a new register for nearly every result; a warp's file stays in the cache only if slots are used again.
//!
//! Liveness is that of one thread's control flow. Each lane has storage of its own, so two registers whose lives do not meet in any thread can share a slot however
//! the lanes of a warp are interleaved.

use super::flow::Block;
use super::op::Inst;
use super::types::Reg;

/// Slots used per class, and the estimate of 32-bit registers a thread needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) slots: [u32; 3],
    pub(crate) estimate: u32,
}

struct Liveness {
    words: usize,
    live_in: Vec<u64>,
    live_out: Vec<u64>,
}

/// Renames all operands in `pool` and guards in `code`.
pub(crate) fn allocate(code: &mut [Inst], pool: &mut [Reg], blocks: &[Block], counts: [u32; 3]) -> Files {
    let base = [0, counts[0], counts[0] + counts[1]];
    let total = counts.iter().sum::<u32>() as usize;
    let number = |reg: Reg| (!reg.is_const()).then(|| base[reg.class() as usize] as usize + reg.index());
    let live = liveness(code, pool, blocks, total, &number, base[2]);
    let (mut start, mut end) = (vec![u32::MAX; total], vec![0u32; total]);
    let mut touch = |reg: usize, at: usize| {
        start[reg] = start[reg].min(at as u32);
        end[reg] = end[reg].max(at as u32);
    };
    for (index, block) in blocks.iter().enumerate() {
        let row = index * live.words..(index + 1) * live.words;
        ones(&live.live_in[row.clone()]).for_each(|r| touch(r, block.first));
        ones(&live.live_out[row]).for_each(|r| touch(r, block.end));
        for (at, inst) in (block.first..).zip(&code[block.first..block.end]) {
            inst.all(pool).iter().filter_map(|&r| number(r)).for_each(|r| touch(r, at));
            if let Some((pred, _)) = inst.guard {
                touch(base[2] as usize + pred as usize, at);
            }
        }
    }
    let (slot, slots) = scan(&start, &end, base);
    for reg in pool.iter_mut() {
        if let Some(n) = number(*reg) {
            *reg = Reg::new(reg.class(), slot[n]);
        }
    }
    for inst in code.iter_mut() {
        if let Some((pred, _)) = &mut inst.guard {
            *pred = slot[base[2] as usize + *pred as usize];
        }
    }
    Files { slots, estimate: slots[0] + 2 * slots[1] }
}

fn liveness(
    code: &[Inst],
    pool: &[Reg],
    blocks: &[Block],
    total: usize,
    number: &impl Fn(Reg) -> Option<usize>,
    preds: u32,
) -> Liveness {
    let words = total.div_ceil(64).max(1);
    let (mut uses, mut defs) = (vec![0u64; words * blocks.len()], vec![0u64; words * blocks.len()]);
    for (index, block) in blocks.iter().enumerate() {
        let (uses, defs) = (&mut uses[index * words..][..words], &mut defs[index * words..][..words]);
        for inst in &code[block.first..block.end] {
            let mut read = |r: usize| {
                if defs[r / 64] >> (r % 64) & 1 == 0 {
                    uses[r / 64] |= 1 << (r % 64);
                }
            };
            inst.srcs(pool).iter().filter_map(|&r| number(r)).for_each(&mut read);
            if let Some((pred, _)) = inst.guard {
                read((preds + pred) as usize);
                // A guarded result keeps its old value where the guard is off.
                inst.dsts(pool).iter().filter_map(|&r| number(r)).for_each(&mut read);
            }
            inst.dsts(pool).iter().filter_map(|&r| number(r)).for_each(|r| defs[r / 64] |= 1 << (r % 64));
        }
    }
    let mut live = Liveness { words, live_in: uses.clone(), live_out: vec![0; words * blocks.len()] };
    let mut changed = true;
    while changed {
        changed = false;
        for (index, block) in blocks.iter().enumerate().rev() {
            for w in 0..words {
                let out = block.next.iter().fold(0, |acc, &n| acc | live.live_in[n * words + w]);
                let at = index * words + w;
                let entry = uses[at] | (out & !defs[at]);
                changed |= entry != live.live_in[at];
                (live.live_out[at], live.live_in[at]) = (out, entry);
            }
        }
    }
    live
}

fn ones(row: &[u64]) -> impl Iterator<Item = usize> + '_ {
    row.iter().enumerate().flat_map(|(w, &bits)| (0..64).filter(move |b| bits >> b & 1 == 1).map(move |b| w * 64 + b))
}

/// Linear scan: a slot is free again after the last place its register is live.
fn scan(start: &[u32], end: &[u32], base: [u32; 3]) -> (Vec<u32>, [u32; 3]) {
    let class = |r: usize| if (r as u32) < base[1] { 0 } else { 1 + usize::from(r as u32 >= base[2]) };
    let mut order: Vec<usize> = (0..start.len()).filter(|&r| start[r] != u32::MAX).collect();
    order.sort_by_key(|&r| (start[r], r));
    let mut slot = vec![0; start.len()];
    let mut slots = [0u32; 3];
    let mut free: [Vec<u32>; 3] = Default::default();
    let mut active = std::collections::BinaryHeap::new();
    for r in order {
        while let Some(&std::cmp::Reverse((until, old))) = active.peek() {
            if until >= start[r] {
                break;
            }
            active.pop();
            let old: usize = old;
            free[class(old)].push(slot[old]);
        }
        let c = class(r);
        slot[r] = free[c].pop().unwrap_or_else(|| {
            slots[c] += 1;
            slots[c] - 1
        });
        active.push(std::cmp::Reverse((end[r], r)));
    }
    (slot, slots)
}
