//! CUDA C++ compiled by NVRTC, where `TILECAST_NVRTC` names its library.

use std::ffi::{CString, c_char, c_int, c_void};

use super::rig::{Noise, Rig};

const ARCHITECTURES: [&str; 4] = ["compute_75", "compute_80", "compute_90", "compute_120"];

pub(crate) struct Nvrtc(libloading::Library);

impl Nvrtc {
    pub(crate) fn open() -> Option<Self> {
        let path = std::env::var_os("TILECAST_NVRTC")?;
        // SAFETY: loading NVRTC runs its initialisers, as every user of it does.
        Some(Self(unsafe { libloading::Library::new(path) }.expect("TILECAST_NVRTC names a library")))
    }

    fn compile(&self, source: &str, architecture: &str) -> String {
        self.compile_with(source, architecture, &[])
    }

    pub(crate) fn compile_with(&self, source: &str, architecture: &str, more: &[String]) -> String {
        let source = CString::new(source).unwrap();
        let options: Vec<CString> = [format!("--gpu-architecture={architecture}"), "-lineinfo".into()]
            .iter()
            .chain(more)
            .map(|o| CString::new(o.as_str()).unwrap())
            .collect();
        let pointers: Vec<*const c_char> = options.iter().map(|o| o.as_ptr()).collect();
        let mut program: *mut c_void = std::ptr::null_mut();
        type Create =
            unsafe extern "C" fn(*mut *mut c_void, *const c_char, *const c_char, c_int, *const c_void, *const c_void) -> c_int;
        type Compile = unsafe extern "C" fn(*mut c_void, c_int, *const *const c_char) -> c_int;
        type Size = unsafe extern "C" fn(*mut c_void, *mut usize) -> c_int;
        type Text = unsafe extern "C" fn(*mut c_void, *mut u8) -> c_int;
        // SAFETY: the signatures are those of nvrtc.h; all pointers outlive the calls.
        unsafe {
            let create = self.0.get::<Create>(c"nvrtcCreateProgram").unwrap();
            assert_eq!(create(&raw mut program, source.as_ptr(), c"k.cu".as_ptr(), 0, std::ptr::null(), std::ptr::null()), 0);
            let failed =
                self.0.get::<Compile>(c"nvrtcCompileProgram").unwrap()(program, pointers.len() as c_int, pointers.as_ptr()) != 0;
            let (size, text) =
                if failed { (c"nvrtcGetProgramLogSize", c"nvrtcGetProgramLog") } else { (c"nvrtcGetPTXSize", c"nvrtcGetPTX") };
            let mut bytes = 0;
            self.0.get::<Size>(size).unwrap()(program, &raw mut bytes);
            let mut out = vec![0u8; bytes];
            self.0.get::<Text>(text).unwrap()(program, out.as_mut_ptr());
            let text = String::from_utf8_lossy(&out).trim_end_matches('\0').to_owned();
            assert!(!failed, "{text}");
            text
        }
    }
}

/// Runs a test for each architecture, or says that it did not.
fn with_nvrtc(name: &str, test: impl Fn(&Nvrtc, &str)) {
    match Nvrtc::open() {
        Some(nvrtc) => ARCHITECTURES.iter().for_each(|a| test(&nvrtc, a)),
        None => println!("skipped: {name}: TILECAST_NVRTC is not set (scripts/setup-cuda prints it)"),
    }
}

const TILED: &str = r#"
template <int T> __device__ void tiled(int m, int n, int k, const float* a, const float* b, float* d) {
    __shared__ float sa[T][T + 1], sb[T][T + 1];
    int row = blockIdx.y * T + threadIdx.y, col = blockIdx.x * T + threadIdx.x;
    float sum = 0;
    for (int at = 0; at < k; at += T) {
        sa[threadIdx.y][threadIdx.x] = row < m && at + threadIdx.x < k ? a[row * k + at + threadIdx.x] : 0.f;
        sb[threadIdx.y][threadIdx.x] = col < n && at + threadIdx.y < k ? b[(at + threadIdx.y) * n + col] : 0.f;
        __syncthreads();
        for (int i = 0; i < T; i++) sum += sa[threadIdx.y][i] * sb[i][threadIdx.x];
        SECOND
    }
    if (row < m && col < n) d[row * n + col] = sum;
}
extern "C" __global__ void k(int m, int n, int k, const float* a, const float* b, float* d) { tiled<16>(m, n, k, a, b, d); }
"#;

