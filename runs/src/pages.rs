//! What the page headers of a Parquet file claim, read before any page is unpacked.
//!
//! The reader trusts them with the sizes of its buffers: a page of -1 values makes it ask for 2^61 bytes, and a failed allocation ends
//! the program. Found by fuzzing. Headers are Thrift structs in the compact protocol (parquet.thrift, `PageHeader`).

use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

use polars::io::parquet::metadata::FileMetadata;

/// Bytes of a page when unpacked: writers make pages of about 1 MiB, some of 100.
const MOST_BYTES: i64 = 512 << 20;
/// Structs within structs, above which a header is none.
const DEPTH: u32 = 8;

/// A column of a row group: where its pages lie, and how many values they have together.
struct Chunk {
    bytes: Range<u64>,
    values: i64,
}

/// Walks the headers of all columns of some row groups.
///
/// # Errors
/// What is wrong with the first bad one, in words.
pub(crate) fn check(file: impl Read + Seek, metadata: &FileMetadata, groups: Range<usize>) -> Result<(), String> {
    let mut reader = Headers { file: BufReader::with_capacity(4096, file), read: 0 };
    for column in metadata.row_groups[groups].iter().flat_map(|group| group.parquet_columns()) {
        check_chunk(&mut reader, &Chunk { bytes: column.byte_range(), values: column.num_values() })?;
    }
    Ok(())
}

fn check_chunk(reader: &mut Headers<impl Read + Seek>, chunk: &Chunk) -> Result<(), String> {
    let (mut at, mut values) = (chunk.bytes.start, 0);
    while at < chunk.bytes.end && values < chunk.values {
        reader.file.seek(SeekFrom::Start(at)).map_err(|error| error.to_string())?;
        reader.read = 0;
        let page = reader.header().map_err(|why| format!("page at byte `{at}`: {why}"))?;
        // A dictionary may hold more than its chunk uses.
        let most = if page.kind == DICTIONARY { i64::from(i32::MAX) } else { chunk.values };
        let claims = [("values", page.values, most), ("bytes", page.packed, MOST_BYTES), ("bytes", page.unpacked, MOST_BYTES)];
        if let Some((what, found, most)) = claims.into_iter().find(|(_, found, most)| !(0..=*most).contains(found)) {
            return Err(format!("page at byte `{at}` claims `{found}` {what}, expected 0 to {most}"));
        }
        values += if page.kind == DICTIONARY { 0 } else { page.values };
        at += reader.read + page.packed.unsigned_abs();
    }
    Ok(())
}

/// `PageType` of a dictionary, whose values are not rows.
const DICTIONARY: i64 = 2;

/// What a page header says.
#[derive(Default)]
struct Page {
    kind: i64,
    unpacked: i64,
    packed: i64,
    values: i64,
}

/// Types of the compact protocol.
mod kind {
    pub(super) const STOP: u8 = 0;
    pub(super) const BYTE: u8 = 3;
    pub(super) const INT: std::ops::RangeInclusive<u8> = 4..=6;
    pub(super) const I32: u8 = 5;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const STRUCT: u8 = 12;
}

struct Headers<R: Read> {
    file: BufReader<R>,
    /// Bytes of this header so far.
    read: u64,
}

impl<R: Read> Headers<R> {
    fn header(&mut self) -> Result<Page, String> {
        let (mut page, mut id) = (Page::default(), 0);
        loop {
            match self.field(&mut id)? {
                kind::STOP => return Ok(page),
                kind::I32 if id == 1 => page.kind = self.int()?,
                kind::I32 if id == 2 => page.unpacked = self.int()?,
                kind::I32 if id == 3 => page.packed = self.int()?,
                // Of a data page, a dictionary, a data page of version 2: each begins with its number of values.
                kind::STRUCT if matches!(id, 5 | 7 | 8) => page.values = self.values()?,
                other => self.skip(other, 0)?,
            }
        }
    }

