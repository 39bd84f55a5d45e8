//! Contexts: the primary one, others, the stack, and what they keep.

mod driver_support;

use std::ffi::{CStr, c_char};
use std::sync::Arc;

use driver_support::{Arg, BUMP, FILL, POKE, alloc, got, load, machine, ok, on, put, run, start, take};
use vgpu::driver::code::Code;
use vgpu::driver::ffi::{Out, Text};
use vgpu::driver::{context, device, function, memory, module};
use vgpu::state::scoped;

/// Global data of a module: an initialised word, which the kernel reads.
const TABLE: &str = "
.version 8.0
.target sm_70
.address_size 64
.visible .global .align 4 .u32 answer = 42;
.visible .entry look(.param .u64 out)
{
    .reg .b32 %r<3>; .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [out]; cvta.to.global.u64 %rd2, %rd1; ld.global.u32 %r1, [answer]; st.global.u32 [%rd2], %r1; ret;
}
";

#[test]
fn contexts_stack_and_keep_what_they_made() {
    on(
        "a100",
        |_| {},
        || {
            let primary = got(|out| context::cuCtxGetCurrent(out));
            let mine = got(|out| context::cuCtxCreate_v2(out, 0, 0));
            assert_eq!(got(|out| context::cuCtxGetCurrent(out)), mine);
            let kernel = load(FILL, "fill");
            let block = alloc(64);
            ok(run(kernel, 1, 16, &[Arg::P(block), Arg::U(3), Arg::U(16)]));
            assert_eq!(take(block, 16), [3; 16]);
            assert_eq!(got(|out| context::cuCtxPopCurrent_v2(out)), mine);
            assert_eq!(got(|out| context::cuCtxGetCurrent(out)), primary);
            // A kernel belongs to the context that loaded it.
            assert_eq!(run(kernel, 1, 16, &[Arg::P(block), Arg::U(3), Arg::U(16)]), Code::InvalidHandle);
            ok(context::cuCtxDestroy_v2(mine));
            assert_eq!(context::cuCtxDestroy_v2(mine), Code::InvalidContext);
            assert_eq!(context::cuCtxDestroy_v2(primary), Code::InvalidContext, "the primary one is released, not destroyed");
            assert_eq!(memory::cuMemFree_v2(block), Code::InvalidValue, "gone with its context");
            ok(context::cuCtxSetCurrent(0));
            assert_eq!(context::cuCtxSynchronize(), Code::InvalidContext);
        },
    );
}

#[test]
fn a_poisoned_context_leaves_another_one_sound() {
    on(
        "a100",
        |_| {},
        || {
            let mine = got(|out| context::cuCtxCreate_v4(out, std::ptr::null(), 0, 0));
            ok(run(load(POKE, "poke"), 1, 1, &[Arg::P(8)]));
            assert_eq!(context::cuCtxSynchronize(), Code::IllegalAddress);
            ok(context::cuCtxPopCurrent_v2(Out::NULL));
            ok(context::cuCtxSynchronize());
            let block = alloc(128);
            put(block, &[4; 32]);
            ok(run(load(BUMP, "bump"), 1, 32, &[Arg::P(block)]));
            assert_eq!(take(block, 32), [5; 32]);
            ok(context::cuCtxDestroy_v2(mine));
        },
    );
}

#[test]
fn the_primary_context_lives_until_its_last_release() {
    scoped(machine("a100", |_| {}), || {
        start();
        let (mut flags, mut active) = (9, 9);
        let again = got(|out| context::cuDevicePrimaryCtxRetain(out, 0));
        assert_eq!(got(|out| context::cuCtxGetCurrent(out)), again);
        ok(context::cuDevicePrimaryCtxRelease_v2(0));
        ok(context::cuCtxSynchronize());
        ok(context::cuDevicePrimaryCtxRelease_v2(0));
        ok(context::cuDevicePrimaryCtxGetState(0, Out::to(&mut flags), Out::to(&mut active)));
        assert_eq!((context::cuCtxSynchronize(), active), (Code::ContextIsDestroyed, 0));
        assert_eq!(context::cuDevicePrimaryCtxRelease_v2(0), Code::InvalidContext);
    });
}

#[test]
fn current_contexts_belong_to_threads_and_machines_are_shared() {
    let shared = machine("a100", |_| {});
    let block = scoped(shared.clone(), || {
        start();
        let block = alloc(64);
        put(block, &[1; 16]);
        block
    });
    let there: Arc<_> = shared.clone();
    let other = std::thread::spawn(move || {
        scoped(there, || {
            assert_eq!(memory::cuMemAlloc_v2(Out::to(&mut 0), 16), Code::InvalidContext);
            start();
            take(block, 16)
        })
    });
    assert_eq!(other.join().unwrap(), [1; 16]);
}

#[test]
fn modules_have_named_kernels_and_initialised_variables() {
    on(
        "a100",
        |_| {},
        || {
            let text = std::ffi::CString::new(TABLE).unwrap();
            let loaded = got(|out| module::cuModuleLoadData(out, text.as_ptr().cast()));
            let (mut at, mut bytes) = (0, 0);
            ok(module::cuModuleGetGlobal_v2(Out::to(&mut at), Out::to(&mut bytes), loaded, Text::of(c"answer")));
            assert_eq!((take(at, 1), bytes), (vec![42], 4));
            let look = got(|out| function::cuModuleGetFunction(out, loaded, Text::of(c"look")));
            let out = alloc(4);
            ok(run(look, 1, 1, &[Arg::P(out)]));
            assert_eq!(take(out, 1), [42]);
            // Changing the variable from outside is seen by the next launch.
            put(at, &[43]);
            ok(run(look, 1, 1, &[Arg::P(out)]));
            assert_eq!(take(out, 1), [43]);
            let mut name: *const c_char = std::ptr::null();
            ok(function::cuFuncGetName(Out::to(&mut name), look));
            // SAFETY: the name belongs to the function, which is still loaded.
            assert_eq!(unsafe { CStr::from_ptr(name) }, c"look");
            assert_eq!(function::cuModuleGetFunction(Out::to(&mut 0), loaded, Text::of(c"hide")), Code::NotFound);
            assert_eq!(module::cuModuleGetGlobal_v2(Out::NULL, Out::NULL, loaded, Text::of(c"hide")), Code::NotFound);
            ok(module::cuModuleUnload(loaded));
            assert_eq!(run(look, 1, 1, &[Arg::P(out)]), Code::InvalidHandle);
            assert_eq!(module::cuModuleLoad(Out::to(&mut 0), Text::of(c"/nowhere/kernel.ptx")), Code::FileNotFound);
        },
    );
}

#[test]
fn limits_and_preferences_are_kept() {
    on(
        "a100",
        |_| {},
        || {
            ok(context::cuCtxSetLimit(2, 1 << 24));
            assert_eq!(got(|out| context::cuCtxGetLimit(out, 2)), 1 << 24);
            assert_eq!(context::cuCtxGetLimit(Out::to(&mut 0), 77), Code::UnsupportedLimit);
            ok(context::cuCtxSetFlags(4));
            assert_eq!(got(|out| context::cuCtxGetFlags(out)), 4);
            assert_eq!(context::cuCtxSetFlags(0x1000), Code::InvalidValue);
            ok(context::cuCtxSetCacheConfig(1));
            assert_eq!(got(|out| context::cuCtxGetCacheConfig(out)), 1);
            assert_eq!(got(|out| device::cuDriverGetVersion(out)), 13_050);
        },
    );
}
