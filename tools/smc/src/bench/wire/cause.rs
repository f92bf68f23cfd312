//! Which trade caused which order: not guessed from what came when, but read in the engine's own journal.

use crate::failure::Failure;
use smc_core::codec;
use smc_core::event::{Event, EventBody, OrderUpdateKind, REJECT_NOT_SENT, REJECT_RING_FULL};
use smc_core::output::{NewOrder, Output};
use smc_journal::{Reader, RecordKind};
use std::collections::HashMap;
use std::path::Path;

/// Every order of a journal that was sent, by its name, with the venue's stamp (milliseconds) of the trade that caused it; none where
/// something else did, a report say.
pub fn causes(journal: &Path) -> Result<HashMap<String, Option<u64>>, Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::wrong(journal.display(), error);
    let reader = Reader::open(journal).map_err(|error| fail(&error))?;
    let (mut cause, mut orders) = (None, HashMap::new());
    for record in reader.records() {
        let record = record.map_err(|error| fail(&error))?;
        match record.kind {
            RecordKind::Input => {
                let event: Event = codec::decode(record.payload).map_err(|error| fail(&error))?;
                cause = matches!(event.body, EventBody::Trade(_)).then_some(event.ts_event.0 / 1_000_000);
                // One that never left the process, because a budget was used up say, never arrives.
                if let EventBody::Order(update) = event.body
                    && matches!(
                        update.kind,
                        OrderUpdateKind::Reject { code: REJECT_NOT_SENT | REJECT_RING_FULL }
                    )
                {
                    orders.remove(&update.client_order_id.to_string());
                }
            }
            RecordKind::Output => {
                let output =
                    codec::decode::<Output<NewOrder>>(record.payload).map_err(|error| fail(&error))?;
                if let Output::NewOrder(order) = output {
                    orders.insert(order.client_order_id.to_string(), cause);
                }
            }
            _ => {}
        }
    }
    Ok(orders)
}
