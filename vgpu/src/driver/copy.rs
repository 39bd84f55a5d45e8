//! Copies and fills.

use std::ffi::{c_uchar, c_uint, c_ushort, c_void};

use super::code::Code;
use super::ffi::{In, cuda, host_bytes, host_bytes_mut};
use super::session::{Session, StreamName, enter};
use crate::memory::Memory;
use crate::time::costs::{self, ns};
use crate::time::{Activity, Engine};

/// `CUDA_MEMCPY2D`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // CUDA's names
pub struct Copy2d {
    pub src_x_in_bytes: usize,
    pub src_y: usize,
    pub src_memory_type: c_uint,
    pub src_host: *const c_void,
    pub src_device: u64,
    pub src_array: u64,
    pub src_pitch: usize,
    pub dst_x_in_bytes: usize,
    pub dst_y: usize,
    pub dst_memory_type: c_uint,
    pub dst_host: *mut c_void,
    pub dst_device: u64,
    pub dst_array: u64,
    pub dst_pitch: usize,
    pub width_in_bytes: usize,
    pub height: usize,
}

/// Whether the host waits for the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Yes,
    No,
}

cuda! {
    /// Host to device.
    fn cuMemcpyHtoD_v2(dst: u64, src: *const c_void, bytes: usize) {
        enter(|s| move_bytes(s, Place::Device(dst), Place::Host(src.cast_mut()), bytes, 0, Wait::Yes))
    }

    /// Host to device, on a stream.
    fn cuMemcpyHtoDAsync_v2(dst: u64, src: *const c_void, bytes: usize, stream: u64) {
        enter(|s| move_bytes(s, Place::Device(dst), Place::Host(src.cast_mut()), bytes, stream, Wait::No))
    }

    /// Device to host.
    fn cuMemcpyDtoH_v2(dst: *mut c_void, src: u64, bytes: usize) {
        enter(|s| move_bytes(s, Place::Host(dst), Place::Device(src), bytes, 0, Wait::Yes))
    }

    /// Device to host, on a stream.
    fn cuMemcpyDtoHAsync_v2(dst: *mut c_void, src: u64, bytes: usize, stream: u64) {
        enter(|s| move_bytes(s, Place::Host(dst), Place::Device(src), bytes, stream, Wait::No))
    }

    /// Within a card, or between cards.
    fn cuMemcpyDtoD_v2(dst: u64, src: u64, bytes: usize) {
        enter(|s| move_bytes(s, Place::Device(dst), Place::Device(src), bytes, 0, Wait::Yes))
    }

    /// The same, on a stream.
    fn cuMemcpyDtoDAsync_v2(dst: u64, src: u64, bytes: usize, stream: u64) {
        enter(|s| move_bytes(s, Place::Device(dst), Place::Device(src), bytes, stream, Wait::No))
    }

    /// Between any two addresses: unified addressing tells host from device.
    fn cuMemcpy(dst: u64, src: u64, bytes: usize) {
        enter(|s| { let (to, from) = (place(s, dst), place(s, src)); move_bytes(s, to, from, bytes, 0, Wait::Yes) })
    }

    /// The same, on a stream.
    fn cuMemcpyAsync(dst: u64, src: u64, bytes: usize, stream: u64) {
        enter(|s| { let (to, from) = (place(s, dst), place(s, src)); move_bytes(s, to, from, bytes, stream, Wait::No) })
    }

    /// Between cards; the contexts follow from the addresses.
    fn cuMemcpyPeer(dst: u64, _dst_context: u64, src: u64, _src_context: u64, bytes: usize) {
        enter(|s| move_bytes(s, Place::Device(dst), Place::Device(src), bytes, 0, Wait::Yes))
    }

    /// The same, on a stream.
    fn cuMemcpyPeerAsync(dst: u64, _dst_context: u64, src: u64, _src_context: u64, bytes: usize, stream: u64) {
        enter(|s| move_bytes(s, Place::Device(dst), Place::Device(src), bytes, stream, Wait::No))
    }

    /// A rectangle.
    fn cuMemcpy2D_v2(copy: In<Copy2d>) {
        enter(|s| rectangle(s, copy, 0, Wait::Yes))
    }

    /// The same.
    fn cuMemcpy2DUnaligned_v2(copy: In<Copy2d>) {
        enter(|s| rectangle(s, copy, 0, Wait::Yes))
    }

    /// The same, on a stream.
    fn cuMemcpy2DAsync_v2(copy: In<Copy2d>, stream: u64) {
        enter(|s| rectangle(s, copy, stream, Wait::No))
    }

    /// `n` bytes.
    fn cuMemsetD8_v2(dst: u64, value: c_uchar, n: usize) {
        enter(|s| fill(s, Fill { dst, pattern: &[value], pitch: 0, width: n, height: 1 }, 0, Wait::Yes))
    }

    /// `n` bytes, on a stream.
    fn cuMemsetD8Async(dst: u64, value: c_uchar, n: usize, stream: u64) {
        enter(|s| fill(s, Fill { dst, pattern: &[value], pitch: 0, width: n, height: 1 }, stream, Wait::No))
    }

    /// `n` two-byte words.
    fn cuMemsetD16_v2(dst: u64, value: c_ushort, n: usize) {
        enter(|s| fill(s, Fill { dst, pattern: &value.to_le_bytes(), pitch: 0, width: n, height: 1 }, 0, Wait::Yes))
    }

    /// `n` two-byte words, on a stream.
    fn cuMemsetD16Async(dst: u64, value: c_ushort, n: usize, stream: u64) {
        enter(|s| fill(s, Fill { dst, pattern: &value.to_le_bytes(), pitch: 0, width: n, height: 1 }, stream, Wait::No))
    }

    /// `n` four-byte words.
    fn cuMemsetD32_v2(dst: u64, value: c_uint, n: usize) {
        enter(|s| fill(s, Fill { dst, pattern: &value.to_le_bytes(), pitch: 0, width: n, height: 1 }, 0, Wait::Yes))
    }

    /// `n` four-byte words, on a stream.
    fn cuMemsetD32Async(dst: u64, value: c_uint, n: usize, stream: u64) {
        enter(|s| fill(s, Fill { dst, pattern: &value.to_le_bytes(), pitch: 0, width: n, height: 1 }, stream, Wait::No))
    }

    /// Rows of bytes.
    fn cuMemsetD2D8_v2(dst: u64, pitch: usize, value: c_uchar, width: usize, height: usize) {
        enter(|s| fill(s, Fill { dst, pattern: &[value], pitch, width, height }, 0, Wait::Yes))
    }

    /// Rows of bytes, on a stream.
    fn cuMemsetD2D8Async(dst: u64, pitch: usize, value: c_uchar, width: usize, height: usize, stream: u64) {
        enter(|s| fill(s, Fill { dst, pattern: &[value], pitch, width, height }, stream, Wait::No))
    }

    /// Rows of two-byte words.
    fn cuMemsetD2D16_v2(dst: u64, pitch: usize, value: c_ushort, width: usize, height: usize) {
        enter(|s| fill(s, Fill { dst, pattern: &value.to_le_bytes(), pitch, width, height }, 0, Wait::Yes))
    }

    /// Rows of two-byte words, on a stream.
    fn cuMemsetD2D16Async(dst: u64, pitch: usize, value: c_ushort, width: usize, height: usize, stream: u64) {
        enter(|s| fill(s, Fill { dst, pattern: &value.to_le_bytes(), pitch, width, height }, stream, Wait::No))
    }

    /// Rows of four-byte words.
    fn cuMemsetD2D32_v2(dst: u64, pitch: usize, value: c_uint, width: usize, height: usize) {
        enter(|s| fill(s, Fill { dst, pattern: &value.to_le_bytes(), pitch, width, height }, 0, Wait::Yes))
    }

    /// Rows of four-byte words, on a stream.
    fn cuMemsetD2D32Async(dst: u64, pitch: usize, value: c_uint, width: usize, height: usize, stream: u64) {
        enter(|s| fill(s, Fill { dst, pattern: &value.to_le_bytes(), pitch, width, height }, stream, Wait::No))
    }
}

