//! A plan measured into a store: journal, resume, seal.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use tilecast_kernels::{Roof, Sample, stable_id};
use tilecast_runs::journal::{Entry, Header, Journal, SampleEntry};
use tilecast_runs::row::Row;
use tilecast_runs::schema::{VERSION, col};
use tilecast_runs::store::{Read, Store};

use crate::Exit;
use crate::clock;
use crate::fail::Fail;
use crate::measure::{Ended, GroupContext, Outcome, Recovered, Session, SessionFail, Sink, measure_group};
use crate::plan::{Group, Plan, Point, SkipKind, Subject};
use crate::progress::Progress;
use crate::record::{self, RunFacts};
use crate::spec::Sweep;
use crate::worker::Busy;

/// What is measured, and into what.
#[derive(Debug)]
pub struct Campaign<'a> {
    /// The sweep as asked.
    pub sweep: &'a Sweep,
    /// Its text, stored in the journal.
    pub spec_text: &'a str,
    /// What it amounts to on the session's device.
    pub plan: &'a Plan,
    /// Where the rows go.
    pub store: &'a Store,
    /// Whether points that the store holds already are measured again.
    pub again: Again,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
}

/// What happens to a sweep that the store holds already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Nothing is left to do.
    Reuse,
    /// It is measured once more, as a run of its own.
    Measure,
}

/// How a campaign ended.
#[derive(Clone, Debug)]
pub struct CampaignEnd {
    /// The run.
    pub run_id: String,
    /// Every point has a row, or Ctrl-C came.
    pub ended: Ended,
    /// Points by status, over the whole run.
    pub by_status: BTreeMap<String, usize>,
    /// Points that an earlier, interrupted invocation had finished.
    pub resumed: usize,
    /// Wall time of measuring in this invocation.
    pub wall_s: f64,
    /// Time inside workers, by what on.
    pub busy: Busy,
    /// Workers lost.
    pub restarts: u32,
}

impl CampaignEnd {
    /// Share of the wall time that went into none of kernels, verification, preparation, cache flushes and sensors: the harness itself.
    #[must_use]
    pub fn overhead(&self) -> f64 {
        let useful = self.busy.kernel_s + self.busy.verify_s + self.busy.prepare_s + self.busy.flush_s + self.busy.sensor_s;
        if self.wall_s > 0.0 { (1.0 - useful / self.wall_s).max(0.0) } else { 0.0 }
    }

    /// How a program ends that measured this and nothing else.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.ended == Ended::Complete && self.failed() == 0 { Exit::Done } else { Exit::Partial }
    }

    /// Points whose status is not `ok`.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.by_status.iter().filter(|(status, _)| !matches!(status.as_str(), "ok" | "constraint")).map(|(_, count)| count).sum()
    }
}

