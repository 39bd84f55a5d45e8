//! Labels held against the names of the kernels that ran.

use std::borrow::Cow;
use std::collections::HashMap;

use super::cells::Cells;
use super::mapping::Kernel;
use crate::kernel_name::{self, KernelName};

/// What the names of a batch say; each name is read once.
pub(super) struct Said {
    names: Vec<Option<KernelName>>,
    /// Row → index in `names`.
    of_row: Vec<usize>,
}

impl Said {
    pub(super) fn of(kernels: &[Option<Cow<'_, str>>]) -> Self {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut said = Self { names: Vec::new(), of_row: Vec::with_capacity(kernels.len()) };
        for kernel in kernels {
            let name = kernel.as_deref().unwrap_or_default();
            let place = *places.entry(name).or_insert_with(|| {
                said.names.push(kernel_name::parse(name));
                said.names.len() - 1
            });
            said.of_row.push(place);
        }
        said
    }

    fn row(&self, row: usize) -> Option<&KernelName> {
        self.names[self.of_row[row]].as_ref()
    }

    /// The layout of the operands that each name states.
    pub(super) fn layouts(&self) -> Cells<'static> {
        let layout = |row: usize| self.row(row)?.operand_layout().map(|layout| Cow::Owned(layout.to_owned()));
        Cells::Texts((0..self.of_row.len()).map(layout).collect())
    }

    /// The knobs of a row whose labels contradict the name, comma separated.
    pub(super) fn contradictions(&self, kernel: &Kernel, knobs: &[(String, Cells<'_>)], row: usize) -> Option<String> {
        let name = self.row(row)?;
        let mut label = String::new();
        let contradicts = |knob: &&(String, Cells<'_>)| {
            let (knob, cells) = knob;
            let Some(part) = kernel.labels.get(knob) else { return false };
            label.clear();
            cells.write(row, &mut label) && name.agrees(part, &label) == Some(false)
        };
        let found: Vec<&str> = knobs.iter().filter(contradicts).map(|(knob, _)| knob.as_str()).collect();
        (!found.is_empty()).then(|| found.join(","))
    }
}
