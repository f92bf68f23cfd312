//! One run: a market, a plan of faults, a few kills, a calm at the end, and the checker's word.

use super::checker::{Evidence, check};
use super::remote::{Files, Remote, told};
use super::story::{Story, Witness};
use crate::{BUSY, Random, records_of};
use smc_core::TsNs;
use smc_core::words::{Name, Qty, SCALE};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use venue_sim::credentials::Credentials;
use venue_sim::faults::Counts;
use venue_sim::market::{Generator, GeneratorSettings};
use venue_sim::{AccountSettings, FaultPlan, Sim, SimSettings};

/// Wall time that the engine may take for one message, on a machine that has much else to do.
const QUIET_WITHIN: Duration = Duration::from_secs(20);
/// The name of the account's key.
const API_KEY: &str = "swarm-key";
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
}

impl Scene {
    /// Drawn from a seed, as the swarm has it.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x05ce_0e00);
        let faulty = Duration::from_secs(100);
        Self {
            seed,
            plan: FaultPlan::from_seed(seed).lasting(faulty),
            kills: random.below(3) as u32,
            faulty,
            calm: Duration::from_secs(60),
            ends_by_kill: random.below(5) == 0,
            topology: if random.below(4) == 0 { "pipelined" } else { "inline" },
            is_patient: random.below(3) > 0,
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
        }
    }
}

/// What one run came to.
pub struct Outcome {
    /// Faults that struck.
    pub faults: Counts,
    /// Kills that hit a running engine.
    pub kills: u32,
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
    let (mut sim, first) = venue(scene, home)?;
    let files = Files {
        program: program.to_owned(),
        config: home.join("smc.toml"),
        journal: home.join("journal"),
        socket: home.join("swarm.sock"),
        log: home.join("engine.log"),
    };
    let config = config_text(scene, home, &sim.local_addr().to_string());
    std::fs::write(&files.config, config).map_err(|e| error("configuration", &e))?;
    std::fs::create_dir_all(&files.journal).map_err(|e| error("journal", &e))?;

    let mut random = Random::new(scene.seed ^ 0x0002_c111);
    let (start, stop) = (sim.now(), AtomicBool::new(false));
    let at = |time: Duration| TsNs(start.0 + u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    let mut moments: Vec<u64> =
        (0..scene.kills).map(|_| random.below(scene.faulty.as_millis() as u64)).collect();
    moments.sort_unstable();
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
            witness.extend(sim.truth(0).books.into_iter().map(|book| (book.update_id, book)));
        }
        Ok(())
    };

    let mut remote = begin(&sim)?;
    let mut kills = 0;
    for moment in moments {
        go(&mut sim, &remote, at(Duration::from_millis(moment)))?;
        // Within the next messages, and then the market goes on without it.
        remote.kill_after(random.below(QUESTIONS_MAX));
        let dead = Duration::from_millis(moment + 200 + random.below(4_000));
        go(&mut sim, &remote, at(dead))?;
        kills += u32::from(remote.kill());
        if !sim.wait_gone(QUIET_WITHIN) {
            return Err("connections of a dead engine stay".into());
        }
        remote = begin(&sim)?;
    }
    // On a tick, when the venue has told all of its book, and one at which neither engine nor market changes it.
    let end = at(scene.faulty + scene.calm);
    let mut end = TsNs(end.0 - end.0 % TICK_NS);
    go(&mut sim, &remote, end)?;
    let stand =
        |sim: &Sim| (sim.bytes().1, sim.truth(0).books.iter().map(|book| book.update_id).sum::<u64>());
    for _ in 0..QUIET_TICKS_MAX {
        end.0 += TICK_NS;
        go(&mut sim, &remote, TsNs(end.0 - 1))?;
        let before = stand(&sim);
        go(&mut sim, &remote, end)?;
        if stand(&sim) == before {
            break;
        }
    }
    let calm = sim.truth(0);
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
        records: records_of(&files.journal),
        journal: files.journal,
        calm,
        end: sim.truth(0),
        seen: sim.orders_seen().to_vec(),
        witness,
        first,
    };
    let wrong = check(&evidence);
    let faults = sim.faults().copied().unwrap_or_default();
    let story = Story::read(&evidence.records, true, &evidence.witness);
    Ok(Outcome { faults, kills, evidence, story, wrong })
}

fn venue(scene: &Scene, home: &Path) -> Result<(Sim, [(Name, Qty); 2]), String> {
    let market = GeneratorSettings { seed: scene.seed, ..GeneratorSettings::default() };
    let [_, base, quote] = market.symbol.clone();
    let first = [(base.as_str(), Qty(5 * SCALE)), (quote.as_str(), Qty(100_000 * SCALE))];
    let credentials = Credentials::generate()?;
    let account = AccountSettings {
        maker_fee_bps: 1,
        taker_fee_bps: 2,
        ..AccountSettings::new(API_KEY, credentials.credential(), &first)
    };
    let market = Generator::new(market).ok_or("the market's settings")?;
    let mut settings = SimSettings::new(Box::new(market), vec![account]);
    settings.seed = scene.seed;
    settings.faults = Some(scene.plan.clone());
    let mut sim = Sim::bind(settings).map_err(|error| error.to_string())?;
    sim.set_quiet_within(QUIET_WITHIN);
    let write = |name: &str, text: &str| std::fs::write(home.join(name), text).map_err(|e| e.to_string());
    write("ca.pem", sim.ca_pem())?;
    write("key.pem", credentials.private_pem())?;
    let name = |(asset, qty): (&str, Qty)| (Name::new(asset).unwrap_or_default(), qty);
    Ok((sim, first.map(name)))
}

fn config_text(scene: &Scene, home: &Path, address: &str) -> String {
    let (home, topology) = (home.display(), scene.topology);
    let patient =
        [("entry_kind = \"take\"", "entry_kind = \"rest\""), ("lifetime_bars = 1", "lifetime_bars = 30")];
    let patient = patient.iter().filter(|_| scene.is_patient);
    let decides = patient.fold(BUSY.to_owned(), |text, (busy, waits)| text.replace(busy, waits));
    format!(
        r#"{decides}
[venue]
kind = "binance-spot"
market = "{address}"
orders = "{address}"
rest = "{address}"
ca_file = "{home}/ca.pem"

[account]
api_key = "{API_KEY}"
key_file = "{home}/key.pem"

[process]
topology = "{topology}"
segment_mib = 4
sync_ms = 0
unsynced_max_ms = 0
snapshot_records = 0
"#
    )
}
