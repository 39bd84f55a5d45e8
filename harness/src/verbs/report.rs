//! `tilecast report`: one self-contained page about a store.

use std::path::PathBuf;

use serde_json::json;
use tilecast_runs::store::summarise;

use crate::fail::Fail;
use crate::gather::{Material, journal_header, page, page_input};
use crate::verbs::asked::Output;
use crate::verbs::modelled::write_whole;
use crate::verbs::runs::read_store;
use crate::{Exit, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tilecast report store -o report.html")]
pub struct Args {
    /// Store
    store: PathBuf,
    /// Page to write
    #[arg(short, long, default_value = "report.html")]
    out: PathBuf,
    /// Title; the spec's name where not given
    #[arg(long)]
    title: Option<String>,
    /// Seed of the models scored on the page
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    output: Output,
}

impl Args {
    /// Writes the page.
    ///
    /// # Errors
    /// [`Fail`] where the store has no rows, mixes simulated with measured ones, or the page cannot be written.
    pub fn run(self) -> Result<Exit, Fail> {
        let frame = read_store(&self.store)?;
        let runs = summarise(&frame)?;
        let headers: Vec<_> = runs.iter().filter_map(|run| journal_header(&self.store, &run.run_id)).collect();
        let name = headers.last().map_or_else(|| self.store.display().to_string(), |header| header.spec_name.clone());
        let material = Material {
            title: self.title.unwrap_or(name),
            frame: &frame,
            learned: &frame,
            recommendations: Vec::new(),
            overhead: Vec::new(),
            headers,
            commands: vec![format!("tilecast report {} -o {}", self.store.display(), self.out.display())],
            point_command: None,
            seed: self.seed,
        };
        let (input, notes) = page_input(material)?;
        notes.iter().for_each(|text| terminal::note(format_args!("note: {text}")));
        let page = page(&input)?;
        write_whole(&self.out, page.as_bytes())?;
        let out = self.out.display();
        if self.output.json {
            let facts = json!({ "page": out.to_string(), "rows": frame.height(), "runs": runs.len(), "bytes": page.len(), "notes": notes });
            terminal::json(&facts)?;
        } else {
            terminal::say(format_args!("{out}: {} rows, {} runs", frame.height(), runs.len()));
        }
        Ok(Exit::Done)
    }
}
