//! The one list of fields that saves a state and brings it back.
//!
//! A type names its fields once, in [`State::state`]; the same list writes them and reads them, so the two
//! cannot drift apart. The bytes are little-endian without padding. Reading trusts nothing: short bytes,
//! numbers out of range and lists longer than their room are errors, never panics; a state that failed to
//! load must be thrown away. Off the hot path: saving may allocate.
//!
//! A strategy of one's own names its fields in the same way and can then be saved with its engine:
//!
//! ```
//! use smc_core::state::{State, StateError, StateIo};
//!
//! #[derive(Default)]
//! struct FirstGap {
//!     turn: Option<u32>,
//!     trades: u32,
//! }
//!
//! impl State for FirstGap {
//!     fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
//!         let Self { turn, trades } = self;
//!         io.option(turn, || 0, |io, id| io.number(id))?;
//!         io.number(trades)
//!     }
//! }
//!
//! let mut bytes = Vec::new();
//! StateIo::save(&mut FirstGap { turn: Some(7), trades: 3 }, &mut bytes);
//! let mut loaded = FirstGap::default();
//! StateIo::load(&mut loaded, &bytes)?;
//! assert_eq!((loaded.turn, loaded.trades), (Some(7), 3));
//! # Ok::<(), StateError>(())
//! ```

use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use crate::sizing::Rate;
use crate::words::{ClientOrderId, InstrumentId, Money, Price, Qty, TsNs};

/// Something whose fields can be saved and loaded.
pub trait State {
    /// Hands every field that matters to `io`, in a fixed order. What is derived from settings alone is not a
    /// field. After loading, invariants must hold or an error be returned.
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError>;

    /// One number for the settings it was built from, such as [`fingerprint`] of them: an engine refuses states
    /// of a strategy that was built otherwise. 0 where there are none.
    fn settings(&self) -> u64 {
        0
    }
}

/// Why a state was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// The bytes end too early.
    Short {
        /// Offset at which more was needed.
        at: usize,
    },
    /// Bytes are left over.
    Spare {
        /// How many.
        bytes: usize,
    },
    /// A value that no state of these settings has.
    BadValue {
        /// Offset behind it.
        at: usize,
    },
    /// Of a build that writes states in another way.
    OtherVersion {
        /// The version it bears.
        got: u8,
    },
    /// Of an engine that was built from another configuration or strategy.
    OtherSettings {
        /// The fingerprint it bears.
        got: u64,
        /// The fingerprint of the engine that was to load it.
        wanted: u64,
    },
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { at } => write!(f, "the state ends at byte {at}, more expected"),
            Self::Spare { bytes } => write!(f, "the state has {bytes} bytes too many"),
            Self::BadValue { at } => write!(f, "the state has an impossible value before byte {at}"),
            Self::OtherVersion { got } => {
                write!(f, "the state is of version {got}, which this build cannot read")
            }
            Self::OtherSettings { got, wanted } => {
                write!(f, "the state is of other settings: {got:016x}, not {wanted:016x}")
            }
        }
    }
}

impl core::error::Error for StateError {}

/// Where a state goes to or comes from.
pub enum StateIo<'a> {
    /// Fields are appended.
    Save(&'a mut Vec<u8>),
    /// Fields are read.
    Load {
        /// The whole state.
        bytes: &'a [u8],
        /// Read so far.
        at: usize,
    },
}

impl<'a> StateIo<'a> {
    /// Appends the bytes of `state`.
    pub fn save(state: &mut impl State, to: &mut Vec<u8>) {
        // Saving cannot fail: only loading makes errors.
        let saved = state.state(&mut StateIo::Save(to));
        debug_assert!(saved.is_ok());
    }

    /// Fills `state` from `bytes`: none missing, none left.
    pub fn load(state: &mut impl State, bytes: &'a [u8]) -> Result<(), StateError> {
        let mut io = StateIo::Load { bytes, at: 0 };
        state.state(&mut io)?;
        match io {
            StateIo::Load { bytes, at } if at < bytes.len() => {
                Err(StateError::Spare { bytes: bytes.len() - at })
            }
            _ => Ok(()),
        }
    }

