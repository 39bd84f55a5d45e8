//! Unmodified cudarc and nvml-wrapper on the shared object itself, found beside this test and opened the way a program opens a driver.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests; a skip must be seen

use std::path::PathBuf;
use std::sync::OnceLock;

use cudarc::driver::{CudaContext, LaunchConfig, PushKernelArg, sys};
use cudarc::nvrtc::Ptx;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::{Clock, Sampling, TemperatureSensor};
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;

/// `y[i] = a * x[i] + y[i]`.
const AXPY: &str = "
.version 8.0
.target sm_70
.address_size 64
.visible .entry axpy(.param .f32 a, .param .u64 x, .param .u64 y, .param .u32 n)
{
    .reg .pred %p<2>; .reg .b32 %r<6>; .reg .f32 %f<5>; .reg .b64 %rd<8>;
    ld.param.f32 %f1, [a]; ld.param.u64 %rd1, [x]; ld.param.u64 %rd2, [y]; ld.param.u32 %r1, [n];
    mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mov.u32 %r4, %tid.x; mad.lo.s32 %r5, %r2, %r3, %r4;
    setp.ge.u32 %p1, %r5, %r1; @%p1 bra DONE;
    cvta.to.global.u64 %rd3, %rd1; cvta.to.global.u64 %rd4, %rd2; mul.wide.u32 %rd5, %r5, 4;
    add.s64 %rd6, %rd3, %rd5; add.s64 %rd7, %rd4, %rd5;
    ld.global.f32 %f2, [%rd6]; ld.global.f32 %f3, [%rd7]; fma.rn.f32 %f4, %f1, %f2, %f3; st.global.f32 [%rd7], %f4;
    DONE: ret;
}
";

/// Cargo builds the shared object of the package under test beside its tests.
fn shared_object() -> PathBuf {
    let tests = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let name = format!("{}vgpu{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let found = [tests.join(&name), tests.parent().unwrap().join(&name)].into_iter().find(|p| p.exists());
    found.unwrap_or_else(|| panic!("no `{name}` in `{}` or above: cargo builds it with this test", tests.display()))
}

/// Opens the driver by its path for everybody; cudarc's `dlopen("libcuda.so.1")` then finds it by the name it carries.
fn driver() -> &'static Library {
    static DRIVER: OnceLock<Library> = OnceLock::new();
    DRIVER.get_or_init(|| {
        // SAFETY: the object was built from this package; its initialisers are Rust's own.
        unsafe { Library::open(Some(shared_object()), RTLD_NOW | RTLD_GLOBAL) }.unwrap()
    })
}

fn now() -> u64 {
    // SAFETY: the symbol has this type in this package.
    let now = unsafe { driver().get::<extern "C" fn(u32) -> u64>(b"vgpuNow\0") }.unwrap();
    now(0)
}

/// The last launch as the driver counted it.
fn last_launch() -> serde_json::Value {
    // SAFETY: the symbol has this type in this package.
    let counters = unsafe { driver().get::<extern "C" fn(*mut u8, usize) -> usize>(b"vgpuLastCounters\0") }.unwrap();
    let mut text = vec![0u8; 8192];
    let length = counters(text.as_mut_ptr(), text.len());
    serde_json::from_slice(&text[..length]).unwrap()
}

/// One test at a time: they share the process's one driver, and the last launch is whose it was.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn the_shared_object_is_called_as_the_driver_it_stands_in_for() {
    let _alone = alone();
    driver();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let before = maps.lines().filter(|l| l.contains("libvgpu")).count();
    // SAFETY: the same object is opened again, by the name it carries.
    let again = unsafe { Library::open(Some("libcuda.so.1"), RTLD_NOW) }.unwrap();
    // SAFETY: the symbol has this type in this package, and is not called.
    let now = unsafe { again.get::<extern "C" fn(u32) -> u64>(b"vgpuNow\0") };
    assert!(now.is_ok(), "the virtual driver, not another one");
    let after = std::fs::read_to_string("/proc/self/maps").unwrap().lines().filter(|l| l.contains("libvgpu")).count();
    assert_eq!(before, after, "nothing was loaded twice");
}

