//! Combinatorial purged cross-validation: many histories, each of them out of sample everywhere.

use crate::ValidateError;
use crate::choice::Look;
use crate::pipeline::Trial;
use crate::workers::Workers;
use smc_metrics::Panel;
use smc_metrics::cpcv::Cpcv;
use smc_metrics::promotion::Histories;

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossValidated {
    /// What was chosen in each split, in the order of the splits.
    pub chosen: Vec<usize>,
    /// Share of histories that made money, and the low end of their Sharpe ratios.
    pub histories: Histories,
    /// Returns: a column a history.
    pub paths: Panel,
}

/// Searches in every split and joins the tests into histories, over periods `0..within`.
pub fn cross_validate(
    trial: &Trial,
    how: Cpcv,
    within: usize,
    workers: Workers,
) -> Result<CrossValidated, ValidateError> {
    let splits = how.splits(within)?;
    let chosen = workers.try_map(splits.len(), |nth| {
        let train = &splits[nth].train;
        if train.is_empty() {
            let needed = how.groups * (how.purge + how.embargo + 1);
            return Err(ValidateError::TooShort { what: "cross-validation", needed, got: within });
        }
        Ok(trial.choose(&Look(train.clone()))?.candidate)
    })?;
    let paths = how.paths()?;
    let mut rows = vec![vec![0.0; paths.len()]; within];
    for (column, path) in paths.iter().enumerate() {
        for (group, split) in path.iter().enumerate() {
            let size = within / how.groups;
            let periods = group * size..if group + 1 == how.groups { within } else { (group + 1) * size };
            let returns = &trial.records[chosen[*split]].returns;
            periods.for_each(|period| rows[period][column] = returns[period]);
        }
    }
    let paths = Panel::from_rows("paths", &rows)?;
    Ok(CrossValidated { chosen, histories: Histories::of(&paths), paths })
}
