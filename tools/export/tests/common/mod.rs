//! Journals for the tests of every format: all words there are, with values at the edges, from a seed.
#![allow(dead_code, clippy::unwrap_used, reason = "helpers of several tests")]

use smc_core::codec::{Buffer, Put};
use smc_core::event::*;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::output::*;
use smc_core::words::{Direction, Name};
use smc_core::{ClientOrderId, InstrumentId, Money, Price, Qty, Side, Timeframe, TsNs};
use smc_journal::{AppendError, Header, JournalSettings, Reader, RecordKind, SyncPolicy, Writer};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Numbers from a seed.
pub struct Random(u64);

impl Random {
    /// Starts from `SMC_TEST_SEED`, or from `default`; printed, so that a failure can be had again.
    pub fn from_env(default: u64) -> Self {
        let seed = std::env::var("SMC_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
        println!("seed: SMC_TEST_SEED={seed}");
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.any() % end
    }

    /// One of these.
    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Often at an edge.
    fn unsigned(&mut self) -> u64 {
        let any = self.any();
        self.of(&[0, 1, u64::MAX, i64::MAX as u64, i64::MAX as u64 + 1, any, any % 1_000])
    }

    fn small(&mut self) -> u32 {
        let any = self.any() as u32;
        self.of(&[0, 1, u32::MAX, i32::MAX as u32 + 1, any])
    }

    fn signed(&mut self) -> i64 {
        let any = self.any() as i64;
        self.of(&[0, 1, -1, i64::MAX, i64::MIN, i64::MIN + 1, 100_000_000, -1_000, any, any % 1_000_000])
    }

    fn price(&mut self) -> Price {
        Price(self.signed())
    }

    fn qty(&mut self) -> Qty {
        Qty(self.signed())
    }

    fn money(&mut self) -> Money {
        Money(self.signed())
    }

    fn ts(&mut self) -> TsNs {
        TsNs(self.unsigned())
    }

    fn order_id(&mut self) -> ClientOrderId {
        ClientOrderId(self.unsigned())
    }

    fn instrument(&mut self) -> InstrumentId {
        let any = self.any() as u16;
        InstrumentId(self.of(&[0, 1, u16::MAX, any]))
    }

    fn timeframe(&mut self) -> Timeframe {
        let secs = self.of(&[1, 5, 60, 900, 14_400, 86_400]);
        Timeframe::from_secs(secs).unwrap()
    }

    fn name(&mut self) -> Name {
        let text = self.of(&[
            "",
            "BTCUSDT",
            "ABCDEFGHIJKLMNO",
            "a,b",
            "\"",
            "\"\"",
            "\n",
            "a\r\nb",
            "\r",
            "'",
            "''x",
            "=1+2",
            "+1",
            "-1",
            "@x",
            "\t",
            " ",
            " x ",
            "é€𝄞",
            "NULL",
            "true",
            "\0",
            "\u{feff}x",
            "x\"y,z\n",
        ]);
        Name::new(text).unwrap()
    }

    fn bar(&mut self) -> Bar {
        Bar {
            open_ts: self.ts(),
            open: self.price(),
            high: self.price(),
            low: self.price(),
            close: self.price(),
            volume: self.qty(),
            trades: self.small(),
        }
    }

    fn order_update_kind(&mut self, variant: u64) -> OrderUpdateKind {
        let code = self.signed() as i32;
        match variant % 8 {
            0 => OrderUpdateKind::Ack,
            1 => OrderUpdateKind::Reject { code },
            2 => OrderUpdateKind::Fill {
                trade_id: self.unsigned(),
                side: self.tag(2),
                price: self.price(),
                qty: self.qty(),
                cum_qty: self.qty(),
                fee: self.money(),
                fee_asset: self.name(),
                is_maker: self.flag(),
            },
            3 => OrderUpdateKind::Canceled { cum_qty: self.qty() },
            4 => OrderUpdateKind::Expired { cum_qty: self.qty() },
            5 => OrderUpdateKind::CancelReject { code },
            6 => OrderUpdateKind::Unknown,
            _ => OrderUpdateKind::NotFound,
        }
    }

    /// An event whose variant goes with `nth`.
    pub fn event(&mut self, nth: u64) -> Event {
        let side = self.of(&[Side::Buy, Side::Sell]);
        let body = match nth % 23 {
            0 => EventBody::Trade(Trade {
                price: self.price(),
                qty: self.qty(),
                aggressor: side,
                trade_id: self.unsigned(),
            }),
            1 => EventBody::Quote(Quote {
                bid: self.price(),
                bid_qty: self.qty(),
                ask: self.price(),
                ask_qty: self.qty(),
                update_id: self.unsigned(),
            }),
            2 => EventBody::Book(BookUpdate {
                update_id: self.unsigned(),
                is_snapshot_start: self.flag(),
                is_last: self.flag(),
                side,
                len: self.any() as u8,
                levels: std::array::from_fn(|_| Level { price: self.price(), qty: self.qty() }),
            }),
            3 => EventBody::Bar(self.timeframe(), self.bar()),
            4 => EventBody::Instrument(InstrumentSpec {
                symbol: self.name(),
                base: self.name(),
                quote: self.name(),
                tick: self.price(),
                lot: self.qty(),
                qty_min: self.qty(),
                qty_max: self.qty(),
                notional_min: self.money(),
                status: self.of(&[
                    TradingStatus::Unknown,
                    TradingStatus::Trading,
                    TradingStatus::Halted,
                    TradingStatus::CancelOnly,
                ]),
                contract: Contract {
                    kind: self.tag(4),
                    size: self.qty(),
                    margin_initial_ppm: self.small(),
                    margin_maintenance_ppm: self.small(),
                    can_replace: self.flag(),
                    can_oco: self.flag(),
                    can_attach: self.flag(),
                    can_reduce_only: self.flag(),
                },
            }),
            5 => EventBody::Feed(self.of(&[
                FeedState::Down,
                FeedState::Syncing,
                FeedState::Stale,
                FeedState::Live,
            ])),
            6 => {
                EventBody::Gateway(self.of(&[GatewayState::Down, GatewayState::Syncing, GatewayState::Ready]))
            }
            7 => EventBody::Order(OrderUpdate {
                client_order_id: self.order_id(),
                venue_order_id: self.unsigned(),
                kind: self.order_update_kind(nth / 23),
            }),
            8 => EventBody::Balance(Balance { asset: self.name(), free: self.qty(), locked: self.qty() }),
            9 => EventBody::Timer,
            10 => EventBody::Journal(self.of(&[
                JournalState::Good,
                JournalState::Low,
                JournalState::Behind,
                JournalState::Lost,
            ])),
            11 => EventBody::Operator(Act {
                command: self.command(),
                scope: self.scope(),
                limit: self.tag(18),
                value: self.signed(),
                operator: self.small(),
                reason: self.name(),
            }),
            12 => EventBody::Clock(VenueClock { offset_ns: self.signed() }),
            13 => EventBody::Budget(RequestBudget {
                left: self.small(),
                limit: self.small(),
                banned_until: self.ts(),
                resets_at: self.ts(),
            }),
            14 => EventBody::Key(KeyScope { can_trade: self.flag(), can_withdraw: self.flag() }),
            15 => EventBody::Margin(Margin { equity: self.money(), free: self.money() }),
            16 => EventBody::Mark(MarkPrice { price: self.price() }),
            17 => EventBody::Rate(AssetRate { asset: self.name(), price: self.price() }),
            18 => EventBody::Cash(Cash {
                kind: self.tag(5),
                asset: self.name(),
                amount: self.money(),
                booking_id: self.unsigned(),
            }),
            19 => EventBody::Round(ReconcileRound {
                number: self.small(),
                is_end: self.flag(),
                is_complete: self.flag(),
            }),
            20 => EventBody::VenueOrder(VenueOrder {
                client_order_id: self.order_id(),
                venue_order_id: self.unsigned(),
                side,
                kind: self.tag(4),
                price: self.price(),
                stop_price: self.price(),
                qty: self.qty(),
                filled_qty: self.qty(),
            }),
            21 => EventBody::VenuePosition(VenuePosition { qty: self.qty(), average: self.price() }),
            _ => EventBody::Sequence(AccountSequence { told_to: self.unsigned() }),
        };
        Event {
            seq: self.unsigned(),
            ts_event: self.ts(),
            ts_recv: self.ts(),
            instrument: self.instrument(),
            body,
        }
    }

    fn command(&mut self) -> Command {
        self.tag(10)
    }

    fn scope(&mut self) -> RiskScope {
        RiskScope { kind: self.tag(4), id: self.small() as u16 }
    }

    /// By its number, of which there are `end`: the codec knows the words, and the test need not list them again.
    fn tag<T: smc_core::codec::Take>(&mut self, end: u64) -> T {
        loop {
            let tag = [self.below(end) as u8];
            if let Ok(word) = smc_core::codec::decode(&tag) {
                return word;
            }
        }
    }

    fn structure_kind(&mut self) -> StructureKind {
        self.tag(80)
    }

    fn order(&mut self, side: Side) -> NewOrder {
        NewOrder {
            client_order_id: self.order_id(),
            instrument: self.instrument(),
            side,
            kind: self.tag(4),
            time_in_force: self.tag(3),
            price: self.price(),
            stop_price: self.price(),
            qty: self.qty(),
            purpose: self.tag(4),
            signal_id: self.small(),
            terms: OrderTerms {
                reduce_only: self.flag(),
                stop_on_fill: self.price(),
                target_on_fill: self.price(),
                oco: self.order_id(),
            },
        }
    }

    /// An output whose variant goes with `nth`.
    pub fn output(&mut self, nth: u64) -> Output<NewOrder> {
        let side = self.of(&[Side::Buy, Side::Sell]);
        let direction = self.of(&[Direction::Up, Direction::Down]);
        match nth % 10 {
            0 => Output::NewOrder(self.order(side)),
            1 => Output::Cancel(CancelOrder {
                instrument: self.instrument(),
                client_order_id: self.order_id(),
                venue_order_id: self.unsigned(),
            }),
            2 => Output::Signal(Signal {
                id: self.small(),
                strategy: self.any() as u8,
                instrument: self.instrument(),
                direction,
                entry: self.price(),
                stop: self.price(),
                target: self.price(),
                reasons: std::array::from_fn(|_| self.small()),
            }),
            3 => Output::Decision(Decision {
                client_order_id: self.order_id(),
                instrument: self.instrument(),
                codes: self.small(),
                qty: self.qty(),
                price: self.price(),
            }),
            4 => Output::Structure(Structure {
                instrument: self.instrument(),
                timeframe: self.timeframe(),
                kind: self.structure_kind(),
                direction,
                id: self.small(),
                cause_id: self.small(),
                bar: self.small(),
                known_bar: self.small(),
                top: self.price(),
                bottom: self.price(),
                extra: self.signed(),
                value: self.signed(),
                scope: self.of(&[Scope::Swing, Scope::Internal]),
            }),
            5 => Output::BarClosed(self.instrument(), self.timeframe(), self.bar()),
            6 => Output::Position(Position {
                instrument: self.instrument(),
                qty: self.qty(),
                average: self.price(),
                realised: self.money(),
                fees: self.money(),
                client_order_id: self.order_id(),
                fill_price: self.price(),
                fill_qty: self.qty(),
            }),
            7 => Output::State(StateChange {
                scope: self.scope(),
                from: self.trading_state(),
                to: self.trading_state(),
                cause: self.tag(22),
                command: self.flag().then(|| self.command()),
            }),
            8 => Output::Replace(ReplaceOrder {
                replaced: self.order_id(),
                replaced_venue_id: self.unsigned(),
                order: self.order(side),
            }),
            _ => Output::Alert(Alert {
                kind: self.tag(15),
                instrument: self.instrument(),
                client_order_id: self.order_id(),
                detail: self.signed(),
                ts: self.ts(),
            }),
        }
    }

    fn trading_state(&mut self) -> TradingState {
        self.of(&[
            TradingState::Normal,
            TradingState::Warn,
            TradingState::ReduceOnly,
            TradingState::CancelOnly,
            TradingState::Halt,
        ])
    }
}

/// How a run of a writer ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// With a Close record.
    Closed,
    /// Without one.
    Killed,
}

