//! `smc vectors`: a vector file through the shipped code.

use crate::failure::{Failure, Outcome};
use clap::Parser;
use smc_vectors::File;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Evaluate a file of test vectors with the shipped code.
///
/// A case a line on standard output: {"id":…,"out":…}, or {"id":…,"error":…} for one that cannot be evaluated.
/// Undefined numbers are null.
#[derive(Parser)]
pub struct Args {
    /// The file
    file: PathBuf,
    /// Compare with the file's expected answers, under its tolerances
    #[arg(long)]
    check: bool,
}

/// How the cases of one function went.
#[derive(Default)]
struct Count {
    passed: u32,
    failed: u32,
    /// The file does not say what to expect.
    unchecked: u32,
}

/// Evaluates case by case.
pub fn vectors(args: &Args) -> Outcome {
    let name = args.file.display();
    let text = std::fs::read_to_string(&args.file).map_err(|error| Failure::wrong(&name, error))?;
    let file = File::parse(&text).map_err(|error| Failure::wrong(&name, error))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut counts = BTreeMap::<&str, Count>::new();
    let (mut errors, mut failed) = (0, 0);
    for case in &file.cases {
        let id = serde_json::Value::from(case.id.as_str());
        let count = counts.entry(&case.function).or_default();
        let (line, trouble) = match smc_vectors::evaluate(case) {
            Ok(answer) => {
                let difference = file.compare(case, &answer).map(|difference| difference.to_string());
                count.unchecked += u32::from(case.expected.is_none());
                count.passed += u32::from(case.expected.is_some() && difference.is_none());
                (format!("{{\"id\":{id},\"out\":{answer}}}"), difference)
            }
            Err(error) => {
                errors += 1;
                let text = serde_json::Value::from(error.to_string());
                (format!("{{\"id\":{id},\"error\":{text}}}"), Some(error.to_string()))
            }
        };
        if let Some(trouble) = trouble.filter(|_| args.check) {
            count.failed += 1;
            failed += 1;
            eprintln!("{}: {trouble}", case.id);
        }
        match writeln!(out, "{line}") {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(|error| Failure::wrong("output", error))?,
        }
    }
    out.flush().map_err(|error| Failure::wrong("output", error))?;
    let cases = file.cases.len();
    if args.check {
        tell(&counts);
    }
    match (args.check, failed, errors) {
        (true, 1.., _) => Err(Failure::No(format!("{failed} of {cases} cases fail"))),
        (false, _, 1..) => Err(Failure::No(format!("{errors} of {cases} cases cannot be evaluated"))),
        _ => Ok(()),
    }
}

fn tell(counts: &BTreeMap<&str, Count>) {
    for (function, Count { passed, failed, unchecked }) in counts {
        let rest =
            if *unchecked > 0 { format!(", {unchecked} without an expected answer") } else { String::new() };
        eprintln!("{function:<24} {passed:>4} passed, {failed:>3} failed{rest}");
    }
}
