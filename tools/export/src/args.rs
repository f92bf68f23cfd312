//! The words of the command line that export and restore share, whatever the format, and what they report.

use crate::Draft;
use crate::error::{ExportError, RestoreError};
use crate::export::{Selection, Sink, Summary, export};
use crate::progress::Progress;
use crate::restore::{self, Tables, restore};
use clap::Args;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Which journal, where to, and which records.
#[derive(Args)]
pub struct ExportArgs {
    /// The journal's directory
    pub journal: PathBuf,
    /// A new directory for the tables
    pub out: PathBuf,
    /// First record
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    pub from: u64,
    /// Last record
    #[arg(long, value_name = "SEQ", default_value_t = u64::MAX, hide_default_value = true)]
    pub to: u64,
    /// Only these tables, by the names in SCHEMA.md
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub tables: Vec<String>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// Make the same journal of a directory that `export` wrote.
#[derive(Args)]
pub struct RestoreArgs {
    /// The directory with the tables
    pub dir: PathBuf,
    /// A new directory for the journal
    pub journal: PathBuf,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

impl ExportArgs {
    /// The same wish as words of a command line, for another program.
    pub fn words(&self) -> Vec<OsString> {
        let mut out: Vec<OsString> = vec![self.journal.clone().into(), self.out.clone().into()];
        out.extend(["--from".into(), self.from.to_string().into()]);
        out.extend(["--to".into(), self.to.to_string().into()]);
        if !self.tables.is_empty() {
            out.extend(["--tables".into(), self.tables.join(",").into()]);
        }
        out.extend(self.json.then(|| "--json".into()));
        out
    }

    /// Exports with the sink that `sink` makes for a directory, and reports on standard output.
    pub fn run<S: Sink>(&self, format: &str, sink: impl FnOnce(&Path) -> S) -> Result<(), ExportError> {
        let selection = Selection::new(self.from, self.to, &self.tables)?;
        let io = |error| ExportError::Io { path: self.out.clone(), error };
        let draft = Draft::begin(&self.out).map_err(io)?;
        let draft = draft.ok_or_else(|| ExportError::NotEmpty { path: self.out.clone() })?;
        let started = Instant::now();
        let summary = export(&self.journal, &selection, sink(draft.path()), &mut Progress::new("exported"))?;
        draft.finish().map_err(io)?;
        self.report(format, &summary, started.elapsed().as_secs_f64());
        Ok(())
    }

    fn report(&self, format: &str, summary: &Summary, seconds: f64) {
        if let Some(torn) = &summary.torn {
            let end = "the journal's end is torn, as after a crash; the records before it are exported";
            eprintln!("smc: {}: {torn}: {end}", self.journal.display());
        }
        let bytes: u64 = summary.files.iter().map(|file| file.bytes).sum();
        if self.json {
            let files: Vec<Value> = summary
                .files
                .iter()
                .map(|file| json!({ "table": file.id.table().name, "file": file.file, "rows": file.rows, "bytes": file.bytes }))
                .collect();
            let document = json!({
                "journal": self.journal, "out": self.out, "format": format, "records": summary.records,
                "bytes": bytes, "journal_bytes": summary.journal_bytes, "restorable": summary.is_whole,
                "torn": summary.torn.as_ref().map(ToString::to_string), "seconds": seconds, "tables": files,
            });
            println!("{document}");
            return;
        }
        for file in &summary.files {
            println!("{:>12} rows {:>14} bytes  {}", file.rows, file.bytes, file.file);
        }
        let restorable = if summary.is_whole { "" } else { "; cannot be restored: something was left out" };
        println!(
            "{} records in {} bytes, {seconds:.2} s ({:.2} million records/s){restorable}",
            summary.records,
            bytes,
            summary.records as f64 / seconds.max(1e-9) / 1e6
        );
    }
}

impl RestoreArgs {
    /// The same wish as words of a command line, for another program.
    pub fn words(&self) -> Vec<OsString> {
        let mut out: Vec<OsString> = vec![self.dir.clone().into(), self.journal.clone().into()];
        out.extend(self.json.then(|| "--json".into()));
        out
    }

    /// Restores from the tables and reports on standard output.
    pub fn run(&self, tables: &mut dyn Tables) -> Result<(), RestoreError> {
        let started = Instant::now();
        let restored = restore(tables, &self.journal, &mut Progress::new("restored"))?;
        let restore::Summary { records, segments, closes, chain } = restored;
        let seconds = started.elapsed().as_secs_f64();
        let chain: String = chain.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.json {
            let document = json!({
                "dir": self.dir, "journal": self.journal, "records": records, "segments": segments,
                "closes": closes, "chain": chain, "seconds": seconds,
            });
            println!("{document}");
        } else {
            println!(
                "{records} records in {segments} segments, {seconds:.2} s; {closes} of {closes} Close records \
                 found their chain hash again, chain {chain}"
            );
        }
        Ok(())
    }
}
