//! The search: batches of points, workers that try them, one thread that keeps what they found.

use crate::method::Proposals;
use crate::outcome::{Ending, Outcome, Trial};
use crate::record::{Entry, Facts, Kept, Record};
use crate::{Evaluate, Method, OptimizeError, Score, Space, Subject};
use smc_trials::{Ledger, LedgerError};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// What the ledger calls these trials.
const STAGE: &str = "optimize";
/// The record, within the directory of results.
pub(crate) const RECORD: &str = "trials.jsonl";

/// All that a search depends on, and where it keeps what it finds.
pub struct Search<'a> {
    /// What is varied.
    pub space: &'a Space,
    /// How it is searched.
    pub method: Method,
    /// Of the draws of points, and of each trial's own.
    pub seed: u64,
    /// Threads that make trials; the result does not depend on it.
    pub workers: NonZeroUsize,
    /// Whose trials these are.
    pub subject: Subject,
    /// What gives scores.
    pub evaluate: &'a dyn Evaluate,
    /// Directory of the record and the results; made if it is not there.
    pub out: &'a Path,
    /// The ledger of trials; begun if it is not there.
    pub ledger: &'a Path,
    /// Nanoseconds since the epoch, for the ledger.
    pub clock: &'a dyn Fn() -> u64,
}

/// How far a search has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Trials that are done, earlier ones too.
    pub done: u64,
    /// Trials in all.
    pub total: u64,
    /// Trials that an earlier run had made.
    pub kept: u64,
    /// The best so far: number of the trial and score.
    pub best: Option<(u64, f64)>,
}

impl Search<'_> {
    /// Makes all trials that the record does not have, and says what came out. `progress` is told after each that is kept.
    pub fn run(&self, progress: &mut dyn FnMut(&Progress)) -> Result<Outcome, OptimizeError> {
        self.method.check(self.space)?;
        std::fs::create_dir_all(self.out).map_err(OptimizeError::io(self.out))?;
        let (evaluation, now_ns) = (self.evaluate.identity(), (self.clock)());
        let facts = Facts::new(self.space, self.method, self.seed, &self.subject, evaluation, now_ns);
        let path = self.out.join(RECORD);
        let (record, kept) = Record::open(&path, &facts)?;
        // A kill may have left half a line.
        drop(Ledger::mend(self.ledger, (self.clock)()).map_err(|error| self.ledger_error(error))?);

        let mut kept = by_number(&path, kept)?;
        let mut proposals = Proposals::new(self.space, self.method, self.seed);
        let mut desk = Desk {
            search: self,
            record,
            endings: Vec::new(),
            progress: Progress { done: 0, total: 0, kept: kept.len() as u64, best: None },
        };
        let mut first_batch = None;
        loop {
            let scores: Vec<Option<f64>> =
                desk.endings.iter().map(|ending| ending.as_ref().and_then(Ending::value)).collect();
            let batch = proposals.propose(&scores);
            if batch.is_empty() {
                break;
            }
            first_batch.get_or_insert(batch.end);
            desk.endings.resize(batch.end, None);
            desk.progress.total = proposals.total();
            let mut missing = Vec::new();
            for number in batch {
                let Some(Kept { line, entry }) = kept.remove(&(number as u64)) else {
                    missing.push(number);
                    continue;
                };
                if entry.point != self.space.texts(&proposals.points()[number]) {
                    let reason = format!("trial {number} is at another point than this search tries");
                    return Err(OptimizeError::Record { path, line, reason });
                }
                desk.on_kept(number, entry.ending);
            }
            desk.make(&missing, proposals.points(), progress)?;
        }
        if let Some((number, Kept { line, .. })) = kept.into_iter().next() {
            let trials = proposals.points().len();
            let reason = format!(
                "trial {number} of a search of {trials}: it was a longer one; ask for as many trials as before"
            );
            return Err(OptimizeError::Record { path, line, reason });
        }
        progress(&desk.progress);
        let made = Ledger::open(self.ledger).map_err(|error| self.ledger_error(error))?;
        let made = made.trials(&self.subject.strategy).count() as u64;
        let endings = desk.endings.into_iter().flatten();
        let trials = proposals.points().iter().zip(endings);
        let trials = trials.map(|(point, ending)| Trial { point: point.clone(), ending }).collect();
        Outcome::new(self.space, self.method, facts, trials, first_batch.unwrap_or(0), made)
    }

    fn ledger_error(&self, error: LedgerError) -> OptimizeError {
        OptimizeError::Ledger { path: self.ledger.to_owned(), error }
    }
}

