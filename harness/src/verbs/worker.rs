//! `tilecast worker`: the process in which kernels run.

use std::io::{BufReader, stdin, stdout};
use std::path::PathBuf;

use tilecast_kernels::devices::cpu::set_library;

use crate::fail::Fail;
use crate::worker::{Fault, serve};
use crate::{Exit, device};

/// Arguments of the hidden verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Device
    #[arg(long)]
    device: String,
    /// BLAS library for `gemm_blas`
    #[arg(long)]
    blas: Option<PathBuf>,
    #[command(flatten)]
    cuda: device::CudaArgs,
    /// Plant a fault, to test the sweep's answer to it
    #[arg(long)]
    fault: Option<String>,
}

impl Args {
    /// Serves until standard input ends.
    ///
    /// # Errors
    /// Where the device cannot be opened.
    pub fn run(self) -> Result<Exit, Fail> {
        let fault = self.fault.as_deref().map(str::parse::<Fault>).transpose()?;
        set_library(self.blas.clone());
        self.cuda.apply();
        let device = device::open(&self.device)?;
        match serve(device.as_ref(), BufReader::new(stdin()), stdout(), fault) {
            Ok(()) => Ok(Exit::Done),
            // The sweep is gone; there is no one left to tell.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Done),
            Err(error) => Err(Fail::new(format!("worker: {error}"))),
        }
    }
}
