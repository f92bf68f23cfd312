//! What is done to a ledger behind its back is found, and by its name.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use smc_trials::{Data, Entry, Head, HoldOut, HoldOutError, Ledger, LedgerError, Trial};
use std::fs;
use std::path::{Path, PathBuf};

fn data() -> Data {
    Data { source: "journal 7f".into(), from_ns: 1, to_ns: 9 }
}

fn trial(nth: u64) -> Trial {
    Trial {
        at_ns: 1_700_000_000_000_000_000 + nth,
        strategy: "sweep".into(),
        version: "1".into(),
        parameters: [("span".into(), nth.to_string()), ("name".into(), "a \"b\" ü\n".into())].into(),
        data: data(),
        stage: "backtest".into(),
        metric: "sharpe_per_period".into(),
        score: if nth == 2 { None } else { Some(0.1 * nth as f64) },
        periods: 250,
    }
}

/// A ledger of its first line and some trials.
fn ledger(trials: u64) -> (tempfile::TempDir, PathBuf, Head) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("trials");
    let mut ledger = Ledger::open(&path).unwrap();
    for nth in 0..trials {
        ledger.record(trial(nth)).unwrap();
    }
    let head = ledger.head();
    (home, path, head)
}

fn head_file(path: &Path) -> PathBuf {
    path.with_extension("head")
}

/// Both ways to look at a ledger refuse it, and neither changes it.
fn refused(path: &Path) -> LedgerError {
    let before = fs::read(path).unwrap();
    let verified = Ledger::verify(path, None).unwrap_err();
    let opened = Ledger::open(path).unwrap_err();
    assert_eq!(verified.to_string(), opened.to_string());
    assert_eq!(fs::read(path).unwrap(), before);
    opened
}

#[test]
fn what_was_recorded_is_there_again() {
    let (_home, path, head) = ledger(4);
    assert_eq!(head.entries, 5);
    assert_eq!(Ledger::verify(&path, Some(&head)).unwrap(), head);
    let again = Ledger::open(&path).unwrap();
    assert_eq!(again.trials("sweep").cloned().collect::<Vec<_>>(), (0..4).map(trial).collect::<Vec<_>>());
    assert_eq!((again.trials("other").count(), again.trials("sweep").count()), (0, 4));
    assert_eq!(again.head(), head);
}

#[test]
fn the_hold_out_opens_once_a_version_and_every_question_is_kept() {
    let (_home, path, _) = ledger(0);
    let ask = |version: &str, at_ns| HoldOut {
        at_ns,
        strategy: "sweep".into(),
        version: version.into(),
        data: data(),
    };
    Ledger::open(&path).unwrap().open_hold_out(ask("1", 10)).unwrap();
    let again = Ledger::open(&path).unwrap().open_hold_out(ask("1", 20)).unwrap_err();
    assert!(matches!(again, HoldOutError::Opened { at_ns: 10 }));
    let mut ledger = Ledger::open(&path).unwrap();
    let later = |version: &str| {
        let data = Data { from_ns: 9, to_ns: 20, ..data() };
        HoldOut { data, ..ask(version, 30) }
    };
    ledger.open_hold_out(later("2")).unwrap();
    let kinds: Vec<bool> =
        ledger.entries()[1..].iter().map(|entry| matches!(entry, Entry::HoldOutOpened(_))).collect();
    assert_eq!(kinds, [true, false, true]);
    assert_eq!(ledger.entries()[2], Entry::HoldOutRefused(ask("1", 20)));

    // Neither another name nor another version makes the same data unseen; nor does another file under the same name.
    let renamed = HoldOut { strategy: "other".into(), ..later("1") };
    let recast = HoldOut { strategy: "other".into(), ..ask("3", 40) };
    let copied = HoldOut { data: Data { source: "a copy+b".into(), ..data() }, ..ask("4", 50) };
    let joined = HoldOut { data: Data { source: "b+journal 7f".into(), ..data() }, ..recast.clone() };
    for again in [renamed, recast, copied.clone(), joined] {
        assert!(matches!(ledger.open_hold_out(again), Err(HoldOutError::Opened { .. })));
    }
    // Another strategy on another market may.
    ledger.open_hold_out(HoldOut { strategy: "other".into(), ..copied }).unwrap();
}

#[test]
fn who_looked_at_what_should_be_kept_back_is_found() {
    let (_home, path, _) = ledger(3);
    let ledger = Ledger::open(&path).unwrap();
    let asked = |strategy: &str, source: &str, from_ns, to_ns| HoldOut {
        at_ns: 1,
        strategy: strategy.into(),
        version: "1".into(),
        data: Data { source: source.into(), from_ns, to_ns },
    };
    let seen = |asked: HoldOut| ledger.seen_before(&asked).count();
    assert_eq!(seen(asked("sweep", "another file", 8, 12)), 3);
    assert_eq!(seen(asked("other", "x+journal 7f", 8, 12)), 3);
    assert_eq!((seen(asked("sweep", "journal 7f", 9, 12)), seen(asked("other", "x", 0, 12))), (0, 0));
}

