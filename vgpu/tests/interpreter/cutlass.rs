//! CUTLASS kernels through NVRTC, where `TILECAST_CUTLASS_INCLUDE` names the folder that `scripts/setup-cuda --cutlass` makes.

use super::nvrtc::Nvrtc;
use super::rig::{Noise, Rig};

/// Instance: definitions, bits of an element of A and B, and of D.
struct Instance {
    name: &'static str,
    element: &'static str,
    result: &'static str,
    /// Operation class, generation, layout of B, tile, warps, instruction, stages, elements moved at once.
    arguments: &'static str,
    threads: u32,
    column_b: bool,
}

const INSTANCES: &[Instance] = &[
    Instance {
        name: "simt f32",
        element: "float",
        result: "float",
        arguments: "OP=Simt GEN=Sm50 LB=RowMajor TM=128 TN=128 TK=8 WM=4 WN=2 IM=1 IN=1 IK=1 ST=2 AL=1 AC=1",
        threads: 256,
        column_b: false,
    },
    Instance {
        name: "tensor f16",
        element: "cutlass::half_t",
        result: "cutlass::half_t",
        arguments: "OP=TensorOp GEN=Sm80 LB=ColumnMajor TM=128 TN=128 TK=32 WM=2 WN=2 IM=16 IN=8 IK=16 ST=3 AL=8 AC=8",
        threads: 128,
        column_b: true,
    },
    Instance {
        name: "tensor tf32",
        element: "float",
        result: "float",
        arguments: "OP=TensorOp GEN=Sm80 LB=RowMajor TM=128 TN=64 TK=16 WM=2 WN=2 IM=16 IN=8 IK=8 ST=3 AL=4 AC=4",
        threads: 128,
        column_b: false,
    },
];

const SOURCE: &str = r#"
#include <cutlass/cutlass.h>
#include <cutlass/epilogue/thread/linear_combination.h>
#include <cutlass/gemm/kernel/default_gemm.h>
#include <cutlass/gemm/threadblock/threadblock_swizzle.h>
#define JOIN(a, b) a##b
#define CLASS(x) JOIN(cutlass::arch::OpClass, x)
using Swizzle = cutlass::gemm::threadblock::GemmIdentityThreadblockSwizzle<1>;
using K = typename cutlass::gemm::kernel::DefaultGemm<ARG_E, cutlass::layout::RowMajor, ARG_AL, ARG_E, cutlass::layout::ARG_LB, ARG_AL, ARG_R,
    cutlass::layout::RowMajor, float, CLASS(ARG_OP), cutlass::arch::ARG_GEN, cutlass::gemm::GemmShape<ARG_TM, ARG_TN, ARG_TK>,
    cutlass::gemm::GemmShape<ARG_TM / ARG_WM, ARG_TN / ARG_WN, ARG_TK>, cutlass::gemm::GemmShape<ARG_IM, ARG_IN, ARG_IK>,
    cutlass::epilogue::thread::LinearCombination<ARG_R, ARG_AC, float, float>, Swizzle, ARG_ST, false, cutlass::arch::OpMultiplyAdd>::GemmKernel;
extern "C" __constant__ unsigned object_bytes = sizeof(typename K::Params);
extern "C" __constant__ unsigned shared_bytes = sizeof(typename K::SharedStorage);
extern "C" __global__ void make(ARG_E* a, ARG_E* b, ARG_R* d, int m, int n, int k, int ldb, typename K::Params* object) {
    cutlass::gemm::GemmCoord size(m, n, k);
    auto tiles = Swizzle::get_tiled_shape(size, cutlass::gemm::GemmCoord(ARG_TM, ARG_TN, ARG_TK), 1);
    *object = typename K::Params(size, tiles, {a, k}, {b, ldb}, {d, n}, {d, n}, {1.f, 0.f});
}
extern "C" __global__ void gemm(const __grid_constant__ typename K::Params object) {
    extern __shared__ __align__(16) unsigned char memory[];
    K()(object, *reinterpret_cast<typename K::SharedStorage*>(memory));
}
"#;