impl Campaign<'_> {
    /// Measures what the store does not hold yet.
    ///
    /// # Errors
    /// [`Fail`] where the journal cannot be written or no worker can be started; everything measured until then is in the journal.
    pub fn run(&self, session: &mut Session, progress: &mut Progress) -> Result<CampaignEnd, Fail> {
        let started = Instant::now();
        let (sweep_id, whole) = self.identity(&session.device.slug)?;
        if let Some(run_id) = whole {
            return self.reuse(run_id, session);
        }
        let opened = self.open_journal(&sweep_id, session)?;
        let facts = self.facts(opened.journal.header(), &opened.roofs, session);
        let mut sink = JournalSink { journal: opened.journal, facts, by_status: BTreeMap::new(), progress };
        opened.results.iter().for_each(|row| sink.count(row));
        let finished = finished(&opened.results);
        sink.refusals(self.plan, &opened.results)?;
        let context = GroupContext {
            measure: self.sweep.measure,
            seed: self.sweep.seed,
            interrupted: self.interrupted,
            recovered: &opened.recovered,
        };
        let left = self.plan.points().map(|(_, point)| point).filter(|point| !finished.contains(&point.key));
        session.ahead(left.map(|point| ((*point.problem).clone(), point.kernel().into_owned())).collect());
        sink.progress.start(self.plan.points().count(), finished.len());
        let mut ended = Ended::Complete;
        for group in &self.plan.groups {
            ended = measure_group(session, group, &|point| finished.contains(&point.key), &context, &mut sink)?;
            if ended == Ended::Interrupted {
                break;
            }
        }
        sink.progress.finish();
        let JournalSink { journal, facts, by_status, .. } = sink;
        if ended == Ended::Complete {
            self.store.seal(journal)?;
        }
        Ok(CampaignEnd {
            run_id: facts.run_id,
            ended,
            by_status,
            resumed: finished.len(),
            wall_s: started.elapsed().as_secs_f64(),
            busy: session.busy,
            restarts: session.restarts,
        })
    }

    /// Id of what is asked, and the finished run that answers it already.
    fn identity(&self, device: &str) -> Result<(String, Option<String>), Fail> {
        let mut asked: Vec<String> = self.plan.points().map(|(_, point)| point.key.clone()).collect();
        asked.sort_unstable();
        asked.push(format!("{:?} {} {device} {}.{}", self.sweep.measure, self.sweep.seed, VERSION.0, VERSION.1));
        let id = |pass: usize| {
            let pass = format!("pass {pass}");
            stable_id(&asked.iter().map(String::as_str).chain([pass.as_str()]).collect::<Vec<_>>())
        };
        let held = self.store.read(Read { journals: tilecast_runs::store::Journals::Leave, ..Read::default() });
        let held = held?.frame;
        let runs = tilecast_runs::store::summarise(&held)?;
        let sealed = |pass: usize| runs.iter().find(|run| run.sweep_id == id(pass)).map(|run| run.run_id.clone());
        let mut pass = 1;
        let mut last = None;
        while let Some(run_id) = sealed(pass) {
            self.seal_again(&id(pass))?;
            last = Some(run_id);
            pass += 1;
        }
        match (self.again, last) {
            (Again::Reuse, Some(run_id)) => Ok((id(pass - 1), Some(run_id))),
            _ => Ok((id(pass), None)),
        }
    }

    /// A crash between the Parquet files and the moving of the journal leaves the journal open: it is sealed again, where it holds every point.
    fn seal_again(&self, sweep_id: &str) -> Result<(), Fail> {
        let Some((journal, recovered)) = Journal::resume(self.store, sweep_id)? else { return Ok(()) };
        let finished = finished(&recovered.results);
        if self.plan.points().all(|(_, point)| finished.contains(&point.key)) {
            self.store.seal(journal)?;
        }
        Ok(())
    }

    fn reuse(&self, run_id: String, session: &Session) -> Result<CampaignEnd, Fail> {
        let runs = self.store.runs()?;
        let by_status = runs.into_iter().find(|run| run.run_id == run_id).map(|run| run.by_status).unwrap_or_default();
        let resumed = by_status.values().sum();
        let busy = session.busy;
        Ok(CampaignEnd { run_id, ended: Ended::Complete, by_status, resumed, wall_s: 0.0, busy, restarts: 0 })
    }

    fn open_journal(&self, sweep_id: &str, session: &mut Session) -> Result<Opened, Fail> {
        if let Some((journal, recovered)) = Journal::resume(self.store, sweep_id)? {
            let roofs = journal.header().meta.get("roofs").cloned().unwrap_or_default();
            let roofs = serde_json::from_value(roofs).unwrap_or_default();
            let samples = recovered_samples(&recovered.samples);
            return Ok(Opened { journal, roofs, results: recovered.results, recovered: samples });
        }
        let roofs = session.roofs().map_err(|fail| match fail {
            SessionFail::Over(fail) => fail,
            other => Fail::new(other.row().1).within("measuring the roofs"),
        })?;
        let header = self.header(sweep_id, &session.device.slug, &roofs);
        let journal = Journal::create(self.store, &header)?;
        Ok(Opened { journal, roofs, results: Vec::new(), recovered: Recovered::new() })
    }

    fn header(&self, sweep_id: &str, device: &str, roofs: &[Roof]) -> Header {
        let skips = self.plan.left_out();
        let meta = serde_json::json!({ "pid": std::process::id(), "host": clock::host(), "roofs": roofs, "skips": skips });
        Header {
            schema_version: format!("{}.{}", VERSION.0, VERSION.1),
            sweep_id: sweep_id.to_owned(),
            run_id: format!("{}-{}", clock::stamp(), &sweep_id[..8]),
            spec_text: self.spec_text.to_owned(),
            spec_name: self.sweep.name.clone(),
            device: device.to_owned(),
            started_at: clock::now(),
            points: self.plan.points().count(),
            meta: meta.as_object().cloned().unwrap_or_default(),
        }
    }

    fn facts(&self, header: &Header, roofs: &[Roof], session: &Session) -> RunFacts {
        RunFacts {
            run_id: header.run_id.clone(),
            sweep_id: header.sweep_id.clone(),
            spec: self.sweep.name.clone(),
            seed: self.sweep.seed,
            host: clock::host(),
            device: session.device.clone(),
            energy: session.energy.clone(),
            roofs: roofs.to_vec(),
        }
    }
}

/// Where a journal's line holds the sample with all that is known of it, whatever the device.
const WHOLE: &str = "whole";

