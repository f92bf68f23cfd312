//! How messages are paced, and the two things they are sent to: the engine, and the echo that shows the machine's limit.

use super::exchange::{Exchange, Message};
use std::io;
use std::time::Instant;

/// In the closed loop: how long an order is waited for, and how long an order's answers may be worked on before the next
/// message. Most trades cause no order; where one is slower than this it is measured all the same, only the next message
/// goes out before it.
const WAIT_NS: u64 = 60_000;
const SETTLE_NS: u64 = 15_000;
/// Between two messages of which none causes an order.
const GAP_NS: u64 = 8_000;
/// Between two bursts.
const BURST_NS: u64 = 1_000_000;
/// What may still come after the last message.
const DRAIN_NS: u64 = 3_000_000;
/// And how much longer what is known to be missing.
const OWED_NS: u64 = 5_000_000_000;

/// How messages are paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// The next message goes out when the last one is dealt with.
    Closed,
    /// Messages are due at times drawn from a Poisson process of this rate, whatever became of those before.
    Open {
        /// Messages a second.
        per_second: u32,
    },
    /// So many messages are due at once, every millisecond.
    Burst {
        /// Messages of a burst.
        size: u32,
    },
    /// As open, and for a while so many times as many.
    Surge {
        /// Messages a second.
        per_second: u32,
        /// How many times as many.
        times: u32,
        /// The first of those messages.
        from: usize,
        /// The first behind them.
        to: usize,
    },
}

impl Load {
    /// All that are measured, with their names.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Closed, "closed"),
        (Self::Open { per_second: 20_000 }, "open_20k"),
        (Self::Open { per_second: 2_000 }, "open_2k"),
        (Self::Burst { size: 10 }, "burst_10"),
    ];

    /// Messages that fit into so many seconds, roughly.
    pub fn messages(self, seconds: f64) -> usize {
        let per_second = match self {
            Self::Closed => 30_000.0,
            Self::Open { per_second } => f64::from(per_second),
            Self::Burst { size } => f64::from(size) * 1e9 / BURST_NS as f64,
            Self::Surge { per_second, .. } => f64::from(per_second),
        };
        ((per_second * seconds) as usize).max(200)
    }
}

/// Where messages go and answers come from.
pub trait Wire {
    /// Sends message `nth`.
    fn send(&mut self, nth: usize) -> io::Result<()>;
    /// Takes what came back; how many answers.
    fn poll(&mut self, clock: Instant) -> io::Result<u32>;
    /// Whether message `nth` may be answered.
    fn may_answer(&self, nth: usize) -> bool;
    /// Whether an answer is known to be missing.
    fn is_owed(&self) -> bool {
        false
    }
}

/// Sends `count` messages; nanoseconds of `clock` at which each was due. In the closed loop that is right before it was
/// sent.
pub fn drive(
    wire: &mut impl Wire,
    count: usize,
    load: Load,
    clock: Instant,
    random: &mut impl FnMut() -> f64,
) -> io::Result<Vec<u64>> {
    let now = || clock.elapsed().as_nanos() as u64;
    let mut due_at = Vec::with_capacity(count);
    let begin = now() + GAP_NS;
    let mut due = begin;
    for nth in 0..count {
        match load {
            Load::Closed => {
                due_at.push(now());
                wire.send(nth)?;
                let mut until = now() + if wire.may_answer(nth) { WAIT_NS } else { GAP_NS };
                let mut is_answered = false;
                while now() < until {
                    if wire.poll(clock)? > 0 && !is_answered {
                        is_answered = true;
                        until = now() + SETTLE_NS;
                    }
                }
                continue;
            }
            Load::Open { per_second } => due += gap(random, per_second),
            Load::Surge { per_second, times, from, to } => {
                due += gap(random, if (from..to).contains(&nth) { per_second * times } else { per_second });
            }
            Load::Burst { size } => due = begin + nth as u64 / u64::from(size.max(1)) * BURST_NS,
        }
        while now() < due {
            wire.poll(clock)?;
        }
        due_at.push(due);
        wire.send(nth)?;
        wire.poll(clock)?;
    }
    let end = now() + DRAIN_NS;
    while now() < end || wire.is_owed() && now() < end + OWED_NS {
        wire.poll(clock)?;
    }
    Ok(due_at)
}

/// Nanoseconds between two messages of a Poisson process of this rate.
fn gap(random: &mut impl FnMut() -> f64, per_second: u32) -> u64 {
    (-random().max(f64::MIN_POSITIVE).ln() * 1e9 / f64::from(per_second)) as u64
}

/// The engine behind its two connections.
pub struct ToEngine<'a> {
    /// The venue's end.
    pub exchange: &'a mut Exchange,
    /// The sealed messages.
    pub bytes: &'a [u8],
    /// Where each lies.
    pub messages: &'a [Message],
    /// After which message each order came.
    pub after: Vec<usize>,
    /// The message sent last.
    pub last: usize,
}

impl Wire for ToEngine<'_> {
    #[inline]
    fn send(&mut self, nth: usize) -> io::Result<()> {
        self.last = nth;
        let Some(message) = self.messages.get(nth) else { return Ok(()) };
        self.exchange.send(self.bytes.get(message.from..message.to).unwrap_or_default())
    }

    #[inline]
    fn poll(&mut self, clock: Instant) -> io::Result<u32> {
        let orders = self.exchange.poll(clock)?;
        for _ in 0..orders {
            self.after.push(self.last);
        }
        Ok(orders)
    }

    fn may_answer(&self, nth: usize) -> bool {
        self.messages.get(nth).is_some_and(|message| message.trade_ms.is_some())
    }
}
