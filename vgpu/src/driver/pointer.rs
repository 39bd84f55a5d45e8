//! Questions about addresses.

use std::ffi::{c_int, c_uint, c_void};

use super::code::Code;
use super::ffi::{Out, cuda};
use super::session::{Session, enter};

/// `CU_MEMORYTYPE_HOST` and `..._DEVICE`.
const HOST: u32 = 1;
const DEVICE: u32 = 2;

/// An answer, in the width CUDA gives it.
enum Answer {
    Int(u32),
    Word(u64),
}

cuda! {
    /// One property of a device address or of page-locked memory.
    fn cuPointerGetAttribute(data: *mut c_void, attribute: c_uint, address: u64) {
        if data.is_null() {
            return Err(Code::InvalidValue);
        }
        enter(|s| { let answer = answer(s, attribute, address)?; give(data, answer); Ok(()) })
    }

    /// Several; what cannot be answered is zero.
    fn cuPointerGetAttributes(count: c_uint, attributes: Out<c_uint>, data: Out<*mut c_void>, address: u64) {
        enter(|s| {
            for i in 0..count as usize {
                let attribute = attributes.get_at(i).ok_or(Code::InvalidValue)?;
                let place = data.get_at(i).filter(|p| !p.is_null()).ok_or(Code::InvalidValue)?;
                match answer(s, attribute, address) {
                    Ok(found) => give(place, found),
                    Err(_) => give(place, Answer::Int(0)),
                }
            }
            Ok(())
        })
    }
}

fn answer(s: &mut Session<'_>, attribute: u32, address: u64) -> Result<Answer, Code> {
    let device = s.machine.memories.iter().position(|m| m.find(address).is_some());
    let range = device.and_then(|d| s.machine.memories[d].find(address));
    let pinned = s.inner.host.contains_key(&address);
    if range.is_none() && !pinned {
        return Err(Code::InvalidValue);
    }
    Ok(match (attribute, range) {
        (1, _) => Answer::Word(range.and_then(|(_, base, _)| s.inner.allocations.get(&base).copied()).unwrap_or(s.id)),
        (2, Some(_)) => Answer::Int(DEVICE),
        (2, None) => Answer::Int(HOST),
        (3, Some(_)) => Answer::Word(address),
        (4, None) => Answer::Word(address),
        (7, Some((id, _, _))) => Answer::Word(id.0),
        (8, _) => Answer::Int(0),
        (9, _) => Answer::Int(device.unwrap_or(s.device) as u32),
        (11, Some((_, base, _))) => Answer::Word(base),
        (12, Some((_, _, bytes))) => Answer::Word(bytes),
        (13, _) => Answer::Int(1),
        _ => return Err(Code::InvalidValue),
    })
}

fn give(place: *mut c_void, answer: Answer) {
    let address = place as usize;
    match answer {
        Answer::Int(value) => Out::<c_int>::at(address).give(value as c_int),
        Answer::Word(value) => Out::<u64>::at(address).give(value),
    };
}
