//! One run: a market, a plan of faults, a few kills, a calm at the end, and the checker's word.

use super::at::{At, Opened};
use super::checker::{Evidence, check};
use super::remote::{Files, Remote, told};
use super::story::{Story, Witness};
use crate::{Random, records_of};
use smc_core::TsNs;
use smc_core::words::Name;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use venue_sim::faults::Counts;
use venue_sim::{Deed, Fault, FaultPlan, Sim};

/// Wall time that the engine may take for one message, on a machine that has much else to do.
const QUIET_WITHIN: Duration = Duration::from_secs(120);
/// Ticks of the venue, at which its depth streams are complete.
const TICK_NS: u64 = 100_000_000;
/// Market time between two looks at the venue's book.
const LOOK_NS: u64 = 1_000_000_000;
/// Ticks that are waited at most for one at which the book stands still.
const QUIET_TICKS_MAX: u32 = 600;
/// Questions that an engine may still answer before it is killed in the middle of its work.
const QUESTIONS_MAX: u64 = 600;

/// What one run is made of.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Of market, kills and jitter.
    pub seed: u64,
    /// What goes wrong.
    pub plan: FaultPlan,
    /// How often the engine is killed and started again.
    pub kills: u32,
    /// Market time with faults.
    pub faulty: Duration,
    /// Market time without, after which all must be well.
    pub calm: Duration,
    /// The engine is killed in the end instead of stopped.
    pub ends_by_kill: bool,
    /// `inline` or `pipelined`.
    pub topology: &'static str,
    /// Entries wait in the book for their price instead of taking at once.
    pub is_patient: bool,
    /// Where.
    pub at: At,
    /// The venue cancels everything when it has not heard from the engine for so long; 0: never.
    pub dead_man_ms: u32,
    /// How long an engine that was killed stays dead at least.
    pub dead: Duration,
    /// Kills at these times, besides those at random ones.
    pub kill_at: Vec<Duration>,
    /// Words of the configuration that are others.
    pub tweaks: Vec<(&'static str, &'static str)>,
    /// What happens at the venue that nobody in the run asks for, and when.
    pub deeds: Vec<(Duration, Deed)>,
    /// Stop and target rest at the venue as pairs; at Binance spot alone.
    pub has_pairs: bool,
    /// The kill switch is thrown at these times.
    pub halts: Vec<Duration>,
}

impl Scene {
    /// Drawn from a seed, as the swarm has it.
    pub fn from_seed(seed: u64) -> Self {
        Self::drawn(seed, None)
    }

    /// The same at Binance spot, whatever the seed says, with stop and target as pairs there.
    pub fn with_pairs(seed: u64) -> Self {
        Self { has_pairs: true, ..Self::drawn(seed, Some(At::Spot)) }
    }

    fn drawn(seed: u64, place: Option<At>) -> Self {
        let mut random = Random::new(seed ^ 0x05ce_0e00);
        let faulty = Duration::from_secs(100);
        // Half at Binance spot, and half elsewhere.
        let at = At::ALL.get(random.below(9) as usize).copied().unwrap_or_default();
        let at = place.unwrap_or(at);
        let mut plan = FaultPlan::from_seed(seed).lasting(faulty);
        // Bybit's rows of these have the time to wait for their end; at Oanda 403 is about the key, for good.
        if at.is_shut_long() || at == At::Oanda {
            plan = plan.with(Fault::Forbidden, 0);
        }
        if at.is_shut_long() {
            plan = plan.with(Fault::Banned, 0);
        }
        Self {
            seed,
            plan,
            kills: random.below(3) as u32,
            faulty,
            calm: Duration::from_secs(60),
            ends_by_kill: random.below(5) == 0,
            topology: if random.below(4) == 0 { "pipelined" } else { "inline" },
            is_patient: random.below(3) > 0,
            at,
            ..Self::of(FaultPlan::none(seed), faulty)
        }
    }

