//! Growing one tree: depth first with an explicit stack, rows partitioned in place.
//!
//! What makes it fast (CPU time at equal R²; `scripts/peers/forest` compares with scikit-learn): codes instead of values, one packed
//! addition per row and feature ([`super::target`]), histograms handed from parent to child while nodes are large
//! ([`super::histogram`]), a feature found constant is never looked at again below, and the smaller child first, so that few
//! histograms wait.

use super::codes::{Code, Levels, Table, middle};
use super::histogram::{Histograms, Layout};
use super::params::{ForestValidParams, Splitter};
use super::target::{Item, Targets};
use super::tree::{Node, Tree};
use crate::rng::Rng;

/// What all trees of a forest share while they grow.
pub(crate) struct Ground<'a, C> {
    pub(crate) table: &'a Table<C>,
    pub(crate) levels: &'a Levels,
    pub(crate) layout: &'a Layout,
    pub(crate) targets: &'a Targets,
    pub(crate) params: &'a ForestValidParams,
}

/// A node waiting to be split.
struct Task {
    node: u32,
    start: usize,
    end: usize,
    depth: usize,
    /// Packed sum of the node's rows.
    total: i64,
    /// Features that still vary, as far as known: `live[live_start..live_end]`.
    live_start: usize,
    live_end: usize,
    histogram: Option<Vec<i64>>,
}

/// A split between codes `low` (goes left) and `high` of one feature, both present in the node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Split {
    pub(crate) feature: u16,
    pub(crate) low: usize,
    pub(crate) high: usize,
    /// Packed sum of the left side.
    pub(crate) left: i64,
}

/// The best split so far; among equals each is kept with the same probability, so that no column order is favoured.
pub(crate) struct Contest {
    pub(crate) best: Option<Split>,
    gain: f64,
    equals: usize,
}

impl Contest {
    pub(crate) fn new() -> Self {
        Self { best: None, gain: f64::NEG_INFINITY, equals: 0 }
    }

    #[inline]
    pub(crate) fn offer(&mut self, gain: f64, split: Split, rng: &mut Rng) {
        if gain > self.gain {
            (self.best, self.gain, self.equals) = (Some(split), gain, 1);
        } else if gain == self.gain {
            self.equals += 1;
            if rng.below(self.equals) == 0 {
                self.best = Some(split);
            }
        }
    }
}

/// A node as the split searches see it.
pub(crate) struct View<'a> {
    pub(crate) items: &'a [Item],
    /// Sum of targets and number of draws over all rows.
    pub(crate) sum: f64,
    pub(crate) weight: f64,
}

/// One tree in the making.
pub(crate) struct Grower<'a, C> {
    pub(crate) ground: &'a Ground<'a, C>,
    pub(crate) rng: Rng,
    items: Vec<Item>,
    tree: Tree,
    stack: Vec<Task>,
    live: Vec<u16>,
    histograms: Histograms,
    /// Features of the node at hand that were seen to vary.
    pub(crate) varying: Vec<u16>,
    pub(crate) scratch: super::search::Scratch,
}

impl<'a, C: Code> Grower<'a, C> {
    pub(crate) fn new(ground: &'a Ground<'a, C>, items: Vec<Item>, rng: Rng) -> Self {
        Self {
            ground,
            rng,
            items,
            tree: Tree::default(),
            stack: Vec::new(),
            live: ground.layout.varying(),
            histograms: Histograms::default(),
            varying: Vec::new(),
            scratch: super::search::Scratch::default(),
        }
    }

    /// Grows the tree to its end.
    pub(crate) fn grow(mut self) -> Tree {
        self.tree.nodes.reserve(2 * self.items.len());
        self.tree.values.reserve(2 * self.items.len());
        let total = self.items.iter().map(|item| item.packed).sum();
        let node = self.tree.push_leaf(self.ground.targets.mean(total));
        let (end, live_end) = (self.items.len(), self.live.len());
        self.stack.push(Task { node, start: 0, end, depth: 0, total, live_start: 0, live_end, histogram: None });
        while let Some(task) = self.stack.pop() {
            self.live.truncate(task.live_end);
            self.visit(task);
        }
        self.tree
    }

    fn visit(&mut self, mut task: Task) {
        let histogram = task.histogram.take();
        if self.must_stop(&task) {
            self.histograms.give_back(histogram);
            return;
        }
        if task.end - task.start == 2 {
            self.histograms.give_back(histogram);
            return self.split_pair(&task);
        }
        let (split, histogram) = self.choose(&task, histogram);
        match split {
            Some(split) => self.apply(&task, split, histogram),
            None => self.histograms.give_back(histogram),
        }
    }

    /// A node is a leaf where it is pure, deep enough, or too small for two leaves.
    fn must_stop(&self, task: &Task) -> bool {
        let items = &self.items[task.start..task.end];
        let first = items[0].rank;
        if items.iter().all(|item| item.rank == first) || self.ground.params.max_depth == Some(task.depth) {
            return true;
        }
        let (_, weight) = self.ground.targets.unpack(task.total);
        #[allow(clippy::cast_precision_loss)]
        let least = 2.0 * self.ground.params.min_leaf as f64;
        weight < least
    }

