//! Messages of the venue: market data, private events, snapshots, rules. The first byte chooses.
//!
//! Besides "no panic": where the positional scanner says something, the complete decoder says the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smc_core::words::{InstrumentId, Name};
use smc_feeds::binance_spot::{Decoder, TimeUnit, describe, instrument_spec};
use smc_gateway::binance_spot::Scratch;
use std::cell::RefCell;

struct Tools {
    decoder: Decoder,
    scratch: Scratch,
}

thread_local! {
    static TOOLS: RefCell<Tools> = RefCell::new(Tools {
        decoder: Decoder::new(&[(InstrumentId(0), name("BTCUSDT")), (InstrumentId(1), name("ETHBTC"))], TimeUnit::Millis),
        scratch: Scratch::new(),
    });
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap_or_default()
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    TOOLS.with_borrow_mut(|tools| match choice % 4 {
        0 => market(&mut tools.decoder, bytes),
        1 => {
            let mut text = String::new();
            let _ = smc_gateway::binance_spot::decode(&mut bytes.to_vec(), &mut tools.scratch, |message| {
                message.write_json(&mut text);
            });
            assert!(text.is_empty() || text.starts_with('{') && text.ends_with('}'));
        }
        2 => {
            let mut text = String::new();
            describe(&mut bytes.to_vec()).write_json(1, &mut text);
            let _ = tools.decoder.snapshot(&mut bytes.to_vec()).map(|_| ());
        }
        _ => {
            let _ = instrument_spec(&mut bytes.to_vec(), "BTCUSDT");
        }
    });
});

fn market(decoder: &mut Decoder, bytes: &[u8]) {
    let Some(quick) = decoder.scan(bytes).map(|decoded| format!("{decoded:?}")) else {
        let _ = decoder.decode_by_tape(&mut bytes.to_vec()).map(|_| ());
        return;
    };
    let mut copy = bytes.to_vec();
    let whole = decoder.decode_by_tape(&mut copy).map(|decoded| format!("{decoded:?}"));
    assert_eq!(Ok(quick), whole.map_err(|error| format!("{error:?}")), "the scanner and the tape disagree");
}