fn run(nvrtc: &Nvrtc, instance: &Instance, includes: &[String]) {
    let mut options = vec!["--std=c++17".into(), "-default-device".into(), "-diag-suppress=20044".into()];
    options.extend(includes.iter().map(|i| format!("-I{i}")));
    options.extend(instance.arguments.split(' ').map(|d| format!("-DARG_{d}")));
    options.extend([format!("-DARG_E={}", instance.element), format!("-DARG_R={}", instance.result)]);
    let rig = Rig::new();
    let image = rig.image(&nvrtc.compile_with(SOURCE, "compute_80", &options));
    let (m, n, k) = (136usize, 72, 40);
    let mut noise = Noise(4);
    let a: Vec<f32> = (0..m * k).map(|_| noise.small()).collect();
    let b: Vec<f32> = (0..k * n).map(|_| noise.small()).collect();
    let half = |e: &str| e != "float";
    let place = |label: &str, v: &[f32], e: &str| {
        if half(e) {
            rig.buffer(label, &v.iter().map(|x| half::f16::from_f32(*x).to_bits()).collect::<Vec<u16>>())
        } else {
            rig.buffer(label, v)
        }
    };
    let (pa, pb) = (place("A", &a, instance.element), place("B", &b, instance.element));
    let pd = place("D", &vec![0f32; m * n], instance.result);
    let number = |name: &str| rig.read::<u32>(image.globals[name].0, 1)[0];
    let object = rig.buffer("object", &vec![0u8; number("object_bytes") as usize]);
    let ldb = if instance.column_b { k } else { n };
    let params = [pa, pb, pd, m as u64, n as u64, k as u64, ldb as u64, object];
    rig.launch(&image, "make", [1, 1, 1], [1, 1, 1], 0, &params).unwrap();
    let launch = vgpu::launch::Launch {
        grid: [m.div_ceil(128) as u32, n.div_ceil(64) as u32, 1],
        block: [instance.threads, 1, 1],
        dynamic_shared_bytes: number("shared_bytes"),
        params: rig.read(object, number("object_bytes") as usize),
    };
    let report = vgpu::launch::run(&image, "gemm", &launch, &rig.memory, &rig.options).unwrap();
    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{}: {}", instance.name, found.join("\n"));
    let got: Vec<f64> = if half(instance.result) {
        rig.read::<u16>(pd, m * n).into_iter().map(|h| half::f16::from_bits(h).to_f64()).collect()
    } else {
        rig.read::<f32>(pd, m * n).into_iter().map(f64::from).collect()
    };
    for i in 0..m {
        for j in 0..n {
            let right = |l: usize| b[if instance.column_b { j * k + l } else { l * n + j }];
            let expected: f64 = (0..k).map(|l| f64::from(a[i * k + l]) * f64::from(right(l))).sum();
            let bound = if half(instance.result) { 4e-3 } else { 2e-5 };
            let error = (got[i * n + j] - expected).abs();
            assert!(
                error <= bound * (1.0 + expected.abs()),
                "{}: D[{i}][{j}] is {}, expected {expected}",
                instance.name,
                got[i * n + j]
            );
        }
    }
}

#[test]
fn cutlass_kernels_run_clean_and_right() {
    let includes = std::env::var("TILECAST_CUTLASS_INCLUDE").map(|folder| [folder.clone(), format!("{folder}/cccl")]);
    match (Nvrtc::open(), includes) {
        (Some(nvrtc), Ok(includes)) => INSTANCES.iter().for_each(|i| run(&nvrtc, i, &includes)),
        _ => println!(
            "skipped: CUTLASS kernels: TILECAST_NVRTC and TILECAST_CUTLASS_INCLUDE are not both set (scripts/setup-cuda --cutlass)"
        ),
    }
}