/// Who writes the journals of these tests.
pub fn header(build: u8) -> Header {
    Header {
        build: [build; 16],
        config_hash: [2; 32],
        instruments_hash: [3; 32],
        account: "=tester, \"one\"".into(),
        environment: "sim".into(),
    }
}

/// One run: how many records, in segments of which size, synced or not, ending how.
pub struct Run {
    pub records: u64,
    pub segment_bytes: u64,
    pub sync: SyncPolicy,
    pub end: End,
}

impl Run {
    /// Unsynced, in small segments.
    pub fn new(records: u64, end: End) -> Self {
        Self { records, segment_bytes: 16_384, sync: SyncPolicy::Off, end }
    }

    /// With the mark of what is on the disk.
    pub fn synced(self) -> Self {
        Self { sync: SyncPolicy::Every(Duration::from_millis(10)), ..self }
    }

    /// In segments of this size.
    pub fn in_segments(self, segment_bytes: u64) -> Self {
        Self { segment_bytes, ..self }
    }
}

/// Writes a journal of all words and kinds.
pub fn write_journal(dir: &Path, random: &mut Random, runs: &[Run]) {
    for (nth, run) in runs.iter().enumerate() {
        let settings =
            JournalSettings { segment_bytes: run.segment_bytes, sync: run.sync, ..JournalSettings::new(dir) };
        let header = header(nth as u8);
        let mut writer = match nth {
            0 => Writer::create(&settings, &header).unwrap(),
            _ => Writer::resume(&settings, &header).unwrap().0,
        };
        for _ in 0..run.records {
            append_any(&mut writer, random);
        }
        match run.end {
            End::Closed => writer.close().unwrap(),
            End::Killed => drop(writer),
        }
    }
}

