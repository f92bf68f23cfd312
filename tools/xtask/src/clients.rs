//! Programs that others wrote, trading at the simulated venues: each in a virtual environment of its own.
//!
//! One row a venue. A machine that cannot fetch the packages is told what it skipped.

use crate::python::Environment;
use crate::step::Step;

struct Client {
    environment: Environment,
    make: fn() -> Result<(), String>,
    /// What is said to run.
    name: &'static str,
    /// Integration test of the simulator that starts the script.
    test: &'static str,
}

const CLIENTS: [Client; 1] = [Client {
    environment: USDM,
    make: || USDM.make(),
    name: "the official futures SDK and ccxt at the simulated Binance futures",
    test: "usdm_clients",
}];

const USDM: Environment = Environment {
    name: "clients-usdm-venv",
    packages: &["binance-sdk-derivatives-trading-usds-futures==18.0.1", "ccxt==4.5.90"],
    imports: "binance_sdk_derivatives_trading_usds_futures, ccxt",
    variable: "SMC_USDM_PYTHON",
};

/// Makes the environments and lets the clients trade.
pub fn steps() -> Vec<Step> {
    let steps = |client: &Client| {
        let test = ["test", "--package", "venue-sim", "--test", client.test, "--", "--nocapture"];
        let python = client.environment.python();
        [
            Step::check(client.environment.name, client.make).may_fail(),
            Step::cargo(client.name, &test).env(client.environment.variable, &python.to_string_lossy()),
        ]
    };
    CLIENTS.iter().flat_map(steps).collect()
}
