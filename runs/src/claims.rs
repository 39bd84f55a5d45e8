//! What the footer and the page headers of a Parquet file claim, read before the footer is taken and before any page is unpacked.
//!
//! The reader trusts them with the sizes of its buffers: a page of -1 values, or a list of 2^28 row groups in a footer of six kilobytes, makes it ask
//! for more bytes than there are, and a failed allocation ends the program. Found by fuzzing. Both are Thrift structs in the compact protocol
//! (parquet.thrift, `FileMetaData` and `PageHeader`).

use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

use polars::io::parquet::metadata::FileMetadata;

/// Bytes of a page when unpacked: writers make pages of about 1 MiB, some of 100.
const MOST_BYTES: i64 = 512 << 20;
/// Structs and lists within each other, above which a header or a footer is none.
const DEPTH: u32 = 16;

/// A column of a row group: where its pages lie, and how many values they have together.
struct Chunk {
    bytes: Range<u64>,
    values: i64,
}

/// Where the footer of a file lies that ends as Parquet does; `None` where it does not, or is too short for it.
///
/// # Errors
/// Where the file cannot be read.
pub(crate) fn footer(file: &mut (impl Read + Seek)) -> std::io::Result<Option<Range<u64>>> {
    let mut tail = [0; 8];
    let Some(end) = file.seek(SeekFrom::End(0))?.checked_sub(8) else { return Ok(None) };
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut tail)?;
    let length = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    // The same four bytes stand at the beginning.
    let start = end.checked_sub(length).filter(|start| &tail[4..] == b"PAR1" && *start >= 4);
    Ok(start.map(|start| start..end))
}

/// Walks the footer. What has none is left to the reader to refuse.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn check_footer(mut file: impl Read + Seek) -> Result<(), String> {
    let words = |error: std::io::Error| error.to_string();
    let Some(place) = footer(&mut file).map_err(words)? else { return Ok(()) };
    file.seek(SeekFrom::Start(place.start)).map_err(words)?;
    let length = place.end - place.start;
    let mut reader = Thrift { file: BufReader::new(file.take(length)), read: 0, end: Some(length) };
    reader.pass_value(kind::STRUCT, &FOOTER, 0).map_err(|why| format!("footer: {why}"))
}

/// Walks the headers of all columns of some row groups.
///
/// # Errors
/// What is wrong with the first bad one, in words.
pub(crate) fn check_pages(file: impl Read + Seek, metadata: &FileMetadata, groups: Range<usize>) -> Result<(), String> {
    let mut reader = Thrift { file: BufReader::with_capacity(4096, file), read: 0, end: None };
    for column in metadata.row_groups[groups].iter().flat_map(|group| group.parquet_columns()) {
        check_chunk(&mut reader, &Chunk { bytes: column.byte_range(), values: column.num_values() })?;
    }
    Ok(())
}

fn check_chunk(reader: &mut Thrift<impl Read + Seek>, chunk: &Chunk) -> Result<(), String> {
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
    pub(super) const LIST: u8 = 9;
    pub(super) const STRUCT: u8 = 12;
}

/// What a field is. The reader goes by numbers alone: what says that it is of another type would lead it astray, to sizes that nothing has weighed.
enum Shape {
    /// Passed over by the type that it says, as the reader does.
    Any,
    Flag,
    Byte,
    Int,
    Binary,
    List(&'static Shape),
    /// The fields from number 1 on; those above are [`Shape::Any`].
    Struct(&'static [Shape]),
}

impl Shape {
    fn fits(&self, found: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Flag => matches!(found, 1 | 2),
            Self::Byte => found == kind::BYTE,
            Self::Int => kind::INT.contains(&found),
            Self::Binary => found == kind::BINARY,
            Self::List(_) => found == kind::LIST,
            Self::Struct(_) => found == kind::STRUCT,
        }
    }

    /// What field `id` is, where this is a struct.
    fn field(&self, id: i64) -> &'static Self {
        let Self::Struct(fields) = self else { return &Self::Any };
        usize::try_from(id - 1).ok().and_then(|at| fields.get(at)).unwrap_or(&Self::Any)
    }
}

use Shape::{Any, Binary, Byte, Flag, Int, List, Struct};

/// `FileMetaData`.
static FOOTER: Shape =
    Struct(&[Int, List(&SCHEMA_ELEMENT), Int, List(&ROW_GROUP), List(&KEY_VALUE), Binary, List(&Struct(&[EMPTY, EMPTY]))]);