fn append_any(writer: &mut Writer, random: &mut Random) {
    let (nth, ts) = (writer.next_seq(), TsNs(random.unsigned()));
    let bytes: Vec<u8> = (0..random.below(60)).map(|_| random.any() as u8).collect();
    let (kind_code, flags, payload) = match random.below(12) {
        0..5 => (RecordKind::Input.code(), 0, encoded(&random.event(nth))),
        5..9 => (RecordKind::Output.code(), 0, encoded(&random.output(nth))),
        9 => (RecordKind::Digest.code(), 0, bytes),
        10 => {
            // Kinds that nobody knows, flags that nobody uses, words that no codec wrote.
            let kinds = [0, 1, 2, 3, 4, 5, 7, 8, 9, 1_000, 0xFFFE];
            (random.of(&kinds), random.of(&[0, 0, 1, u16::MAX]), bytes)
        }
        _ => (RecordKind::Input.code(), 1, encoded(&random.event(nth))),
    };
    append(writer, kind_code, flags, ts, &payload);
}

fn encoded(word: &impl Put) -> Vec<u8> {
    Buffer::default().encode(word).to_vec()
}

/// Appends, waiting for the helper where segments are so small that the test outruns it.
pub fn append(writer: &mut Writer, kind_code: u16, flags: u16, ts: TsNs, payload: &[u8]) {
    loop {
        match writer.append_coded(kind_code, flags, ts, payload) {
            Ok(_) => return,
            Err(AppendError::NoSegment) => std::thread::yield_now(),
            Err(error) => panic!("append: {error}"),
        }
    }
}

