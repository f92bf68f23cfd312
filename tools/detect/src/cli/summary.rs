//! Counts per kind and timeframe.

use crate::json::kind_name;
use crate::live::{Event, What};
use smc_core::output::StructureKind;
use smc_core::words::Timeframe;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What was said, counted.
#[derive(Default)]
pub(super) struct Summary {
    /// By place in the engine's list of kinds, so that related kinds stand together.
    counts: BTreeMap<(u8, String), BTreeMap<Timeframe, u64>>,
    bars: BTreeMap<Timeframe, u64>,
}

/// What else the file was like.
pub(super) struct File<'a> {
    pub name: &'a str,
    pub holes: u64,
    pub from: String,
    pub to: String,
}

impl Summary {
    pub fn on_bar(&mut self, timeframe: Timeframe) {
        *self.bars.entry(timeframe).or_default() += 1;
    }

    pub fn on_event(&mut self, event: &Event) {
        let place = match &event.what {
            What::Structure(structure) => structure.kind as u8,
            What::Rejected(_) => StructureKind::InputRejected as u8,
        };
        let key = (place, kind_name(&event.what));
        *self.counts.entry(key).or_default().entry(event.timeframe).or_default() += 1;
    }

    /// For people.
    pub fn table(&self, file: &File<'_>) -> String {
        let timeframes = self.timeframes();
        let mut out = String::new();
        let _ = writeln!(out, "{}: {} to {}, {} gaps in time\n", file.name, file.from, file.to, file.holes);
        let _ = write!(out, "{:<20}", "");
        for timeframe in &timeframes {
            let _ = write!(out, "{:>10}", timeframe.to_string());
        }
        out.push('\n');
        let mut row = |name: &str, counts: &BTreeMap<Timeframe, u64>| {
            let _ = write!(out, "{name:<20}");
            for timeframe in &timeframes {
                match counts.get(timeframe) {
                    Some(count) => drop(write!(out, "{count:>10}")),
                    None => drop(write!(out, "{:>10}", ".")),
                }
            }
            out.push('\n');
        };
        row("bars", &self.bars);
        for ((_, name), counts) in &self.counts {
            row(name, counts);
        }
        out
    }

    /// For programs.
    pub fn json(&self, file: &File<'_>) -> String {
        let by_timeframe = |counts: &BTreeMap<Timeframe, u64>| {
            let pairs: Vec<String> = counts.iter().map(|(tf, count)| format!("\"{tf}\":{count}")).collect();
            format!("{{{}}}", pairs.join(","))
        };
        let kinds: Vec<String> = self
            .counts
            .iter()
            .map(|((_, name), counts)| format!("\"{name}\":{}", by_timeframe(counts)))
            .collect();
        let File { from, to, holes, .. } = file;
        let (bars, kinds) = (by_timeframe(&self.bars), kinds.join(","));
        format!(
            "{{\"from\":\"{from}\",\"to\":\"{to}\",\"gaps\":{holes},\"bars\":{bars},\"kinds\":{{{kinds}}}}}\n"
        )
    }

    fn timeframes(&self) -> BTreeSet<Timeframe> {
        let said = self.counts.values().flat_map(BTreeMap::keys);
        self.bars.keys().chain(said).copied().collect()
    }
}
