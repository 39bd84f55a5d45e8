//! What the compiler says: registers and spills per kernel, and which of its lines tell what is wrong.

use super::KernelCode;

/// Lines of a failure that are kept: the first error with its place and source line, and what follows from it.
const LINES: usize = 6;
/// Most static shared memory of a block, on every architecture.
const STATIC_SHARED: u32 = 48 << 10;

/// Facts per kernel from the assembler's remarks (`--ptxas-options=-v`).
pub(super) fn facts(log: &str) -> Vec<KernelCode> {
    let mut kernels: Vec<KernelCode> = Vec::new();
    for line in log.lines() {
        if let Some(name) = between(line, "Compiling entry function '", "'") {
            kernels.push(KernelCode { name: name.to_owned(), ..KernelCode::default() });
        }
        let Some(kernel) = kernels.last_mut() else { continue };
        for (phrase, fact) in [
            (" bytes stack frame", &mut kernel.stack_bytes),
            (" bytes spill stores", &mut kernel.spill_store_bytes),
            (" bytes spill loads", &mut kernel.spill_load_bytes),
            (" registers", &mut kernel.registers),
            (" barriers", &mut kernel.barriers),
            (" bytes smem", &mut kernel.shared_static_bytes),
        ] {
            if let Some(number) = number_before(line, phrase) {
                *fact = number;
            }
        }
    }
    kernels
}

/// The compiler's own words on what is wrong: from the first error on, a few lines, the assembler's remarks left out.
pub(super) fn complaint(log: &str) -> String {
    let is_remark =
        |line: &&str| line.contains("ptxas info") || line.trim_start().starts_with("ptxas         .") || line.trim().is_empty();
    let lines: Vec<&str> = log.lines().filter(|line| !is_remark(line)).collect();
    let first = lines.iter().position(|line| line.contains("error")).unwrap_or(0);
    let kept: Vec<&str> = lines[first..].iter().map(|line| line.trim_end()).take(LINES).collect();
    if kept.is_empty() { unsaid(log) } else { kept.join("\n") }
}

/// The assembler refuses too much static shared memory without a word of why; its remarks still tell how much it was.
fn unsaid(log: &str) -> String {
    let over = facts(log).into_iter().find(|kernel| kernel.shared_static_bytes > STATIC_SHARED);
    over.map_or_else(
        || "the compiler gave no reason".to_owned(),
        |kernel| {
            let KernelCode { name, shared_static_bytes, .. } = kernel;
            format!("`{name}` uses {shared_static_bytes} bytes smem; {STATIC_SHARED} is the most that code can fix (the assembler's remarks)")
        },
    )
}

fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    line.split_once(before)?.1.split_once(after).map(|(name, _)| name)
}

fn number_before(line: &str, phrase: &str) -> Option<u32> {
    let head = &line[..line.find(phrase)?];
    let digits = head.len() - head.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    head[head.len() - digits..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'g' for 'sm_75'
ptxas info    : Function properties for g
ptxas         .     256 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads
ptxas info    : Used 80 registers, used 0 barriers, 256 bytes cumulative stack size, 364 bytes cmem[0]
ptxas info    : Compiling entry function 'f' for 'sm_75'
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 1 barriers, 8192 bytes smem, 372 bytes cmem[0]
";

    #[test]
    fn registers_spills_and_shared_memory_are_read_per_kernel() {
        let expected = [
            KernelCode {
                name: "g".into(),
                registers: 80,
                spill_store_bytes: 12,
                spill_load_bytes: 16,
                stack_bytes: 256,
                ..KernelCode::default()
            },
            KernelCode { name: "f".into(), registers: 8, barriers: 1, shared_static_bytes: 8192, ..KernelCode::default() },
        ];
        assert_eq!(facts(LOG), expected);
        assert_eq!(facts("nothing of interest"), []);
    }

    #[test]
    fn a_complaint_starts_at_the_first_error_and_leaves_remarks_out() {
        let log = "k.cu(3): warning: variable is never used\n\nk.cu(7): error: identifier \"y\" is undefined\n  int x = y;\n          ^\n\n1 error detected.\n";
        assert_eq!(complaint(log), "k.cu(7): error: identifier \"y\" is undefined\n  int x = y;\n          ^\n1 error detected.");
        let assembler =
            format!("{LOG}ptxas error   : Entry function 'f' uses too much shared data (0x13880 bytes, 0xc000 max)\n");
        assert_eq!(
            complaint(&assembler),
            "ptxas error   : Entry function 'f' uses too much shared data (0x13880 bytes, 0xc000 max)"
        );
        assert_eq!(complaint(""), "the compiler gave no reason");
        assert_eq!(complaint(LOG), "the compiler gave no reason");
        let over = LOG.replace("8192 bytes", "80000 bytes");
        assert!(complaint(&over).starts_with("`f` uses 80000 bytes smem; 49152 is the most"), "{}", complaint(&over));
    }
}
