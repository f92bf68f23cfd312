//! What the swarm tells an engine's process: a word and two numbers, seventeen bytes; the answer is one byte.

use std::io::{self, Read, Write};

/// Bytes of one request.
const LEN: usize = 17;

/// The engine runs.
pub const READY: u8 = b'R';
/// Yes.
pub const YES: u8 = b'y';
/// No.
pub const NO: u8 = b'n';
/// The engine has ended by itself.
pub const OVER: u8 = b'o';

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// It is now this, in nanoseconds. No answer.
    Now(u64),
    /// Has everything been dealt with, at so many bytes sent and received by the venue?
    IsQuiet(u64, u64),
    /// The same, and connections that are being made do not count: the venue lets them wait.
    IsQuietButConnecting(u64, u64),
    /// Cancel entries, as at the end of a run.
    Shutdown,
    /// The kill switch: nothing new, and everything that works is cancelled.
    Kill,
    /// Close the journal and end.
    Stop,
    /// Say on standard error how far every thread is.
    Describe,
}

impl Request {
    /// Sends it.
    pub fn write(self, to: &mut impl Write) -> io::Result<()> {
        let (word, a, b) = match self {
            Self::Now(now) => (0, now, 0),
            Self::IsQuiet(sent, received) => (1, sent, received),
            Self::Shutdown => (2, 0, 0),
            Self::Stop => (3, 0, 0),
            Self::Describe => (4, 0, 0),
            Self::IsQuietButConnecting(sent, received) => (5, sent, received),
            Self::Kill => (6, 0, 0),
        };
        let mut bytes = [0; LEN];
        bytes[0] = word;
        bytes[1..9].copy_from_slice(&a.to_le_bytes());
        bytes[9..].copy_from_slice(&b.to_le_bytes());
        to.write_all(&bytes)
    }

    /// Waits for one.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut bytes = [0; LEN];
        from.read_exact(&mut bytes)?;
        let number = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        match bytes[0] {
            0 => Ok(Self::Now(number(1))),
            1 => Ok(Self::IsQuiet(number(1), number(9))),
            2 => Ok(Self::Shutdown),
            3 => Ok(Self::Stop),
            4 => Ok(Self::Describe),
            5 => Ok(Self::IsQuietButConnecting(number(1), number(9))),
            6 => Ok(Self::Kill),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
