//! The five loops around the micro-kernel.

use std::ops::Range;

use super::knobs::{LoopOrder, Plan};
use crate::devices::cpu::micro::{Isa, Kernels, PanelRun, Real, Shape, Strided, Tile, pack, packed_len, prefetch_far};
use crate::devices::cpu::{CpuIo, CpuProgram, CpuSource, Team};
use crate::families::dense::{Addend, Gemm, View, gemm_view};
use crate::{Config, DeviceError, Dtype, Misfit, Problem, Tensor};

pub(super) struct Source;

impl CpuSource for Source {
    fn prepare(&self, problem: &Problem, config: &Config, _operands: &[Tensor]) -> Result<Box<dyn CpuProgram>, DeviceError> {
        let (gemm, plan) = (Gemm::of(problem), Plan::of(config));
        Ok(match gemm.dtype {
            Dtype::F32 => Box::new(Program::<f32>::new(gemm, plan)?),
            Dtype::F64 => Box::new(Program::<f64>::new(gemm, plan)?),
            other => return Err(Misfit::new(format!("no CPU kernel for `{other}`")).into()),
        })
    }
}

struct Program<T: 'static> {
    gemm: Gemm,
    plan: Plan,
    kernels: &'static Kernels<T>,
    layout: Scratch,
}

/// Where packed panels lie in the scratch memory, in elements: B first, then one block of A per rank.
#[derive(Clone, Copy)]
struct Scratch {
    first_a: usize,
    each_a: usize,
    total: usize,
}

impl Scratch {
    fn new(gemm: &Gemm, plan: &Plan, lanes: usize) -> Self {
        let (mc, nc, kc) = (plan.tile_m.min(gemm.m), plan.tile_n.min(gemm.n), plan.tile_k.min(gemm.k));
        // Whole 4 KiB pages of f32 keep every block aligned to cache lines.
        let first_a = packed_len(nc, kc, plan.micro_n, lanes).next_multiple_of(1024);
        let each_a = packed_len(mc, kc, plan.micro_m, 1).next_multiple_of(1024);
        Self { first_a, each_a, total: first_a + plan.threads * each_a }
    }
}

impl<T: Real> Program<T> {
    fn new(gemm: Gemm, plan: Plan) -> Result<Self, DeviceError> {
        let kernels = T::kernels(plan.isa).ok_or_else(|| missing(plan.isa))?;
        let layout = Scratch::new(&gemm, &plan, kernels.lanes);
        Ok(Self { gemm, plan, kernels, layout })
    }
}

fn missing(isa: Isa) -> Misfit {
    Misfit::new(format!("`isa={isa}` is not on this processor"))
}

/// Scratch bytes of one call.
pub(super) fn scratch_bytes(gemm: &Gemm, plan: &Plan, lanes: usize) -> usize {
    Scratch::new(gemm, plan, lanes).total * usize::try_from(gemm.dtype.bytes()).expect("4 or 8")
}

impl<T: Real> CpuProgram for Program<T> {
    fn run(&mut self, io: &mut CpuIo<'_>) {
        let team = io.team;
        let scratch = T::scratch(io.scratch);
        assert!(scratch.len() >= self.layout.total, "scratch was sized by `scratch_bytes`");
        let scratch = scratch.as_mut_ptr();
        let view = gemm_view::<T>(&self.gemm, io);
        let call = Call::new(self, view, scratch);
        if self.plan.threads == 1 { call.alone() } else { call.together(team) }
    }
    fn scratch_bytes(&self) -> usize {
        self.layout.total * size_of::<T>()
    }
    fn threads(&self) -> usize {
        self.plan.threads
    }
}

/// One call: raw pointers, so that ranks can write disjoint parts of D and of the scratch memory at once.
struct Call<'a, T: 'static> {
    program: &'a Program<T>,
    a: *const T,
    a_strides: (usize, usize),
    b: *const T,
    b_strides: (usize, usize),
    addend: Option<Addend<'a, T>>,
    alpha: T,
    d: *mut T,
    d_ld: usize,
    packed_b: *mut T,
    split: Split,
}

// SAFETY: ranks read A, B and C, and write only their own rows or columns of D, their own panels of B and their own block of A.
unsafe impl<T: Real> Sync for Call<'_, T> {}

/// What the ranks share out.
#[derive(Clone, Copy)]
enum Split {
    Rows,
    Cols,
}

/// A block of the loops over n and k.
#[derive(Clone)]
struct Block {
    cols: Range<usize>,
    depth: Range<usize>,
    /// Leading columns of the block that no one has packed: the micro-kernels that read them first, in the rows from 0 on, do.
    unpacked: usize,
}

/// `0..size` in steps of `step`; one empty block where `size` is 0, so that alpha·0 + beta·C is still written.
fn blocks(size: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..size.max(1)).step_by(step.max(1)).map(move |start| start..size.min(start + step))
}

