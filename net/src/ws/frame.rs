//! Frames that we send: header, mask, payload. Pure, no allocation.

/// What a frame is; the number is its opcode on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A message in UTF-8.
    Text = 1,
    /// A message in bytes.
    Binary = 2,
    /// The end of the conversation.
    Close = 8,
    /// A question for a sign of life.
    Ping = 9,
    /// The answer to it.
    Pong = 10,
}

/// One unfragmented, masked frame, ready to be written in pieces.
///
/// ```text
///  1 000 opcode | 1 length 7 | [length 16 or 64] | mask key 32 | payload XOR mask
/// ```
pub struct FrameWriter<'a> {
    header: [u8; 14],
    header_len: usize,
    mask: [u8; 4],
    payload: &'a [u8],
}

impl<'a> FrameWriter<'a> {
    /// The frame that carries `payload` under `mask`.
    pub fn new(opcode: Opcode, payload: &'a [u8], mask: [u8; 4]) -> Self {
        let [m0, m1, m2, m3] = mask;
        let first = 0x80 | opcode as u8;
        let mut header = [0; 14];
        let header_len = match payload.len() {
            len @ 0..=125 => write(&mut header, &[first, 0x80 | len as u8, m0, m1, m2, m3]),
            len @ 126..=0xffff => {
                let [a, b] = (len as u16).to_be_bytes();
                write(&mut header, &[first, 0x80 | 126, a, b, m0, m1, m2, m3])
            }
            len => {
                let [a, b, c, d, e, f, g, h] = (len as u64).to_be_bytes();
                write(&mut header, &[first, 0x80 | 127, a, b, c, d, e, f, g, h, m0, m1, m2, m3])
            }
        };
        Self { header, header_len, mask, payload }
    }

    /// Bytes of the whole frame.
    #[allow(clippy::len_without_is_empty)] // a frame is never empty
    pub fn len(&self) -> usize {
        self.header_len + self.payload.len()
    }

    /// Writes the frame's bytes from `offset` on into `out`, which must not reach beyond the frame.
    pub fn fill(&self, offset: usize, out: &mut [u8]) {
        let header = self.header.get(offset..self.header_len).unwrap_or_default();
        let count = header.len().min(out.len());
        let (head, body) = out.split_at_mut(count);
        head.iter_mut().zip(header).for_each(|(out, byte)| *out = *byte);
        let at = (offset + count).saturating_sub(self.header_len);
        let mut mask = self.mask;
        mask.rotate_left(at % 4);
        xor_into(body, self.payload.get(at..).unwrap_or_default(), mask);
    }
}

fn write(header: &mut [u8; 14], bytes: &[u8]) -> usize {
    header.iter_mut().zip(bytes).for_each(|(out, byte)| *out = *byte);
    bytes.len()
}

/// `out = payload XOR mask`, eight bytes at a time, from the mask's first byte on.
fn xor_into(out: &mut [u8], payload: &[u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (out_wide, out_rest) = out.as_chunks_mut::<8>();
    let (payload_wide, _) = payload.as_chunks::<8>();
    let payload_rest = payload.get(out_wide.len() * 8..).unwrap_or_default();
    for (out, payload) in out_wide.iter_mut().zip(payload_wide) {
        *out = (u64::from_ne_bytes(*payload) ^ wide).to_ne_bytes();
    }
    for ((out, payload), key) in out_rest.iter_mut().zip(payload_rest).zip(mask.iter().cycle()) {
        *out = payload ^ key;
    }
}

/// Mask keys from xorshift64*: RFC 6455 wants them unforeseeable for a script in a browser, which we do not run, so one
/// seed from the system per connection is enough and no frame pays a system call.
pub struct MaskSource(u64);

impl MaskSource {
    /// Starts from `seed`; zero is as good as any other.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// The next key.
    pub fn next_key(&mut self) -> [u8; 4] {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let [a, b, c, d, ..] = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes();
        [a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The slow twin: RFC 6455 section 5.2 and 5.3 word for word.
    fn encode_slowly(payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
        let mut out = vec![0x81];
        match payload.len() {
            len @ 0..=125 => out.push(0x80 | len as u8),
            len @ 126..=65535 => {
                out.push(0x80 | 126);
                out.extend((len as u16).to_be_bytes());
            }
            len => {
                out.push(0x80 | 127);
                out.extend((len as u64).to_be_bytes());
            }
        }
        out.extend(mask);
        out.extend(payload.iter().enumerate().map(|(i, b)| b ^ mask[i % 4]));
        out
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_make_the_same_frame(
            len in prop_oneof![0usize..300, 65_500usize..65_600],
            mask: [u8; 4],
            cuts in proptest::collection::vec(1usize..5000, 1..20),
        ) {
            let payload: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
            let frame = FrameWriter::new(Opcode::Text, &payload, mask);
            let mut out = vec![0; frame.len()];
            let (mut at, mut cuts) = (0, cuts.iter().cycle());
            while at < out.len() {
                let end = (at + cuts.next().unwrap()).min(out.len());
                frame.fill(at, &mut out[at..end]);
                at = end;
            }
            prop_assert_eq!(out, encode_slowly(&payload, mask));
        }
    }

    #[test]
    fn mask_keys_do_not_repeat_soon() {
        let mut source = MaskSource::new(0);
        let keys: std::collections::HashSet<_> = (0..10_000).map(|_| source.next_key()).collect();
        assert!(keys.len() > 9_990);
    }
}
