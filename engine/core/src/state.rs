//! The one list of fields that saves a state and brings it back.
//!
//! A type names its fields once, in [`State::state`]; the same list writes them and reads them, so the two
//! cannot drift apart. The bytes are little-endian without padding. Reading trusts nothing: short bytes,
//! numbers out of range and lists longer than their room are errors, never panics; a state that failed to
//! load must be thrown away. Off the hot path: saving may allocate.

use alloc::vec::Vec;
use core::fmt;

/// Something whose fields can be saved and loaded.
pub trait State {
    /// Hands every field that matters to `io`, in a fixed order. What is derived from settings alone is not a
    /// field. After loading, invariants must hold or an error be returned.
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError>;
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
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { at } => write!(f, "the state ends at byte {at}, more expected"),
            Self::Spare { bytes } => write!(f, "the state has {bytes} bytes too many"),
            Self::BadValue { at } => write!(f, "the state has an impossible value before byte {at}"),
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
        let mut at = all.iter().position(|known| known == value).unwrap_or(0) as u8;
        self.number(&mut at)?;
        *value = *all.get(usize::from(at)).ok_or(self.bad_value())?;
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
numbers!(u8, u16, u32, u64, i32, i64, i128);

macro_rules! newtypes {
    ($($name:ident),*) => {$(
        impl Number for crate::words::$name {
            fn append(&self, to: &mut Vec<u8>) {
                self.0.append(to);
            }
            fn read(bytes: &[u8], at: &mut usize) -> Result<Self, StateError> {
                Number::read(bytes, at).map(Self)
            }
        }
    )*};
}
newtypes!(Price, Qty, Money, TsNs);

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
