//! `gemm_regblock`: packed panels, register blocks, cache blocks: how fast libraries multiply.
//!
//! # Math
//! D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n; D is a matrix of its own. Loops over n (`tile_n`), k (`tile_k`) and m
//! (`tile_m`) cut blocks that are packed into panels; a micro-kernel multiplies a panel of `micro_m` rows by one of `micro_n` columns in
//! registers. The first block of k writes beta·C, later ones add to D.
//!
//! # Work
//! 2mnk FLOP; ragged columns are computed in whole vectors, ragged rows exactly. With MC, NC, KC, MR, NR the knobs and e bytes per element, what
//! enters each level is: L1 e·(mnk/NR + mnk/MC + 2mnk/KC) (with `ir_jr`: mnk/NC and mnk/MR), L2 e·(mnk/NC + mnk/MC + 2mnk/KC), L3 and memory
//! e·(mnk/NC + nk + 2mnk/KC), the last term less one read where beta is 0. On a GPU ragged edges cost whole tiles and whole steps; shared memory
//! is read e·mnk·(1/`thread_n` + 1/`thread_m`) bytes, the second level e·mnk·(1/`tile_n` + 1/`tile_m`).
//!
//! # Knobs
//! On a CPU `tile_m tile_n tile_k` are the blocks MC, NC, KC and `micro_m micro_n` the micro-kernel. `isa` picks its instruction set, `loop_order`
//! which panel stays in L1, `threads` how many share the rows (or columns) of D.
//!
//! On a GPU `tile_m tile_n` is what a block of threads computes in steps of `tile_k`, `thread_m thread_n` what a thread holds in registers.
//! `stages` tiles lie in shared memory (1: copy, then multiply; 2: the next tile is under way, in registers or by cp.async; 3 and 4: by
//! cp.async). `vector` elements are moved per access of device memory. `split_k` slices of k are summed by blocks of their own and added in a
//! fixed order by a second kernel. `swizzle` rows of tiles are visited column by column, for the sake of the second-level cache.

mod cpu;
mod cuda;
mod cuda_knobs;
mod knobs;
#[cfg(test)]
mod tests;

use super::cuda::{SIMT, TiledKnobs};
use super::gemm::{Dense, Gemm, GemmKernel, to_f64};
use crate::devices::cpu::CpuSource;
use crate::devices::cuda::CudaSource;
use crate::{Card, Config, DeviceInfo, DeviceKind, Dtype, Level, Misfit, Parameter, Work};
use cuda_knobs::Blocks;
use knobs::{LoopOrder, Plan};

/// The family.
pub static GEMM_REGBLOCK: Dense<Regblock> = Dense(Regblock);

/// The kernel of [`GEMM_REGBLOCK`].
#[derive(Debug)]
pub struct Regblock;

static CARD: Card = Card {
    id: "gemm_regblock",
    group: "dense",
    title: "GEMM with packed panels and register blocks",
    math: "D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n, in MC×NC×KC blocks and MR×NR register tiles",
    look_at: "The share of the measured FMA roof, and how steeply it falls away from the best blocks: registers (micro_m × micro_n) matter most, \
              then tile_k. Differences of one or two percent between neighbours are noise unless re-measured side by side.",
    references: &[
        "Goto and van de Geijn, Anatomy of high-performance matrix multiplication, ACM TOMS 34(3), 2008",
        "Low, Igual, Smith and Quintana-Orti, Analytical modeling is enough for high-performance BLIS, ACM TOMS 43(2), 2016",
    ],
};

impl GemmKernel for Regblock {
    fn card(&self) -> &'static Card {
        &CARD
    }
    fn dtypes(&self, kind: DeviceKind) -> &'static [Dtype] {
        match kind {
            DeviceKind::Cpu => &Dtype::CPU,
            DeviceKind::Cuda => &SIMT,
        }
    }
    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter> {
        match device.kind {
            DeviceKind::Cpu => knobs::knobs(device),
            DeviceKind::Cuda => Blocks::parameters(),
        }
    }
    fn check(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        match device.kind {
            DeviceKind::Cpu => knobs::check(gemm, &Plan::of(config), device),
            DeviceKind::Cuda => Blocks::of(config).check(gemm, device),
        }
    }
    fn effective(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Config {
        match device.kind {
            DeviceKind::Cpu => Plan::of(config).effective(gemm).config(),
            DeviceKind::Cuda => Blocks::of(config).effective(gemm).config(),
        }
    }
    fn default_config(&self, gemm: &Gemm, device: &DeviceInfo) -> Config {
        match device.kind {
            DeviceKind::Cpu => knobs::default_plan(gemm, device).config(),
            DeviceKind::Cuda => Blocks::default_for(gemm, device).config(),
        }
    }
    fn work(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Work {
        match device.kind {
            DeviceKind::Cpu => work(gemm, &Plan::of(config).effective(gemm)),
            DeviceKind::Cuda => Blocks::of(config).effective(gemm).work(gemm),
        }
    }
    fn cpu(&self) -> Option<&dyn CpuSource> {
        Some(&cpu::Source)
    }
    fn cuda(&self) -> Option<&dyn CudaSource> {
        Some(&cuda::Source)
    }
}

fn work(gemm: &Gemm, plan: &Plan) -> Work {
    let lanes = knobs::lanes(plan.isa, gemm.dtype);
    let (m, n, k) = (to_f64(gemm.m), to_f64(gemm.n), to_f64(gemm.k));
    let times = |size: usize, step: usize| to_f64(size.div_ceil(step));
    let (per_nc, per_mc) = (times(gemm.n, plan.tile_n), times(gemm.m, plan.tile_m));
    let updates = times(gemm.k.max(1), plan.tile_k);
    let d = m * n * (2.0 * updates - if gemm.beta == 0.0 { 1.0 } else { 0.0 });
    let (a_l1, b_l1) = match plan.loop_order {
        LoopOrder::JrIr => (times(gemm.n, plan.micro_n), per_mc),
        LoopOrder::IrJr => (per_nc, times(gemm.m, plan.micro_m)),
    };
    let bytes = |a_times: f64, b_times: f64| gemm.element_bytes() * (m * k * a_times + k * n * b_times + d);
    Work {
        executed_flop: gemm.flop() + 2.0 * m * k * to_f64(gemm.n.next_multiple_of(lanes) - gemm.n),
        traffic: vec![
            (Level::L1, bytes(a_l1, b_l1)),
            (Level::L2, bytes(per_nc, per_mc)),
            (Level::L3, bytes(per_nc, 1.0)),
            (Level::Dram, bytes(per_nc, 1.0)),
        ],
        #[allow(clippy::cast_precision_loss)] // bytes stay below 2^53
        workspace_bytes: cpu::scratch_bytes(gemm, plan, lanes) as f64,
        ..gemm.work()
    }
}