    /// One plan, no kills; entries wait in the book.
    pub fn of(plan: FaultPlan, faulty: Duration) -> Self {
        let seed = plan.seed;
        Self {
            seed,
            plan: plan.lasting(faulty),
            kills: 0,
            faulty,
            calm: Duration::from_secs(60),
            ends_by_kill: false,
            topology: "inline",
            is_patient: true,
            at: At::Spot,
            dead_man_ms: 0,
            dead: Duration::from_millis(200),
            kill_at: Vec::new(),
            tweaks: Vec::new(),
            deeds: Vec::new(),
            has_pairs: false,
            halts: Vec::new(),
        }
    }
}

impl Scene {
    /// What comes and goes of an asset without a trade.
    fn moved(&self, of: Name) -> i64 {
        let moved = self.deeds.iter().map(|(_, deed)| match deed {
            Deed::Transfer { asset, amount } if *asset == of => amount.0,
            _ => 0,
        });
        moved.sum()
    }
}

/// What one run came to.
pub struct Outcome {
    /// Faults that struck.
    pub faults: Counts,
    /// Kills that hit a running engine.
    pub kills: u32,
    /// Working orders at the venue when an engine was about to be killed, or its switch thrown.
    pub dying: Vec<Vec<String>>,
    /// Working orders at the venue when it was started again.
    pub left: Vec<Vec<String>>,
    /// Connections made in all.
    pub connections: u64,
    /// When the market opened.
    pub start: TsNs,
    /// What the checker saw.
    pub evidence: Evidence,
    /// What the journal tells, up to the shutdown.
    pub story: Story,
    /// All that is not as promised.
    pub wrong: Vec<String>,
}