    /// True while fields are being filled.
    pub const fn is_loading(&self) -> bool {
        matches!(self, Self::Load { .. })
    }

    /// The error for a value that was read but cannot be.
    pub const fn bad_value(&self) -> StateError {
        StateError::BadValue { at: if let Self::Load { at, .. } = self { *at } else { 0 } }
    }

    /// Refuses what was loaded unless `is_sound`; says nothing about what is saved.
    pub const fn sound(&self, is_sound: bool) -> Result<(), StateError> {
        if self.is_loading() && !is_sound { Err(self.bad_value()) } else { Ok(()) }
    }

    /// One number.
    pub fn number<T: Number>(&mut self, value: &mut T) -> Result<(), StateError> {
        match self {
            Self::Save(to) => value.append(to),
            Self::Load { bytes, at } => *value = T::read(bytes, at)?,
        }
        Ok(())
    }

    /// A truth, as one byte.
    pub fn flag(&mut self, value: &mut bool) -> Result<(), StateError> {
        let mut byte = u8::from(*value);
        self.number(&mut byte)?;
        if byte > 1 {
            return Err(self.bad_value());
        }
        *value = byte == 1;
        Ok(())
    }

    /// A count that may not be above `max`: the length of a list with bounded room.
    pub fn len(&mut self, value: &mut usize, max: usize) -> Result<(), StateError> {
        let mut wide = *value as u64;
        self.number(&mut wide)?;
        match usize::try_from(wide) {
            Ok(len) if len <= max => *value = len,
            _ => return Err(self.bad_value()),
        }
        Ok(())
    }

    /// How often something happened: it can go on counting for ever.
    pub fn tally<T: Tally>(&mut self, value: &mut T) -> Result<(), StateError> {
        self.number(value)?;
        self.sound(value.has_room())
    }

    /// A number of a formula; none of its results is infinite or no number.
    pub fn finite(&mut self, value: &mut f64) -> Result<(), StateError> {
        self.number(value)?;
        self.sound(value.is_finite())
    }

    /// A quantity or price that is not negative.
    pub fn unsigned(&mut self, value: &mut i64) -> Result<(), StateError> {
        self.number(value)?;
        self.sound(*value >= 0)
    }

    /// An instant that is not after `now`.
    pub fn past(&mut self, value: &mut TsNs, now: TsNs) -> Result<(), StateError> {
        self.number(value)?;
        self.sound(*value <= now)
    }

    /// A list in its order, at most `max` long, in the memory that it has; `blank` is what loading starts from.
    pub fn list<T>(
        &mut self,
        list: &mut Vec<T>,
        max: usize,
        blank: impl Fn() -> T,
        mut fields: impl FnMut(&mut Self, &mut T) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut len = list.len();
        self.len(&mut len, max)?;
        if self.is_loading() {
            list.clear();
            list.resize_with(len, blank);
        }
        list.iter_mut().try_for_each(|item| fields(self, item))
    }

    /// A value that may be absent; `blank` is what loading starts from.
    pub fn option<T>(
        &mut self,
        value: &mut Option<T>,
        blank: impl FnOnce() -> T,
        fields: impl FnOnce(&mut Self, &mut T) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut is_some = value.is_some();
        self.flag(&mut is_some)?;
        if self.is_loading() {
            *value = is_some.then(blank);
        }
        match value {
            Some(value) => fields(self, value),
            None => Ok(()),
        }
    }

    /// An enum without fields; `all` are its variants, whose order is part of the byte form.
    pub fn choice<T: Copy + PartialEq>(&mut self, value: &mut T, all: &[T]) -> Result<(), StateError> {
        // One that is not among them is saved as a number that no loading takes.
        let mut at = all.iter().position(|known| known == value).unwrap_or(all.len()) as u8;
        self.number(&mut at)?;
        if self.is_loading() {
            *value = *all.get(usize::from(at)).ok_or(self.bad_value())?;
        }
        Ok(())
    }
}

