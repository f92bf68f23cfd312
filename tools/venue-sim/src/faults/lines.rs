//! Streams over HTTP: chunks taken apart into lines, and a line made chunks again.
//!
//! Pure. Chunk borders mean nothing to such a stream; they fall inside lines here too, now and then.

use crate::market::random::Random;

/// One line in so many comes in two chunks.
const SPLIT_ONE_IN: u64 = 4;

/// What has come of a stream and is no whole line yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Bytes of a chunk that has not ended.
    raw: Vec<u8>,
    /// Bytes of a line that has not ended.
    line: Vec<u8>,
}

impl Lines {
    /// Whether bytes are the head of the answer, which comes before all chunks.
    pub fn is_head(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"HTTP/1.1 ")
    }

    /// Takes bytes of chunks; returns the lines that end in them.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        self.raw.extend_from_slice(bytes);
        while let Some((data, len)) = whole_chunk(&self.raw) {
            self.line.extend_from_slice(data);
            self.raw.drain(..len);
        }
        let mut lines = Vec::new();
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).take(end).collect();
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        lines
    }
}

/// The data of the first chunk and the length of the whole; none when it has not ended.
fn whole_chunk(raw: &[u8]) -> Option<(&[u8], usize)> {
    let head = raw.windows(2).position(|pair| pair == b"\r\n")?;
    let len = usize::from_str_radix(std::str::from_utf8(raw.get(..head)?).ok()?, 16).ok()?;
    let end = (head + 2).checked_add(len)?;
    Some((raw.get(head + 2..end)?, end + 2)).filter(|(_, whole)| *whole <= raw.len())
}

/// The chunks of one line: one, or two with a border inside the line.
pub(super) fn chunks(mut line: String, random: &mut Random) -> Vec<u8> {
    line.push('\n');
    let bytes = line.as_bytes();
    let border = match random.bits() % SPLIT_ONE_IN {
        0 => random.bits() as usize % bytes.len(),
        _ => 0,
    };
    let (first, second) = bytes.split_at(border);
    let mut out = Vec::with_capacity(bytes.len() + 16);
    for part in [first, second].into_iter().filter(|part| !part.is_empty()) {
        out.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_as_they_went_in_wherever_they_are_cut() {
        let mut random = Random::new(3);
        let said = ["{\"a\":1}", "", "{\"longer\":\"than the others, \u{20ac}\"}"];
        let bytes: Vec<u8> =
            said.iter().cycle().take(60).flat_map(|line| chunks((*line).to_owned(), &mut random)).collect();
        for step in 1..40 {
            let mut lines = Lines::default();
            let heard: Vec<String> = bytes.chunks(step).flat_map(|part| lines.take(part)).collect();
            assert!(heard.iter().eq(said.iter().cycle().take(60)), "in steps of {step}");
        }
    }
}