/// Runs a scene with its files in `home`. An error is a run that could not be made, which is a failure as well.
pub fn run(scene: &Scene, program: &Path, home: &Path) -> Result<Outcome, String> {
    let error = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    let at = scene.at;
    let Opened { mut sim, mut first } = at.open(scene, home)?;
    sim.set_quiet_within(QUIET_WITHIN);
    for (asset, qty) in &mut first {
        qty.0 += scene.moved(*asset);
    }
    let files = Files {
        program: program.to_owned(),
        config: home.join("smc.toml"),
        journal: home.join("journal"),
        socket: home.join("swarm.sock"),
        log: home.join("engine.log"),
    };
    let config = at.config_text(scene, home, &sim.local_addr().to_string());
    std::fs::write(&files.config, config).map_err(|e| error("configuration", &e))?;
    std::fs::create_dir_all(&files.journal).map_err(|e| error("journal", &e))?;

    let mut random = Random::new(scene.seed ^ 0x0002_c111);
    let (start, stop) = (sim.now(), AtomicBool::new(false));
    let moment_of = |time: Duration| TsNs(start.0 + u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    let length = scene.faulty.as_millis() as u64;
    let kills = (0..scene.kills).map(|_| Duration::from_millis(random.below(length)));
    let kills: Vec<_> = kills.chain(scene.kill_at.iter().copied()).map(|time| (time, What::Die)).collect();
    let deeds = scene.deeds.iter().map(|(time, deed)| (*time, What::Deed(deed)));
    let halts = scene.halts.iter().map(|time| (*time, What::Halt));
    let mut moments: Vec<(Duration, What<'_>)> = kills.into_iter().chain(deeds).chain(halts).collect();
    moments.sort_by_key(|(time, _)| *time);
    let begin = |sim: &Sim| Remote::start(&files, sim.now(), sim.bytes()).map_err(|e| error("engine", &e));
    let step = |sim: &mut Sim, remote: &Remote, length: Duration| -> Result<(), String> {
        if let Err(hung) = sim.run_lock_step(remote, length, None, &stop) {
            remote.describe();
            return Err(format!("lock step: {hung}; base {:?}; {}", remote.base(), told(&files.log)));
        }
        if let Some(how) = remote.is_over() {
            return Err(format!("the engine ended by itself: {how}; {}", told(&files.log)));
        }
        Ok(())
    };
    let mut witness = Witness::new();
    let mut go = |sim: &mut Sim, remote: &Remote, until: TsNs| -> Result<(), String> {
        let mut look = sim.now().0;
        while look < until.0 {
            // On the venue's ticks, when it has told all of its book.
            look = (look - look % LOOK_NS + LOOK_NS).min(until.0);
            step(sim, remote, Duration::from_nanos(TsNs(look).since(sim.now())))?;
            let books = at.of(sim.truth(0)).books.into_iter().filter(|book| book.update_id > 0);
            witness.extend(books.map(|book| (book.update_id, book)));
        }
        Ok(())
    };

    for (_, what) in moments.extract_if(.., |(time, _)| time.is_zero()) {
        if let What::Deed(deed) = what {
            do_deed(&mut sim, deed)?;
        }
    }
    let mut remote = begin(&sim)?;
    let (mut kills, mut dying, mut left) = (0, Vec::new(), Vec::new());
    let working = |sim: &Sim| -> Vec<String> {
        at.of(sim.truth(0))
            .orders
            .into_iter()
            .filter(|order| order.is_open)
            .map(|order| order.client_order_id)
            .collect()
    };
    for (moment, what) in moments {
        go(&mut sim, &remote, moment_of(moment))?;
        match what {
            What::Deed(deed) => {
                do_deed(&mut sim, deed)?;
                continue;
            }
            What::Halt => {
                dying.push(working(&sim));
                if !remote.kill_switch() {
                    return Err(format!("the kill switch was not taken: {}", told(&files.log)));
                }
                continue;
            }
            What::Die => {}
        }
        dying.push(working(&sim));
        // Within the next messages, and then the market goes on without it.
        remote.kill_after(random.below(QUESTIONS_MAX));
        let dead = moment + Duration::from_millis(random.below(4_000)) + scene.dead;
        go(&mut sim, &remote, moment_of(dead))?;
        kills += u32::from(remote.kill());
        left.push(working(&sim));
        if !sim.wait_gone(QUIET_WITHIN) {
            return Err("connections of a dead engine stay".into());
        }
        remote = begin(&sim)?;
    }
    // On a tick, when the venue has told all of its book, and one at which neither engine nor market changes it.
    let end = moment_of(scene.faulty + scene.calm);
    let mut end = TsNs(end.0 - end.0 % TICK_NS);
    go(&mut sim, &remote, end)?;
    let stand =
        |sim: &Sim| (sim.bytes().1, at.of(sim.truth(0)).books.iter().map(|book| book.update_id).sum::<u64>());
    for _ in 0..QUIET_TICKS_MAX {
        end.0 += TICK_NS;
        go(&mut sim, &remote, TsNs(end.0 - 1))?;
        let before = stand(&sim);
        go(&mut sim, &remote, end)?;
        if stand(&sim) == before && at.has_told(&sim, end) {
            break;
        }
    }
    let calm = at.of(sim.truth(0));
    if scene.ends_by_kill {
        remote.kill();
    } else {
        let is_told = remote.shutdown();
        sim.settle(&remote, &stop).map_err(|e| error("lock step", &e))?;
        if !is_told || !remote.stop() {
            return Err(format!("the engine did not end well: {}", told(&files.log)));
        }
    }
    drop(remote);
    let log = told(&files.log);
    if log.contains("panicked") {
        return Err(log);
    }
    let evidence = Evidence {
        at,
        records: records_of(&files.journal),
        journal: files.journal,
        calm,
        end: at.of(sim.truth(0)),
        seen: sim.orders_seen().to_vec(),
        witness,
        first,
    };
    let wrong = check(&evidence);
    let faults = sim.faults().copied().unwrap_or_default();
    let story = Story::read(&evidence.records, true, &evidence.witness, at);
    let connections = sim.connections();
    Ok(Outcome { faults, kills, dying, left, connections, start, evidence, story, wrong })
}

/// What is done to a run at a moment.
enum What<'a> {
    /// The engine is killed and started again.
    Die,
    /// The venue does something by itself.
    Deed(&'a Deed),
    /// The kill switch is thrown.
    Halt,
}

fn do_deed(sim: &mut Sim, deed: &Deed) -> Result<(), String> {
    if sim.stage(deed) { Ok(()) } else { Err(format!("cannot be done at the venue: {deed:?}")) }
}
