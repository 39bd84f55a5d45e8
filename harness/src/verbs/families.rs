//! `tilecast families`: what can be run.

use serde_json::{Value as Json, json};
use tilecast_kernels::devices::cuda::Architecture;
use tilecast_kernels::devices::cuda::power::limits;
use tilecast_kernels::{DeviceInfo, DeviceKind, Domain, Family, Parameter, registry};

use crate::fail::Fail;
use crate::spec::find_family;
use crate::verbs::asked::Output;
use crate::verbs::constraints::{ARCHITECTURES, Constraints, constraints};
use crate::{Exit, device, terminal};

/// Architecture whose knobs are shown for a family that runs on GPUs only.
const SHOWN: Architecture = ARCHITECTURES[3];

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tilecast families gemm_regblock
  tilecast families gemm_tc --assume sm_89")]
pub struct Args {
    /// One family in full
    name: Option<String>,
    /// Device whose knobs are shown
    #[arg(long, default_value = device::DEFAULT)]
    device: String,
    /// Show the knobs on a GPU that is not here, known by its architecture alone
    #[arg(long, value_name = "ARCH", conflicts_with = "device")]
    assume: Option<String>,
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
        let info = match &self.assume {
            Some(arch) => device::assume(arch)?,
            None => device::open(&self.device)?.info().clone(),
        };
        match (&self.name, self.output.json) {
            (Some(name), true) => terminal::json(&describe(find_family(name)?, &info))?,
            (Some(name), false) => show(find_family(name)?, &info),
            (None, true) => terminal::json(&registry().iter().map(|family| describe(*family, &info)).collect::<Vec<_>>())?,
            (None, false) => list(&info),
        }
        Ok(Exit::Done)
    }
}

/// The device whose knobs are shown for one family: the one asked for, or an assumed GPU where the family runs on nothing else.
fn shown_device(family: &dyn Family, info: &DeviceInfo) -> DeviceInfo {
    let elsewhere = family.dtypes_on(info.kind).is_empty() && family.cuda().is_some();
    if elsewhere { DeviceInfo::assumed(SHOWN) } else { info.clone() }
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
        "knobs": parameters(&family.knobs(&shown_device(family, info))),
        "architectures": architectures(family),
    })
}

/// Device kinds the family has a source for.
fn devices(family: &dyn Family) -> Vec<&'static str> {
    [family.cpu().map(|_| "cpu"), family.cuda().map(|_| "cuda")].into_iter().flatten().collect()
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
        let knobs: Vec<_> = family.knobs(&shown_device(*family, info)).iter().map(|knob| knob.name).collect();
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
    let device = shown_device(family, info);
    terminal::say(format_args!("\non {}:", device.slug));
    terminal::say(terminal::table(&["knob", "legal", "swept", ""], rows(family.knobs(&device))));
    if device.kind == DeviceKind::Cuda {
        let names: Vec<String> = limits::knobs(&device).iter().map(|knob| format!("`{}`", knob.name)).collect();
        terminal::say(format_args!("and, on every GPU where the user may set them: {}", names.join(", ")));
    }
    show_architectures(family);
    if !card.references.is_empty() {
        terminal::say(format_args!("\n{}", card.references.join("\n")));
    }
}

fn architectures(family: &dyn Family) -> Vec<Constraints> {
    family.cuda().map_or_else(Vec::new, |_| ARCHITECTURES.iter().map(|&arch| constraints(family, arch)).collect())
}

/// What each architecture allows of the swept values, and the commonest reasons where it does not.
fn show_architectures(family: &dyn Family) {
    let found = architectures(family);
    if found.is_empty() {
        return;
    }
    let row = |one: &Constraints| {
        let reasons: Vec<String> = one.refused_by_reason.iter().map(|(reason, count)| format!("{count}× {reason}")).collect();
        vec![
            one.architecture.clone(),
            one.dtypes.join(" "),
            format!("{} of {}", one.legal, one.looked_at),
            if reasons.is_empty() { "none refused".to_owned() } else { reasons.join("\n") },
        ]
    };
    let looked = found.iter().map(|one| one.looked_at).max().unwrap_or(0);
    terminal::say(format_args!("\nof {looked} configurations of the swept values, on the default problem:"));
    let headings = ["architecture", "element types", "legal", "refused, e.g."];
    terminal::say(terminal::table(&headings, found.iter().map(row).collect()));
}
