//! Journals as plain lists, for tests that compare them.

use smc_core::codec;
use smc_core::output::{NewOrder, Output};
use smc_journal::{Reader, RecordKind};
use std::path::Path;

/// One record, copied out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rec {
    /// Its number.
    pub seq: u64,
    /// What it is.
    pub kind: RecordKind,
    /// Its time in nanoseconds.
    pub ts_ns: u64,
    /// Its content.
    pub payload: Vec<u8>,
    /// Where its header begins in the segment.
    pub offset: u64,
    /// Number of the segment.
    pub segment: u32,
}

/// Every record of a journal; a damaged one fails the test.
pub fn records_of(dir: &Path) -> Vec<Rec> {
    let reader = Reader::open(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let records = reader.records().map(|record| {
        let record = record.unwrap_or_else(|damage| panic!("{}: {damage}", dir.display()));
        Rec {
            seq: record.seq,
            kind: record.kind,
            ts_ns: record.ts.0,
            payload: record.payload.to_vec(),
            offset: record.offset,
            segment: record.segment,
        }
    });
    records.collect()
}

/// The order in a record, when it is one.
pub fn orders_of(records: &[Rec]) -> Vec<NewOrder> {
    let outputs = records.iter().filter(|record| record.kind == RecordKind::Output);
    let orders = outputs.filter_map(|record| match codec::decode::<Output<NewOrder>>(&record.payload) {
        Ok(Output::NewOrder(order)) => Some(order),
        Ok(_) => None,
        Err(error) => panic!("record {}: {error}", record.seq),
    });
    orders.collect()
}
