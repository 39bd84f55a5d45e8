//! Facts of a board that decide whether energy can be measured, and whose it would be.

use serde::{Deserialize, Serialize};

use super::Unavailable;

/// A process that NVML sees on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// As the driver numbers it: outside a container.
    pub pid: u32,
}

/// Which of the processes on a board is this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// It has no context: every process on the board is another.
    Absent,
    /// It has a context, under this pid; in a container, under one that only the driver knows.
    Present(u32),
}

/// What is known of a board before anything is measured. What NVML does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// NVML's index, which need not be CUDA's.
    pub index: u32,
    /// Stable name of the board.
    pub uuid: String,
    /// Product name.
    pub name: String,
    /// Driver version.
    pub driver: Option<String>,
    /// Key of [`super::PRIORS`](super::prior::PRIORS).
    pub architecture: String,
    /// Partitioned into instances.
    pub mig: Option<bool>,
    /// The driver stays loaded between processes; without it the first calls find the board waking up.
    pub persistence: Option<bool>,
    /// Compute processes; `None` where the driver does not tell.
    pub compute: Option<Vec<Process>>,
    /// Graphics processes: a display.
    pub graphics: Vec<Process>,
    /// Power limit in force.
    pub power_limit_w: Option<f64>,
    /// As shipped.
    pub default_power_limit_w: Option<f64>,
    /// Least and most that may be set.
    pub power_limit_range_w: Option<(f64, f64)>,
    /// Readings that do not answer, and why: (`energy counter`, `the board does not offer it`).
    pub missing: Vec<(String, String)>,
}

impl Board {
    /// Why energy read here would not be that of this process's kernels.
    #[must_use]
    pub fn obstacle(&self, own: Own) -> Option<Unavailable> {
        if self.mig == Some(true) {
            return Some(Unavailable::Mig);
        }
        let others = self.others(own);
        let pids = |others: &[Process]| others.iter().map(|p| format!("pid {}", p.pid)).collect::<Vec<_>>().join(", ");
        if !others.is_empty() {
            return Some(Unavailable::OtherProcess(pids(&others)));
        }
        if self.missing.len() >= 3 {
            let reasons: Vec<String> = self.missing.iter().map(|(what, why)| format!("{what}: {why}")).collect();
            return Some(Unavailable::NoSensor(reasons.join("; ")));
        }
        None
    }

    /// Compute processes that are not this one. In a container the driver numbers processes from outside: where a process that is there is not listed, one
    /// unknown process is taken to be it.
    #[must_use]
    pub fn others(&self, own: Own) -> Vec<Process> {
        let all = self.compute.as_deref().unwrap_or_default();
        let Own::Present(own) = own else { return all.to_vec() };
        let others: Vec<Process> = all.iter().copied().filter(|process| process.pid != own).collect();
        let own_is_listed = others.len() < all.len();
        if !own_is_listed && others.len() == 1 { Vec::new() } else { others }
    }

    /// What limits or colours measurements here without forbidding them.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.missing.iter().map(|(what, why)| format!("no {what}: {why}")).collect();
        if self.compute.is_none() {
            notes.push("other processes on the GPU cannot be seen: their energy would be counted".to_owned());
        }
        if self.persistence == Some(false) {
            notes.push("persistence mode is off: the driver unloads between processes and idle power differs".to_owned());
        }
        if !self.graphics.is_empty() {
            notes.push(format!(
                "a display is drawn by this GPU ({} graphics processes): its power is in every reading",
                self.graphics.len()
            ));
        }
        if let Some((limit, default)) = self.power_limit_w.zip(self.default_power_limit_w).filter(|(a, b)| (a - b).abs() > 0.5) {
            notes.push(format!("the power limit is {limit:.0} W; {default:.0} W is the default"));
        }
        if self.architecture == "grace-hopper" {
            notes.push("readings cover the module: GPU and processor together".to_owned());
        }
        notes
    }
}

/// Key of the table of priors, from compute capability and product name; `unknown` for what is in no table.
#[must_use]
pub fn architecture(capability: Option<(i32, i32)>, name: &str) -> &'static str {
    let superchip = ["GH200", "Grace Hopper"].iter().any(|mark| name.contains(mark));
    match capability {
        Some((3, _)) => "kepler",
        Some((5, _)) => "maxwell",
        Some((6, _)) => "pascal",
        Some((7, 5)) => "turing",
        Some((7, _)) => "volta",
        Some((8, 0)) => "ampere-ga100",
        Some((8, 9)) => "ada",
        Some((8, _)) => "ampere-ga10x",
        Some((9, _)) if superchip => "grace-hopper",
        Some((9, _)) => "hopper",
        Some((10 | 12, _)) => "blackwell",
        _ => "unknown",
    }
}

/// Whether the plain power call averages over a second: Ampere without GA100, and newer (`nvml.h`, `nvmlDeviceGetPowerUsage`). `None`: not known.
#[must_use]
pub fn averages(architecture: &str) -> Option<bool> {
    match architecture {
        "kepler" | "maxwell" | "pascal" | "volta" | "turing" | "ampere-ga100" => Some(false),
        "unknown" => None,
        _ => Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(pids: &[u32]) -> Board {
        Board { compute: Some(pids.iter().map(|&pid| Process { pid }).collect()), ..Board::default() }
    }

    #[test]
    fn a_board_that_is_shared_or_split_or_blind_says_so() {
        let missing = ["energy counter", "instant power", "average power"].map(|what| (what.to_owned(), "no".to_owned()));
        let cases = [
            (board(&[]), None),
            (board(&[7]), None),
            (board(&[7, 8]), Some("another process is on the GPU (pid 8): its energy cannot be told apart")),
            (board(&[8]), None),
            (board(&[8, 9]), Some("another process is on the GPU (pid 8, pid 9): its energy cannot be told apart")),
            (
                Board { mig: Some(true), ..board(&[]) },
                Some("MIG is on: power and energy are those of the whole board, not of one instance"),
            ),
            (
                Board { missing: missing.into(), ..board(&[]) },
                Some("the board offers no power reading: energy counter: no; instant power: no; average power: no"),
            ),
        ];
        for (board, expected) in cases {
            assert_eq!(board.obstacle(Own::Present(7)).map(|why| why.to_string()).as_deref(), expected);
        }
        let alone = Some("another process is on the GPU (pid 8): its energy cannot be told apart");
        for (pids, expected) in [(&[][..], None), (&[8], alone)] {
            assert_eq!(board(pids).obstacle(Own::Absent).map(|why| why.to_string()).as_deref(), expected, "{pids:?}");
        }
    }

    #[test]
    fn an_architecture_is_known_by_capability_and_name() {
        let cases = [
            (Some((8, 0)), "NVIDIA A100-SXM4-80GB", "ampere-ga100", Some(false)),
            (Some((8, 6)), "NVIDIA GeForce RTX 3090", "ampere-ga10x", Some(true)),
            (Some((9, 0)), "NVIDIA GH200 480GB", "grace-hopper", Some(true)),
            (Some((9, 0)), "NVIDIA H100 PCIe", "hopper", Some(true)),
            (Some((7, 0)), "Tesla V100", "volta", Some(false)),
            (Some((7, 5)), "NVIDIA T4", "turing", Some(false)),
            (None, "something", "unknown", None),
        ];
        for (capability, name, expected, averaging) in cases {
            assert_eq!(architecture(capability, name), expected);
            assert_eq!(averages(expected), averaging);
        }
    }
}
