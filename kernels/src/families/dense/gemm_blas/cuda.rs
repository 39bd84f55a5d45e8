//! cuBLAS by itself, or one of the kernels that cuBLASLt's heuristic proposes.

use crate::devices::cuda::blas::{GemmSpec, VendorGemm};
use crate::devices::cuda::{Architecture, CudaProgram, CudaSource, VendorCall};
use crate::families::dense::{Gemm, Layout};
use crate::{Config, DeviceInfo, Dtype, Misfit, Parameter, Problem};

pub(super) struct Source;

/// cuBLAS, then cuBLASLt's list.
const ALGORITHMS: [&str; 9] = ["cublas", "lt0", "lt1", "lt2", "lt3", "lt4", "lt5", "lt6", "lt7"];
/// 8-bit integers are read four at a time: "cublasGemmEx", cuBLAS documentation.
const INTEGERS_AT_ONCE: usize = 4;

pub(super) fn knobs() -> Vec<Parameter> {
    let doc = "cuBLAS, which picks its kernel itself, or the n-th kernel of cuBLASLt's heuristic list";
    vec![Parameter::choice("algorithm", &ALGORITHMS, &ALGORITHMS, doc)]
}

/// What the libraries document as unsupported; what a heuristic has no kernel for is only known when it is asked.
pub(super) fn check(gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
    let arch = device.gpu().arch;
    if matches!(gemm.dtype, Dtype::Bf16 | Dtype::Tf32) && arch < Architecture::new(8, 0) {
        return Err(Misfit::new(format!("`dtype={}` needs sm_80 or later; the device is {arch}", gemm.dtype)));
    }
    if gemm.k == 0 {
        return Err(Misfit::new("`k=0` leaves a vendor library nothing to multiply; it must be at least 1"));
    }
    if gemm.dtype != Dtype::Int8 {
        return Ok(());
    }
    let [a, b, ..] = gemm.leading();
    for (name, ld) in [("A", a), ("B", b)] {
        if !ld.is_multiple_of(INTEGERS_AT_ONCE) {
            return Err(Misfit::new(format!("leading dimension `{ld}` of {name} is not a multiple of 4, as cuBLAS reads int8")));
        }
    }
    let algorithm = config.text("algorithm");
    if algorithm != "cublas" && gemm.layout != Layout::Nt {
        let layout = gemm.layout.name();
        return Err(Misfit::new(format!("`algorithm={algorithm}` multiplies int8 with `layout=nt` only, not `{layout}`")));
    }
    Ok(())
}

impl CudaSource for Source {
    fn program(&self, problem: &Problem, config: &Config, _device: &DeviceInfo) -> CudaProgram {
        let gemm = Gemm::of(problem);
        let spec = GemmSpec {
            size: (gemm.m, gemm.n, gemm.k),
            dtype: gemm.dtype,
            a_transposed: gemm.layout.a_transposed(),
            b_transposed: gemm.layout.b_transposed(),
            alpha: gemm.alpha,
            beta: gemm.beta,
            leading: gemm.leading(),
        };
        let listed = config.text("algorithm").strip_prefix("lt").and_then(|index| index.parse().ok());
        CudaProgram::Vendor(VendorGemm { call: listed.map_or(VendorCall::Cublas, VendorCall::CublasLt), spec })
    }
}

#[cfg(test)]
mod tests {
    use super::super::GEMM_BLAS;
    use super::*;
    use crate::{Family, Value};

    fn problem(dtype: Dtype, axes: &[(&str, Value)]) -> Problem {
        let given: Vec<(String, Value)> = axes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        GEMM_BLAS.problem(dtype, &given, 1).expect("legal")
    }

    #[test]
    fn every_algorithm_is_a_call_of_its_own_and_the_first_is_the_default() {
        let device = DeviceInfo::assumed(Architecture::new(9, 0));
        let problem = problem(Dtype::F16, &[("m", 64.into()), ("beta", 0.5.into()), ("layout", "tn".into())]);
        let configs = crate::product(&GEMM_BLAS.knobs(&device));
        assert_eq!(configs[0], GEMM_BLAS.default_config(&problem, &device));
        let calls: Vec<VendorGemm> = configs
            .iter()
            .map(|config| match GEMM_BLAS.cuda().expect("a source").program(&problem, config, &device) {
                CudaProgram::Vendor(gemm) => gemm,
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = std::iter::once(VendorCall::Cublas).chain((0..8).map(VendorCall::CublasLt));
        assert!(calls.iter().map(|gemm| gemm.call).eq(expected), "{calls:?}");
        let spec = calls[3].spec;
        assert_eq!((spec.size, spec.leading), ((64, 512, 512), [64, 512, 512, 512]));
        assert!(spec.a_transposed && !spec.b_transposed && spec.beta == 0.5);
    }

    #[test]
    fn what_the_libraries_do_not_multiply_is_refused_with_the_limit() {
        type Case<'a> = (Dtype, &'a [(&'a str, Value)], &'a str, (u8, u8), &'a str);
        let cases: [Case<'_>; 4] = [
            (Dtype::Bf16, &[], "cublas", (7, 5), "`dtype=bf16` needs sm_80 or later; the device is sm_75"),
            (
                Dtype::F32,
                &[("k", Value::Int(0))],
                "lt1",
                (8, 9),
                "`k=0` leaves a vendor library nothing to multiply; it must be at least 1",
            ),
            (
                Dtype::Int8,
                &[("k", Value::Int(30))],
                "cublas",
                (8, 9),
                "leading dimension `30` of A is not a multiple of 4, as cuBLAS reads int8",
            ),
            (Dtype::Int8, &[], "lt0", (8, 9), "`algorithm=lt0` multiplies int8 with `layout=nt` only, not `nn`"),
        ];
        for (dtype, axes, algorithm, (major, minor), expected) in cases {
            let device = DeviceInfo::assumed(Architecture::new(major, minor));
            let problem = problem(dtype, axes);
            let config = Config(GEMM_BLAS.default_config(&problem, &device).0.with("algorithm", algorithm));
            assert_eq!(GEMM_BLAS.check(&problem, &config, &device).map_err(|e| e.to_string()), Err(expected.to_owned()));
        }
    }
}