static SCHEMA_ELEMENT: Shape = Struct(&[Int, Int, Int, Binary, Int, Int, Int, Int, Int, LOGICAL_TYPE]);
/// Decimals, times and integers say more than what they are; number 9 is none.
const LOGICAL_TYPE: Shape = Struct(&[
    EMPTY,
    EMPTY,
    EMPTY,
    EMPTY,
    Struct(&[Int, Int]),
    EMPTY,
    Struct(&[Flag, TIME_UNIT]),
    Struct(&[Flag, TIME_UNIT]),
    Any,
    Struct(&[Byte, Flag]),
    EMPTY,
    EMPTY,
    EMPTY,
    EMPTY,
    EMPTY,
]);
const EMPTY: Shape = Struct(&[]);
const TIME_UNIT: Shape = Struct(&[EMPTY, EMPTY, EMPTY]);
static ROW_GROUP: Shape = Struct(&[List(&COLUMN_CHUNK), Int, Int, List(&Struct(&[Int, Flag, Flag])), Int, Int, Int]);
static KEY_VALUE: Shape = Struct(&[Binary, Binary]);
static COLUMN_CHUNK: Shape = Struct(&[Binary, Int, COLUMN_META_DATA, Int, Int, Int, Int]);
const COLUMN_META_DATA: Shape =
    Struct(&[Int, List(&Int), List(&Binary), Int, Int, Int, Int, List(&KEY_VALUE), Int, Int, Int, STATISTICS, Any, Int, Int]);
const STATISTICS: Shape = Struct(&[Binary, Binary, Int, Int, Binary, Binary, Flag, Flag]);

/// `PageHeader`: kind, sizes, checksum; a data page, an index, a dictionary, a data page of version 2.
static PAGE: Shape = Struct(&[
    Int,
    Int,
    Int,
    Int,
    Struct(&[Int, Int, Int, Int, STATISTICS]),
    EMPTY,
    Struct(&[Int, Int, Flag]),
    Struct(&[Int, Int, Int, Int, Int, Int, Flag, STATISTICS]),
]);

struct Thrift<R: Read> {
    file: BufReader<R>,
    /// Bytes of this struct so far.
    read: u64,
    /// Bytes that it has in all, where that is known: lists are then weighed against what is left.
    end: Option<u64>,
}

impl<R: Read> Thrift<R> {
    fn header(&mut self) -> Result<Page, String> {
        let (mut page, mut id) = (Page::default(), 0);
        loop {
            let found = self.field(&mut id)?;
            let shape = PAGE.field(id);
            match found {
                kind::STOP => return Ok(page),
                kind::I32 if id == 1 => page.kind = self.int()?,
                kind::I32 if id == 2 => page.unpacked = self.int()?,
                kind::I32 if id == 3 => page.packed = self.int()?,
                // Of a data page, a dictionary, a data page of version 2: each begins with its number of values.
                kind::STRUCT if matches!(id, 5 | 7 | 8) => page.values = self.values(shape)?,
                other => self.pass_value(other, shape, 0)?,
            }
        }
    }

    fn values(&mut self, shape: &Shape) -> Result<i64, String> {
        let (mut values, mut id) = (0, 0);
        loop {
            match self.field(&mut id)? {
                kind::STOP => return Ok(values),
                kind::I32 if id == 1 => values = self.int()?,
                other => self.pass_value(other, shape.field(id), 1)?,
            }
        }
    }

    /// Type of the next field; its number, of 16 bits, goes to `id`.
    fn field(&mut self, id: &mut i64) -> Result<u8, String> {
        let byte = self.byte()?;
        match (byte >> 4, byte & 15) {
            (_, kind::STOP) => return Ok(kind::STOP),
            (0, _) => *id = self.int()?,
            (step, _) => *id += i64::from(step),
        }
        if i16::try_from(*id).is_err() {
            return Err(format!("has a field of number `{id}`, expected 16 bits"));
        }
        Ok(byte & 15)
    }

