//! The configuration that is varied: paths into it, and values put there.

use crate::OptimizeError;
use smc_settings::file::FileConfig;
use std::fmt;
use toml::{Table, Value};

/// A key of the configuration file: `smc.pivot_left`, or `instruments.0.collar_ppm` for the first of a list of tables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    segments: Vec<String>,
}

impl Path {
    /// Bare keys or places in a list, joined by points.
    pub fn parse(text: &str) -> Result<Self, OptimizeError> {
        let segments: Vec<String> = text.trim().split('.').map(str::to_owned).collect();
        let is_bare = |key: &String| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if segments.iter().all(is_bare) {
            return Ok(Self { segments });
        }
        Err(OptimizeError::parameter(
            format_args!("`{}`", text.trim()),
            "no path; write SECTION.KEY, such as smc.pivot_left",
        ))
    }

    /// This key is the other one, or lies within it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.segments.starts_with(&other.segments)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.segments.join("."))
    }
}

/// A configuration that is accepted as it stands, and in which values are replaced.
#[derive(Clone, Debug)]
pub struct Base {
    table: Table,
    hash: String,
}

impl Base {
    /// From the text of a configuration file.
    pub fn parse(text: &str) -> Result<Self, OptimizeError> {
        FileConfig::parse(text).map_err(|error| OptimizeError::Base(error.to_string()))?;
        let table: Table =
            toml::from_str(text).map_err(|error| OptimizeError::Base(error.message().into()))?;
        // Of the values, not of the text: a comment changes no result.
        let hash = blake3::hash(Value::Table(table.clone()).to_string().as_bytes()).to_hex().to_string();
        Ok(Self { table, hash })
    }

    /// BLAKE3 of its values, in hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The text of a configuration file in which these keys have these values. Keys that the file does not have are added;
    /// whether there are such keys is for the parser to say.
    pub fn with<'a>(
        &self,
        changes: impl IntoIterator<Item = (&'a Path, Value)>,
    ) -> Result<String, OptimizeError> {
        let mut table = Value::Table(self.table.clone());
        for (path, value) in changes {
            put(&mut table, path, value).map_err(|reason| OptimizeError::parameter(path, reason))?;
        }
        toml::to_string(&table).map_err(|error| OptimizeError::Base(error.to_string()))
    }

    /// What the parser makes of it; its refusal names the key, and no line of a text that nobody wrote.
    pub fn read(text: &str) -> Result<FileConfig, String> {
        FileConfig::parse(text).map_err(|error| {
            let text = error.to_string();
            match text.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
                Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => rest.to_owned(),
                _ => text,
            }
        })
    }
}

fn put(root: &mut Value, path: &Path, value: Value) -> Result<(), String> {
    let mut here = root;
    for (depth, key) in path.segments.iter().enumerate() {
        let above = || path.segments[..depth].join(".");
        here = match here {
            Value::Table(table) => table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())),
            Value::Array(items) => {
                let count = items.len();
                let item = key.parse().ok().and_then(|nth: usize| items.get_mut(nth));
                item.ok_or_else(|| format!("{} is a list of {count}; count them from 0", above()))?
            }
            _ => return Err(format!("{} is a value, no section; leave the rest away", above())),
        };
    }
    *here = value;
    Ok(())
}
