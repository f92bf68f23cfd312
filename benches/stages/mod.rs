//! The stages of the hot path, each made ready to be run over and over: what `benches/stages.rs` times and `counts.rs`
//! counts is one and the same code.
//!
//! Everything is seeded and spelled here; nothing is read from recordings, which not every machine has, for a count must
//! be the same on all of them. Each constructor checks what its stage answers before anybody measures it.

mod decode;
mod engine;
mod journal;
mod market;
mod orders;
mod tls;

/// A published example of a venue's documents; it opens nothing.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u
-----END PRIVATE KEY-----
";

/// One stage of the hot path with everything it needs.
pub trait Stage {
    /// Steps between two preparations.
    #[inline]
    fn batch(&self) -> u64 {
        64
    }

    /// Makes the next batch ready. No part of the stage: neither timed nor counted.
    fn prepare(&mut self) {}

    /// The stage once.
    fn step(&mut self);

    /// A batch of steps. This is what is timed or counted, so that the call through the pointer is paid once a batch.
    fn steps(&mut self) {
        for _ in 0..self.batch() {
            self.step();
        }
    }
}

/// A stage that needs no preparation.
impl<F: FnMut()> Stage for F {
    #[inline]
    fn step(&mut self) {
        self();
    }
}

/// A stage's name, `ROOM/WHAT`, and how it is made ready.
pub type Named = (&'static str, fn() -> Box<dyn Stage>);

/// All of them. TLS comes last: its keys are chance, and what it leaves of memory moves some counts of stages after it.
pub fn all() -> impl Iterator<Item = &'static Named> {
    [decode::STAGES, market::STAGES, orders::STAGES, journal::STAGES, engine::STAGES, tls::STAGES]
        .into_iter()
        .flatten()
}

/// Takes the next of a list, for ever.
struct Turn<T> {
    items: Vec<T>,
    at: usize,
}

impl<T> Turn<T> {
    fn new(items: Vec<T>) -> Self {
        assert!(!items.is_empty());
        Self { items, at: 0 }
    }

    #[inline]
    fn next(&mut self) -> &mut T {
        let at = self.at;
        // A comparison, not a division: the stage may be cheaper than that.
        self.at = if at + 1 == self.items.len() { 0 } else { at + 1 };
        &mut self.items[at]
    }
}
