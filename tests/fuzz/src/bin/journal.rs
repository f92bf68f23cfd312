//! A journal segment of any bytes, and a sound one with some bytes changed: a valid prefix or a refusal, and
//! never a record that nobody wrote. Also the bytes of events and outputs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smc_core::codec::{self, Buffer};
use smc_core::event::Event;
use smc_core::output::{NewOrder, Output};
use smc_journal::segment;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    match choice % 3 {
        0 => {
            let _ = segment::scan(bytes);
        }
        1 => {
            if let Ok(event) = codec::decode::<Event>(bytes) {
                let mut buffer = Buffer::default();
                let again = codec::decode::<Event>(buffer.encode(&event));
                assert_eq!(again, Ok(event), "an event does not read back");
            }
        }
        _ => {
            if let Ok(output) = codec::decode::<Output<NewOrder>>(bytes) {
                let mut buffer = Buffer::default();
                let again = codec::decode::<Output<NewOrder>>(buffer.encode(&output));
                assert_eq!(again, Ok(output), "an output does not read back");
            }
        }
    }
});
