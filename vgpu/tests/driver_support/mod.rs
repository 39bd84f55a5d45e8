//! What the driver's tests share: machines, kernels, calls that must succeed.

#![allow(clippy::unwrap_used)]
#![allow(dead_code)] // each test file uses its part

use std::ffi::{CString, c_void};
use std::sync::Arc;

use vgpu::driver::code::Code;
use vgpu::driver::config::Config;
use vgpu::driver::ffi::{Out, Text};
use vgpu::driver::{context, copy, device, launch, memory, module};
use vgpu::state::{Machine, scoped};

/// One module of one kernel.
macro_rules! kernel {
    ($name:literal, $params:literal, $body:literal) => {
        concat!(
            ".version 8.0\n.target sm_70\n.address_size 64\n.visible .entry ",
            $name,
            "(",
            $params,
            ")\n{\n",
            ".reg .pred %p<4>; .reg .b32 %r<16>; .reg .f32 %f<8>; .reg .b64 %rd<16>;\n",
            $body,
            "\n}\n"
        )
    };
}

/// `out[i] = value`, 32 bits, for `i < n`.
pub(crate) const FILL: &str = kernel!(
    "fill",
    ".param .u64 out, .param .u32 value, .param .u32 n",
    "ld.param.u64 %rd1, [out]; ld.param.u32 %r5, [value]; ld.param.u32 %r6, [n];
     mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x; mad.lo.s32 %r4, %r1, %r2, %r3;
     setp.ge.u32 %p1, %r4, %r6; @%p1 bra DONE;
     cvta.to.global.u64 %rd2, %rd1; mul.wide.u32 %rd3, %r4, 4; add.s64 %rd4, %rd2, %rd3; st.global.u32 [%rd4], %r5;
     DONE: ret;"
);

/// `out[i] = in[i] + 1`: reads one array and writes another.
pub(crate) const NEXT: &str = kernel!(
    "next",
    ".param .u64 out, .param .u64 in, .param .u32 n",
    "ld.param.u64 %rd1, [out]; ld.param.u64 %rd5, [in]; ld.param.u32 %r6, [n];
     mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x; mad.lo.s32 %r4, %r1, %r2, %r3;
     setp.ge.u32 %p1, %r4, %r6; @%p1 bra DONE;
     cvta.to.global.u64 %rd2, %rd1; cvta.to.global.u64 %rd6, %rd5; mul.wide.u32 %rd3, %r4, 4;
     add.s64 %rd7, %rd6, %rd3; ld.global.u32 %r7, [%rd7]; add.s32 %r8, %r7, 1;
     add.s64 %rd4, %rd2, %rd3; st.global.u32 [%rd4], %r8;
     DONE: ret;"
);

/// `x[i] += 1`: reads what it writes.
pub(crate) const BUMP: &str = kernel!(
    "bump",
    ".param .u64 x",
    "ld.param.u64 %rd1, [x]; cvta.to.global.u64 %rd2, %rd1; mov.u32 %r3, %tid.x; mul.wide.u32 %rd3, %r3, 4; add.s64 %rd4, %rd2, %rd3;
     ld.global.u32 %r7, [%rd4]; add.s32 %r8, %r7, 1; st.global.u32 [%rd4], %r8; ret;"
);

/// Stores one word at an address.
pub(crate) const POKE: &str = kernel!(
    "poke",
    ".param .u64 at",
    "ld.param.u64 %rd1, [at]; cvta.to.global.u64 %rd2, %rd1; mov.u32 %r1, 7; st.global.u32 [%rd2], %r1; ret;"
);

/// Never ends.
pub(crate) const SPIN: &str = kernel!("spin", ".param .u64 at", "LOOP: bra LOOP; ret;");

/// Traps.
pub(crate) const TRAP: &str = kernel!("halt", ".param .u64 at", "trap; ret;");

/// Fails an assertion.
pub(crate) const CLAIM: &str = concat!(
    ".version 8.0\n.target sm_70\n.address_size 64\n.extern .func __assertfail(.param .b64 a);\n",
    ".visible .entry claim(.param .u64 at)\n{ .param .b64 q; st.param.b64 [q], 0; call.uni __assertfail, (q); ret; }\n"
);

