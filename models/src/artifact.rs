//! A model as bytes: `tilecast-model\n`, format version (u32), header length (u64), header (JSON: everything but the trees), trees (binary),
//! SHA-256 of all before. Numbers are little-endian. The same model gives the same bytes.
//!
//! A tree is its number of nodes (u32), then per node feature (u16), threshold (u16) and child (u32), and for a leaf, which is its own
//! child, its value (f32) in place of feature and threshold.

use sha2::{Digest, Sha256};

use crate::fit::{Model, Predictor};
use crate::forest::{Forest, Node, Tree};

/// First bytes of every model.
const MAGIC: &[u8] = b"tilecast-model\n";
/// Version of the format this program writes and reads. Version 1 did not say which families and devices a model was fitted on.
pub const FORMAT: u32 = 2;
const CHECKSUM: usize = 32;

/// Why bytes are no model this program can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// Something else altogether.
    #[error("data does not begin with `tilecast-model`, it is not a model of this program")]
    Foreign,
    /// From the future.
    #[error("model has format version `{found}`, this program reads up to {FORMAT}")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// Without what is asked of models now.
    #[error("model has format version `{found}`, this program reads from {FORMAT}")]
    Older {
        /// Its version.
        found: u32,
    },
    /// Cut short.
    #[error("model is truncated: {found} bytes, at least {expected} are needed")]
    Truncated {
        /// Bytes there are.
        found: usize,
        /// Bytes needed.
        expected: usize,
    },
    /// Changed or damaged since it was written.
    #[error("model is damaged: its checksum does not match")]
    Checksum,
    /// The checksum matches but the content makes no sense.
    #[error("model is malformed: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
}

impl ArtifactError {
    /// Advice.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Foreign => "give a file that `tilecast fit` wrote",
            Self::Newer { .. } => "use the program version that wrote the model, or fit again",
            Self::Older { .. } => "fit the model again",
            Self::Truncated { .. } | Self::Checksum | Self::Malformed { .. } => "fit the model again, or copy it again",
        }
    }
}

impl Predictor {
    /// The model as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        let header = serde_json::to_vec(&self.without_trees()).expect("all names are text and all numbers finite");
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend(header);
        for tree in self.forest().map(|forest| forest.trees.as_slice()).unwrap_or_default() {
            write_tree(&mut bytes, tree);
        }
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// The model that [`Predictor::to_bytes`] wrote.
    ///
    /// # Errors
    /// Foreign, newer, truncated, damaged or malformed bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ArtifactError> {
        if !bytes.starts_with(MAGIC) {
            let cut = MAGIC.starts_with(bytes) && !bytes.is_empty();
            let least = MAGIC.len() + 12 + CHECKSUM;
            return Err(if cut {
                ArtifactError::Truncated { found: bytes.len(), expected: least }
            } else {
                ArtifactError::Foreign
            });
        }
        let mut reader = Reader { bytes, at: MAGIC.len() };
        let found = u32::from_le_bytes(reader.take()?);
        if found > FORMAT {
            return Err(ArtifactError::Newer { found });
        }
        if found < FORMAT {
            return Err(ArtifactError::Older { found });
        }
        let length = usize::try_from(u64::from_le_bytes(reader.take()?)).unwrap_or(usize::MAX);
        let header = reader.slice(length)?;
        reader.slice(CHECKSUM)?; // a file that ends inside its header is truncated, not damaged
        let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
        if Sha256::digest(content)[..] != *checksum {
            return Err(ArtifactError::Checksum);
        }
        let malformed = |reason: String| ArtifactError::Malformed { reason };
        let mut predictor: Self = serde_json::from_slice(header).map_err(|error| malformed(error.to_string()))?;
        let mut reader = Reader { bytes: content, at: MAGIC.len() + 12 + length };
        predictor.read_trees(&mut reader)?;
        if reader.at == content.len() { Ok(predictor) } else { Err(malformed("bytes follow the last tree".into())) }
    }

    fn forest(&self) -> Option<&Forest> {
        match &self.model {
            Model::LogForest(forest) | Model::LinearForest(forest) => Some(forest),
            _ => None,
        }
    }

    fn without_trees(&self) -> Self {
        let bare = |forest: &Forest| Forest {
            params: forest.params.clone(),
            rows: forest.rows,
            range: forest.range,
            grid: forest.grid.clone(),
            trees: Vec::new(),
        };
        let model = match &self.model {
            Model::LogForest(forest) => Model::LogForest(bare(forest)),
            Model::LinearForest(forest) => Model::LinearForest(bare(forest)),
            other => other.clone(),
        };
        let Self { target, preset, seed, trees, rows, half_width, .. } = *self;
        let (families, devices) = (self.families.clone(), self.devices.clone());
        let (fingerprint, tool_version) = (self.fingerprint.clone(), self.tool_version.clone());
        let (prior, recipe) = (self.prior.clone(), self.recipe.clone());
        Self { target, preset, seed, trees, rows, families, devices, fingerprint, tool_version, prior, recipe, model, half_width }
    }

    fn read_trees(&mut self, reader: &mut Reader<'_>) -> Result<(), ArtifactError> {
        let (Model::LogForest(forest) | Model::LinearForest(forest)) = &mut self.model else { return Ok(()) };
        let features = forest.features();
        forest.trees = (0..forest.params.trees).map(|_| read_tree(reader, features)).collect::<Result<_, _>>()?;
        Ok(())
    }
}

fn write_tree(bytes: &mut Vec<u8>, tree: &Tree) {
    #[allow(clippy::cast_possible_truncation)] // node numbers are 32 bits
    bytes.extend((tree.nodes.len() as u32).to_le_bytes());
    for (number, node) in tree.nodes.iter().enumerate() {
        if tree.is_leaf(number) {
            bytes.extend(tree.values[number].to_le_bytes());
        } else {
            bytes.extend(node.feature.to_le_bytes());
            bytes.extend(node.threshold.to_le_bytes());
        }
        bytes.extend(node.child.to_le_bytes());
    }
}

/// Reads a tree and checks that every walk ends: children come after their parent and exist.
fn read_tree(reader: &mut Reader<'_>, features: usize) -> Result<Tree, ArtifactError> {
    let malformed = |reason: &str| ArtifactError::Malformed { reason: reason.to_owned() };
    let count = u32::from_le_bytes(reader.take()?);
    if count == 0 {
        return Err(malformed("a tree has no nodes"));
    }
    let mut tree = Tree::default();
    for number in 0..count {
        let first: [u8; 4] = reader.take()?;
        let child = u32::from_le_bytes(reader.take()?);
        if child == number {
            tree.push_leaf(f32::from_le_bytes(first));
            continue;
        }
        let half = |at: usize| u16::from_le_bytes([first[at], first[at + 1]]);
        let (feature, threshold) = (half(0), half(2));
        if child <= number || child >= count - 1 || usize::from(feature) >= features {
            return Err(malformed("a tree node points nowhere"));
        }
        tree.nodes.push(Node { feature, threshold, child });
        tree.values.push(0.0);
    }
    Ok(tree)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn slice(&mut self, length: usize) -> Result<&'a [u8], ArtifactError> {
        let expected = self.at.saturating_add(length);
        let slice = self.bytes.get(self.at..expected).ok_or(ArtifactError::Truncated { found: self.bytes.len(), expected })?;
        self.at = expected;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ArtifactError> {
        Ok(self.slice(N)?.try_into().expect("the slice has N bytes"))
    }
}
