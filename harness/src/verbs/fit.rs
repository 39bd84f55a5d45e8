//! `tilecast fit`: a predictor from a store.

use std::path::PathBuf;

use serde_json::json;
use tilecast_models::{FitOptions, fit};

use crate::fail::Fail;
use crate::verbs::asked::Output;
use crate::verbs::modelled::{TargetArgs, parse_preset, write_whole};
use crate::verbs::runs::read_store;
use crate::{Exit, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Presets: default (forest over an analytic prior), gpperf (that paper's recipe), and the baselines roofline, loglinear, nearest

Example: tilecast fit store -o time.model"
)]
pub struct Args {
    /// Store
    store: PathBuf,
    /// Model file to write
    #[arg(short, long, value_name = "MODEL")]
    out: PathBuf,
    /// How it is fitted
    #[arg(long, default_value = "default")]
    preset: String,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: Output,
}

impl Args {
    /// Fits and writes.
    ///
    /// # Errors
    /// [`Fail`] where the store has no usable rows or the file cannot be written.
    pub fn run(self) -> Result<Exit, Fail> {
        let options = FitOptions {
            target: self.target.target()?,
            preset: parse_preset(&self.preset)?,
            seed: self.target.seed,
            trees: self.target.trees(),
            calibrate: None,
        };
        let frame = read_store(&self.store)?;
        let predictor = fit(&frame, &options)?;
        let bytes = predictor.to_bytes();
        write_whole(&self.out, &bytes)?;
        let facts = json!({
            "model": self.out.display().to_string(),
            "preset": options.preset.name(),
            "target": options.target.name(),
            "rows": predictor.rows(),
            "features": predictor.features(),
            "bytes": bytes.len(),
        });
        if self.output.json {
            terminal::json(&facts)?;
        } else {
            terminal::say(format_args!(
                "{}: {} on {} rows, {} features, {} B",
                self.out.display(),
                options.preset.name(),
                predictor.rows(),
                predictor.features().len(),
                bytes.len()
            ));
            terminal::say("how well it does on what it has not seen: `tilecast evaluate`");
        }
        Ok(Exit::Done)
    }
}
