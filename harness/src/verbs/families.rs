//! `tilecast families`: what can be run.

use serde_json::{Value as Json, json};
use tilecast_kernels::{DeviceInfo, Domain, Family, Parameter, registry};

use crate::fail::Fail;
use crate::spec::find_family;
use crate::verbs::asked::Output;
use crate::{Exit, device, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tilecast families gemm_regblock")]
pub struct Args {
    /// One family in full
    name: Option<String>,
    /// Device whose knobs are shown
    #[arg(long, default_value = device::DEFAULT)]
    device: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cuda: device::CudaArgs,
}

impl Args {
    /// Prints the list or one family.
    ///
    /// # Errors
    /// [`Fail`] for an unknown family or device.
    pub fn run(self) -> Result<Exit, Fail> {
        self.cuda.apply();
        let device = device::open(&self.device)?;
        let info = device.info();
        match (&self.name, self.output.json) {
            (Some(name), true) => terminal::json(&describe(find_family(name)?, info))?,
            (Some(name), false) => show(find_family(name)?, info),
            (None, true) => terminal::json(&registry().iter().map(|family| describe(*family, info)).collect::<Vec<_>>())?,
            (None, false) => list(info),
        }
        Ok(Exit::Done)
    }
}

fn describe(family: &dyn Family, info: &DeviceInfo) -> Json {
    let card = family.card();
    let parameters = |list: &[Parameter]| list.iter().map(parameter).collect::<Vec<_>>();
    json!({
        "family": card.id,
        "group": card.group,
        "title": card.title,
        "math": card.math,
        "look_at": card.look_at,
        "references": card.references,
        "devices": devices(family),
        "dtypes": family.dtypes().iter().map(|dtype| dtype.name()).collect::<Vec<_>>(),
        "problem": parameters(&family.axes()),
        "knobs": parameters(&family.knobs(info)),
    })
}

/// Device kinds the family has a source for.
fn devices(family: &dyn Family) -> Vec<&'static str> {
    family.cpu().map(|_| "cpu").into_iter().collect()
}

fn parameter(parameter: &Parameter) -> Json {
    json!({ "name": parameter.name, "domain": domain(&parameter.domain), "values": parameter.values, "doc": parameter.doc })
}

fn domain(domain: &Domain) -> String {
    match domain {
        Domain::Int { min, max } => format!("{min}..={max}"),
        Domain::Real => "real".to_owned(),
        Domain::Choice(words) => words.join("|"),
    }
}

fn list(info: &DeviceInfo) {
    let rows = registry().iter().map(|family| {
        let card = family.card();
        let knobs: Vec<_> = family.knobs(info).iter().map(|knob| knob.name).collect();
        vec![card.id.to_owned(), card.group.to_owned(), devices(*family).join(","), knobs.join(" "), card.title.to_owned()]
    });
    terminal::say(terminal::table(&["family", "group", "devices", "knobs", "what"], rows.collect()));
}

fn show(family: &dyn Family, info: &DeviceInfo) {
    let card = family.card();
    terminal::say(format_args!(
        "{}: {}\ngroup {}; {}\n\n{}\n\n{}\n",
        card.id,
        card.title,
        card.group,
        devices(family).join(", "),
        card.math,
        card.look_at
    ));
    let rows = |list: Vec<Parameter>| {
        let row = |p: Parameter| {
            let values: Vec<String> = p.values.iter().map(ToString::to_string).collect();
            vec![p.name.to_owned(), domain(&p.domain), values.join(" "), p.doc.to_owned()]
        };
        list.into_iter().map(row).collect()
    };
    terminal::say(terminal::table(&["problem axis", "legal", "default", ""], rows(family.axes())));
    terminal::say(format_args!("\non {}:", info.slug));
    terminal::say(terminal::table(&["knob", "legal", "swept", ""], rows(family.knobs(info))));
    if !card.references.is_empty() {
        terminal::say(format_args!("\n{}", card.references.join("\n")));
    }
}
