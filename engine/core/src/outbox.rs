//! Where one event's outputs wait for the caller: each with its bytes, encoded once.
//!
//! Fixed capacity, taken in the constructor. The journal copies the bytes, the digest folds them, the gateway
//! reads the words; nobody encodes twice. Run by the engine thread: filled by one call of
//! [`Engine::on_event`](crate::engine::Engine::on_event), emptied by the caller before the next.

use crate::codec::{BYTES_MAX, Buffer};
use crate::output::Output;
use alloc::vec::Vec;

/// Outputs one event can have.
const OUTPUTS_MAX: usize = 8_192;
/// Slots of these that bars and structures may not take, so that an order, a cancel or an alert always finds
/// room, however many zones one wild bar ends.
const OUTPUTS_RESERVED: usize = 1_024;

/// The outputs of one event, in order, with their bytes.
pub struct Outbox {
    /// Invariant: `outputs.len() == ends.len() <= OUTPUTS_MAX`.
    outputs: Vec<Output>,
    /// Where each output's bytes end in `bytes`.
    ends: Vec<u32>,
    bytes: Vec<u8>,
    buffer: Buffer,
    dropped: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbox {
    /// An empty outbox with all the memory it will ever use.
    pub fn new() -> Self {
        Self {
            outputs: Vec::with_capacity(OUTPUTS_MAX),
            ends: Vec::with_capacity(OUTPUTS_MAX),
            bytes: Vec::with_capacity(OUTPUTS_MAX * BYTES_MAX),
            buffer: Buffer::default(),
            dropped: 0,
        }
    }

    /// Appends one output. When bars and structures have filled their share, further ones are dropped and
    /// counted; the same events drop the same outputs, so a replay still agrees.
    pub fn push(&mut self, output: Output) {
        let limit = match output {
            Output::Structure(_) | Output::BarClosed(..) => OUTPUTS_MAX - OUTPUTS_RESERVED,
            _ => OUTPUTS_MAX,
        };
        if self.outputs.len() >= limit {
            self.dropped += 1;
            return;
        }
        self.bytes.extend_from_slice(self.buffer.encode(&output));
        self.ends.push(self.bytes.len() as u32);
        self.outputs.push(output);
    }

    /// The outputs in order.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The outputs in order, each with its byte form.
    pub fn encoded(&self) -> impl Iterator<Item = (&Output, &[u8])> {
        let starts = core::iter::once(0).chain(self.ends.iter().copied());
        let spans = starts.zip(self.ends.iter().copied());
        self.outputs.iter().zip(spans).map(|(output, (start, end))| {
            let bytes = self.bytes.get(start as usize..end as usize).unwrap_or_default();
            (output, bytes)
        })
    }

    /// Takes the outputs out, in order. What the caller leaves is dropped with the iterator.
    pub fn drain(&mut self) -> impl Iterator<Item = Output> + '_ {
        self.ends.clear();
        self.bytes.clear();
        self.outputs.drain(..)
    }

    /// Forgets all outputs.
    pub fn clear(&mut self) {
        self.outputs.clear();
        self.ends.clear();
        self.bytes.clear();
    }

    /// Number of outputs.
    pub fn len(&self) -> usize {
        self.outputs.len()
    }

    /// True when there is nothing to hand on.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Bars and structures dropped since start for want of room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::decode;
    use crate::event::Bar;
    use crate::output::{Alert, AlertKind, NewOrder};
    use crate::words::{ClientOrderId, InstrumentId, Price, Qty, Timeframe, TsNs};

    fn bar() -> Output {
        let price = Price(1);
        Output::BarClosed(
            InstrumentId(0),
            Timeframe::from_secs(1).unwrap(),
            Bar {
                open_ts: TsNs(0),
                open: price,
                high: price,
                low: price,
                close: price,
                volume: Qty(1),
                trades: 1,
            },
        )
    }

    fn alert(detail: i64) -> Output {
        Output::Alert(Alert {
            kind: AlertKind::Instrument,
            instrument: InstrumentId(1),
            client_order_id: ClientOrderId::NONE,
            detail,
            ts: TsNs(5),
        })
    }

    #[test]
    fn bytes_belong_to_their_outputs() {
        let mut outbox = Outbox::new();
        outbox.push(bar());
        outbox.push(alert(-7));
        let mut seen = 0;
        for (output, bytes) in outbox.encoded() {
            let back = decode::<Output<NewOrder>>(bytes).unwrap();
            match (output, back) {
                (Output::Alert(a), Output::Alert(b)) => assert_eq!(*a, b),
                (Output::BarClosed(_, _, a), Output::BarClosed(_, _, b)) => assert_eq!(*a, b),
                other => panic!("{other:?}"),
            }
            seen += 1;
        }
        assert_eq!(seen, 2);
        assert_eq!(outbox.drain().count(), 2);
        assert!(outbox.is_empty());
        assert_eq!(outbox.encoded().count(), 0);
    }

    #[test]
    fn a_flood_of_bars_leaves_room_for_what_matters() {
        let mut outbox = Outbox::new();
        for _ in 0..OUTPUTS_MAX + 10 {
            outbox.push(bar());
        }
        assert_eq!(outbox.len(), OUTPUTS_MAX - OUTPUTS_RESERVED);
        assert_eq!(outbox.dropped(), (OUTPUTS_RESERVED + 10) as u64);
        outbox.push(alert(1));
        assert_eq!(outbox.outputs().last(), Some(&alert(1)));
    }
}
