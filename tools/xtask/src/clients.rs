//! Other people's clients at the simulated venues, each with its packages in a virtual environment of its own.
//!
//! A machine that cannot fetch the packages is told what it skipped.

use crate::python::Environment;
use crate::step::Step;

/// The clients of one venue.
struct Row {
    /// What they are called together.
    name: &'static str,
    environment: Environment,
    /// Makes the environment.
    make: fn() -> Result<(), String>,
    /// The test target of `venue-sim` that starts the venue and the script of `tests/clients`, and its test.
    test: [&'static str; 2],
}

const OANDA: Environment = Environment {
    name: "clients-oanda-venv",
    // The last two are what the first two import and do not ask for.
    packages: &["v20==3.0.25.0", "oandapyV20==0.7.2", "PyYAML==6.0.4", "six==1.17.0"],
    imports: "v20, oandapyV20.contrib.requests",
    variable: "SMC_OANDA_PYTHON",
};

const ROWS: [Row; 1] = [Row {
    name: "v20 and oandapyV20 at the simulated Oanda",
    environment: OANDA,
    make: || OANDA.make(),
    test: ["oanda_sockets", "clients_that_others_wrote_trade_unchanged"],
}];

/// Makes the environments and lets the clients trade.
pub fn steps() -> Vec<Step> {
    ROWS.iter()
        .flat_map(|row| {
            let [target, test] = row.test;
            let run =
                ["test", "--package", "venue-sim", "--test", target, "--", "--nocapture", "--exact", test];
            [
                Step::check(&format!("packages of {}", row.name), row.make).may_fail(),
                Step::cargo(row.name, &run)
                    .env(row.environment.variable, &row.environment.python().to_string_lossy()),
            ]
        })
        .collect()
}
