//! The dotted words after an opcode. Each is taken by somebody; what is left over is an error, so that no meaning is silently lost.

use super::super::PtxError;
use super::super::op::Finish;
use super::super::types::{Round, Ty};

pub(super) struct Mods<'a> {
    pub(super) opcode: &'a str,
    pub(super) words: Vec<&'a str>,
    pub(super) line: u32,
}

impl<'a> Mods<'a> {
    pub(super) fn take(&mut self, word: &str) -> bool {
        let at = self.words.iter().position(|w| *w == word);
        if let Some(at) = at {
            self.words.remove(at);
        }
        at.is_some()
    }
    /// Takes the first of `words` that is there.
    pub(super) fn take_any(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|w| self.take(w))
    }
    /// Takes every word for which `test` holds.
    pub(super) fn drop_if(&mut self, test: impl Fn(&str) -> bool) {
        self.words.retain(|w| !test(w));
    }
    /// Takes all types, in order.
    pub(super) fn types(&mut self) -> Vec<Ty> {
        let out = self.words.iter().filter_map(|w| Ty::parse(w)).collect();
        self.words.retain(|w| Ty::parse(w).is_none());
        out
    }
    /// Takes the one type.
    pub(super) fn ty(&mut self) -> Result<Ty, PtxError> {
        let at = self.words.iter().position(|w| Ty::parse(w).is_some());
        match at.and_then(|at| Ty::parse(self.words.remove(at))) {
            Some(ty) => Ok(ty),
            None => Err(PtxError { line: self.line, message: format!("`{}` has no type this GPU knows", self.opcode) }),
        }
    }
    /// Takes what arithmetic on `ty` may be finished with: nothing of integers, rounding of f64.
    pub(super) fn finishing_of(&mut self, ty: Ty) -> Finish {
        match ty {
            Ty::F64 => Finish { round: self.rounding(), ..Finish::default() },
            _ if ty.is_float() => self.finishing(),
            _ => Finish::default(),
        }
    }
    /// Takes rounding, ftz, sat and relu.
    pub(super) fn finishing(&mut self) -> Finish {
        Finish { round: self.rounding(), ftz: self.take("ftz"), sat: self.take("sat"), relu: self.take("relu") }
    }
    fn rounding(&mut self) -> Round {
        match self.take_any(&["rn", "rz", "rm", "rp", "rna"]) {
            Some("rz") => Round::Zero,
            Some("rm") => Round::Down,
            Some("rp") => Round::Up,
            Some("rna") => Round::NearestAway,
            _ => Round::Nearest,
        }
    }
    /// Takes ftz, which f64 and integers do not have.
    pub(super) fn flushing(&mut self, ty: Ty) -> bool {
        ty.is_float() && ty != Ty::F64 && self.take("ftz")
    }
    /// Nothing may be left.
    pub(super) fn finish(&self) -> Result<(), PtxError> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => {
                Err(PtxError { line: self.line, message: format!("`{}`: modifier `.{word}` is not supported", self.opcode) })
            }
        }
    }
    /// First word, left in place.
    pub(super) fn first(&self) -> &'a str {
        self.words.first().copied().unwrap_or("")
    }
}