#[test]
fn a_tiled_product_is_right_at_ragged_sizes_and_wrong_without_its_barrier() {
    with_nvrtc("a_tiled_product", |nvrtc, architecture| {
        let (m, n, k) = (37usize, 50, 29);
        let mut noise = Noise(5);
        let a: Vec<f32> = (0..m * k).map(|_| noise.small()).collect();
        let b: Vec<f32> = (0..k * n).map(|_| noise.small()).collect();
        for (second, clean) in [("__syncthreads();", true), ("", false)] {
            let mut rig = Rig::new();
            rig.options.seed = 3;
            let image = rig.image(&nvrtc.compile(&TILED.replace("SECOND", second), architecture));
            let (pa, pb, pd) = (rig.buffer("A", &a), rig.buffer("B", &b), rig.buffer("D", &vec![f32::NAN; m * n]));
            let params = [m as u64, n as u64, k as u64, pa, pb, pd];
            let report = rig.launch(&image, "k", [4, 3, 1], [16, 16, 1], 0, &params).unwrap();
            assert_eq!(report.findings.is_empty(), clean, "{architecture}: {:?}", report.findings);
            if !clean {
                assert!(report.findings[0].source.as_ref().is_some_and(|s| s.1 > 0), "the CUDA line is told");
                continue;
            }
            let got: Vec<f32> = rig.read(pd, m * n);
            for i in 0..m {
                for j in 0..n {
                    let expected = (0..k).fold(0f32, |s, l| a[i * k + l].mul_add(b[l * n + j], s));
                    assert_eq!(got[i * n + j], expected, "{architecture}: D[{i}][{j}]");
                }
            }
            // Each step of k multiplies all of a warp's lanes, padding included.
            assert_eq!(report.counters.flops.fp32, 2 * 12 * 256 * 32);
        }
    });
}

const TENSOR: &str = r#"
extern "C" __global__ void k(const unsigned short* a, const unsigned short* b, float* d) {
    __shared__ __align__(16) unsigned short sa[16][16], sb[16][8];
    unsigned lane = threadIdx.x;
#if __CUDA_ARCH__ >= 800
    if (lane < 32) asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" :: "r"((unsigned)__cvta_generic_to_shared(&sa[lane / 2][lane % 2 * 8])), "l"(a + lane * 8));
    if (lane < 16) asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" :: "r"((unsigned)__cvta_generic_to_shared(&sb[lane][0])), "l"(b + lane * 8));
    asm volatile("cp.async.commit_group; cp.async.wait_group 0;");
#else
    for (int i = lane; i < 256; i += 32) sa[i / 16][i % 16] = a[i];
    for (int i = lane; i < 128; i += 32) sb[i / 8][i % 8] = b[i];
#endif
    __syncwarp();
    unsigned ra[4], rb[2]; float c[4] = {0, 0, 0, 0};
    unsigned pa = __cvta_generic_to_shared(&sa[lane % 16][lane / 16 * 8]), pb = __cvta_generic_to_shared(&sb[lane % 16][0]);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(ra[0]), "=r"(ra[1]), "=r"(ra[2]), "=r"(ra[3]) : "r"(pa));
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(rb[0]), "=r"(rb[1]) : "r"(pb));
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(ra[0]), "r"(ra[1]), "r"(ra[2]), "r"(ra[3]), "r"(rb[0]), "r"(rb[1]));
#else
    for (int h = 0; h < 2; h++)
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(ra[2 * h]), "r"(ra[2 * h + 1]), "r"(rb[h]));
#endif
    int row = lane / 4, col = lane % 4 * 2;
    d[row * 8 + col] = c[0]; d[row * 8 + col + 1] = c[1]; d[(row + 8) * 8 + col] = c[2]; d[(row + 8) * 8 + col + 1] = c[3];
}
"#;

