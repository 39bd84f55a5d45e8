//! The sweep's side: a child process that answers in time, or is replaced.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::message::{Ask, Reply};

/// Longest silence while a device is described or its roofs are measured, which takes one to three seconds on an idle machine.
const DEVICE_S: f64 = 120.0;

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The program itself.
    pub program: PathBuf,
    /// Arguments of its hidden `worker` verb.
    pub arguments: Vec<String>,
    /// Variables it is given beside ours.
    pub environment: Vec<(String, String)>,
    /// Longest silence.
    pub timeout_s: f64,
}

/// Why a worker was lost.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// It could not be started.
    #[error("worker could not be started: {0}")]
    Start(std::io::Error),
    /// It died.
    #[error("worker died: {0}")]
    Died(String),
    /// Its device refuses everything from now on; it was ended.
    #[error("{0}")]
    Device(String),
    /// It did not answer in time and was killed.
    #[error("worker gave no answer within `{0}` s and was killed")]
    TimedOut(f64),
}

/// A worker process.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    input: ChildStdin,
    replies: Receiver<std::io::Result<Reply>>,
    complaints: Arc<Mutex<VecDeque<String>>>,
    listener: Option<std::thread::JoinHandle<()>>,
    timeout_s: f64,
}

impl Worker {
    /// Starts a worker in a process group of its own, so that Ctrl-C reaches only the sweep.
    ///
    /// # Errors
    /// [`Lost::Start`].
    pub fn start(options: &WorkerOptions) -> Result<Self, Lost> {
        let mut child = Command::new(&options.program)
            .args(&options.arguments)
            .envs(options.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(Lost::Start)?;
        let input = child.stdin.take().expect("stdin is piped");
        let replies = read_replies(child.stdout.take().expect("stdout is piped"));
        let (complaints, listener) = read_complaints(child.stderr.take().expect("stderr is piped"));
        Ok(Self { child, input, replies, complaints, listener: Some(listener), timeout_s: options.timeout_s })
    }

    /// Sends `ask` without waiting, so that the worker never idles between samples of a round.
    pub fn send(&mut self, ask: &Ask) {
        let mut line = serde_json::to_vec(ask).expect("requests hold only finite numbers and text");
        line.push(b'\n');
        // A worker that is gone may have answered earlier requests: that it is gone shows where its answers end.
        let _ = self.input.write_all(&line);
    }

    /// The next answer, in the order asked.
    ///
    /// # Errors
    /// [`Lost`] where the worker died or was silent for too long; it is dead afterwards.
    pub fn receive(&mut self) -> Result<Reply, Lost> {
        self.receive_within(self.timeout_s)
    }

    fn receive_within(&mut self, timeout_s: f64) -> Result<Reply, Lost> {
        match self.replies.recv_timeout(Duration::from_secs_f64(timeout_s)) {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => {
                self.end();
                Err(Lost::Died(format!("its answer was not understood: {error}")))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.died()),
            Err(RecvTimeoutError::Timeout) => {
                self.end();
                Err(Lost::TimedOut(timeout_s))
            }
        }
    }

    /// Asks about the device itself and waits; that takes as long as it takes, whatever the time-out of a kernel.
    ///
    /// # Errors
    /// As [`Worker::receive`].
    pub fn ask_device(&mut self, ask: &Ask) -> Result<Reply, Lost> {
        self.send(ask);
        self.receive_within(self.timeout_s.max(DEVICE_S))
    }

    /// Asks for what takes up to `seconds` beside the time-out of a kernel, and waits.
    ///
    /// # Errors
    /// As [`Worker::receive`].
    pub fn ask_beside(&mut self, ask: &Ask, seconds: f64) -> Result<Reply, Lost> {
        self.send(ask);
        self.receive_within(self.timeout_s + seconds)
    }

    fn died(&mut self) -> Lost {
        let status = match self.child.wait() {
            Ok(status) => {
                status.signal().map_or_else(|| status.to_string(), |signal| format!("signal {signal} ({})", signal_name(signal)))
            }
            Err(error) => error.to_string(),
        };
        Lost::Died(self.with_complaints(status))
    }

    /// Its device is lost: ends it, and gives the reason with what it wrote to its standard error, where a driver may tell more than by its code.
    pub fn device_lost(&mut self, reason: String) -> Lost {
        self.end();
        Lost::Device(self.with_complaints(reason))
    }

    /// `reason` with what a worker that has ended wrote to its standard error.
    fn with_complaints(&mut self, reason: String) -> String {
        if let Some(listener) = self.listener.take() {
            // The pipe is closed by now; a listener that panicked has nothing to add.
            let _ = listener.join();
        }
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let said = complaints.iter().map(String::as_str).collect::<Vec<_>>().join("; ");
        if said.is_empty() { reason } else { format!("{reason}: {said}") }
    }

    /// Kills it, where it lives.
    pub fn end(&mut self) {
        // Already dead is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE",
        libc::SIGABRT => "SIGABRT",
        libc::SIGKILL => "SIGKILL",
        _ => "other",
    }
}

fn read_replies(output: impl Read + Send + 'static) -> Receiver<std::io::Result<Reply>> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let reply = line.and_then(|line| serde_json::from_str(&line).map_err(Into::into));
            if send.send(reply).is_err() {
                return;
            }
        }
    });
    receive
}

/// Keeps the last few lines the worker wrote to its standard error.
fn read_complaints(errors: impl Read + Send + 'static) -> (Arc<Mutex<VecDeque<String>>>, std::thread::JoinHandle<()>) {
    let kept = Arc::new(Mutex::new(VecDeque::new()));
    let keep = Arc::clone(&kept);
    let listener = std::thread::spawn(move || {
        for line in BufReader::new(errors).lines().map_while(Result::ok) {
            let mut kept = keep.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_back(line);
            if kept.len() > 4 {
                kept.pop_front();
            }
        }
    });
    (kept, listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::Said;

    /// A worker that answers twice, complains and dies.
    fn dying() -> Worker {
        let reply = r#"{"said":{"said":"begun"},"busy":{"kernel_s":0,"verify_s":0,"flush_s":0,"prepare_s":0,"sensor_s":0}}"#;
        let script = format!("read a; echo '{reply}'; read a; echo '{reply}'; echo 'out of luck' >&2; exit 3");
        Worker::start(&WorkerOptions {
            program: "sh".into(),
            arguments: vec!["-c".to_owned(), script],
            environment: Vec::new(),
            timeout_s: 60.0,
        })
        .expect("a shell starts")
    }

    #[test]
    fn a_worker_that_died_is_lost_after_its_last_answer_and_says_why() {
        let mut worker = dying();
        worker.send(&Ask::Info);
        worker.send(&Ask::Info);
        worker.child.wait().expect("it ends");
        for _ in 0..16 {
            worker.send(&Ask::Info);
        }
        for _ in 0..2 {
            let reply = worker.receive().expect("it answered before it died");
            assert!(matches!(reply.said, Said::Begun), "{reply:?}");
        }
        let lost = worker.receive().expect_err("no third answer").to_string();
        assert_eq!(lost, "worker died: exit status: 3: out of luck");
    }
}
