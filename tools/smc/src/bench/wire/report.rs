//! What a wire run says: a table, a JSON document, a picture.

use super::{Args, Case, METHOD, Round, median};
use crate::bench::machine::Machine;
use crate::bench::{Figures, P999_SAMPLES_MIN};
use crate::failure::{Failure, Outcome};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// A case over its quiet rounds, or over all where none was quiet.
struct Summary<'a> {
    case: &'a Case,
    tick_to_order: Figures,
    echo: Figures,
    in_process: Inside,
    /// Median, smallest and largest ratio of the medians of a round.
    ratio_p50: Option<[f64; 3]>,
    ratio_p99: Option<f64>,
    noisy: usize,
    faults: u64,
}

/// Percentiles of what the engine counted.
#[derive(Clone, Copy, Default)]
struct Inside {
    p50: u64,
    p999: Option<u64>,
}

impl<'a> Summary<'a> {
    fn of(case: &'a Case) -> Self {
        let noisy = case.rounds.iter().filter(|round| round.is_noisy()).count();
        let is_any_quiet = noisy < case.rounds.len();
        let rounds: Vec<&Round> =
            case.rounds.iter().filter(|round| !is_any_quiet || !round.is_noisy()).collect();
        let pooled = |of: fn(&Round) -> &[u64]| {
            let samples = rounds.iter().flat_map(|round| of(round).iter().copied()).collect();
            // The median of the rounds' medians: one round that others disturbed moves it little.
            let medians: Vec<u64> = rounds.iter().map(|round| median(of(round))).collect();
            Figures { p50_ns: median(&medians), ..Figures::of(samples) }
        };
        let ratios = |of: fn(&Round) -> Option<f64>| {
            let mut ratios: Vec<f64> = rounds.iter().filter_map(|round| of(round)).collect();
            ratios.sort_by(f64::total_cmp);
            let middle = *ratios.get(ratios.len().saturating_sub(1) / 2)?;
            Some([middle, *ratios.first()?, *ratios.last()?])
        };
        Self {
            case,
            tick_to_order: pooled(|round| &round.tick_to_order),
            echo: pooled(|round| &round.echo),
            in_process: Inside::of(&rounds),
            ratio_p50: ratios(|round| ratio(median(&round.tick_to_order), median(&round.echo))),
            ratio_p99: ratios(|round| {
                let [ours, echo] =
                    [&round.tick_to_order, &round.echo].map(|of| Figures::of(of.clone()).p99_ns);
                ratio(ours?, echo?)
            })
            .map(|[middle, ..]| middle),
            noisy,
            faults: case.rounds.iter().map(|round| round.faults).sum(),
        }
    }

    fn json(&self) -> Value {
        let figures = |of: &Figures| json!({ "p50_ns": of.p50_ns, "p99_ns": of.p99_ns, "p999_ns": of.p999_ns, "max_ns": of.max_ns, "samples": of.samples });
        let Case { transport, auth, load, topology, rounds } = self.case;
        json!({
            "transport": transport, "load": load, "auth": auth, "topology": topology,
            "echo": figures(&self.echo), "tick_to_order": figures(&self.tick_to_order),
            "ratio_p50": self.ratio_p50.map(|[middle, ..]| middle),
            "ratio_p50_range": self.ratio_p50.map(|[_, low, high]| [low, high]),
            "ratio_p99": self.ratio_p99,
            "in_process_p50_ns": self.in_process.p50, "in_process_p999_ns": self.in_process.p999,
            "rounds": rounds.len(), "noisy_rounds": self.noisy, "page_faults": self.faults,
        })
    }
}

impl Inside {
    fn of(rounds: &[&Round]) -> Self {
        let mut counted: Vec<(u64, u64)> =
            rounds.iter().flat_map(|round| round.inside.iter().copied()).collect();
        counted.sort_unstable();
        let total: u64 = counted.iter().map(|(_, count)| count).sum();
        let at = |per_mille: u64| {
            let mut left = total.saturating_sub(1) * per_mille / 1_000;
            let found = counted.iter().find(|(_, count)| {
                let is_here = left < *count;
                left = left.saturating_sub(*count);
                is_here
            });
            found.map_or(0, |(ns, _)| *ns)
        };
        Self { p50: at(500), p999: (total >= P999_SAMPLES_MIN as u64).then(|| at(999)) }
    }
}