/// Every driver call cudarc names; it panics at the first one it does not find.
const CALLED_BY_CUDARC: &str = "
    cuCtxCreate_v4 cuCtxGetCacheConfig cuCtxGetCurrent cuCtxGetLimit cuCtxGetStreamPriorityRange cuCtxSetCacheConfig cuCtxSetCurrent
    cuCtxSetFlags cuCtxSetLimit cuCtxSynchronize cuDestroyExternalMemory cuDeviceGet cuDeviceGetAttribute cuDeviceGetCount
    cuDeviceGetDefaultMemPool cuDeviceGetMemPool cuDeviceGetName cuDeviceGetUuid cuDeviceGetUuid_v2 cuDevicePrimaryCtxRelease_v2
    cuDevicePrimaryCtxRetain cuDeviceSetMemPool cuDeviceTotalMem_v2 cuEventCreate cuEventDestroy_v2 cuEventElapsedTime cuEventElapsedTime_v2
    cuEventQuery cuEventRecord cuEventSynchronize cuExternalMemoryGetMappedBuffer cuFuncGetAttribute cuFuncSetAttribute cuFuncSetCacheConfig
    cuGetErrorName cuGetErrorString cuGraphDestroy cuGraphExecDestroy cuGraphInstantiateWithFlags cuGraphLaunch cuGraphUpload
    cuImportExternalMemory cuInit cuLaunchCooperativeKernel cuLaunchHostFunc cuLaunchKernel cuMemAdvise_v2 cuMemAllocAsync
    cuMemAllocFromPoolAsync cuMemAllocManaged cuMemAlloc_v2 cuMemFreeAsync cuMemFreeHost cuMemFree_v2 cuMemGetInfo_v2 cuMemHostAlloc
    cuMemPoolCreate cuMemPoolDestroy cuMemPoolGetAttribute cuMemPoolSetAttribute cuMemPoolTrimTo cuMemPrefetchAsync_v2 cuMemcpyDtoDAsync_v2
    cuMemcpyDtoD_v2 cuMemcpyDtoHAsync_v2 cuMemcpyDtoH_v2 cuMemcpyHtoDAsync_v2 cuMemcpyHtoD_v2 cuMemcpyPeerAsync cuMemsetD8Async cuMemsetD8_v2
    cuModuleGetFunction cuModuleGetGlobal_v2 cuModuleLoad cuModuleLoadData cuModuleUnload cuOccupancyAvailableDynamicSMemPerBlock
    cuOccupancyMaxActiveBlocksPerMultiprocessor cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags cuOccupancyMaxPotentialBlockSize
    cuOccupancyMaxPotentialBlockSizeWithFlags cuStreamAttachMemAsync cuStreamBeginCapture_v2 cuStreamCreate cuStreamCreateWithPriority
    cuStreamDestroy_v2 cuStreamEndCapture cuStreamIsCapturing cuStreamSynchronize cuStreamWaitEvent";

#[test]
fn every_call_that_cudarc_names_is_there() {
    let driver = driver();
    for name in CALLED_BY_CUDARC.split_whitespace() {
        // SAFETY: the symbol is only looked for.
        assert!(unsafe { driver.get::<extern "C" fn()>(name.as_bytes()) }.is_ok(), "`{name}`");
    }
}