/// One record, copied out.
type Copied = (u64, u64, u16, u16, Vec<u8>);

/// Every record.
pub fn records(dir: &Path) -> Vec<Copied> {
    let reader = Reader::open(dir).unwrap();
    let records = reader.records().map(|record| {
        let record = record.unwrap();
        (record.seq, record.ts.0, record.kind_code, record.flags, record.payload.to_vec())
    });
    records.collect()
}

/// Fails at the first record that differs.
#[track_caller]
pub fn assert_same_records(a: &Path, b: &Path) {
    let (a, b) = (records(a), records(b));
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(a, b, "record {}", a.0);
    }
    assert_eq!(a.len(), b.len());
}

/// Segment files by name.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut out: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "smcj")).collect();
    out.sort();
    out
}

/// Fails at the first segment file that differs in any byte.
#[track_caller]
pub fn assert_same_files(a: &Path, b: &Path) {
    let (a, b) = (segments(a), segments(b));
    assert_eq!(a.len(), b.len(), "as many segments");
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(a.file_name(), b.file_name());
        let (one, other) = (std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
        if let Some(at) = one.iter().zip(&other).position(|(one, other)| one != other) {
            panic!("{} differs at byte {at}", a.display());
        }
        assert_eq!(one.len(), other.len());
    }
}

/// A journal of the real demo in `dir`; `None`, told, where the binary was not built.
pub fn demo_journal(dir: &Path) -> Option<PathBuf> {
    let binary = std::env::var_os("SMC_BIN").map_or_else(
        || {
            let test = std::env::current_exe().unwrap();
            // target/PROFILE/deps/NAME
            test.ancestors().nth(3).unwrap().join("release/smc")
        },
        PathBuf::from,
    );
    if !binary.exists() {
        println!("skipped: {} is absent: cargo build --release -p smc", binary.display());
        return None;
    }
    let journal = dir.join("demo");
    let mut command = std::process::Command::new(&binary);
    command.args(["demo", "--fast", "--headless", "--json", "--seconds", "15", "--journal"]).arg(&journal);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(journal.join("journal"))
}