fn ratio(ours: u64, echo: u64) -> Option<f64> {
    (ours > 0 && echo > 0).then(|| ours as f64 / echo as f64)
}

/// Tells the cases as was asked.
pub fn report(args: &Args, machine: &Machine, cases: &[Case]) -> Outcome {
    let summaries: Vec<Summary<'_>> = cases.iter().map(Summary::of).collect();
    if summaries.iter().all(|summary| summary.tick_to_order.samples == 0) {
        return Err(Failure::No("no tick caused an order: try more --seconds".into()));
    }
    if let Some(path) = &args.svg {
        picture(path, cases).map_err(|error| Failure::wrong(path.display(), error))?;
    }
    if args.json {
        let cases: Vec<Value> = summaries.iter().map(Summary::json).collect();
        let data = args.data.as_ref().map(|path| path.display().to_string());
        println!(
            "{}",
            json!({ "machine": machine, "idle": args.idle, "seed": args.seed, "data": data, "method": METHOD, "cases": cases })
        );
        return Ok(());
    }
    println!("{}\n{METHOD}\n", machine.line());
    println!(
        "{:26} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>13} {:>8} {:>7}",
        "microseconds",
        "order p50",
        "p99",
        "p99.9",
        "echo p50",
        "p99",
        "p99.9",
        "ratio",
        "rounds' range",
        "inside",
        "samples"
    );
    let us = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), |ns| format!("{:.2}", ns as f64 / 1_000.0));
    for summary in &summaries {
        let Case { transport, auth, load, .. } = summary.case;
        let (ours, echo) = (&summary.tick_to_order, &summary.echo);
        let [middle, range] =
            summary.ratio_p50.map_or(["-".to_owned(), "-".to_owned()], |[middle, low, high]| {
                [format!("{middle:.3}"), format!("{low:.2} to {high:.2}")]
            });
        println!(
            "{:26} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {middle:>7} {range:>13} {:>8} {:>7}",
            format!("{transport} {auth} {load}"),
            us(Some(ours.p50_ns)),
            us(ours.p99_ns),
            us(ours.p999_ns),
            us(Some(echo.p50_ns)),
            us(echo.p99_ns),
            us(echo.p999_ns),
            us(Some(summary.in_process.p50)),
            ours.samples,
        );
    }
    let (rounds, noisy) = (
        cases.iter().map(|case| case.rounds.len()).sum::<usize>(),
        summaries.iter().map(|s| s.noisy).sum::<usize>(),
    );
    let faults: u64 = summaries.iter().map(|summary| summary.faults).sum();
    println!(
        "\n{rounds} slices, {noisy} of them noisy (others had a core) and left out where a case has quiet ones; {faults} page \
         faults on the engine's thread; every order decided was received once, every journal replays"
    );
    Ok(())
}

/// Percentiles of every case and its echo: to the right the tail, each step tenfold rarer.
fn picture(path: &Path, cases: &[Case]) -> std::io::Result<()> {
    std::fs::write(path, svg(cases))
}

/// Width and height of one case's plot.
const PLOT: (f64, f64) = (360.0, 200.0);
/// Room around it.
const MARGIN: (f64, f64) = (60.0, 50.0);
const COLUMNS: usize = 4;
/// Percentiles of the curves.
const SHARES: [f64; 13] =
    [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.9975, 0.999, 0.9995, 0.9999];

