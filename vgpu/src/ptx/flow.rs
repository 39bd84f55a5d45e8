//! Basic blocks and where divergent lanes meet again: the immediate post-dominator of each branch.

use super::op::{Inst, Op};

/// A basic block: instructions `first..end` and the blocks that may follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) first: usize,
    pub(crate) end: usize,
    pub(crate) next: Vec<usize>,
}

/// Splits a function; `tables` are the targets of indexed branches.
pub(crate) fn blocks(code: &[Inst], tables: &[Vec<u32>]) -> Vec<Block> {
    let mut leader = vec![false; code.len() + 1];
    leader[0] = true;
    for (at, inst) in code.iter().enumerate() {
        match inst.op {
            Op::Bra => leader[inst.imm as usize] = true,
            Op::Brx => tables[inst.imm as usize].iter().for_each(|&t| leader[t as usize] = true),
            Op::Exit | Op::Trap | Op::Assert => {}
            _ => continue,
        }
        leader[at + 1] = true;
    }
    let starts: Vec<usize> = (0..code.len()).filter(|&i| leader[i]).collect();
    let mut of = vec![0; code.len() + 1];
    for (block, &start) in starts.iter().enumerate() {
        let end = starts.get(block + 1).copied().unwrap_or(code.len());
        of[start..end].fill(block);
    }
    let block = |(index, &first): (usize, &usize)| {
        let end = starts.get(index + 1).copied().unwrap_or(code.len());
        Block { first, end, next: followers(&code[end - 1], end, code.len(), tables, &of) }
    };
    starts.iter().enumerate().map(block).collect()
}

fn followers(last: &Inst, end: usize, len: usize, tables: &[Vec<u32>], of: &[usize]) -> Vec<usize> {
    let through = end < len;
    let mut next = match last.op {
        Op::Bra => vec![of[last.imm as usize]],
        Op::Brx => tables[last.imm as usize].iter().map(|&t| of[t as usize]).collect(),
        Op::Exit | Op::Trap | Op::Assert => vec![],
        _ => return if through { vec![of[end]] } else { vec![] },
    };
    if last.guard.is_some() && through {
        next.push(of[end]);
    }
    next.sort_unstable();
    next.dedup();
    next
}

/// Immediate post-dominators by Cooper, Harvey and Kennedy's iteration on the reversed graph; `None` where only the end is common.
pub(crate) fn post_dominators(blocks: &[Block]) -> Vec<Option<usize>> {
    let exit = blocks.len();
    let mut before = vec![Vec::new(); exit + 1];
    for (index, block) in blocks.iter().enumerate() {
        if block.next.is_empty() {
            before[exit].push(index);
        }
        block.next.iter().for_each(|&n| before[n].push(index));
    }
    let order = reverse_postorder(exit, &before);
    let mut rank = vec![usize::MAX; exit + 1];
    order.iter().enumerate().for_each(|(r, &b)| rank[b] = r);
    let mut idom = vec![usize::MAX; exit + 1];
    idom[exit] = exit;
    let mut changed = true;
    while changed {
        changed = false;
        for &b in order.iter().skip(1) {
            let next: &[usize] = if blocks[b].next.is_empty() { &[exit] } else { &blocks[b].next };
            let mut known = next.iter().copied().filter(|&n| idom[n] != usize::MAX);
            let Some(first) = known.next() else { continue };
            let new = known.fold(first, |a, n| intersect(a, n, &idom, &rank));
            changed |= idom[b] != new;
            idom[b] = new;
        }
    }
    (0..exit).map(|b| Some(idom[b]).filter(|&d| d < exit)).collect()
}

fn intersect(mut a: usize, mut b: usize, idom: &[usize], rank: &[usize]) -> usize {
    while a != b {
        if rank[a] > rank[b] {
            a = idom[a];
        } else {
            b = idom[b];
        }
    }
    a
}

fn reverse_postorder(root: usize, edges: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; edges.len()];
    let (mut stack, mut out) = (vec![(root, 0)], Vec::new());
    seen[root] = true;
    while let Some((node, at)) = stack.pop() {
        if let Some(&next) = edges[node].get(at) {
            stack.push((node, at + 1));
            if !seen[next] {
                seen[next] = true;
                stack.push((next, 0));
            }
        } else {
            out.push(node);
        }
    }
    out.reverse();
    out
}

/// Fills in `join` of every branch.
pub(crate) fn set_joins(code: &mut [Inst], blocks: &[Block]) {
    let post = post_dominators(blocks);
    for (block, join) in blocks.iter().zip(post) {
        let last = &mut code[block.end - 1];
        if matches!(last.op, Op::Bra | Op::Brx) {
            last.join = join.map_or(u32::MAX, |j| blocks[j].first as u32);
        }
    }
}