#[test]
fn copies_ldmatrix_and_mma_work_together() {
    with_nvrtc("copies_ldmatrix_and_mma", |nvrtc, architecture| {
        let mut noise = Noise(9);
        let a: Vec<f32> = (0..256).map(|_| noise.small()).collect();
        let b: Vec<f32> = (0..128).map(|_| noise.small()).collect();
        let halves = |v: &[f32]| v.iter().map(|x| half::f16::from_f32(*x).to_bits()).collect::<Vec<u16>>();
        let rig = Rig::new();
        let (pa, pb, pd) = (rig.buffer("A", &halves(&a)), rig.buffer("B", &halves(&b)), rig.buffer("D", &[0f32; 128]));
        let image = rig.image(&nvrtc.compile(TENSOR, architecture));
        let report = rig.launch(&image, "k", [1, 1, 1], [32, 1, 1], 0, &[pa, pb, pd]).unwrap();
        assert_eq!(report.findings, [], "{architecture}");
        let got: Vec<f32> = rig.read(pd, 128);
        for i in 0..16 {
            for j in 0..8 {
                let expected: f64 = (0..16).map(|l| f64::from(a[i * 16 + l]) * f64::from(b[l * 8 + j])).sum();
                assert!((f64::from(got[i * 8 + j]) - expected).abs() < 1e-5, "{architecture}: D[{i}][{j}]");
            }
        }
    });
}

const MATHS: &str = r#"
__device__ __noinline__ float slow(float x, int n) { float s = 0; for (int i = 0; i < n; i++) s += x / (i + 1); return s; }
extern "C" __global__ void k(const float* x, float* y, double* z, int* w, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v = x[i];
    int local[8];
    for (int j = 0; j < 8; j++) local[j] = i * j;
    float r;
    switch (i & 7) {
        case 0: r = sinf(v); break; case 1: r = expf(v); break; case 2: r = logf(v + 3); break; case 3: r = sqrtf(v + 3); break;
        case 4: r = powf(v + 2, 1.5f); break; case 5: r = fmodf(v, 0.3f); break; case 6: r = 1 / (v + 3); break; default: r = slow(v, 5);
    }
    y[i] = r;
    z[i] = exp((double)v) / 3.0 + sqrt(v + 3.0) + rint(v * 7.0);
    w[i] = i / 7 * 1000 + i % 13 + __popc(i) + __clz(i) + local[i & 7] + (int)(((unsigned long long)i * 0x123456789abcdefull) >> 40) % 101;
}
"#;

#[test]
fn the_compilers_own_sequences_for_functions_and_divisions_come_out_right() {
    with_nvrtc("the_compilers_own_sequences", |nvrtc, architecture| {
        let n = 1000usize;
        let mut noise = Noise(2);
        let x: Vec<f32> = (0..n).map(|_| noise.small()).collect();
        let rig = Rig::new();
        let (px, py) = (rig.buffer("x", &x), rig.buffer("y", &vec![0f32; n]));
        let (pz, pw) = (rig.buffer("z", &vec![0f64; n]), rig.buffer("w", &vec![0i32; n]));
        let image = rig.image(&nvrtc.compile(MATHS, architecture));
        let report = rig.launch(&image, "k", [8, 1, 1], [128, 1, 1], 0, &[px, py, pz, pw, n as u64]).unwrap();
        assert_eq!(report.findings, []);
        let (y, z, w): (Vec<f32>, Vec<f64>, Vec<i32>) = (rig.read(py, n), rig.read(pz, n), rig.read(pw, n));
        for i in 0..n {
            let v = f64::from(x[i]);
            let expected = match i & 7 {
                0 => v.sin(),
                1 => v.exp(),
                2 => (v + 3.0).ln(),
                3 => (v + 3.0).sqrt(),
                4 => (v + 2.0).powf(1.5),
                5 => f64::from(x[i] % 0.3),
                6 => 1.0 / (v + 3.0),
                _ => (1..=5).map(|j| v / f64::from(j)).sum(),
            };
            assert!(
                (f64::from(y[i]) - expected).abs() <= 4e-6 * (1.0 + expected.abs()),
                "{architecture}: y[{i}] is {}, expected {expected}",
                y[i]
            );
            let expected = v.exp() / 3.0 + (v + 3.0).sqrt() + (v * 7.0).round_ties_even();
            assert!(
                (z[i] - expected).abs() <= 1e-14 * (1.0 + expected.abs()),
                "{architecture}: z[{i}] is {}, expected {expected}",
                z[i]
            );
            let j = i as i32;
            let wide = ((i as u64).wrapping_mul(0x0123_4567_89ab_cdef) >> 40) as i32 % 101;
            let expected = j / 7 * 1000 + j % 13 + j.count_ones() as i32 + j.leading_zeros() as i32 + j * (j & 7) + wide;
            assert_eq!(w[i], expected, "{architecture}: w[{i}]");
        }
    });
}
