//! Parses PTX files and says what is in them, or what is not supported.
//!
//! `cargo run -p tilecast-vgpu --example inspect -- FILE.ptx…`
#![allow(clippy::print_stdout)]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        match vgpu::ptx::parse(&std::fs::read_to_string(&path)?) {
            Err(error) => println!("{path}: {error}"),
            Ok(module) => {
                println!("{path}: {} for {}", module.version.0, module.target);
                for f in &module.functions {
                    let (registers, shared, local) = (f.registers, f.static_shared_bytes, f.local_bytes);
                    println!("  {}: {registers} registers, {shared} bytes shared, {local} bytes local", f.name);
                }
            }
        }
    }
    Ok(())
}