/// One end of a copy.
#[derive(Clone, Copy, Debug)]
enum Place {
    Host(*mut c_void),
    Device(u64),
}

/// Rows of `width` patterns, `pitch` bytes apart.
struct Fill<'a> {
    dst: u64,
    pattern: &'a [u8],
    pitch: usize,
    width: usize,
    height: usize,
}

fn place(s: &Session<'_>, address: u64) -> Place {
    if memory_of(s, address).is_some() { Place::Device(address) } else { Place::Host(address as *mut c_void) }
}

/// The card's own memory first: cards may reuse addresses of each other.
fn memory_of<'a>(s: &Session<'a>, address: u64) -> Option<&'a Memory> {
    let machine: &'a crate::state::Machine = s.machine;
    let own = &machine.memories[s.device];
    if own.find(address).is_some() { Some(own) } else { machine.memories.iter().find(|m| m.find(address).is_some()) }
}

/// Bytes are moved now; the time they take is booked on `stream`.
fn move_bytes(s: &mut Session<'_>, to: Place, from: Place, bytes: usize, stream: u64, wait: Wait) -> Result<(), Code> {
    let name = s.stream(stream)?;
    if bytes == 0 {
        return Ok(());
    }
    transfer(s, to, from, bytes)?;
    book(s, name, kind(to, from), bytes, wait);
    Ok(())
}