/// A number with a byte form.
pub trait Number: Sized {
    /// Appends its bytes.
    fn append(&self, to: &mut Vec<u8>);
    /// Reads it at `at` and moves on.
    fn read(bytes: &[u8], at: &mut usize) -> Result<Self, StateError>;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Number for $number {
            fn append(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }
            fn read(bytes: &[u8], at: &mut usize) -> Result<Self, StateError> {
                const LEN: usize = size_of::<$number>();
                let short = StateError::Short { at: bytes.len() };
                let slice = bytes.get(*at..*at + LEN).ok_or(short)?;
                *at += LEN;
                Ok(Self::from_le_bytes(slice.try_into().map_err(|_| short)?))
            }
        }
    )*};
}
numbers!(u8, u16, u32, u64, i32, i64, i128, f64);

/// A number that counts up.
pub trait Tally: Number {
    /// At least half of its range is left.
    fn has_room(&self) -> bool;
}

impl Tally for u32 {
    fn has_room(&self) -> bool {
        *self <= u32::MAX / 2
    }
}

impl Tally for u64 {
    fn has_room(&self) -> bool {
        *self <= u64::MAX / 2
    }
}

macro_rules! newtypes {
    ($($name:ident),*) => {$(
        impl Number for $name {
            fn append(&self, to: &mut Vec<u8>) {
                self.0.append(to);
            }
            fn read(bytes: &[u8], at: &mut usize) -> Result<Self, StateError> {
                Number::read(bytes, at).map(Self)
            }
        }
    )*};
}
newtypes!(Price, Qty, Money, TsNs, ClientOrderId, InstrumentId, Rate);

/// One number for all that something was built from, the same on every machine of one build.
pub fn fingerprint(of: &impl Hash) -> u64 {
    let mut hasher = Fnv(0xCBF2_9CE4_8422_2325);
    of.hash(&mut hasher);
    hasher.finish()
}

/// FNV-1a: numbers are taken as little-endian bytes.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    fn write_u16(&mut self, n: u16) {
        self.write(&n.to_le_bytes());
    }

    fn write_u32(&mut self, n: u32) {
        self.write(&n.to_le_bytes());
    }

    fn write_u64(&mut self, n: u64) {
        self.write(&n.to_le_bytes());
    }

    fn write_i64(&mut self, n: i64) {
        self.write(&n.to_le_bytes());
    }

    fn write_usize(&mut self, n: usize) {
        self.write(&(n as u64).to_le_bytes());
    }

    fn write_isize(&mut self, n: isize) {
        self.write(&(n as i64).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[derive(Clone, Default, Debug, PartialEq)]
    struct Thing {
        a: u32,
        b: Option<i64>,
        list: Vec<u8>,
    }

    impl State for Thing {
        fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
            io.number(&mut self.a)?;
            io.option(&mut self.b, || 0, |io, b| io.number(b))?;
            let mut len = self.list.len();
            io.len(&mut len, 4)?;
            self.list.resize(len, 0);
            self.list.iter_mut().try_for_each(|byte| io.number(byte))
        }
    }

    #[test]
    fn what_was_saved_comes_back_and_nothing_else_does() {
        let mut thing = Thing { a: 7, b: Some(-3), list: vec![1, 2, 3] };
        let mut bytes = vec![];
        StateIo::save(&mut thing, &mut bytes);
        let mut other = Thing::default();
        assert_eq!(StateIo::load(&mut other, &bytes), Ok(()));
        assert_eq!(other, thing);
        for cut in 0..bytes.len() {
            assert_eq!(StateIo::load(&mut other, &bytes[..cut]), Err(StateError::Short { at: cut }));
        }
        bytes.push(0);
        assert_eq!(StateIo::load(&mut other, &bytes), Err(StateError::Spare { bytes: 1 }));
        bytes[4] = 2;
        assert!(matches!(StateIo::load(&mut other, &bytes), Err(StateError::BadValue { .. })));
        bytes[4] = 1;
        bytes[13] = 5;
        assert!(
            matches!(StateIo::load(&mut other, &bytes), Err(StateError::BadValue { .. })),
            "list too long"
        );
    }
}