    /// Passes over what says to be of type `found` and has to be of `shape`.
    fn pass_value(&mut self, found: u8, shape: &Shape, depth: u32) -> Result<(), String> {
        if !shape.fits(found) {
            return Err(format!("has a field of another type than its number is of: `{found}` of Thrift's"));
        }
        match found {
            // Flags are told by the type of the field.
            1 | 2 => Ok(()),
            kind::BYTE => self.byte().map(drop),
            found if kind::INT.contains(&found) => self.unsigned().map(drop),
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
                        other => self.pass_value(other, shape.field(id), depth + 1)?,
                    }
                }
            }
            kind::LIST if depth < DEPTH && self.end.is_some() => {
                let (element, count) = self.list()?;
                let shape = if let List(shape) = shape { shape } else { &Any };
                (0..count).try_for_each(|_| self.pass_value(element, shape, depth + 1))
            }
            // No header of a page has a list, and nothing has a set or a map.
            _ => Err("is none".to_owned()),
        }
    }

    /// Type and number of a list's elements, none of which is less than a byte.
    fn list(&mut self) -> Result<(u8, u64), String> {
        let byte = self.byte()?;
        let count = if byte >> 4 == 15 { self.unsigned()? } else { u64::from(byte >> 4) };
        let left = self.end.unwrap_or(u64::MAX).saturating_sub(self.read);
        if count > left {
            return Err(format!("claims a list of `{count}` elements, expected at most {left}: so many bytes are left"));
        }
        if count > 0 && byte & 15 < kind::BYTE {
            return Err("has a list of flags, of which there are none".to_owned());
        }
        Ok((byte & 15, count))
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

    /// A data page of so many values with three bytes of data, behind a statistic that is skipped.
    fn page(values: u8, packed: u8) -> Vec<u8> {
        let mut bytes = vec![0x15, 0, 0x15, 6, 0x15, packed, 0x2c, 0x15, values, 0x15, 0, 0x3c, 0x18, 2, b'a', b'b', 0, 0, 0];
        bytes.extend([1, 2, 3]);
        bytes
    }

    fn checked(bytes: Vec<u8>, values: i64) -> Result<(), String> {
        let chunk = Chunk { bytes: 0..bytes.len() as u64, values };
        check_chunk(&mut Thrift { file: BufReader::new(Cursor::new(bytes)), read: 0, end: None }, &chunk)
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
        refused(vec![0x99, 0xff, 0xff], "is none");
        refused([vec![0x6c], vec![0x1c; 64], vec![0; 64]].concat(), "is none");
        refused(vec![0x18, 1, b'a', 0x15, 6, 0x15, 6, 0], "another type than its number is of: `8`");
        refused(vec![0x15, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], "more than 64 bits");
    }

    /// A file that is nothing but its ends and a footer.
    fn footer(thrift: &[u8]) -> Result<(), String> {
        let length = u32::try_from(thrift.len()).expect("a few bytes").to_le_bytes();
        check_footer(Cursor::new([b"PAR1", thrift, &length, b"PAR1"].concat()))
    }

    #[test]
    fn a_footers_lists_are_weighed_against_its_bytes() {
        // A version, a schema of one element with a name, a column order, and a field of no known number: a list of two integers.
        let honest = [0x15, 2, 0x19, 0x1c, 0x48, 1, b'a', 0, 0x59, 0x1c, 0x1c, 0, 0, 0x39, 0x25, 2, 4, 0];
        assert_eq!(footer(&honest), Ok(()));
        for (thrift, why) in [
            (
                &[0x29, 0xfc, 0xff, 0xff, 0xff, 0x7f, 0, 0][..],
                "footer: claims a list of `268435455` elements, expected at most 2",
            ),
            (&[0x49, 0x1c, 0x19, 0xfc, 0x14, 0, 0], "claims a list of `20` elements"),
            (&[0x68, 100, b'a', 0], "is cut"),
            (&[0x29, 0x3c, 0], "claims a list of `3`"),
            (&[0xab, 0x01, 0x55, 1, 1, 0], "is none"),
            (&[0x25, 0xf5, 0xe7, 0xf5, 0x98, 1, 0], "has a field of another type than its number is of: `5`"),
            (&[0x29, 0x15, 2, 0], "has a field of another type than its number is of: `5`"),
            (&[0xa9, 0x11, 1, 0], "has a list of flags"),
            (&[0x09, 0x84, 0x80, 0x08, 0x1c, 0, 0], "has a field of number `65538`"),
        ] {
            let said = footer(thrift).expect_err("refused");
            assert!(said.contains(why), "{said}, expected {why}");
        }
        let nested: Vec<u8> = std::iter::once(0xa9).chain([0x19; 64]).collect();
        assert!(footer(&nested).expect_err("refused").contains("is none"));
        for no_footer in [&b""[..], b"PAR1PAR1", b"PAR1\xff\xff\xff\xffPAR1", b"PAR1....\x01\0\0\0CSV1"] {
            assert_eq!(check_footer(Cursor::new(no_footer)), Ok(()), "the reader says it better");
        }
    }
}
