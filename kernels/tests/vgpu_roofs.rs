//! Roofs of virtual GPUs against the figures of their cards, which the virtual GPU prices launches with.

#![allow(clippy::disallowed_methods)] // a test that needs a library learns its path from the environment
#![allow(clippy::print_stdout)] // a skip must be seen

#[allow(dead_code)] // shared with tests that use the rest
mod gpu;

use std::process::Command;

use tilecast_kernels::Device;

/// Farther from the card's figure than this is a wrong roof.
const FAR: f64 = 0.3;
/// Share of the nominal bandwidth of main memory that the virtual GPU lets streaming reach.
const DRAM_REACH: f64 = 0.92;

/// Per multiprocessor and clock: FP32 and FP64 FLOP; tensor operations of f16, bf16, tf32 and int8 (0: no such kernel). GB/s: second-level cache, main
/// memory.
type Figures = (&'static str, [f64; 2], [f64; 4], [f64; 2]);
const CARDS: [Figures; 2] = [
    ("t4", [128.0, 4.0], [1024.0, 0.0, 0.0, 0.0], [1270.0, 320.0]),
    ("rtx4070", [256.0, 4.0], [512.0, 512.0, 256.0, 2048.0], [1900.0, 504.0]),
];
/// The card that a child process measures.
const CHILD: &str = "TILECAST_TEST_ROOFS_OF";

#[test]
fn the_roofs_of_one_card_in_a_process_of_its_own() {
    let Ok(card) = std::env::var(CHILD) else { return };
    let (_, flop, tensor, bytes) = CARDS.into_iter().find(|(name, ..)| *name == card).expect("one of them");
    let device = gpu::device().expect("the parent has one");
    let per_clock = f64::from(device.info().gpu().sms) * device.info().gpu().clock_hz;
    let dram = bytes[1] * 1e9 * DRAM_REACH;
    let expected = [
        ("flop_per_s", flop[0] * per_clock),
        ("flop_per_s_f64", flop[1] * per_clock),
        ("flop_per_s_f16", tensor[0] * per_clock),
        ("flop_per_s_bf16", tensor[1] * per_clock),
        ("flop_per_s_tf32", tensor[2] * per_clock),
        ("flop_per_s_int8", tensor[3] * per_clock),
        ("l1_bytes_per_s", 128.0 * per_clock),
        ("l2_bytes_per_s", bytes[0] * 1e9),
        ("dram_bytes_per_s", dram),
        ("dram_triad_bytes_per_s", dram),
    ];
    let roofs = device.roofs();
    println!("{card}: {roofs:?} {:?}", device.missing_roofs());
    assert_eq!(device.missing_roofs(), [""; 0]);
    for (name, figure) in expected.into_iter().filter(|(_, figure)| *figure > 0.0) {
        let roof = roofs.iter().find(|roof| roof.name == name).unwrap_or_else(|| panic!("{card} has no `{name}`"));
        let off = roof.value / figure - 1.0;
        assert!(off.abs() < FAR, "{card}: `{name}` is {:.3e}, the card's figure {figure:.3e}: {:+.0} %", roof.value, off * 100.0);
    }
}

#[test]
fn roofs_of_a_virtual_gpu_are_its_cards_figures() {
    if gpu::device().is_none() {
        return;
    }
    for (card, ..) in CARDS {
        let output = Command::new(std::env::current_exe().expect("this test"))
            .args(["the_roofs_of_one_card_in_a_process_of_its_own", "--exact", "--nocapture"])
            .envs([(CHILD, card), ("VGPU_DEVICE", card)])
            .output()
            .expect("this test can be run again");
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}\n{complained}");
        println!("{said}");
    }
}