fn kind(to: Place, from: Place) -> Engine {
    match (to, from) {
        (Place::Device(_), Place::Host(_)) => Engine::CopyIn,
        (Place::Host(_), Place::Device(_)) => Engine::CopyOut,
        _ => Engine::Compute,
    }
}

fn transfer(s: &Session<'_>, to: Place, from: Place, bytes: usize) -> Result<(), Code> {
    let device = |address: u64| memory_of(s, address).ok_or(Code::InvalidValue);
    let told = |bad: crate::memory::BadAddress| {
        super::log::say(&format!("copy refused: {bad}"));
        Code::InvalidValue
    };
    match (to, from) {
        (Place::Device(dst), Place::Host(src)) => {
            device(dst)?.write(dst, host_bytes(src, bytes).ok_or(Code::InvalidValue)?).map_err(told)
        }
        (Place::Host(dst), Place::Device(src)) => {
            device(src)?.read(src, host_bytes_mut(dst, bytes).ok_or(Code::InvalidValue)?).map_err(told)
        }
        (Place::Device(dst), Place::Device(src)) => {
            let (there, here) = (device(dst)?, device(src)?);
            if std::ptr::eq(there, here) {
                return there.copy(dst, src, bytes as u64).map_err(told);
            }
            let mut between = vec![0; bytes];
            here.read(src, &mut between).map_err(told)?;
            there.write(dst, &between).map_err(told)
        }
        (Place::Host(dst), Place::Host(src)) => {
            let target = host_bytes_mut(dst, bytes).ok_or(Code::InvalidValue)?;
            target.copy_from_slice(host_bytes(src, bytes).ok_or(Code::InvalidValue)?);
            Ok(())
        }
    }
}

/// Power of a busy copy engine, as a share of the range between idle and limit.
const COPY_POWER: f64 = 0.05;

