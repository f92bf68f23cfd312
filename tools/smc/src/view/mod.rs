//! What a person sees while an engine runs. Reads the journal's tail and the mapped counters, as any other
//! process could; never touches the engine.

mod plain;

pub use plain::plain;