/// The share of `rank` when `0..size` is dealt out in whole panels of `width`.
fn share(size: usize, width: usize, (rank, ranks): (usize, usize)) -> Range<usize> {
    let panels = size.div_ceil(width);
    let edge = |rank: usize| (panels * rank / ranks * width).min(size);
    edge(rank)..edge(rank + 1)
}

impl<'a, T: Real> Call<'a, T> {
    fn new(program: &'a Program<T>, view: View<'a, T>, packed_b: *mut T) -> Self {
        let (m, n, _) = view.size;
        let plan = &program.plan;
        let split = if m.div_ceil(plan.micro_m) >= n.div_ceil(plan.micro_n) { Split::Rows } else { Split::Cols };
        Self {
            program,
            a: view.a.as_ptr(),
            a_strides: view.a_strides,
            b: view.b.as_ptr(),
            b_strides: view.b_strides,
            addend: view.addend,
            alpha: view.alpha,
            d: view.d.as_mut_ptr(),
            d_ld: view.d_ld,
            packed_b,
            split,
        }
    }

    fn blocks(&self) -> impl Iterator<Item = Block> + use<'_, 'a, T> {
        let (gemm, plan) = (&self.program.gemm, &self.program.plan);
        blocks(gemm.n, plan.tile_n)
            .flat_map(move |cols| blocks(gemm.k, plan.tile_k).map(move |depth| Block { cols: cols.clone(), depth, unpacked: 0 }))
    }

    /// Where rows of B lie next to each other, whole panels are packed by the micro-kernels that read them first: copying them before took 3 to 6 % at n = 256.
    fn alone(&self) {
        let width = self.program.plan.micro_n;
        for mut block in self.blocks() {
            if self.b_strides.1 == 1 {
                block.unpacked = block.cols.len() / width * width;
            }
            self.pack_b(&block, block.unpacked..block.cols.len());
            self.multiply(&block, (0, 1));
        }
    }

    /// As [`Call::alone`], with every rank done packing before one multiplies: the end of a job is the barrier.
    fn together(&self, team: &Team) {
        let (ranks, width) = (self.program.plan.threads.min(team.size()), self.program.plan.micro_n);
        for block in self.blocks() {
            team.run(ranks, &|rank| self.pack_b(&block, share(block.cols.len(), width, (rank, ranks))));
            team.run(ranks, &|rank| self.multiply(&block, (rank, ranks)));
        }
    }

    /// Packs `lanes`, columns of the block from a whole panel on.
    fn pack_b(&self, block: &Block, lanes: Range<usize>) {
        let (row, col) = self.b_strides;
        let from = Strided { start: self.b_at(block, lanes.start), lane: col, depth: row };
        let (width, depth) = (self.program.plan.micro_n, block.depth.len());
        // SAFETY: the block lies within B; panels before `lanes.start` fill `lanes.start·depth` elements.
        unsafe {
            pack(from, (lanes.len(), depth), (width, self.program.kernels.lanes), self.packed_b.add(lanes.start * depth));
        }
    }

    /// B at column `j` of the block.
    fn b_at(&self, block: &Block, j: usize) -> *const T {
        self.b.wrapping_add(block.depth.start * self.b_strides.0 + (block.cols.start + j) * self.b_strides.1)
    }

    fn multiply(&self, block: &Block, rank: (usize, usize)) {
        let (gemm, plan) = (&self.program.gemm, &self.program.plan);
        let (rows, cols) = match self.split {
            Split::Rows => (share(gemm.m, plan.micro_m, rank), 0..block.cols.len()),
            Split::Cols => (0..gemm.m, share(block.cols.len(), plan.micro_n, rank)),
        };
        if rows.is_empty() || cols.is_empty() {
            return;
        }
        let layout = &self.program.layout;
        // SAFETY: the scratch memory holds `threads` blocks of A behind B.
        let packed_a = unsafe { self.packed_b.add(layout.first_a + rank.0 * layout.each_a) };
        let (row, col) = self.a_strides;
        for part in rows.clone().step_by(plan.tile_m).map(|start| start..rows.end.min(start + plan.tile_m)) {
            let start = self.a.wrapping_add(part.start * row + block.depth.start * col);
            let from = Strided { start, lane: row, depth: col };
            // SAFETY: the part lies within A and fills at most one block of the scratch memory.
            unsafe { pack(from, (part.len(), block.depth.len()), (plan.micro_m, 1), packed_a) };
            self.panels(block, &part, &cols, packed_a);
        }
    }

