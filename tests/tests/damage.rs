//! A journal with one flipped bit is refused with the record's number; under a changed configuration the first
//! output that differs is named. Both exit 1. The journal as it was exits 0.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail it")]

use smc_journal::RecordKind;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use tests::{BUSY, Random, Rec, demo, only_line, records_of, smc};

/// The journal of three minutes of busy market, and its records.
fn journal(home: &Path) -> (String, Vec<Rec>) {
    let config = home.with_extension("toml");
    std::fs::write(&config, BUSY).unwrap();
    let config = config.to_str().unwrap();
    let args = [
        "--fast",
        "--seconds",
        "3",
        "--speed",
        "60",
        "--seed",
        "7",
        "--topology",
        "inline",
        "--config",
        config,
    ];
    let document = demo(home, &args);
    assert_eq!(document["replay"], "identical");
    let dir = home.join("journal");
    (dir.to_str().unwrap().to_owned(), records_of(&dir))
}

/// Turns one bit of a segment over; doing it again puts it back.
fn flip(dir: &str, segment: u32, offset: u64, bit: u8) {
    let path = Path::new(dir).join(format!("{segment:08}.smcj"));
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, offset).unwrap();
}

/// With the byte at `offset` changed, both commands must answer no and name record `seq`.
fn check(dir: &str, record: &Rec, at: u64, bit: u8) {
    flip(dir, record.segment, record.offset + at, bit);
    for command in [&["replay", "--verify", dir][..], &["journal", "verify", dir]] {
        let done = smc(command);
        let line = only_line(&done);
        let place = format!("{} of record {} ({:?})", at, record.seq, record.kind);
        assert_eq!(done.code, 1, "byte {place}: {line}");
        assert!(
            line.split(|c: char| !c.is_ascii_alphanumeric())
                .collect::<Vec<_>>()
                .windows(2)
                .any(|pair| pair[0] == "record" && pair[1] == record.seq.to_string()),
            "byte {place}: {line}"
        );
    }
    flip(dir, record.segment, record.offset + at, bit);
}

#[test]
fn one_flipped_bit_anywhere_is_named() {
    let home = tempfile::tempdir().unwrap();
    let (dir, records) = journal(&home.path().join("demo"));
    let mut random = Random::from_env(1);
    assert_eq!(smc(&["replay", "--verify", &dir]).code, 0);
    assert_eq!(smc(&["journal", "verify", &dir]).code, 0);

    let last = records.len() - 1;
    let order = records.iter().rposition(|record| record.kind == RecordKind::Output).unwrap();
    let mut places = vec![0, 1, 2, last / 2, order, last - 1, last];
    places.extend((0..8).map(|_| random.below(records.len() as u64) as usize));
    for place in places {
        let record = &records[place];
        // Checksum, length, number, time, kind, flags, linkage; then the payload's ends and somewhere inside.
        let mut bytes = vec![0, 4, 8, 16, 24, 26, 28];
        let len = record.payload.len() as u64;
        bytes.extend([32, 32 + random.below(len), 31 + len].iter().filter(|_| len > 0));
        // Each command looks at the whole journal: one field of each record is enough for most.
        let keep = if place == last / 2 || place == last { bytes.len() } else { 2 };
        for _ in 0..bytes.len() - keep {
            bytes.remove(random.below(bytes.len() as u64) as usize);
        }
        for at in bytes {
            check(&dir, record, at, random.below(8) as u8);
        }
    }
    assert_eq!(smc(&["replay", "--verify", &dir]).code, 0, "every bit was put back");
}

#[test]
fn a_damaged_header_is_refused_by_the_segment() {
    let home = tempfile::tempdir().unwrap();
    let (dir, _) = journal(&home.path().join("demo"));
    // Magic, version, number, build, account, checksum, link.
    for at in [0, 8, 16, 40, 112, 252, 256, 264, 300] {
        flip(&dir, 1, at, 3);
        for command in [&["replay", "--verify", &dir][..], &["journal", "verify", &dir]] {
            let done = smc(command);
            let line = only_line(&done);
            assert_eq!(done.code, 1, "header byte {at}: {line}");
            assert!(line.contains("segment 00000001"), "header byte {at}: {line}");
        }
        flip(&dir, 1, at, 3);
    }
}

#[test]
fn a_changed_configuration_is_told_by_the_first_output_that_differs() {
    let home = tempfile::tempdir().unwrap();
    let (dir, records) = journal(&home.path().join("demo"));
    let own = records.iter().find(|record| record.kind == RecordKind::Config).unwrap();
    let own = String::from_utf8(own.payload.clone()).unwrap();
    let same = home.path().join("same.toml");
    std::fs::write(&same, &own).unwrap();
    let done = smc(&["replay", "--verify", "--config", same.to_str().unwrap(), &dir]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{}", done.stdout);

    let changes = [
        ("risk_fraction_ppm = 20\n", "risk_fraction_ppm = 10\n"),
        ("pivot_left = 1\n", "pivot_left = 4\n"),
        ("order_qty_max = \"5\"", "order_qty_max = \"0.00002\""),
        ("require_zone = false", "require_zone = true"),
    ];
    for (from, to) in changes {
        assert!(own.contains(from), "{own}");
        let changed = home.path().join("changed.toml");
        std::fs::write(&changed, own.replace(from, to)).unwrap();
        let done = smc(&["replay", "--verify", "--config", changed.to_str().unwrap(), &dir]);
        assert_eq!(done.code, 1, "{to}: {}{}", done.stdout, done.stderr);
        only_line(&done);
        let told = done.stdout.lines().last().unwrap_or_default();
        println!("{}: {told}", to.trim());
        let number = told.strip_prefix("record ").and_then(|rest| rest.split(':').next());
        let number: u64 = number.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{to}: {told}"));
        let named = &records[usize::try_from(number).unwrap() - 1];
        assert_eq!(named.seq, number);
        assert!(told.contains("journal has ") && told.contains("replay has "), "{to}: {told}");
        // Without --verify a difference is the answer to a question, not a failure.
        let asked = smc(&["replay", "--json", "--config", changed.to_str().unwrap(), &dir]);
        let document: serde_json::Value = serde_json::from_str(&asked.stdout).unwrap();
        assert_eq!((asked.code, document["replay"].as_str()), (0, Some(told)));
    }
}
