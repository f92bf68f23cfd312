//! `--kinds`: names of kinds, however people write them.

use super::{Failure, failure};
use smc_core::output::StructureKind;

/// Which kinds pass.
pub(super) struct Kinds {
    /// In plain writing; none lets all pass.
    wanted: Vec<String>,
}

impl Kinds {
    /// Refuses a name that no kind has.
    pub fn new(written: &[String]) -> Result<Self, Failure> {
        let is_known = |wanted: &str| KINDS.iter().any(|kind| plain(&format!("{kind:?}")) == wanted);
        let wanted: Vec<String> = written.iter().map(|kind| plain(kind)).collect();
        if let Some((_, written)) = wanted.iter().zip(written).find(|(wanted, _)| !is_known(wanted)) {
            let known: Vec<String> = KINDS.iter().map(|kind| format!("{kind:?}")).collect();
            let known = known.join(", ");
            return Err(failure("--kinds", format_args!("no kind is `{written}`; there are {known}")));
        }
        Ok(Self { wanted })
    }

    /// Whether a kind of this name passes.
    pub fn pass(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.contains(&plain(name))
    }
}

/// Without case and signs.
fn plain(kind: &str) -> String {
    kind.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}

/// All there are; `every_kind_has_its_name` holds the list complete.
const KINDS: [StructureKind; 35] = {
    use StructureKind as Kind;
    [
        Kind::PivotConfirmed,
        Kind::SwingStarted,
        Kind::SwingExtended,
        Kind::SwingLocked,
        Kind::Bos,
        Kind::Choch,
        Kind::Mss,
        Kind::PatternConfirmed,
        Kind::PatternBroken,
        Kind::PatternSuperseded,
        Kind::FvgCreated,
        Kind::FvgMitigated,
        Kind::FvgInverted,
        Kind::IfvgInvalidated,
        Kind::FvgJoined,
        Kind::ObCreated,
        Kind::ObTested,
        Kind::ObBroken,
        Kind::BreakerInvalidated,
        Kind::PoolFormed,
        Kind::PoolExtended,
        Kind::PoolSwept,
        Kind::PoolRun,
        Kind::LevelSwept,
        Kind::PeriodRolled,
        Kind::PeriodLevelBroken,
        Kind::SessionOpened,
        Kind::SessionClosed,
        Kind::Expired,
        Kind::InputRejected,
        Kind::RangeChanged,
        Kind::ZoneChanged,
        Kind::OteEntered,
        Kind::OteLeft,
        Kind::RetracementReached,
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_however_they_are_written() {
        assert_eq!(plain("fvg_created"), plain("FvgCreated"));
        assert_eq!(plain("fvg-created"), plain("FVGCREATED"));
    }

    /// The numbers of the kinds are sparse; each number that names one must be in the list.
    #[test]
    fn every_kind_has_its_name() {
        let mut numbers: Vec<u8> = KINDS.iter().map(|kind| *kind as u8).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), KINDS.len());
        assert!(numbers.is_sorted());
    }
}
