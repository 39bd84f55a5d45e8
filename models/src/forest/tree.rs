//! One tree and how rows walk down it.

use serde::{Deserialize, Serialize};

use super::codes::Code;

/// One node in eight bytes. A row goes to `child` where its code is at most `threshold`, else to `child + 1`. A leaf is its own
/// child and has the largest threshold, so that a row that has arrived stays: walking needs no branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) feature: u16,
    pub(crate) threshold: u16,
    pub(crate) child: u32,
}

impl Node {
    /// Where a row goes that has `code` for the node's feature.
    #[inline]
    fn next<C: Code>(self, code: C) -> u32 {
        self.child + u32::from(code.index() > self.threshold as usize)
    }
}

/// A fitted tree; the root is node 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// Mean target of every node on the scale −1 … 1; read at leaves only.
    pub(crate) values: Vec<f32>,
}

/// Rows that walk down together: enough to hide the latency of a load, few enough for registers and first-level cache.
pub(crate) const ABREAST: usize = 16;

impl Tree {
    /// Appends a leaf, returns its number.
    #[allow(clippy::cast_possible_truncation)] // twice MAX_ROWS nodes at most
    pub(crate) fn push_leaf(&mut self, value: f32) -> u32 {
        let number = self.nodes.len() as u32;
        self.nodes.push(Node { feature: 0, threshold: u16::MAX, child: number });
        self.values.push(value);
        number
    }

    /// True where node `number` is a leaf.
    pub(crate) fn is_leaf(&self, number: usize) -> bool {
        self.nodes[number].child as usize == number
    }

    /// Values of the leaves that [`ABREAST`] rows reach. `WIDTH` is a power of two above every feature's number, so that masking
    /// a feature changes nothing and spares the bounds check.
    #[inline]
    pub(crate) fn walk<C: Code, const WIDTH: usize>(&self, rows: &[[C; WIDTH]; ABREAST]) -> [f32; ABREAST] {
        let nodes = self.nodes.as_slice();
        let mut at = [0_u32; ABREAST];
        loop {
            // Looking for the end at every fourth level only costs less than the three levels it may walk in vain.
            for _ in 0..3 {
                for (at, codes) in at.iter_mut().zip(rows) {
                    *at = nodes[*at as usize].next(codes[nodes[*at as usize].feature as usize & (WIDTH - 1)]);
                }
            }
            let mut moved = 0;
            for (at, codes) in at.iter_mut().zip(rows) {
                let next = nodes[*at as usize].next(codes[nodes[*at as usize].feature as usize & (WIDTH - 1)]);
                moved |= next ^ *at;
                *at = next;
            }
            if moved == 0 {
                return at.map(|leaf| self.values[leaf as usize]);
            }
        }
    }

    /// Value of the leaf that one row reaches.
    #[inline]
    pub(crate) fn walk_one<C: Code>(&self, codes: &[C]) -> f32 {
        let mut at = 0;
        loop {
            let node = self.nodes[at as usize];
            let next = node.next(codes[node.feature as usize]);
            if next == at {
                return self.values[at as usize];
            }
            at = next;
        }
    }
}
