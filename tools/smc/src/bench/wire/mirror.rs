//! The machine's limit under the same load: a raw TCP echo on loopback that gets the very bytes the engine got, from where
//! they lay, in the same pacing, and answers what the engine answered, with as many bytes.
//!
//! No TLS, no parsing, no deciding, no answers to orders: what is left is the kernel and the way between two cores.

use super::load::{Load, Wire, drive};
use crate::bench::cores::stay_on;
use crate::bench::echo::write_all;
use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

/// A message of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Exchanged {
    /// Where its bytes begin.
    pub from: usize,
    /// How many they are.
    pub there: usize,
    /// Bytes back, where it is answered.
    pub back: Option<usize>,
    /// Whether it might have been, as far as whoever sent it knew: the closed loop waits for that.
    pub may_answer: bool,
}

/// The core of the echo's thread; the engine's, which stands still.
const CORE: usize = 1;
/// The largest message.
const BYTES_MAX: usize = 1 << 16;

struct ToEcho<'a> {
    tcp: TcpStream,
    plan: &'a [Exchanged],
    bytes: &'a [u8],
    buffer: Vec<u8>,
    /// Answers still to come: the message, and bytes left.
    waiting: std::collections::VecDeque<(usize, usize)>,
    /// When each answer's last byte had come.
    answered: Vec<(usize, u64)>,
}

impl Wire for ToEcho<'_> {
    #[inline]
    fn send(&mut self, nth: usize) -> io::Result<()> {
        let Some(&Exchanged { from, there, back, .. }) = self.plan.get(nth) else { return Ok(()) };
        if let Some(back) = back {
            self.waiting.push_back((nth, back));
        }
        write_all(&mut self.tcp, self.bytes.get(from..from + there).unwrap_or_default())
    }

    #[inline]
    fn poll(&mut self, clock: Instant) -> io::Result<u32> {
        let mut count = match self.tcp.read(&mut self.buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        };
        let at = clock.elapsed().as_nanos() as u64;
        let mut answers = 0;
        while count > 0 {
            let Some((nth, left)) = self.waiting.front_mut() else { break };
            let taken = count.min(*left);
            (*left, count) = (*left - taken, count - taken);
            if *left == 0 {
                self.answered.push((*nth, at));
                self.waiting.pop_front();
                answers += 1;
            }
        }
        Ok(answers)
    }

    fn may_answer(&self, nth: usize) -> bool {
        self.plan.get(nth).is_some_and(|message| message.may_answer)
    }

    fn is_owed(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// Runs the plan with messages out of `bytes`; nanoseconds from each answered message's due time to its answer.
pub fn mirror(
    plan: &[Exchanged],
    bytes: &[u8],
    load: Load,
    random: &mut impl FnMut() -> f64,
) -> io::Result<Vec<u64>> {
    let fits = |message: &Exchanged| Exchanged {
        there: message.there.min(bytes.len().saturating_sub(message.from)),
        back: message.back.map(|back| back.clamp(1, BYTES_MAX)),
        ..*message
    };
    let plan: Vec<Exchanged> = plan.iter().map(fits).collect();
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let tcp = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    for end in [&tcp, &server] {
        end.set_nodelay(true)?;
        end.set_nonblocking(true)?;
    }
    std::thread::scope(|scope| {
        let theirs = plan.clone();
        let answering = scope.spawn(move || answer(server, &theirs));
        // The echo's thread has found its core before the first message.
        std::thread::sleep(std::time::Duration::from_millis(5));
        let waiting = std::collections::VecDeque::with_capacity(plan.len());
        let (buffer, answered) = (vec![0x5a; BYTES_MAX], Vec::with_capacity(plan.len()));
        let mut wire = ToEcho { tcp, plan: &plan, bytes, buffer, waiting, answered };
        let clock = Instant::now();
        let due = drive(&mut wire, plan.len(), load, clock, random);
        let answered = std::mem::take(&mut wire.answered);
        drop(wire);
        // Our end is closed by now: that is how the echo ends.
        match answering.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(io::Error::other("the echo panicked")),
        }
        let due = due?;
        Ok(answered.iter().filter_map(|&(nth, at)| Some(at.saturating_sub(*due.get(nth)?))).collect())
    })
}

fn answer(mut server: TcpStream, plan: &[Exchanged]) -> io::Result<()> {
    stay_on(CORE);
    let mut buffer = vec![0xa5; BYTES_MAX];
    let mut held = 0;
    for &Exchanged { there, back, .. } in plan {
        while held < there {
            match server.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => held += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        held -= there;
        if let Some(back) = back {
            write_all(&mut server, buffer.get(..back).unwrap_or_default())?;
        }
    }
    // Until the other end has gone: a closed socket would reset what it still reads.
    while !matches!(server.read(&mut buffer), Ok(0)) {
        std::hint::spin_loop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_comes_once_under_every_load() {
        let bytes = vec![7; 1_200];
        let message = |nth| Exchanged {
            from: nth,
            there: 1 + nth * 7 % 900,
            back: (nth % 3 == 0).then_some(1 + nth),
            may_answer: nth % 6 < 5,
        };
        let plan: Vec<Exchanged> = (0..200).map(message).collect();
        for (load, name) in Load::ALL {
            let samples = mirror(&plan, &bytes, load, &mut || 0.5).expect("loopback");
            assert_eq!(samples.len(), plan.iter().filter(|message| message.back.is_some()).count(), "{name}");
            assert!(samples.iter().all(|ns| *ns > 0), "{name}");
        }
    }
}
