//! What the name of a GEMM kernel says about it: the grammar of CUTLASS 2.x and 3.x kernels, read leniently.
//!
//! 2.x: `cutlass_{simt|tensorop|…}_{operation}_{M}x{N}_{K}x{stages}_{layouts}_align{n}`, for example
//! `cutlass_simt_sgemm_128x128_8x2_nn_align1`. 3.x: `cutlass3x_sm{NN}_tensorop_…gemm_{types}_{M}x{N}x{K}_{cluster}_{stages}_{layouts}_align{n}…`.

/// Parts of a name; absent is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelName {
    /// Generation of CUTLASS: 2 or 3.
    pub generation: u32,
    /// `simt`, `tensorop`, `wmma`, …
    pub class: Option<String>,
    /// `sgemm`, `s16816gemm`, …
    pub operation: Option<String>,
    /// Rows of the tile of a thread block.
    pub tile_m: Option<i64>,
    /// Columns of that tile.
    pub tile_n: Option<i64>,
    /// Its depth.
    pub tile_k: Option<i64>,
    /// Stages of the software pipeline; 0 in a 3.x name means that the builder chose.
    pub stages: Option<i64>,
    /// Thread blocks of a cluster.
    pub cluster: Option<[i64; 3]>,
    /// Layouts of A and B (and C in 3.x): `nn`, `tnn`; `n` is column-major.
    pub layout: Option<String>,
    /// Alignment of the operands in elements.
    pub align: Option<i64>,
}

/// Parts that labels are held against; of the epilogue names of 2.x say nothing.
pub const PARTS: [&str; 10] =
    ["layout", "tile_m", "tile_n", "tile_k", "cluster_m", "cluster_n", "cluster_k", "stages", "align", "epilogue"];

/// Reads a name. `None` where it is none of CUTLASS.
#[must_use]
pub fn parse(name: &str) -> Option<KernelName> {
    let name = name.trim();
    let start = name.find("cutlass")?;
    let mut tokens = name[start..].split(['_', ' ', '<', '>', ',']).filter(|token| !token.is_empty());
    let generation = match tokens.next()? {
        "cutlass" => 2,
        "cutlass3x" => 3,
        _ => return None,
    };
    let mut parsed = KernelName { generation, ..KernelName::default() };
    for token in tokens {
        parsed.take(token);
    }
    Some(parsed)
}

impl KernelName {
    fn take(&mut self, token: &str) {
        match sizes(token).as_deref() {
            Some([m, n]) if self.tile_m.is_none() => (self.tile_m, self.tile_n) = (Some(*m), Some(*n)),
            Some([k, stages]) if self.tile_k.is_none() => (self.tile_k, self.stages) = (Some(*k), Some(*stages)),
            Some([m, n, k]) if self.tile_m.is_none() => {
                (self.tile_m, self.tile_n, self.tile_k) = (Some(*m), Some(*n), Some(*k));
            }
            Some([m, n, k]) if self.cluster.is_none() => self.cluster = Some([*m, *n, *k]),
            Some([stages]) if self.generation == 3 && self.cluster.is_some() && self.stages.is_none() => {
                self.stages = Some(*stages)
            }
            Some(_) => {}
            None => self.take_word(token),
        }
    }

    fn take_word(&mut self, token: &str) {
        if let Some(align) = token.strip_prefix("align") {
            self.align = self.align.or(align.parse().ok());
        } else if token.contains("gemm") {
            self.operation.get_or_insert_with(|| token.to_owned());
        } else if ["simt", "tensorop", "wmma", "sparse", "planar"].iter().any(|class| token.starts_with(class)) {
            self.class.get_or_insert_with(|| token.to_owned());
        } else if self.tile_m.is_some() && (2..=3).contains(&token.len()) && token.bytes().all(|byte| matches!(byte, b'n' | b't'))
        {
            self.layout.get_or_insert_with(|| token.to_owned());
        }
    }

    /// Layouts of A and B only, as problems name them.
    #[must_use]
    pub fn operand_layout(&self) -> Option<&str> {
        self.layout.as_deref().and_then(|layout| layout.get(..2))
    }

