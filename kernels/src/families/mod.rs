//! Kernel families, one folder each, by group.

pub mod block_structured;
pub mod tensor_product;

use crate::Family;

/// Every family, in the order they are listed.
pub(crate) const ALL: &[&dyn Family] = &[&block_structured::monarch::Monarch, &tensor_product::kron_matmul::KronMatmul];
