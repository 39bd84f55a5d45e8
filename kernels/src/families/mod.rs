//! Kernel families, one folder each, by group.

use crate::Family;

/// Every family, in the order they are listed.
pub(crate) const ALL: &[&dyn Family] = &[];
