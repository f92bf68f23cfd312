//! One limit order of each venue as the bytes that leave, and what signing is of that: the request of Binance spot in a
//! session (no signature) and signed by HMAC, that of the futures in a session, by HMAC and by Ed25519, that of Bybit's trade
//! socket, which is logged on, and Oanda's HTTP request, which carries a token.
//!
//! Each must say the order's id and price before it is timed. Number, time, price and quantity change from order to order.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::{BTC, spec};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce};
use smc_core::words::{ClientOrderId, Price, Qty, SCALE, Side};
use smc_gateway::bybit::Category;
use smc_gateway::oanda::GatewaySettings;
use smc_gateway::sign::{KeyError, Secret, Signer};
use smc_gateway::{binance_spot, binance_usdm, bybit, oanda};
use smc_net::{Endpoint, TlsSettings};
use std::hint::black_box;

/// Requests and venue time begin here: sixteen and thirteen digits.
const ID: u64 = 6_000_000_000_000_001;
const TIME_MS: u64 = 1_700_000_000_123;
const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
/// Published examples of the venue's documents; they open nothing.
const HMAC: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u
-----END PRIVATE KEY-----
";

fn key(text: &str) -> Result<Signer, KeyError> {
    Signer::new(&Secret::new(text))
}

/// A limit order to buy near 61 837.63.
fn order(n: u64) -> NewOrder {
    NewOrder {
        client_order_id: ClientOrderId::new(7, 1, n),
        instrument: BTC,
        side: Side::Buy,
        kind: OrderKind::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Price((6_183_763 + (n % 500) as i64) * (SCALE / 100)),
        stop_price: Price::ZERO,
        qty: Qty((1 + (n % 900) as i64) * (SCALE / 1_000)),
        purpose: Purpose::Entry,
        signal_id: 0,
        terms: OrderTerms::PLAIN,
    }
}

fn oanda_settings() -> GatewaySettings {
    let tls = TlsSettings::system_roots().unwrap();
    let nobody = Endpoint { host: "api-fxpractice.oanda.com".into(), port: 443, address: None, tls };
    let token = smc_net::Secret::new("0123456789abcdef0123456789abcdef-0123456789abcdef0123456789abcdef");
    GatewaySettings::new(nobody.clone(), nobody, "101-004-1234567-001", token, 7)
}

fn bench(c: &mut Criterion) {
    let one = [binance_spot::GatewayInstrument { id: BTC, spec: spec() }];
    let spot = |secret| binance_spot::encoding(&one, API_KEY, key(secret).unwrap()).unwrap();
    let usdm =
        |secret, is_session| binance_usdm::encoding(&one, API_KEY, key(secret).unwrap(), is_session).unwrap();
    // A venue counts whole units: one lot of a thousandth would be refused.
    let mut pair = one;
    pair[0].spec.lot = Qty(SCALE / 1_000);
    let encoders = [
        ("spot/session", spot(ED25519)),
        ("spot/hmac", spot(HMAC)),
        ("usdm/session", usdm(ED25519, true)),
        ("usdm/hmac", usdm(HMAC, false)),
        ("usdm/ed25519", usdm(ED25519, false)),
        ("bybit/session", bybit::encoding(Category::Linear, &one).unwrap()),
        ("oanda/token", oanda::encoding(&oanda_settings(), &pair)),
    ];
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(1));
    for (name, mut encode) in encoders {
        let first = order(1);
        encode(ID, TIME_MS, &first, &mut |bytes| {
            let text = std::str::from_utf8(bytes).unwrap();
            assert!(text.contains(&first.client_order_id.to_string()), "{text}");
            assert!(text.contains(&format!("\"price\":\"{}\"", first.price)), "{text}");
        })
        .unwrap();
        let mut n = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                n += 1;
                encode(ID + n, TIME_MS + n, &order(n), &mut |bytes| _ = black_box(bytes))
            });
        });
    }
    group.finish();

    // As long as what is signed of a spot order.
    let payload = "x".repeat(300);
    let mut group = c.benchmark_group("sign");
    for (name, secret) in [("hmac", HMAC), ("ed25519", ED25519)] {
        let signer = key(secret).unwrap();
        group.bench_function(name, |b| b.iter(|| signer.sign(black_box(payload.as_bytes()))));
    }
    group.finish();
}

criterion_group!(group, bench);
criterion_main!(group);
