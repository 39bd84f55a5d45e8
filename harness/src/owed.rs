//! What workers may have changed of a board's clocks and power limit: put back when a worker is lost, when its session ends, and when the program is told twice
//! to stop. A worker puts back by itself what it changed wherever it still can; this is for where it cannot.

use std::sync::{Mutex, PoisonError};

use tilecast_kernels::devices::cuda::power::Saved;

use crate::{device, terminal};

static OWED: Mutex<Ledger> = Mutex::new(Ledger(Vec::new()));

/// What stood before, board by board.
#[derive(Debug, Default)]
struct Ledger(Vec<Saved>);

impl Ledger {
    fn owe(&mut self, saved: &Saved) {
        match self.0.iter_mut().find(|known| known.board == saved.board) {
            Some(known) => known.join(saved),
            None => self.0.push(saved.clone()),
        }
    }

    fn settled(&mut self, board: &str) {
        self.0.retain(|known| known.board != board);
    }

    /// Puts back what is owed to `board`, or to all. What `restore` could not put back stays owed; why is given.
    fn put_back(&mut self, board: Option<&str>, restore: &dyn Fn(&Saved) -> Result<(), String>) -> Vec<String> {
        let mut failed = Vec::new();
        self.0.retain(|saved| {
            let concerned = board.is_none_or(|board| saved.board == board);
            match if concerned { restore(saved) } else { return true } {
                Ok(()) => false,
                Err(why) => {
                    failed.push(why);
                    true
                }
            }
        });
        failed
    }
}

/// A worker will change what is `saved`.
pub fn owe(saved: &Saved) {
    OWED.lock().unwrap_or_else(PoisonError::into_inner).owe(saved);
}

/// A worker has put back all that it changed of `board`.
pub fn settled(board: &str) {
    OWED.lock().unwrap_or_else(PoisonError::into_inner).settled(board);
}

/// Puts back what is owed to `board`, or to all boards, and warns of what cannot be.
pub fn put_back(board: Option<&str>) {
    let failed = OWED.lock().unwrap_or_else(PoisonError::into_inner).put_back(board, &device::put_back);
    for why in failed {
        terminal::note(format_args!("warning: {why}"));
        terminal::note(
            "hint: `nvidia-smi -rgc`, `nvidia-smi -rmc` and `nvidia-smi -pl WATTS` put clocks and power limit back by hand",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn saved(board: &str, power_limit_mw: Option<u32>, clock: bool) -> Saved {
        Saved { board: board.to_owned(), power_limit_mw, clock, memory_clock: false }
    }

    #[test]
    fn what_was_told_first_of_a_board_is_put_back_once() {
        let mut ledger = Ledger::default();
        ledger.owe(&saved("a", Some(350_000), false));
        ledger.owe(&saved("b", None, true));
        // A worker that took over reads what the lost one had set; that is not what stood before.
        ledger.owe(&saved("a", Some(150_000), true));
        let done = RefCell::new(Vec::new());
        let restore = |saved: &Saved| {
            done.borrow_mut().push(saved.clone());
            Ok(())
        };
        assert!(ledger.put_back(Some("a"), &restore).is_empty());
        assert_eq!(*done.borrow(), [saved("a", Some(350_000), true)]);
        ledger.put_back(None, &restore);
        ledger.put_back(None, &restore);
        assert_eq!(done.borrow()[1..], [saved("b", None, true)]);
    }

    #[test]
    fn what_a_worker_put_back_itself_is_not_owed_and_what_fails_stays_owed() {
        let mut ledger = Ledger::default();
        ledger.owe(&saved("a", Some(350_000), false));
        ledger.owe(&saved("b", None, true));
        ledger.settled("a");
        let denied = |saved: &Saved| Err(format!("`{}` is denied", saved.board));
        assert_eq!(ledger.put_back(None, &denied), ["`b` is denied"]);
        assert_eq!(ledger.put_back(None, &denied), ["`b` is denied"], "tried again");
        assert!(ledger.put_back(None, &|_| Ok(())).is_empty());
        assert!(ledger.put_back(None, &denied).is_empty());
    }
}