fn book(s: &mut Session<'_>, name: StreamName, engine: Engine, bytes: usize, wait: Wait) {
    let card = s.card();
    card.clock.pass(costs::ENQUEUE_NS);
    let range_w = card.envelope().max_w - card.idle_w();
    let dram = card.profile.dram_gb_s * 1e9;
    let link = costs::pcie_bytes_per_s(card.profile.pcie);
    let sm_mhz = card.sm_mhz_wanted(card.clock.now_ns()).0;
    let span = match engine {
        // Within the card every byte is read and written.
        Engine::Compute => s.occupy(name, engine, costs::KERNEL_START_NS + ns(2.0 * bytes as f64 / dram)),
        _ => s.occupy(name, engine, costs::COPY_START_NS + ns(bytes as f64 / link)),
    };
    let traces = &mut s.card().traces;
    match engine {
        Engine::Compute => {
            let weights = crate::time::WEIGHTS;
            let power = range_w * (weights.running + weights.dram);
            traces.compute(span, &Activity { above_idle_w: power, dram: 1.0, sm_mhz, reasons: 0 });
        }
        Engine::CopyIn => traces.copy(0, span, range_w * COPY_POWER),
        Engine::CopyOut => traces.copy(1, span, range_w * COPY_POWER),
    }
    if wait == Wait::Yes {
        let clock = &mut s.card().clock;
        clock.wait_until(span.end_ns);
        clock.pass(costs::SYNCHRONISE_NS);
    }
}

fn rectangle(s: &mut Session<'_>, copy: In<Copy2d>, stream: u64, wait: Wait) -> Result<(), Code> {
    let c = copy.get().ok_or(Code::InvalidValue)?;
    let name = s.stream(stream)?;
    if c.width_in_bytes == 0 || c.height == 0 {
        return Ok(());
    }
    // 1 host, 2 device, 3 array, 4 unified.
    let end = |kind: c_uint, host: *mut c_void, device: u64| match kind {
        1 => Ok(Place::Host(host)),
        2 => Ok(Place::Device(device)),
        4 => Ok(place(s, device)),
        3 => Err(Code::NotSupported),
        _ => Err(Code::InvalidValue),
    };
    let from = end(c.src_memory_type, c.src_host.cast_mut(), c.src_device)?;
    let to = end(c.dst_memory_type, c.dst_host, c.dst_device)?;
    let pitch = |given: usize| if given == 0 { c.width_in_bytes } else { given };
    let (src_pitch, dst_pitch) = (pitch(c.src_pitch), pitch(c.dst_pitch));
    if c.height > 1 && (src_pitch < c.src_x_in_bytes + c.width_in_bytes || dst_pitch < c.dst_x_in_bytes + c.width_in_bytes) {
        return Err(Code::InvalidValue);
    }
    for row in 0..c.height {
        let source = offset(from, (c.src_y + row) * src_pitch + c.src_x_in_bytes)?;
        let target = offset(to, (c.dst_y + row) * dst_pitch + c.dst_x_in_bytes)?;
        transfer(s, target, source, c.width_in_bytes)?;
    }
    book(s, name, kind(to, from), c.width_in_bytes * c.height, wait);
    Ok(())
}

fn offset(place: Place, bytes: usize) -> Result<Place, Code> {
    match place {
        Place::Host(address) if address.is_null() => Err(Code::InvalidValue),
        Place::Host(address) => Ok(Place::Host(address.wrapping_byte_add(bytes))),
        Place::Device(address) => Ok(Place::Device(address + bytes as u64)),
    }
}

fn fill(s: &mut Session<'_>, fill: Fill<'_>, stream: u64, wait: Wait) -> Result<(), Code> {
    let name = s.stream(stream)?;
    let row = fill.width * fill.pattern.len();
    if row == 0 || fill.height == 0 {
        return Ok(());
    }
    if !fill.dst.is_multiple_of(fill.pattern.len() as u64) || (fill.height > 1 && fill.pitch < row) {
        return Err(Code::InvalidValue);
    }
    let memory = memory_of(s, fill.dst).ok_or(Code::InvalidValue)?;
    for y in 0..fill.height {
        memory.fill(fill.dst + (y * fill.pitch) as u64, fill.pattern, fill.width as u64).map_err(|bad| {
            super::log::say(&format!("fill refused: {bad}"));
            Code::InvalidValue
        })?;
    }
    // Half of a copy: bytes are only written.
    book(s, name, Engine::Compute, row * fill.height / 2, wait);
    Ok(())
}
