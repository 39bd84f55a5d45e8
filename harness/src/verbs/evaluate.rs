//! `tilecast evaluate`: scores per split, never one number.

use std::path::PathBuf;

use tilecast_models::{EvaluateOptions, Preset, Score, Split, evaluate};

use crate::fail::{Fail, unknown};
use crate::verbs::asked::Output;
use crate::verbs::modelled::{TargetArgs, parse_preset};
use crate::verbs::runs::read_store;
use crate::{Exit, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Splits: rows (random; what similar points leak), shape (whole shapes held out: problems of the same sizes together), config (whole configurations held out), device, family

Example: tilecast evaluate store --split shape --preset default --preset roofline"
)]
pub struct Args {
    /// Store
    store: PathBuf,
    /// What is held out; may be repeated. Where none is given: rows, shape and config as far as the store allows
    #[arg(long)]
    split: Vec<String>,
    /// How models are fitted; may be repeated. Where none is given: all
    #[arg(long)]
    preset: Vec<String>,
    /// Folds; where not given one 80/20 hold-out for rows, five for groups
    #[arg(long)]
    folds: Option<usize>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: Output,
}

impl Args {
    /// Scores and prints.
    ///
    /// # Errors
    /// [`Fail`] where the store has no usable rows, cannot be split as asked, or by none of the splits tried where none is asked for.
    pub fn run(self) -> Result<Exit, Fail> {
        let presets = match self.preset.as_slice() {
            [] => Preset::ALL.to_vec(),
            names => names.iter().map(|name| parse_preset(name)).collect::<Result<_, _>>()?,
        };
        let splits: Vec<Split> = self.split.iter().map(|name| parse_split(name)).collect::<Result<_, _>>()?;
        let target = self.target.target()?;
        let frame = read_store(&self.store)?;
        let (mut scores, mut refused) = (Vec::new(), None);
        let asked = !splits.is_empty();
        for split in if asked { splits } else { vec![Split::Rows, Split::Shape, Split::Config] } {
            let options = EvaluateOptions {
                target,
                presets: presets.clone(),
                splits: vec![split],
                seed: self.target.seed,
                trees: self.target.trees(),
                folds: self.folds,
            };
            match evaluate(&frame, &options) {
                Ok(evaluation) => scores.extend(evaluation.scores),
                Err(error) if asked => return Err(error.into()),
                Err(error) => {
                    terminal::note(format_args!("split {} left out: {error}", split.name()));
                    refused.get_or_insert(error);
                }
            }
        }
        if let Some(error) = refused.filter(|_| scores.is_empty()) {
            let fail = Fail::from(error).or_hint("`tilecast runs STORE` says what the store holds");
            return Err(Fail { message: format!("no split can be scored: {}", fail.message), ..fail });
        }
        if self.output.json {
            terminal::json(&scores)?;
        } else {
            terminal::say(table(&scores));
        }
        Ok(Exit::Done)
    }
}

fn parse_split(name: &str) -> Result<Split, Fail> {
    name.parse().map_err(|_| unknown("split", name, Split::ALL.iter().map(|split| split.name())))
}

/// Scores as a table in percent.
#[must_use]
pub fn table(scores: &[Score]) -> comfy_table::Table {
    let percent = |value: f64| format!("{:.1} %", value * 100.0);
    let plain = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    let rows = scores.iter().map(|s| {
        vec![
            s.split.to_string(),
            s.preset.to_string(),
            s.n_train.to_string(),
            s.n_test.to_string(),
            percent(s.mape),
            percent(s.mdape),
            plain(s.r2),
            plain(s.r2_log),
            plain(s.tau),
            percent(s.top1),
            percent(s.top5),
            s.coverage.map_or_else(|| "–".to_owned(), percent),
        ]
    });
    terminal::table(
        &[
            "split",
            "preset",
            "train",
            "test",
            "MAPE",
            "median APE",
            "R²",
            "R² log",
            "tau",
            "top-1 regret",
            "top-5 regret",
            "90 % coverage",
        ],
        rows.collect(),
    )
}
