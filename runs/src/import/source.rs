//! Reading a file, packed or not, within bounds.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use super::{ImportError, Limits};
use crate::id::sha256_of;

/// What can be read and sought.
trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

enum Raw<'a> {
    File,
    Bytes(&'a [u8]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zip,
}

/// A file to be imported: on disk, or bytes with a name.
pub(super) struct Source<'a> {
    pub(super) path: PathBuf,
    /// File name without folders.
    pub(super) name: String,
    /// SHA-256 of the bytes on disk.
    pub(super) sha256: String,
    raw: Raw<'a>,
    packing: Packing,
    length: u64,
    limits: Limits,
}

/// Below this size a high packing ratio is harmless.
const RATIO_FLOOR: u64 = 64 << 20;

/// Why a bounded reader stopped, inside an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("more than {limit} bytes ({why})")]
struct Exceeded {
    limit: u64,
    why: &'static str,
}

/// A line or record above its limit, inside an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("a record of more than {limit} bytes")]
pub(super) struct LongRecord {
    pub(super) limit: u64,
}

impl<'a> Source<'a> {
    /// A file on disk.
    pub(super) fn open(path: &Path, limits: Limits) -> Result<Self, ImportError> {
        Self::new(path, Raw::File, limits)
    }

    /// Bytes as if from a file called `name`.
    pub(super) fn bytes(name: &Path, bytes: &'a [u8], limits: Limits) -> Result<Self, ImportError> {
        Self::new(name, Raw::Bytes(bytes), limits)
    }

    fn new(path: &Path, raw: Raw<'a>, limits: Limits) -> Result<Self, ImportError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let path = path.to_owned();
        let mut source = Self { path, name, sha256: String::new(), raw, packing: Packing::Plain, length: 0, limits };
        let (length, head, sha256) =
            source.look().map_err(|error| ImportError::Io { path: source.path.clone(), source: error })?;
        (source.length, source.sha256) = (length, sha256);
        if source.length == 0 {
            return Err(ImportError::Empty { path: source.path });
        }
        source.packing = source.packing_of(&head)?;
        Ok(source)
    }

    /// Length, first bytes and hash.
    fn look(&self) -> io::Result<(u64, Vec<u8>, String)> {
        let mut reader = self.reader()?;
        let length = reader.seek(SeekFrom::End(0))?;
        reader.rewind()?;
        let mut head = Vec::new();
        reader.by_ref().take(4).read_to_end(&mut head)?;
        reader.rewind()?;
        Ok((length, head, sha256_of(&mut reader)?))
    }

