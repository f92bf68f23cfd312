//! The target of a request: the parts of its path and its parameters, unescaped.

use super::refusal::Refusal;
use super::wire;
use smc_core::TsNs;

/// Most parameters of one request.
const PAIRS_MAX: usize = 64;

/// Parameters by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

/// Splits a target; none when it is malformed.
pub fn split(target: &str) -> Option<(Vec<String>, Query)> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parts = path.split('/').filter(|part| !part.is_empty());
    // A plus sign stands for itself in a path.
    let parts = parts.map(|part| wire::unescape(&part.replace('+', "%2B"))).collect::<Option<Vec<_>>>()?;
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()).take(PAIRS_MAX) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((wire::unescape(key)?, wire::unescape(value)?));
    }
    Some((parts, Query(pairs)))
}

impl Query {
    /// A parameter that is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The elements of all parameters of a name, split at commas.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(key, _)| key == name).flat_map(|(_, value)| value.split(','));
        values.map(str::trim).filter(|value| !value.is_empty()).collect()
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Refusal::value(name))
    }

    /// Yes or no, as clients of several languages write it.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Refusal> {
        match self.get(name) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(Refusal::value(name)),
        }
    }

    /// A time.
    pub fn time(&self, name: &str) -> Result<Option<TsNs>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        wire::parse_time(text).map(Some).ok_or_else(|| Refusal::value(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_python_booleans_are_read_as_clients_write_them() {
        let (parts, query) = split("/v3/x/@a+b/y?i=A%2CB&i=C&snapshot=True&n=x&e=").expect("well formed");
        assert_eq!(parts, ["v3", "x", "@a+b", "y"]);
        assert_eq!(query.list("i"), ["A", "B", "C"]);
        assert_eq!(query.flag("snapshot", false), Ok(true));
        assert_eq!((query.number("n"), query.get("e")), (Err(Refusal::value("n")), None));
        assert_eq!(split("/v3/%zz"), None);
    }
}
