//! Programs that others wrote, trading at the simulated venues, in a virtual environment.
//!
//! A machine that cannot fetch the packages is told what it skipped. `SMC_CLIENTS_PYTHON` in the environment takes the
//! place of all that.

use crate::python::Environment;
use crate::step::Step;

const ENVIRONMENT: Environment = Environment {
    name: "clients-venv",
    packages: &["--requirement", "tests/clients/requirements.txt"],
    imports: "binance_sdk_spot, binance_sdk_derivatives_trading_usds_futures, ccxt, pybit, v20, oandapyV20.contrib.requests",
    variable: "SMC_CLIENTS_PYTHON",
};

/// Makes the environment and lets the clients trade, side by side.
pub fn steps() -> Vec<Step> {
    let test = ["test", "--package", "venue-sim", "--test", "clients", "--", "--nocapture"];
    vec![
        Step::check("clients that others wrote", || ENVIRONMENT.make()).may_fail(),
        Step::cargo("they trade at the simulated venues", &test)
            .env(ENVIRONMENT.variable, &ENVIRONMENT.python().to_string_lossy()),
    ]
}