fn svg(cases: &[Case]) -> String {
    let (wide, high) = (PLOT.0 + MARGIN.0, PLOT.1 + MARGIN.1);
    let columns = COLUMNS.min(cases.len().max(1));
    let rows = cases.len().div_ceil(columns.max(1));
    let (width, height) = (wide * columns as f64 + 20.0, high * rows as f64 + 40.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <style>text{{fill:#333}} .grid{{stroke:#ddd}} .ours{{stroke:#c2410c}} .echo{{stroke:#2563eb}} path{{fill:none;stroke-width:1.6}}\
         @media (prefers-color-scheme: dark){{svg{{background:#111}} text{{fill:#ddd}} .grid{{stroke:#333}}}}</style>\n\
         <text x=\"10\" y=\"16\">tick to order (orange) and raw TCP echo (blue), microseconds by percentile</text>\n"
    );
    for (nth, case) in cases.iter().enumerate() {
        let (x, y) = (MARGIN.0 + (nth % columns) as f64 * wide, 40.0 + (nth / columns) as f64 * high);
        plot(&mut out, case, x, y);
    }
    out + "</svg>\n"
}

fn plot(out: &mut String, case: &Case, x: f64, y: f64) {
    let pooled = |of: fn(&Round) -> &[u64]| {
        let mut samples: Vec<u64> = case.rounds.iter().flat_map(|round| of(round).iter().copied()).collect();
        samples.sort_unstable();
        samples
    };
    let (ours, echo) = (pooled(|round| &round.tick_to_order), pooled(|round| &round.echo));
    let all = || ours.iter().chain(&echo);
    let Some((&low, &high)) = all().min().zip(all().max()) else { return };
    let (low, high) = ((low.max(1) as f64).log10().floor(), (high.max(1) as f64).log10().ceil());
    let down = |ns: f64| y + PLOT.1 * (1.0 - (ns.max(1.0).log10() - low) / (high - low).max(1.0));
    let right = |share: f64| x + PLOT.0 * -(1.0 - share).log10() / 4.0;
    let _ = writeln!(
        out,
        "<text x=\"{x:.0}\" y=\"{:.0}\">{} {} {}</text>",
        y - 6.0,
        case.transport,
        case.auth,
        case.load
    );
    for power in low as i32..=high as i32 {
        let (ns, at) = (10f64.powi(power), down(10f64.powi(power)));
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{x:.0}\" x2=\"{:.0}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            x + PLOT.0,
            x - 4.0,
            at + 4.0,
            ns / 1_000.0
        );
    }
    for (share, name) in [(0.0, "0"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99")] {
        let at = right(share);
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{y:.0}\" y2=\"{:.0}\"/>\
             <text x=\"{at:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{name}</text>",
            y + PLOT.1,
            y + PLOT.1 + 14.0
        );
    }
    for (samples, class) in [(&echo, "echo"), (&ours, "ours")] {
        // A percentile is drawn when at least two samples lie beyond it.
        let is_known = |share: &f64| samples.len() as f64 * (1.0 - share) >= 2.0;
        let points: Vec<String> = SHARES
            .iter()
            .filter(|share| is_known(share))
            .filter_map(|&share| {
                let ns = *samples.get((samples.len().checked_sub(1)? as f64 * share) as usize)?;
                Some(format!("{:.1} {:.1}", right(share), down(ns as f64)))
            })
            .collect();
        let _ = writeln!(out, "<path class=\"{class}\" d=\"M{}\"/>", points.join("L"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::P99_SAMPLES_MIN;

    fn round(tick_to_order: Vec<u64>, echo: Vec<u64>, lost_percent: f64) -> Round {
        Round { tick_to_order, echo, inside: vec![(500, 10), (900, 1)], lost_percent, faults: 0, switches: 0 }
    }

    #[test]
    fn a_noisy_round_is_left_out_and_counted() {
        let quiet = || round((1..=P99_SAMPLES_MIN as u64).map(|_| 2_000).collect(), vec![1_000; 400], 0.5);
        let noisy = round(vec![90_000; 300], vec![1_000; 300], 20.0);
        let rounds = vec![quiet(), noisy, quiet()];
        let case = Case { transport: "tls", auth: "hmac", load: "closed", topology: "inline".into(), rounds };
        let summary = Summary::of(&case);
        assert_eq!(summary.ratio_p50, Some([2.0, 2.0, 2.0]));
        assert_eq!((summary.noisy, summary.tick_to_order.max_ns), (1, 2_000));
        assert_eq!((summary.in_process.p50, summary.in_process.p999), (500, None));
        let json = summary.json();
        for key in
            ["transport", "load", "auth", "topology", "echo", "tick_to_order", "ratio_p50", "ratio_p99"]
        {
            assert!(!json[key].is_null(), "{key}");
        }
        assert_eq!((&json["rounds"], &json["noisy_rounds"]), (&json!(3), &json!(1)));
    }
}