    /// All micro-tiles of `rows × cols` (columns within the block). No division is left to a tile: one takes as long as a twentieth of its products.
    fn panels(&self, block: &Block, rows: &Range<usize>, cols: &Range<usize>, packed_a: *const T) {
        let plan = &self.program.plan;
        let (mr, nr) = (plan.micro_m, plan.micro_n);
        let table = self.kernels_for(rows.len(), cols.len());
        let first = if rows.start == 0 { block.unpacked } else { 0 };
        let one = |i: usize, j: usize| {
            let shape = table[usize::from(rows.len() - i < mr)][usize::from(cols.end - j < nr)];
            let in_place = i == 0 && j < first;
            self.micro(
                block,
                (rows.start + i, i, mr.min(rows.len() - i)),
                (j, nr.min(cols.end - j)),
                (packed_a, shape, in_place),
            );
        };
        match plan.loop_order {
            LoopOrder::JrIr => {
                let tiles = rows.len().div_ceil(mr);
                cols.clone().step_by(nr).for_each(|j| {
                    let mut next = self.next_panel(block, j + nr, (j + nr < first, tiles));
                    (0..rows.len()).step_by(mr).for_each(|i| {
                        next.ask();
                        one(i, j);
                    });
                });
            }
            LoopOrder::IrJr => (0..rows.len()).step_by(mr).for_each(|i| cols.clone().step_by(nr).for_each(|j| one(i, j))),
        }
    }

    /// The panel of B at column `j`, to be asked for in `tiles` parts: it comes from the last level, and its latency would otherwise be paid at its first tile.
    fn next_panel(&self, block: &Block, j: usize, (in_place, tiles): (bool, usize)) -> Ahead<T> {
        let (nr, depth) = (self.program.plan.micro_n, block.depth.len());
        if in_place {
            Ahead { at: self.b_at(block, j), rows: depth.div_ceil(tiles), row: nr, step: self.b_strides.0 }
        } else {
            let row = (nr * depth).div_ceil(tiles).next_multiple_of(LINE / size_of::<T>());
            Ahead { at: self.packed_b.wrapping_add(j * depth), rows: 1, row, step: row }
        }
    }

    /// Kernels for whole and ragged rows × whole and ragged columns, with the width of their panels of B.
    fn kernels_for(&self, rows: usize, cols: usize) -> [[(&'static Shape<T>, usize); 2]; 2] {
        let (kernels, plan) = (self.program.kernels, &self.program.plan);
        let ragged = |size: usize, full: usize| if size.is_multiple_of(full) { full } else { size % full };
        let get = |mr: usize, nr: usize| {
            let width = nr.next_multiple_of(kernels.lanes);
            (kernels.shape(mr, width).expect("tables hold all smaller shapes"), width)
        };
        let (mr, nr) = (plan.micro_m, plan.micro_n);
        [mr, ragged(rows, mr)].map(|mr| [nr, ragged(cols, nr)].map(|nr| get(mr, nr)))
    }

    #[inline(always)]
    fn micro(
        &self,
        block: &Block,
        (row, i, rows): (usize, usize, usize),
        (j, cols): (usize, usize),
        (packed_a, (shape, width), in_place): (*const T, (&Shape<T>, usize), bool),
    ) {
        let k = block.depth.len();
        let d = self.d.wrapping_add(row * self.d_ld + block.cols.start + j);
        let (beta, c, c_ld) = match self.addend {
            _ if block.depth.start > 0 => (T::ONE, d.cast_const(), self.d_ld),
            Some(Addend { beta, c, ld }) => (beta, c.as_ptr().wrapping_add(row * ld + block.cols.start + j), ld),
            None => (T::ZERO, d.cast_const(), self.d_ld),
        };
        let packed = self.packed_b.wrapping_add(j * k);
        let (b, b_step) = if in_place { (self.b_at(block, j), self.b_strides.0) } else { (packed.cast_const(), width) };
        let tile = Tile {
            k,
            a: packed_a.wrapping_add(i * k),
            a_step: rows,
            b,
            b_step,
            alpha: self.alpha,
            beta,
            c,
            c_ld,
            d,
            d_ld: self.d_ld,
            cols,
        };
        // SAFETY: `kernels` checked the instruction set; the tile lies within D (and C). Panels were packed for exactly these rows and columns, or the panel of
        // B is whole and read in place, and the scratch memory has room for it.
        unsafe {
            if in_place {
                (shape.run)(&tile, PanelRun { count: 1, b_step: 0, d_step: 0, packed });
            } else {
                (shape.call)(&tile);
            }
        }
    }
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// Memory to ask for part by part: each so many rows of so many elements, `step` apart.
struct Ahead<T> {
    at: *const T,
    rows: usize,
    row: usize,
    step: usize,
}

impl<T> Ahead<T> {
    /// Asks for the next part.
    #[inline(always)]
    fn ask(&mut self) {
        for _ in 0..self.rows {
            (0..self.row).step_by(LINE / size_of::<T>()).for_each(|at| prefetch_far(self.at.wrapping_add(at)));
            self.at = self.at.wrapping_add(self.step);
        }
    }
}