    /// The element type of the operands, where the operation names one (`sgemm`).
    #[must_use]
    pub fn dtype(&self) -> Option<&'static str> {
        match self.operation.as_deref()? {
            "sgemm" => Some("f32"),
            "dgemm" => Some("f64"),
            "hgemm" => Some("f16"),
            "cgemm" => Some("c32"),
            "zgemm" => Some("c64"),
            _ => None,
        }
    }

    /// The number that the name gives a part of [`PARTS`]: `None` where it is silent, or leaves it to the builder or to the launch (0).
    #[must_use]
    pub fn number(&self, part: &str) -> Option<i64> {
        let cluster = |at: usize| self.cluster.map(|cluster| cluster[at]);
        let number = match part {
            "tile_m" => self.tile_m,
            "tile_n" => self.tile_n,
            "tile_k" => self.tile_k,
            "cluster_m" => cluster(0),
            "cluster_n" => cluster(1),
            "cluster_k" => cluster(2),
            "stages" => self.stages,
            "align" => self.align,
            _ => None,
        };
        number.filter(|number| *number > 0)
    }

    /// Whether a label says what the name says: `None` where the name is silent about `part` (one of [`PARTS`]).
    #[must_use]
    pub fn agrees(&self, part: &str, label: &str) -> Option<bool> {
        if part == "layout" {
            let (said, label) = (self.layout.as_deref()?, label.trim().to_ascii_lowercase());
            return Some(said == label || self.operand_layout() == Some(label.as_str()));
        }
        #[allow(clippy::cast_precision_loss)] // tiles are small
        let said = self.number(part)? as f64;
        label.trim().parse::<f64>().ok().map(|label| label == said)
    }
}

/// `128x64` as its numbers; `None` where a part is none.
fn sizes(token: &str) -> Option<Vec<i64>> {
    token.split('x').map(|part| part.parse().ok().filter(|size| *size >= 0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_generations_are_read() {
        let simt = parse("cutlass_simt_sgemm_128x128_8x2_nn_align1").expect("a 2.x name");
        assert_eq!((simt.generation, simt.class.as_deref(), simt.operation.as_deref()), (2, Some("simt"), Some("sgemm")));
        assert_eq!((simt.tile_m, simt.tile_n, simt.tile_k, simt.stages), (Some(128), Some(128), Some(8), Some(2)));
        assert_eq!((simt.layout.as_deref(), simt.align, simt.dtype()), (Some("nn"), Some(1), Some("f32")));
        let tensor = parse("cutlass_tensorop_f16_s16816gemm_f16_256x128_32x3_nt_align8").expect("a 2.x name");
        assert_eq!(
            (tensor.tile_m, tensor.tile_k, tensor.stages, tensor.operand_layout()),
            (Some(256), Some(32), Some(3), Some("nt"))
        );
        let name = "cutlass3x_sm90_tensorop_s64x128x16gemm_f16_f16_f32_f16_f16_128x128x64_2x1x1_0_tnn_align8_warpspecialized_pingpong_epi_tma";
        let three = parse(name).expect("a 3.x name");
        assert_eq!((three.generation, three.tile_m, three.tile_n, three.tile_k), (3, Some(128), Some(128), Some(64)));
        assert_eq!((three.cluster, three.stages, three.align), (Some([2, 1, 1]), Some(0), Some(8)));
        assert_eq!((three.layout.as_deref(), three.operand_layout()), (Some("tnn"), Some("tn")));
    }

    #[test]
    fn labels_are_held_against_the_name() {
        let name = parse("cutlass_simt_sgemm_128x64_8x2_nt_align1").expect("a name");
        for (part, label, expected) in [
            ("layout", "nt", Some(true)),
            ("layout", "TN", Some(false)),
            ("tile_m", "128", Some(true)),
            ("tile_n", "128", Some(false)),
            ("tile_k", "8.0", Some(true)),
            ("stages", "3", Some(false)),
            ("stages", "many", None),
            ("colour", "red", None),
        ] {
            assert_eq!(name.agrees(part, label), expected, "{part} {label}");
        }
        let chosen = parse("cutlass3x_sm90_tensorop_gemm_128x128x64_1x1x1_0_tn_align8").expect("a name");
        assert_eq!(chosen.agrees("stages", "4"), None, "the builder chose");
        let clustered = parse("cutlass3x_sm90_tensorop_gemm_128x128x64_2x1x0_0_tn_align8").expect("a name");
        let agree = ["cluster_m", "cluster_n", "cluster_k"].map(|part| clustered.agrees(part, "1"));
        assert_eq!(agree, [Some(false), Some(true), None]);
    }

    #[test]
    fn other_names_are_none() {
        for name in ["", "volta_sgemm_128x64_nn", "cutlassy_gemm", "ampere"] {
            assert_eq!(parse(name), None, "{name}");
        }
        assert_eq!(parse("cutlass").map(|name| name.tile_m), Some(None));
        assert_eq!(parse("cutlass_99999999999999999999x1_nn").and_then(|name| name.tile_m), None, "no number is that large");
    }
}