#[test]
fn a_kernel_runs_through_unmodified_cudarc() {
    let _alone = alone();
    driver();
    // SAFETY: only looks whether the library can be opened.
    assert!(unsafe { sys::is_culib_present() });
    let context = CudaContext::new(0).unwrap();
    assert!(context.name().unwrap().ends_with("(virtual)"));
    let stream = context.default_stream();
    let kernel = context.load_module(Ptx::from_src(AXPY)).unwrap().load_function("axpy").unwrap();
    let n = 1000;
    let host: Vec<f32> = (0..n).map(|i| i as f32).collect();
    let x = stream.clone_htod(&host).unwrap();
    let mut y = stream.alloc_zeros::<f32>(n).unwrap();
    let start = stream.record_event(Some(sys::CUevent_flags::CU_EVENT_DEFAULT)).unwrap();
    let (a, count) = (2.0f32, n as u32);
    let mut launch = stream.launch_builder(&kernel);
    launch.arg(&a).arg(&x).arg(&mut y).arg(&count);
    // SAFETY: the arguments are the kernel's parameters, and both arrays have `n` elements.
    unsafe { launch.launch(LaunchConfig::for_num_elems(count)) }.unwrap();
    let end = stream.record_event(Some(sys::CUevent_flags::CU_EVENT_DEFAULT)).unwrap();
    let result = stream.clone_dtoh(&y).unwrap();
    assert!(result.iter().zip(&host).all(|(y, x)| *y == 2.0 * x));
    assert!(start.elapsed_ms(&end).unwrap() > 0.0);
    let counted = last_launch();
    assert_eq!((counted["kernel"].as_str(), counted["findings"].as_u64()), (Some("axpy"), Some(0)));
    assert_eq!(counted["counters"]["flops"]["fp32"], 2 * n, "one fused multiply-add an element");
    // A second stream makes cudarc track events; everything must still be ordered.
    let other = context.new_stream().unwrap();
    let copied = other.clone_dtoh(&y).unwrap();
    other.synchronize().unwrap();
    assert_eq!(copied, result);
}

#[test]
fn nvml_wrapper_reads_the_same_card() {
    let _alone = alone();
    driver();
    let context = CudaContext::new(0).unwrap();
    let path = shared_object();
    let nvml = Nvml::builder().lib_path(path.as_os_str()).init().unwrap();
    let card = nvml.device_by_index(0).unwrap();
    assert_eq!(card.name().unwrap(), context.name().unwrap());
    assert_eq!(nvml.device_by_uuid(card.uuid().unwrap()).unwrap().index().unwrap(), 0);
    let pci = card.pci_info().unwrap();
    assert_eq!(nvml.device_by_pci_bus_id(pci.bus_id).unwrap().index().unwrap(), 0);
    assert_eq!(
        (card.cuda_compute_capability().unwrap().major, pci.pci_device_id & 0xffff),
        (context.compute_capability().unwrap().0, 0x10de)
    );
    assert!(nvml.sys_driver_version().unwrap().contains('.') && nvml.sys_cuda_driver_version().unwrap() >= 13_000);
    let power = card.power_usage().unwrap();
    assert!(power > 0 && power <= card.enforced_power_limit().unwrap());
    let (before, at) = (card.total_energy_consumption().unwrap(), now());
    while now() - at < 1_000_000_000 {
        card.temperature(TemperatureSensor::Gpu).unwrap();
    }
    assert!(card.total_energy_consumption().unwrap() > before, "polling alone lets time pass");
    let fields = card.field_values_for(&[FieldId(83), FieldId(185), FieldId(186)]).unwrap();
    for field in fields {
        let sample = field.unwrap();
        // GA100 and older have no averaged reading.
        let missing = sample.field == FieldId(185) && matches!(sample.value, Err(NvmlError::NotSupported));
        assert!(sample.timestamp > 0 && (sample.value.is_ok() || missing), "{sample:?}");
    }
    assert!(card.clock_info(Clock::SM).unwrap() >= 210);
    assert!(card.supported_memory_clocks().unwrap().iter().all(|m| !card.supported_graphics_clocks(*m).unwrap().is_empty()));
    assert!(card.current_throttle_reasons().is_ok());
    assert!(card.utilization_rates().unwrap().gpu <= 100);
    assert!(card.memory_info().unwrap().total > 0);
    let own = std::process::id();
    assert!(card.running_compute_processes().unwrap().iter().any(|p| p.pid == own));
    assert!(card.running_graphics_processes().unwrap().is_empty());
    let samples = card.samples(Sampling::Power, None).unwrap();
    assert!(samples.iter().all(|s| matches!(s.value, SampleValue::U32(mw) if mw > 0)));
    assert!(card.power_management_limit_constraints().unwrap().max_limit >= card.power_management_limit_default().unwrap());
    assert!(
        card.performance_state().is_ok() && card.brand().is_ok() && card.architecture().is_ok() && card.compute_mode().is_ok()
    );
    assert!(card.is_in_persistence_mode_or_says().is_some());
}