/// Where finished trials arrive: one thread, so that they are kept one after the other.
struct Desk<'a> {
    search: &'a Search<'a>,
    record: Record,
    endings: Vec<Option<Ending>>,
    progress: Progress,
}

impl Desk<'_> {
    /// Makes these trials on all workers, and keeps each as it ends.
    fn make(
        &mut self,
        numbers: &[usize],
        points: &[Vec<u64>],
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(), OptimizeError> {
        let search = self.search;
        // The clock and the caller's progress stay on this thread; workers know the space and what gives scores.
        let (space, evaluate, seed) = (search.space, search.evaluate, search.seed);
        let next = AtomicUsize::new(0);
        let (finished, inbox) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..search.workers.get().min(numbers.len()) {
                let (next, finished) = (&next, finished.clone());
                scope.spawn(move || {
                    while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let ending = try_point(space, evaluate, seed, &points[*number]);
                        // Nobody listens any more when keeping failed; then there is no use in going on.
                        if finished.send((*number, ending)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(finished);
            while let Ok(first) = inbox.recv() {
                let mut all: Vec<(usize, Ending)> = std::iter::once(first).chain(inbox.try_iter()).collect();
                all.sort_by_key(|(number, _)| *number);
                self.keep(all, points)?;
                progress(&self.progress);
            }
            Ok(())
        })
    }

    /// Into the ledger, then into the record; only then anybody hears of them.
    fn keep(&mut self, all: Vec<(usize, Ending)>, points: &[Vec<u64>]) -> Result<(), OptimizeError> {
        let search = self.search;
        let mut entries = Vec::with_capacity(all.len());
        {
            // Not longer than that: other tools append to the same ledger meanwhile.
            let mut ledger = Ledger::open(search.ledger).map_err(|error| search.ledger_error(error))?;
            for (number, ending) in &all {
                let point = search.space.texts(&points[*number]);
                if let Ending::Scored(score) = ending {
                    let trial = self.ledger_entry(point.clone(), score);
                    if !(self.record.is_resumed && self.has(&ledger, &trial)) {
                        ledger.record(trial).map_err(|error| search.ledger_error(error))?;
                    }
                }
                entries.push(Entry { number: *number as u64, point, ending: ending.clone() });
            }
        }
        self.record.append(entries)?;
        for (number, ending) in all {
            self.on_kept(number, ending);
        }
        Ok(())
    }

    fn on_kept(&mut self, number: usize, ending: Ending) {
        self.progress.done += 1;
        if let Some(value) = ending.value() {
            let number = number as u64;
            let is_better = |(other, best): (u64, f64)| value > best || (value == best && number < other);
            if self.progress.best.is_none_or(is_better) {
                self.progress.best = Some((number, value));
            }
        }
        self.endings[number] = Some(ending);
    }

    fn ledger_entry(&self, parameters: BTreeMap<String, String>, score: &Score) -> smc_trials::Trial {
        let Subject { strategy, version, data } = self.search.subject.clone();
        smc_trials::Trial {
            at_ns: (self.search.clock)(),
            strategy,
            version,
            parameters,
            data,
            stage: STAGE.into(),
            metric: score.metric.clone(),
            score: score.value,
            periods: score.periods,
        }
    }

    /// Killed between ledger and record, a trial is made again: the same look is not a second one.
    fn has(&self, ledger: &Ledger, trial: &smc_trials::Trial) -> bool {
        let begun_ns = self.record.begun_ns;
        ledger.trials(&trial.strategy).any(|before| {
            before.at_ns >= begun_ns && smc_trials::Trial { at_ns: trial.at_ns, ..before.clone() } == *trial
        })
    }
}

/// One trial, on any thread.
fn try_point(space: &Space, evaluate: &dyn Evaluate, seed: u64, point: &[u64]) -> Ending {
    let config = match space.config_at(point) {
        Ok(config) => config,
        Err(reason) => return Ending::Refused(reason),
    };
    match evaluate.score(&config, seed).and_then(|score| score.check().map(|()| score)) {
        Ok(score) => Ending::Scored(score),
        Err(reason) => Ending::Failed(reason),
    }
}

fn by_number(path: &Path, kept: Vec<Kept>) -> Result<BTreeMap<u64, Kept>, OptimizeError> {
    let mut all: BTreeMap<u64, Kept> = BTreeMap::new();
    for one in kept {
        if let Some(before) = all.get(&one.entry.number) {
            let reason = format!("trial {} stands in line {} already", one.entry.number, before.line);
            return Err(OptimizeError::Record { path: path.to_owned(), line: one.line, reason });
        }
        all.insert(one.entry.number, one);
    }
    Ok(all)
}