    fn choose(&mut self, task: &Task, histogram: Option<Vec<i64>>) -> (Option<Split>, Option<Vec<i64>>) {
        self.varying.clear();
        let items = std::mem::take(&mut self.items);
        let live = std::mem::take(&mut self.live);
        let (sum, weight) = self.ground.targets.unpack(task.total);
        let view = View { items: &items[task.start..task.end], sum, weight };
        let features = &live[task.live_start..task.live_end];
        let allowed = self.ground.params.max_features.of(self.ground.layout.features());
        let (split, histogram) = if allowed < self.ground.layout.features() {
            (self.search_some(&view, features, allowed), histogram)
        } else {
            match self.ground.params.splitter {
                Splitter::Random => (self.search_random(&view, features), histogram),
                Splitter::Best => match histogram.or_else(|| self.count(&view, features)) {
                    Some(sums) => (self.search_histogram(&view, features, &sums), Some(sums)),
                    None => (self.search_small(&view, features), None),
                },
            }
        };
        (self.items, self.live) = (items, live);
        (split, histogram)
    }

    /// The node's histogram, where it pays.
    fn count(&mut self, view: &View<'_>, features: &[u16]) -> Option<Vec<i64>> {
        let layout = self.ground.layout;
        layout.pays(view.items.len(), features).then(|| {
            let mut fresh = self.histograms.take(layout);
            layout.fill(&mut fresh, self.ground.table, view.items, features);
            fresh
        })
    }

    /// Two rows with different targets: any feature that tells them apart makes the same two leaves.
    fn split_pair(&mut self, task: &Task) {
        let [a, b] = [self.items[task.start], self.items[task.start + 1]];
        if self.ground.params.min_leaf > 1 && !self.pair_is_heavy(a, b) {
            return;
        }
        let (first, second) = (self.ground.table.row(a.row as usize), self.ground.table.row(b.row as usize));
        let mut contest = Contest::new();
        for &feature in &self.live[task.live_start..task.live_end] {
            let (x, y) = (first[feature as usize].index(), second[feature as usize].index());
            if x != y {
                let left = if x < y { a.packed } else { b.packed };
                contest.offer(0.0, Split { feature, low: x.min(y), high: x.max(y), left }, &mut self.rng);
            }
        }
        if let Some(split) = contest.best {
            self.grow_pair(task, split);
        }
    }

    fn pair_is_heavy(&self, a: Item, b: Item) -> bool {
        #[allow(clippy::cast_precision_loss)]
        let least = self.ground.params.min_leaf as f64;
        [a, b].iter().all(|item| self.ground.targets.unpack(item.packed).1 >= least)
    }

    /// Turns the task's node into a split with two new leaves, returns the left one.
    #[allow(clippy::cast_possible_truncation)] // codes are below 2¹⁶
    fn grow_pair(&mut self, task: &Task, split: Split) -> (u32, usize) {
        let threshold = self.threshold(split);
        let left = self.tree.push_leaf(self.ground.targets.mean(split.left));
        self.tree.push_leaf(self.ground.targets.mean(task.total - split.left));
        self.tree.nodes[task.node as usize] = Node { feature: split.feature, threshold: threshold as u16, child: left };
        (left, threshold)
    }

    /// The last code that goes left: codes up to halfway between the two values that the node has on either side.
    fn threshold(&self, split: Split) -> usize {
        if split.high == split.low + 1 || self.ground.params.splitter == Splitter::Random {
            return split.low;
        }
        let levels = &self.ground.levels[split.feature as usize];
        let cut = middle(levels[split.low], levels[split.high]);
        split.low + levels[split.low + 1..split.high].partition_point(|&level| level <= cut)
    }

    fn apply(&mut self, task: &Task, split: Split, histogram: Option<Vec<i64>>) {
        let (left, threshold) = self.grow_pair(task, split);
        let middle = task.start + self.partition(task, split.feature as usize, threshold);
        let live_start = self.live.len();
        self.live.extend_from_slice(&self.varying);
        let (depth, live_end) = (task.depth + 1, self.live.len());
        let child = |node, start, end, total| Task { node, start, end, depth, total, live_start, live_end, histogram: None };
        let first = child(left, task.start, middle, split.left);
        let second = child(left + 1, middle, task.end, task.total - split.left);
        let (small, large) = if middle - task.start < task.end - middle { (first, second) } else { (second, first) };
        self.push(small, large, histogram);
    }

    /// Puts the smaller child on top of the stack and gives both their histograms where those pay.
    fn push(&mut self, mut small: Task, mut large: Task, histogram: Option<Vec<i64>>) {
        let (layout, features) = (self.ground.layout, self.varying.as_slice());
        if let Some(mut parent) = histogram.filter(|_| layout.pays(large.end - large.start, features)) {
            let mut fresh = self.histograms.take(layout);
            layout.fill(&mut fresh, self.ground.table, &self.items[small.start..small.end], features);
            parent.iter_mut().zip(&fresh).for_each(|(parent, fresh)| *parent -= fresh);
            large.histogram = Some(parent);
            if layout.pays(small.end - small.start, features) {
                small.histogram = Some(fresh);
            } else {
                self.histograms.give_back(Some(fresh));
            }
        }
        self.stack.push(large);
        self.stack.push(small);
    }

    /// Moves the task's rows with codes up to `threshold` to the front, returns how many there are.
    fn partition(&mut self, task: &Task, feature: usize, threshold: usize) -> usize {
        let items = &mut self.items[task.start..task.end];
        let goes_left = |item: &Item| self.ground.table.row(item.row as usize)[feature].index() <= threshold;
        let (mut front, mut back) = (0, items.len());
        while front < back {
            if goes_left(&items[front]) {
                front += 1;
            } else {
                back -= 1;
                items.swap(front, back);
            }
        }
        front
    }
}
