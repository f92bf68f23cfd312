//! The machine's limit: a raw TCP echo on loopback, both ends spinning, of exactly the sizes that were seen on the wire.
//!
//! No TLS, no parsing, no deciding: what is left is the kernel and the way between two cores.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Bytes there and bytes back.
pub type Sizes = (usize, usize);

/// The largest message echoed.
const BYTES_MAX: usize = 1 << 16;

/// Exchanges messages of `sizes` in turn back to back for `length`; nanoseconds from before the send to the end of the
/// answer, the first tenth left out.
pub fn echo(sizes: &[Sizes], length: Duration) -> std::io::Result<Vec<u64>> {
    let sizes: Vec<Sizes> =
        sizes.iter().map(|(there, back)| ((*there).min(BYTES_MAX), (*back).min(BYTES_MAX))).collect();
    if sizes.is_empty() {
        return Ok(Vec::new());
    }
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    for end in [&client, &server] {
        end.set_nodelay(true)?;
        end.set_nonblocking(true)?;
    }
    std::thread::scope(|scope| {
        let theirs = sizes.clone();
        let answering = scope.spawn(move || {
            super::cores::stay_on(1);
            answer(server, &theirs)
        });
        let samples = ask(client, &sizes, length);
        // The client's end is closed by now: that is how the server ends.
        match answering.join() {
            Ok(Ok(())) => samples,
            Ok(Err(error)) => samples.and(Err(error)),
            Err(_) => Err(std::io::Error::other("the echo server panicked")),
        }
    })
}

fn ask(mut client: TcpStream, sizes: &[Sizes], length: Duration) -> std::io::Result<Vec<u64>> {
    let mut buffer = vec![0x5a; BYTES_MAX];
    let mut samples = Vec::with_capacity(1 << 20);
    let started = Instant::now();
    for (there, back) in sizes.iter().cycle() {
        let sent = Instant::now();
        write_all(&mut client, &buffer[..*there])?;
        if !read_all(&mut client, &mut buffer[..*back])? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        samples.push(sent.elapsed().as_nanos() as u64);
        if started.elapsed() >= length {
            break;
        }
    }
    samples.drain(..samples.len() / 10);
    Ok(samples)
}

fn answer(mut server: TcpStream, sizes: &[Sizes]) -> std::io::Result<()> {
    let mut buffer = vec![0xa5; BYTES_MAX];
    for (there, back) in sizes.iter().cycle() {
        if !read_all(&mut server, &mut buffer[..*there])? {
            break;
        }
        write_all(&mut server, &buffer[..*back])?;
    }
    Ok(())
}

/// Fills `into`, spinning; false when the other end has gone.
fn read_all(stream: &mut TcpStream, into: &mut [u8]) -> std::io::Result<bool> {
    let mut at = 0;
    while at < into.len() {
        match stream.read(&mut into[at..]) {
            Ok(0) => return Ok(false),
            Ok(count) => at += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Writes everything, spinning where the socket is full.
pub fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exchange_is_whole() {
        let sizes = [(1, 70_000), (200, 300), (65_000, 1)];
        let samples = echo(&sizes, Duration::from_millis(20)).unwrap();
        assert!(!samples.is_empty());
        assert!(samples.iter().all(|ns| *ns > 0));
    }
}