/// `out[i] = fma(…)` `n` times over.
pub(crate) const WORK: &str = kernel!(
    "work",
    ".param .u64 out, .param .u32 n",
    "ld.param.u64 %rd1, [out]; ld.param.u32 %r6, [n]; mov.f32 %f1, 0f3F800000; mov.f32 %f2, 0f3F000000; mov.u32 %r7, 0;
     mov.f32 %f3, %f1; mov.f32 %f4, %f1; mov.f32 %f5, %f1;
     LOOP: fma.rn.f32 %f1, %f1, %f2, %f2; fma.rn.f32 %f3, %f3, %f2, %f2; fma.rn.f32 %f4, %f4, %f2, %f2; fma.rn.f32 %f5, %f5, %f2, %f2;
     add.s32 %r7, %r7, 1; setp.lt.u32 %p1, %r7, %r6; @%p1 bra LOOP;
     add.f32 %f1, %f1, %f3; add.f32 %f4, %f4, %f5; add.f32 %f1, %f1, %f4;
     mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x; mad.lo.s32 %r4, %r1, %r2, %r3;
     cvta.to.global.u64 %rd2, %rd1; mul.wide.u32 %rd3, %r4, 4; add.s64 %rd4, %rd2, %rd3; st.global.f32 [%rd4], %f1; ret;"
);

/// Every thread writes the same word of shared memory and reads it back without a barrier.
pub(crate) const RACE: &str = kernel!(
    "race",
    ".param .u64 out",
    ".shared .align 4 .b8 word[4];
     ld.param.u64 %rd1, [out]; mov.u32 %r3, %tid.x; mov.u32 %r9, word; st.shared.u32 [%r9], %r3; ld.shared.u32 %r7, [%r9];
     cvta.to.global.u64 %rd2, %rd1; mul.wide.u32 %rd3, %r3, 4; add.s64 %rd4, %rd2, %rd3; st.global.u32 [%rd4], %r7; ret;"
);

/// A machine of one card with all checks.
pub(crate) fn machine(key: &str, change: impl FnOnce(&mut Config)) -> Arc<Machine> {
    let mut config = Config::of(key).unwrap();
    config.max_instructions = 100_000_000;
    change(&mut config);
    Arc::new(Machine::new(config))
}

/// Runs `work` on such a machine with the primary context current.
pub(crate) fn on<R>(key: &str, change: impl FnOnce(&mut Config), work: impl FnOnce() -> R) -> R {
    scoped(machine(key, change), || {
        start();
        work()
    })
}

/// `cuInit` and the primary context of card 0.
pub(crate) fn start() {
    ok(device::cuInit(0));
    let context = got(|out| context::cuDevicePrimaryCtxRetain(out, 0));
    ok(context::cuCtxSetCurrent(context));
}

/// The call must succeed.
#[track_caller]
pub(crate) fn ok(code: Code) {
    assert_eq!(code, Code::Success);
}

/// What a call gives through its pointer.
#[track_caller]
pub(crate) fn got<T: Default>(call: impl FnOnce(Out<T>) -> Code) -> T {
    let mut value = T::default();
    ok(call(Out::to(&mut value)));
    value
}

/// Device memory.
#[track_caller]
pub(crate) fn alloc(bytes: usize) -> u64 {
    got(|out| memory::cuMemAlloc_v2(out, bytes))
}

/// Loads the one kernel of `ptx`.
#[track_caller]
pub(crate) fn load(ptx: &str, name: &str) -> u64 {
    let text = CString::new(ptx).unwrap();
    let module = got(|out| module::cuModuleLoadData(out, text.as_ptr().cast()));
    let name = CString::new(name).unwrap();
    got(|out| vgpu::driver::function::cuModuleGetFunction(out, module, Text::of(&name)))
}

/// One kernel parameter.
#[derive(Clone, Copy)]
pub(crate) enum Arg {
    /// 64 bits.
    P(u64),
    /// 32 bits.
    U(u32),
}

/// Launches on a stream.
pub(crate) fn launch_on(stream: u64, function: u64, grid: u32, block: u32, args: &[Arg]) -> Code {
    let mut words: Vec<u64> = args
        .iter()
        .map(|a| match a {
            Arg::P(v) => *v,
            Arg::U(v) => u64::from(*v),
        })
        .collect();
    let mut pointers: Vec<*mut c_void> = words.iter_mut().map(|w| std::ptr::from_mut(w).cast()).collect();
    launch::cuLaunchKernel(function, grid, 1, 1, block, 1, 1, 0, stream, Out::to_slice(&mut pointers), Out::NULL)
}

/// Launches on the default stream.
pub(crate) fn run(function: u64, grid: u32, block: u32, args: &[Arg]) -> Code {
    launch_on(0, function, grid, block, args)
}

/// Copies words to the card.
#[track_caller]
pub(crate) fn put(at: u64, words: &[u32]) {
    ok(copy::cuMemcpyHtoD_v2(at, words.as_ptr().cast(), size_of_val(words)));
}

/// Copies `n` words from the card.
#[track_caller]
pub(crate) fn take(at: u64, n: usize) -> Vec<u32> {
    let mut words = vec![0u32; n];
    ok(copy::cuMemcpyDtoH_v2(words.as_mut_ptr().cast(), at, n * 4));
    words
}
