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
//! e·(mnk/NC + nk + 2mnk/KC), the last term less one read where beta is 0.
//!
//! # Knobs
//! In the words of GPU libraries `tile_m tile_n tile_k` are the thread-block tile and `micro_m micro_n` the thread tile. `isa` picks the
//! micro-kernel's instruction set, `loop_order` which panel stays in L1, `threads` how many share the rows (or columns) of D.

mod cpu;
mod knobs;
#[cfg(test)]
mod tests;

use super::gemm::{Dense, Gemm, GemmKernel, to_f64};
use crate::devices::cpu::CpuSource;
use crate::{Card, Config, DeviceInfo, Level, Misfit, Parameter, Work};
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
    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter> {
        knobs::knobs(device)
    }
    fn check(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        knobs::check(gemm, &Plan::of(config), device)
    }
    fn effective(&self, gemm: &Gemm, config: &Config, _device: &DeviceInfo) -> Config {
        Plan::of(config).effective(gemm).config()
    }
    fn default_config(&self, gemm: &Gemm, device: &DeviceInfo) -> Config {
        knobs::default_plan(gemm, device).config()
    }
    fn work(&self, gemm: &Gemm, config: &Config, _device: &DeviceInfo) -> Work {
        work(gemm, &Plan::of(config).effective(gemm))
    }
    fn cpu(&self) -> Option<&dyn CpuSource> {
        Some(&cpu::Source)
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
