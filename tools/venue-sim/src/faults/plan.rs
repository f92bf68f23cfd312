//! Which faults a run has, how often, and when: drawn from one seed.

use super::Fault;
use crate::market::random::Random;
use std::time::Duration;

/// How long a client may wait of its own accord after the last trouble it was told of.
const LONG_AFTER: Duration = Duration::from_secs(60);

/// What goes wrong in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    /// Start of all chance in the run.
    pub seed: u64,
    /// Market time, from the opening on, at which faults end; none: never.
    pub lasts: Option<Duration>,
    /// Chance at each opportunity, in ppm.
    chances: [u32; Fault::ALL.len()],
}

impl FaultPlan {
    /// Draws the subset of faults and their rates, as different as can be from seed to seed: about half of the faults,
    /// or few, each at a rate that may be a tenth of another run's.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5fa7_17ed);
        let mut plan = Self::none(seed);
        // Some runs have nearly all faults and some one or two.
        let share = random.between(0.1, 0.9);
        for fault in Fault::ALL {
            let (least, most) = fault.odds_ppm();
            let (is_drawn, height) = (random.chance(share), random.unit());
            if is_drawn {
                // Even on a scale of ratios: halves as often as doubles.
                let ratio = f64::from(most) / f64::from(least);
                plan = plan.with(fault, (f64::from(least) * ratio.powf(height)) as u32);
            }
        }
        plan
    }

    /// No fault yet.
    pub const fn none(seed: u64) -> Self {
        Self { seed, lasts: None, chances: [0; Fault::ALL.len()] }
    }

    /// With one fault at this chance in ppm.
    pub fn with(mut self, fault: Fault, chance_ppm: u32) -> Self {
        if let Some(chance) = self.chances.get_mut(fault as usize) {
            *chance = chance_ppm.min(1_000_000);
        }
        self
    }

    /// With an end.
    pub const fn lasting(self, lasts: Duration) -> Self {
        Self { lasts: Some(lasts), ..self }
    }

    /// The chance of a fault, in ppm.
    pub fn chance_ppm(&self, fault: Fault) -> u32 {
        self.chances.get(fault as usize).copied().unwrap_or(0)
    }

    /// Whether a fault may begin after so much market time.
    pub(super) fn is_in_time(&self, fault: Fault, since_start: Duration) -> bool {
        let margin = if fault.is_long() { LONG_AFTER } else { Duration::ZERO };
        self.lasts.is_none_or(|lasts| since_start + margin < lasts)
    }

    /// One line for people: the faults it has.
    pub fn describe(&self) -> String {
        let has = |fault: &Fault| self.chance_ppm(*fault) > 0;
        let one = |fault: Fault| format!("{} {:.2}%", fault.name(), f64::from(self.chance_ppm(fault)) / 1e4);
        Fault::ALL.into_iter().filter(has).map(one).collect::<Vec<_>>().join(", ")
    }
}
