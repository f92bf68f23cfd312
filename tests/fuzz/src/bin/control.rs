//! A line of the control socket: any bytes are a request or refused in one line of JSON, an act survives its journal record, and
//! nothing is sealed that was not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smc_core::codec::{self, Buffer};
use smc_core::event::Event;
use smc_operator::{Challenge, Seal};
use smc_runtime::control::act_event;
use smc_runtime::control::desk::Desk;
use smc_runtime::control::protocol::{self, Line, Request, VERSION};

const KEY: [u8; 32] = [7; 32];

fuzz_target!(|data: &[u8]| {
    let line = Line::read(data);
    let said = match &line.request {
        Ok((request, name)) => {
            take(request, name);
            protocol::answer(line.id.as_ref(), serde_json::json!({ "ok": true }))
        }
        Err(refusal) => protocol::no(line.id.as_ref(), refusal),
    };
    let text = said.to_string();
    assert!(!text.contains('\n'), "{text}");
    let again: serde_json::Value = serde_json::from_str(&text).expect("what we say is JSON");
    assert_eq!(again["v"], VERSION);
});

fn take(request: &Request, name: &str) {
    if let Request::Sealed(sealed) = request {
        let (seal, mut challenge) = (Seal::new(&KEY).expect("long enough"), Challenge::new([0; 16]));
        let parts = (sealed.counter, sealed.time, sealed.request.as_str(), sealed.mac.as_str());
        assert!(seal.verify(&mut challenge, parts, sealed.time).is_err(), "a seal that nobody made");
        return;
    }
    let (_, command) = protocol::rule(name);
    let (Some(ask), Some(command)) = (request.ask(), command) else { return };
    let symbols = vec!["BTCUSDT".to_owned(), "EUR_USD".to_owned()];
    let mut desk = Desk { symbols, factor: None, kill_flag: None, set: Default::default() };
    let Ok(act) = desk.act(command, ask, 7, false, &|_, _| None) else { return };
    let (event, mut buffer) = (act_event(act), Buffer::default());
    assert_eq!(codec::decode::<Event>(buffer.encode(&event)), Ok(event), "an act does not read back");
}