struct Opened {
    journal: Journal,
    roofs: Vec<Roof>,
    results: Vec<Row>,
    recovered: Recovered,
}

/// Keys of the points that journaled rows belong to.
fn finished(rows: &[Row]) -> HashSet<String> {
    rows.iter().filter_map(result_key).collect()
}

/// Key of the point a journaled row belongs to; `None` for rows that were never points (refused configurations).
fn result_key(row: &Row) -> Option<String> {
    let experiment = experiment(row)?;
    match row.text(col::baseline_of) {
        _ if row.text(col::cache_mode).is_none() => None,
        Some(of) => Some(stable_id(&[&experiment, of])),
        None => Some(experiment),
    }
}

fn experiment(row: &Row) -> Option<String> {
    row.text(col::experiment_id).map(str::to_owned)
}

fn journaled(key: &str, round: u32, sample: &Sample) -> SampleEntry {
    let extra = serde_json::json!({ WHOLE: sample });
    SampleEntry {
        experiment_id: key.to_owned(),
        round,
        time_s: vec![sample.time_s],
        wall_s: vec![sample.wall_s],
        switches: i64::try_from(sample.switches).unwrap_or(i64::MAX),
        iterations: i64::try_from(sample.iterations).unwrap_or(i64::MAX),
        extra: extra.as_object().cloned().unwrap_or_default(),
    }
}

/// A line without a whole sample is an earlier version's: its point is sampled anew.
fn recovered_samples(entries: &[SampleEntry]) -> Recovered {
    let mut recovered = Recovered::new();
    for entry in entries {
        let sample = entry.extra.get(WHOLE).cloned().map(serde_json::from_value);
        if let Some(Ok(sample)) = sample {
            recovered.entry(entry.experiment_id.clone()).or_default().push((entry.round, sample));
        }
    }
    recovered
}

/// Writes samples and results to the journal as they come.
struct JournalSink<'a> {
    journal: Journal,
    facts: RunFacts,
    by_status: BTreeMap<String, usize>,
    progress: &'a mut Progress,
}

impl JournalSink<'_> {
    fn append(&mut self, entry: &Entry) -> Result<(), Fail> {
        Ok(self.journal.append(entry)?)
    }

    fn count(&mut self, row: &Row) {
        *self.by_status.entry(row.text(col::status).unwrap_or("unknown").to_owned()).or_default() += 1;
    }

    /// Configurations the plan could not place are rows too, with the reason; those that are among `written` already stay as they are.
    fn refusals(&mut self, plan: &Plan, written: &[Row]) -> Result<(), Fail> {
        let mut known: HashSet<String> = written.iter().filter_map(experiment).collect();
        for skip in &plan.skipped {
            if let (SkipKind::Config, Subject::Config(problem, config)) = (skip.kind, &skip.subject) {
                let row = record::refused(&self.facts, problem, config, &skip.reason);
                if experiment(&row).is_some_and(|id| known.insert(id)) {
                    self.count(&row);
                    self.append(&Entry::Result(row))?;
                }
            }
        }
        Ok(())
    }
}

impl Sink for JournalSink<'_> {
    fn sample(&mut self, point: &Point, round: u32, sample: &Sample) -> Result<(), Fail> {
        self.progress.sampled(point);
        self.append(&Entry::Sample(journaled(&point.key, round, sample)))
    }

    fn outcome(&mut self, group: &Group, point: &Point, outcome: &Outcome) -> Result<(), Fail> {
        let row = record::measured(&self.facts, point, group.cache, outcome, clock::now());
        self.count(&row);
        self.progress.finished(&row);
        self.append(&Entry::Result(row))?;
        Ok(self.journal.sync()?)
    }
}

/// Opens `path` as a store, making it where there is none.
///
/// # Errors
/// [`Fail`] naming the path.
pub fn create_store(path: &Path) -> Result<Store, Fail> {
    Ok(Store::create(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_comes_back_from_the_journal_with_all_that_was_known_of_it() {
        let sample = Sample {
            time_s: 1.1e-6,
            wall_s: 1.3e-6,
            cpu_s: 2.1e-7,
            iterations: 700,
            switches: 2,
            launch_s: Some(4.3e-6),
            clock_hz: Some(1.83e9),
            throttle: Some(0x4),
        };
        let entries: Vec<SampleEntry> = (3..5).map(|round| journaled("a point", round, &sample)).collect();
        let line = serde_json::to_string(&entries).expect("plain");
        let recovered = recovered_samples(&serde_json::from_str::<Vec<SampleEntry>>(&line).expect("its own words"));
        assert_eq!(recovered["a point"], [(3, sample), (4, sample)]);
    }
}
