//! Names the shared object after the driver it stands in for: loaders and NVRTC look for that name.
//!
//! It stays loaded once opened, so that closing NVML does not set the clock back, and its calls to itself stay inside, whatever driver else a process has open.

fn main() {
    for option in ["-soname,libcuda.so.1", "-z,nodelete", "-Bsymbolic"] {
        println!("cargo:rustc-cdylib-link-arg=-Wl,{option}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