    fn packing_of(&self, head: &[u8]) -> Result<Packing, ImportError> {
        let named = |wanted: &str| self.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted));
        let found = || head.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        match head {
            [0x1f, 0x8b, ..] => Ok(Packing::Gzip),
            [b'P', b'K', 3, 4] => Ok(Packing::Zip),
            _ if named("gz") => Err(ImportError::NotGzip { path: self.path.clone(), found: found() }),
            _ if named("zip") => Err(ImportError::NotZip { path: self.path.clone(), found: found() }),
            _ => Ok(Packing::Plain),
        }
    }

    fn reader(&self) -> io::Result<Box<dyn ReadSeek + '_>> {
        Ok(match &self.raw {
            Raw::File => Box::new(File::open(&self.path)?),
            Raw::Bytes(bytes) => Box::new(Cursor::new(*bytes)),
        })
    }

    /// True where the bytes on disk are those of a Parquet file.
    pub(super) fn is_parquet(&self) -> Result<bool, ImportError> {
        let mut head = [0; 4];
        let read = self.reader().and_then(|mut reader| reader.read_exact(&mut head));
        match read {
            Ok(()) => Ok(&head == b"PAR1"),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The file itself, for formats that are read by seeking; bytes are copied.
    pub(super) fn seekable(&self) -> Result<Seekable, ImportError> {
        match &self.raw {
            Raw::File => File::open(&self.path).map(Seekable::File).map_err(|error| self.failed(error)),
            Raw::Bytes(bytes) => Ok(Seekable::Bytes(bytes.to_vec())),
        }
    }

    /// Gives the unpacked text to `take`, without byte order mark and within the limits. Of an archive the largest file whose name
    /// ends in `extension` is meant.
    pub(super) fn stream<T>(
        &self,
        extension: &str,
        take: impl FnOnce(&mut dyn Read) -> Result<T, ImportError>,
    ) -> Result<T, ImportError> {
        let reader = self.reader().map_err(|error| self.failed(error))?;
        let (limit, why) = self.limit();
        match self.packing {
            Packing::Plain => self.decoded(&mut Bounded::new(reader, limit, why), take),
            Packing::Gzip => self.decoded(&mut Bounded::new(MultiGzDecoder::new(io::BufReader::new(reader)), limit, why), take),
            Packing::Zip => {
                let bad = |error: zip::result::ZipError| ImportError::BadZip { path: self.path.clone(), why: error.to_string() };
                let mut archive = ZipArchive::new(reader).map_err(bad)?;
                let index = self.member(&mut archive, extension)?;
                let member = archive.by_index(index).map_err(bad)?;
                self.decoded(&mut Bounded::new(member, limit, why), take)
            }
        }
    }

    /// Archives of Macs hold shadows of each file under `__MACOSX`.
    fn member(&self, archive: &mut ZipArchive<Box<dyn ReadSeek + '_>>, extension: &str) -> Result<usize, ImportError> {
        let mut found: Option<(u64, usize)> = None;
        for index in 0..archive.len() {
            let Ok(member) = archive.by_index_raw(index) else { continue };
            let name = String::from_utf8_lossy(member.name_raw()).into_owned();
            if name.to_ascii_lowercase().ends_with(extension) && !name.contains("__MACOSX") {
                found = found.max(Some((member.size(), index)));
            }
        }
        let why = || ImportError::BadZip { path: self.path.clone(), why: format!("it holds no file that ends in `{extension}`") };
        found.map(|(_, index)| index).ok_or_else(why)
    }

    fn limit(&self) -> (u64, &'static str) {
        if self.packing == Packing::Plain {
            return (self.limits.max_bytes, "the size limit");
        }
        let by_ratio = self.length.saturating_mul(self.limits.max_ratio).max(RATIO_FLOOR);
        if by_ratio < self.limits.max_bytes {
            (by_ratio, "more than the packing ratio allows")
        } else {
            (self.limits.max_bytes, "the size limit")
        }
    }

    fn decoded<T>(
        &self,
        mut reader: &mut dyn Read,
        take: impl FnOnce(&mut dyn Read) -> Result<T, ImportError>,
    ) -> Result<T, ImportError> {
        let mut head = Vec::new();
        (&mut reader).take(3).read_to_end(&mut head).map_err(|error| self.failed(error))?;
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(self.encoding("a UTF-16 byte order mark".to_owned()));
        }
        if head.is_empty() {
            return Err(ImportError::Empty { path: self.path.clone() });
        }
        let head: &[u8] = if head == [0xef, 0xbb, 0xbf] { &[] } else { &head };
        take(&mut Cursor::new(head).chain(reader))
    }

    /// The whole text of a document; documents are held in memory and have a limit of their own.
    pub(super) fn text(&self, extension: &str) -> Result<String, ImportError> {
        let limit = self.limits.max_document_bytes;
        let bytes = self.stream(extension, |reader| {
            let mut bytes = Vec::new();
            reader.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| self.failed(error))?;
            Ok(bytes)
        })?;
        if bytes.len() as u64 > limit {
            return Err(ImportError::TooLarge { path: self.path.clone(), limit, why: "the size limit of a document" });
        }
        let text = String::from_utf8(bytes).map_err(|error| self.encoding(error.utf8_error().to_string()))?;
        if text.trim().is_empty() {
            return Err(ImportError::Empty { path: self.path.clone() });
        }
        Ok(text)
    }

    /// The first character that is no space, to tell formats of several kinds apart.
    pub(super) fn first_character(&self) -> Result<Option<u8>, ImportError> {
        self.stream("", |reader| {
            let mut head = Vec::new();
            reader.take(4096).read_to_end(&mut head).map_err(|error| self.failed(error))?;
            Ok(head.into_iter().find(|byte| !byte.is_ascii_whitespace()))
        })
    }

    /// A sidecar beside the file, at most `max_bytes` of it. `None` where there is none, or it would lie outside the file's folder.
    pub(super) fn sidecar(&self, name: &str, max_bytes: u64) -> Option<Vec<u8>> {
        let relative = Path::new(name);
        let inside = relative.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside || !matches!(self.raw, Raw::File) {
            return None;
        }
        let file = File::open(self.path.parent()?.join(relative)).ok()?;
        let mut bytes = Vec::new();
        file.take(max_bytes).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The error of a reader made here.
    pub(super) fn failed(&self, error: io::Error) -> ImportError {
        let path = self.path.clone();
        let inner = error.get_ref();
        if let Some(exceeded) = inner.and_then(|inner| inner.downcast_ref::<Exceeded>()) {
            return ImportError::TooLarge { path, limit: exceeded.limit, why: exceeded.why };
        }
        if let Some(long) = inner.and_then(|inner| inner.downcast_ref::<LongRecord>()) {
            return ImportError::LongRecord { path, limit: long.limit };
        }
        match self.packing {
            Packing::Plain => ImportError::Io { path, source: error },
            Packing::Gzip | Packing::Zip => ImportError::BadGzip { path, source: error },
        }
    }

    pub(super) fn encoding(&self, why: String) -> ImportError {
        ImportError::Encoding { path: self.path.clone(), why }
    }

    pub(super) fn wrong(&self, format: &str, why: impl Into<String>) -> ImportError {
        ImportError::WrongKind { path: self.path.clone(), format: format.to_owned(), why: why.into() }
    }
}

/// A file that is read by seeking.
pub(super) enum Seekable {
    File(File),
    Bytes(Vec<u8>),
}

/// Fails, instead of ending, past its limit: a bomb must not look like a short file.
struct Bounded<R> {
    inner: R,
    left: u64,
    exceeded: (u64, &'static str),
}

impl<R> Bounded<R> {
    fn new(inner: R, limit: u64, why: &'static str) -> Self {
        Self { inner, left: limit, exceeded: (limit, why) }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        match self.left.checked_sub(length as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(Exceeded { limit: self.exceeded.0, why: self.exceeded.1 })),
        }
        Ok(length)
    }
}
