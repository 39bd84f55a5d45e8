//! Facts that machine code carries itself: a check on what the log says, and what there is where the log is silent.
//!
//! A CUBIN is an ELF file. `.nv.info` holds records: a byte of format, a byte of attribute, 16 bits that are a value, or with format 4 the
//! length of a payload. Attribute 0x2f is (symbol, registers). Static shared memory is the size of `.nv.shared.<kernel>`; from 9.0 on it
//! includes 1 KiB that the system keeps.

use object::{Object, ObjectSection, ObjectSymbol, SymbolIndex};

use super::KernelCode;

const REGISTERS: u8 = 0x2f;
const SIZED: u8 = 4;
/// What the system keeps of each block's shared memory from 9.0 on.
const RESERVED: u64 = 1024;

/// Registers and static shared memory per kernel; empty where `cubin` is not one.
pub(super) fn facts(cubin: &[u8], major: u8) -> Vec<KernelCode> {
    let Ok(file) = object::File::parse(cubin) else { return Vec::new() };
    let Some(records) = file.section_by_name(".nv.info").and_then(|section| section.data().ok()) else { return Vec::new() };
    pairs(records)
        .filter_map(|(symbol, registers)| {
            let symbol = file.symbol_by_index(SymbolIndex(usize::try_from(symbol).ok()?)).ok()?;
            let name = symbol.name().ok()?.to_owned();
            let section = file.section_by_name(&format!(".nv.shared.{name}")).map_or(0, |section| section.size());
            let shared = section.saturating_sub(if major >= 9 { RESERVED } else { 0 });
            Some(KernelCode { name, registers, shared_static_bytes: u32::try_from(shared).ok()?, ..KernelCode::default() })
        })
        .collect()
}

/// (symbol, registers) of every record that says so.
fn pairs(mut bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    std::iter::from_fn(move || {
        while let [format, attribute, low, high, rest @ ..] = bytes {
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            let payload = if *format == SIZED { rest.get(..length)? } else { &[] };
            let found = (*attribute == REGISTERS).then_some(payload.as_chunks::<4>().0);
            bytes = &rest[payload.len()..];
            if let Some([symbol, registers]) = found {
                return Some((u32::from_le_bytes(*symbol), u32::from_le_bytes(*registers)));
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_machine_code_has_no_facts_and_records_are_walked_to_their_end() {
        assert_eq!(facts(b"", 8), []);
        assert_eq!(facts(b"\x7fELF and then nothing", 8), []);
        let records = [
            3, 0x11, 9, 9, 4, 0x2f, 8, 0, 5, 0, 0, 0, 40, 0, 0, 0, 4, 0x12, 4, 0, 1, 2, 3, 4, 4, 0x2f, 8, 0, 6, 0, 0, 0, 7, 0, 0,
            0,
        ];
        assert_eq!(pairs(&records).collect::<Vec<_>>(), [(5, 40), (6, 7)]);
        assert_eq!(pairs(&records[..20]).collect::<Vec<_>>(), [(5, 40)]);
        assert_eq!(pairs(&[4, 0x2f, 200, 0, 1]).collect::<Vec<_>>(), []);
    }
}
