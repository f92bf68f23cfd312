//! Exported tables as other people's readers see them: DuckDB, pandas and pyarrow, in a virtual environment.
//!
//! As with the batch tables, a machine that cannot fetch the packages is told what it skipped.

use crate::python::Environment;
use crate::step::Step;

const ENVIRONMENT: Environment = Environment {
    name: "tables-venv",
    packages: &["duckdb==2.0.1", "pandas==3.1.1", "numpy==2.4.6", "pyarrow==26.0.1"],
    imports: "duckdb, pandas, pyarrow",
    variable: "SMC_TABLES_PYTHON",
};

/// Makes the environment and compares.
pub fn steps() -> Vec<Step> {
    let test =
        ["test", "--package", "smc-parquet", "--test", "parquet", "--", "--nocapture", "--exact", TEST];
    vec![
        Step::check("DuckDB and pandas", || ENVIRONMENT.make()).may_fail(),
        Step::cargo("exported tables in DuckDB and pandas", &test)
            .env("SMC_TABLES_PYTHON", &ENVIRONMENT.python().to_string_lossy()),
    ]
}

const TEST: &str = "duckdb_and_pandas_agree_with_the_csv_tables";
