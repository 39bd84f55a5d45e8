//! A small device for tests: buffers, a module, launches.

use std::sync::Arc;

use vgpu::check::{Checks, FindingKind};
use vgpu::launch::{Fault, Image, Launch, Options, Report, run};
use vgpu::memory::Memory;

pub(crate) const HEADER: &str = ".version 8.0\n.target sm_80\n.address_size 64\n";

pub(crate) struct Rig {
    pub(crate) memory: Memory,
    pub(crate) options: Options,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self { memory: Memory::new(1 << 30), options: Options { threads: 2, ..Options::default() } }
    }

    pub(crate) fn buffer<T: Plain>(&self, label: &str, values: &[T]) -> u64 {
        let ptr = self.memory.alloc((values.len() * T::BYTES) as u64, label).unwrap();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.bytes()).collect();
        self.memory.write(ptr, &bytes).unwrap();
        ptr
    }

    pub(crate) fn read<T: Plain>(&self, ptr: u64, count: usize) -> Vec<T> {
        let mut bytes = vec![0; count * T::BYTES];
        self.memory.read(ptr, &mut bytes).unwrap();
        bytes.chunks_exact(T::BYTES).map(T::from).collect()
    }

    pub(crate) fn image(&self, ptx: &str) -> Image {
        Image::load(Arc::new(vgpu::ptx::parse(ptx).unwrap_or_else(|e| panic!("{e}"))), &self.memory).unwrap()
    }

    /// Runs `kernel`; parameters are given as words that fit their sizes.
    pub(crate) fn launch(
        &self,
        image: &Image,
        kernel: &str,
        grid: [u32; 3],
        block: [u32; 3],
        shared: u32,
        params: &[u64],
    ) -> Result<Report, Fault> {
        let function = image.module.function(kernel).expect("kernel is in the module");
        let mut bytes = vec![0; function.param_bytes as usize];
        assert_eq!(params.len(), function.params.len(), "parameters of {kernel}");
        for (value, param) in params.iter().zip(&function.params) {
            bytes[param.offset as usize..(param.offset + param.size) as usize]
                .copy_from_slice(&value.to_le_bytes()[..param.size as usize]);
        }
        run(image, kernel, &Launch { grid, block, dynamic_shared_bytes: shared, params: bytes }, &self.memory, &self.options)
    }

    /// One module, one launch of one block row.
    pub(crate) fn run(&self, ptx: &str, kernel: &str, grid: u32, block: u32, params: &[u64]) -> Result<Report, Fault> {
        self.launch(&self.image(ptx), kernel, [grid, 1, 1], [block, 1, 1], 0, params)
    }

    pub(crate) fn without_checks() -> Self {
        let mut rig = Self::new();
        rig.options.checks = Checks::NONE;
        rig
    }
}

/// A kernel of the given body, with three pointers and a number as parameters and registers of all kinds.
pub(crate) fn kernel(shared: &str, body: &str) -> String {
    format!(
        "{HEADER}.visible .entry k(.param .u64 p0, .param .u64 p1, .param .u64 p2, .param .u32 p3)\n{{\n\
         .reg .pred %p<16>; .reg .b16 %h<16>; .reg .b32 %r<64>; .reg .b32 %f<64>; .reg .b64 %rd<32>; .reg .b64 %fd<16>;\n\
         {shared}\n\
         ld.param.u64 %rd0, [p0]; ld.param.u64 %rd1, [p1]; ld.param.u64 %rd2, [p2]; ld.param.u32 %r0, [p3];\n\
         cvta.to.global.u64 %rd0, %rd0; cvta.to.global.u64 %rd1, %rd1; cvta.to.global.u64 %rd2, %rd2;\n\
         mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mad.lo.u32 %r4, %r2, %r3, %r1;\n\
         {body}\nret;\n}}\n"
    )
}

/// Kinds of all findings.
pub(crate) fn kinds(report: &Report) -> Vec<FindingKind> {
    report.findings.iter().map(|f| f.kind).collect()
}

/// Numbers that lie in memory as their bytes.
pub(crate) trait Plain: Copy {
    const BYTES: usize;
    fn bytes(self) -> Vec<u8>;
    fn from(bytes: &[u8]) -> Self;
}

macro_rules! plain {
    ($($t:ty),*) => {$(
        impl Plain for $t {
            const BYTES: usize = size_of::<$t>();
            fn bytes(self) -> Vec<u8> { self.to_le_bytes().to_vec() }
            fn from(bytes: &[u8]) -> Self { <$t>::from_le_bytes(bytes.try_into().unwrap()) }
        }
    )*};
}
plain!(u8, i8, u16, u32, i32, u64, f32, f64);

/// Repeatable numbers without pattern.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }
    /// From -1 to 1 in steps of 1/256, which every format here holds.
    pub(crate) fn small(&mut self) -> f32 {
        (self.next() % 513) as f32 / 256.0 - 1.0
    }
}