    fn values(&mut self) -> Result<i64, String> {
        let (mut values, mut id) = (0, 0);
        loop {
            match self.field(&mut id)? {
                kind::STOP => return Ok(values),
                kind::I32 if id == 1 => values = self.int()?,
                other => self.skip(other, 0)?,
            }
        }
    }

    /// Type of the next field; its number goes to `id`.
    fn field(&mut self, id: &mut i64) -> Result<u8, String> {
        let byte = self.byte()?;
        match (byte >> 4, byte & 15) {
            (_, kind::STOP) => return Ok(kind::STOP),
            (0, _) => *id = self.int()?,
            (step, _) => *id = id.wrapping_add(i64::from(step)),
        }
        Ok(byte & 15)
    }

    fn skip(&mut self, what: u8, depth: u32) -> Result<(), String> {
        match what {
            // Flags are told by the type of the field.
            1 | 2 => Ok(()),
            kind::BYTE => self.byte().map(drop),
            what if kind::INT.contains(&what) => self.unsigned().map(drop),
            kind::DOUBLE => self.pass(8),
            kind::BINARY => {
                let length = self.unsigned()?;
                self.pass(length)
            }
            kind::STRUCT if depth < DEPTH => {
                let mut id = 0;
                loop {
                    match self.field(&mut id)? {
                        kind::STOP => return Ok(()),
                        other => self.skip(other, depth + 1)?,
                    }
                }
            }
            // No header of a page has a list or a map.
            _ => Err("is no page header".to_owned()),
        }
    }

    fn pass(&mut self, length: u64) -> Result<(), String> {
        let passed =
            std::io::copy(&mut self.file.by_ref().take(length), &mut std::io::sink()).map_err(|error| error.to_string())?;
        self.read += passed;
        if passed == length { Ok(()) } else { Err("is cut".to_owned()) }
    }

    fn byte(&mut self) -> Result<u8, String> {
        let mut byte = [0];
        self.file.read_exact(&mut byte).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => "is cut".to_owned(),
            _ => error.to_string(),
        })?;
        self.read += 1;
        Ok(byte[0])
    }

    /// Seven bits a byte, lowest first.
    fn unsigned(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(value);
            }
        }
        Err("holds a number of more than 64 bits".to_owned())
    }

    /// Signs stand in the lowest bit.
    fn int(&mut self) -> Result<i64, String> {
        let value = self.unsigned()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A data page of so many values with three bytes of data, behind a field that is skipped.
    fn page(values: u8, packed: u8) -> Vec<u8> {
        let mut bytes = vec![0x15, 0, 0x15, 6, 0x15, packed, 0x2c, 0x15, values, 0x15, 0, 0x1c, 0x18, 2, b'a', b'b', 0, 0, 0];
        bytes.extend([1, 2, 3]);
        bytes
    }

    fn checked(bytes: Vec<u8>, values: i64) -> Result<(), String> {
        let chunk = Chunk { bytes: 0..bytes.len() as u64, values };
        check_chunk(&mut Headers { file: BufReader::new(Cursor::new(bytes)), read: 0 }, &chunk)
    }

    #[test]
    fn honest_pages_pass_and_claims_that_cannot_be_are_named() {
        let two = [page(8, 6), page(8, 6)].concat();
        assert_eq!(checked(two.clone(), 8), Ok(()));
        let refused = |bytes: Vec<u8>, why: &str| {
            let said = checked(bytes, 8).expect_err("refused");
            assert!(said.contains(why), "{said}");
        };
        refused(page(7, 6), "page at byte `0` claims `-4` values, expected 0 to 8");
        refused(page(18, 6), "claims `9` values");
        refused(page(8, 5), "claims `-3` bytes");
        refused([page(8, 6), page(7, 6)].concat(), "page at byte `22` claims `-4` values");
        refused(two[..10].to_vec(), "is cut");
        refused(vec![0x19, 0xff, 0xff], "is no page header");
        refused([vec![0x1c; 64], vec![0; 64]].concat(), "is no page header");
        refused(vec![0x15, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], "more than 64 bits");
    }
}