#[test]
fn a_changed_bit_is_found_wherever_it_is() {
    let (_home, path, _) = ledger(3);
    let good = fs::read(&path).unwrap();
    // All eight of the last line, whose hash nothing comes after; two of each other byte: each is a file written.
    let last = good[..good.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    for at in 0..good.len() {
        for bit in (0..8).filter(|bit| at >= last || bit % 4 == at % 4) {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            fs::write(&path, &bad).unwrap();
            refused(&path);
        }
    }
    fs::write(&path, &good).unwrap();
    let head = fs::read(head_file(&path)).unwrap();
    for at in 0..head.len() {
        for bit in 0..8 {
            let mut bad = head.clone();
            bad[at] ^= 1 << bit;
            fs::write(head_file(&path), &bad).unwrap();
            refused(&path);
        }
    }
}

#[test]
fn every_cut_is_told() {
    let (_home, path, _) = ledger(3);
    let good = fs::read(&path).unwrap();
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        let has = good[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        match refused(&path) {
            LedgerError::Truncated { has: found, had: 4 } => assert_eq!(found, has),
            other => panic!("{length}: {other}"),
        }
    }
}

#[test]
fn lines_that_were_moved_removed_or_made_up_are_found() {
    let (_home, path, _) = ledger(4);
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    let (_other_home, other, _) = ledger(6);
    let longer = fs::read_to_string(other).unwrap();
    let foreign: Vec<&str> = longer.split_inclusive('\n').collect();
    assert_eq!(lines[..5], foreign[..5], "the same entries make the same chain");
    for (order, line) in
        [(vec![0, 2, 1, 3, 4], 2), (vec![0, 1, 3, 4], 3), (vec![0, 1, 1, 2, 3, 4], 3), (vec![1, 2, 3, 4], 1)]
    {
        fs::write(&path, order.iter().map(|nth| lines[*nth]).collect::<String>()).unwrap();
        assert!(matches!(refused(&path), LedgerError::Chain { line: found } if found == line), "{order:?}");
    }
}

/// Who makes all hashes anew is found by the head; who makes that anew too, by a head that is kept elsewhere.
#[test]
fn a_rewritten_ledger_is_not_the_one_that_the_head_knows() {
    let (_home, path, head) = ledger(3);
    let (_other_home, other, other_head) = {
        let home = tempfile::tempdir().unwrap();
        let other = home.path().join("trials");
        let mut ledger = Ledger::open(&other).unwrap();
        for nth in [0, 2, 1, 3] {
            ledger.record(trial(nth)).unwrap();
        }
        let head = ledger.head();
        (home, other, head)
    };
    fs::copy(&other, &path).unwrap();
    assert!(matches!(refused(&path), LedgerError::Rewritten { line: 4 }));
    fs::copy(head_file(&other), head_file(&path)).unwrap();
    assert_eq!(Ledger::verify(&path, None).unwrap(), other_head);
    assert!(matches!(Ledger::verify(&path, Some(&head)), Err(LedgerError::Rewritten { line: 4 })));

    let (_short_home, short, _) = ledger(1);
    assert!(matches!(Ledger::verify(&short, Some(&head)), Err(LedgerError::Truncated { has: 2, had: 4 })));
}

#[test]
fn a_crash_leaves_a_line_that_is_mended_and_a_head_that_is_behind() {
    let (_home, path, _) = ledger(2);
    let (bytes, head) = (fs::read(&path).unwrap(), fs::read(head_file(&path)).unwrap());
    Ledger::open(&path).unwrap().record(trial(2)).unwrap();
    let whole = fs::read(&path).unwrap();
    // Between the two writes: the line is there, the head is old.
    fs::write(head_file(&path), &head).unwrap();
    assert_eq!(Ledger::verify(&path, None).unwrap().entries, 4);
    assert_eq!(Ledger::open(&path).unwrap().trials("sweep").count(), 3);
    assert_ne!(fs::read(head_file(&path)).unwrap(), head, "the head has caught up");
    // In the middle of the line.
    for length in bytes.len() + 1..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        fs::write(head_file(&path), &head).unwrap();
        let cut = (length - bytes.len()) as u64;
        assert!(matches!(refused(&path), LedgerError::Torn { line: 4, bytes } if bytes == cut));
        let mended = Ledger::mend(&path, 77).unwrap();
        assert!(
            matches!(&mended.entries()[3], Entry::Mended(mended) if mended.bytes == cut && mended.at_ns == 77)
        );
        assert_eq!(mended.trials("sweep").count(), 2);
        drop(mended);
        let again = Ledger::mend(&path, 78).unwrap();
        assert_eq!(again.entries().len(), 4, "nothing to mend");
    }
    // The very first line.
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("trials");
    fs::write(&path, &whole[..30]).unwrap();
    assert!(matches!(refused(&path), LedgerError::Torn { line: 1, bytes: 30 }));
    assert_eq!(Ledger::mend(&path, 1).unwrap().entries().len(), 2);
}

#[test]
fn other_files_and_entries_that_cannot_be_kept_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("trials");
    fs::write(&path, "date,price\n").unwrap();
    assert!(matches!(refused(&path), LedgerError::Line { line: 1, .. }));
    fs::write(&path, "date price\n").unwrap();
    assert!(matches!(refused(&path), LedgerError::Chain { line: 1 }));

    let (_home, path, head) = ledger(1);
    fs::remove_file(head_file(&path)).unwrap();
    assert!(matches!(refused(&path), LedgerError::Head { .. }));
    fs::write(head_file(&path), format!("{head}\n")).unwrap();
    let mut ledger = Ledger::open(&path).unwrap();
    for bad in [
        Trial { score: Some(f64::NAN), ..trial(1) },
        Trial { score: Some(f64::INFINITY), ..trial(1) },
        Trial { strategy: "x".repeat(70_000), ..trial(1) },
    ] {
        assert!(matches!(ledger.record(bad), Err(LedgerError::Entry { .. })));
    }
    assert_eq!(ledger.head(), head, "nothing was written");
}

/// Two writers at once: neither loses an entry.
#[test]
fn writers_wait_for_each_other() {
    let (_home, path, _) = ledger(0);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                for nth in 0..10 {
                    Ledger::open(path).unwrap().record(trial(10 * writer + nth)).unwrap();
                }
            });
        }
    });
    assert_eq!(Ledger::verify(&path, None).unwrap().entries, 41);
}