/// Persistence has two answers; both are fine, an error is not.
trait Persistence {
    fn is_in_persistence_mode_or_says(&self) -> Option<bool>;
}

impl Persistence for nvml_wrapper::Device<'_> {
    fn is_in_persistence_mode_or_says(&self) -> Option<bool> {
        self.is_in_persistent_mode().ok()
    }
}

#[test]
fn closing_nvml_does_not_set_the_clock_back() {
    let _alone = alone();
    driver();
    let path = shared_object();
    let hours: Vec<u64> = (0..3)
        .map(|_| {
            let nvml = Nvml::builder().lib_path(path.as_os_str()).init().unwrap();
            nvml.device_by_index(0).unwrap().power_usage().unwrap();
            drop(nvml);
            now()
        })
        .collect();
    assert!(hours.windows(2).all(|w| w[0] < w[1]), "{hours:?}");
}

#[test]
fn nvrtc_compiles_beside_the_driver_and_its_kernel_runs() {
    let _alone = alone();
    driver();
    let Ok(path) = std::env::var("TILECAST_NVRTC") else {
        println!("skipped: TILECAST_NVRTC names no NVRTC library");
        return;
    };
    let context = CudaContext::new(0).unwrap();
    if context.compute_capability().unwrap() < (7, 5) {
        println!("skipped: NVRTC 13 compiles for 7.5 and newer, VGPU_DEVICE is older");
        return;
    }
    // SAFETY: the caller of the test names NVIDIA's compiler; it stays open.
    std::mem::forget(unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.unwrap());
    let source = "template<int T> __device__ float twice(float v) { return T * v; }
        extern \"C\" __global__ void doubled(float* y, const float* x, int n) {
            __shared__ float s[128];
            int i = blockIdx.x * 128 + threadIdx.x;
            s[threadIdx.x] = i < n ? x[i] : 0.f;
            __syncthreads();
            if (i < n) y[i] = twice<2>(s[threadIdx.x]);
        }";
    // NVRTC 13 opens the driver while it compiles and asks for private tables.
    let ptx = cudarc::nvrtc::compile_ptx(source).unwrap();
    let stream = context.default_stream();
    let kernel = context.load_module(ptx).unwrap().load_function("doubled").unwrap();
    let host: Vec<f32> = (0..300).map(|i| i as f32 * 0.5).collect();
    let x = stream.clone_htod(&host).unwrap();
    let mut y = stream.alloc_zeros::<f32>(300).unwrap();
    let n = 300i32;
    let mut launch = stream.launch_builder(&kernel);
    launch.arg(&mut y).arg(&x).arg(&n);
    // SAFETY: the arguments are the kernel's parameters, and both arrays have `n` elements.
    unsafe { launch.launch(LaunchConfig { grid_dim: (3, 1, 1), block_dim: (128, 1, 1), shared_mem_bytes: 0 }) }.unwrap();
    let result = stream.clone_dtoh(&y).unwrap();
    assert!(result.iter().zip(&host).all(|(y, x)| *y == 2.0 * x));
    let counted = last_launch();
    assert_eq!((counted["kernel"].as_str(), counted["findings"].as_u64()), (Some("doubled"), Some(0)), "a sound kernel");
}
