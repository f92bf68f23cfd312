//! What is searched: some keys of the configuration, each with its values.

use crate::{Base, OptimizeError, Path, Spec};
use smc_core::words::{Price, SCALE};
use smc_metrics::Random;
use smc_settings::file::FileConfig;
use std::collections::BTreeMap;
use toml::Value;

/// A point of the space: the number of a value for each parameter.
pub type Point = Vec<u64>;

/// One key and its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Which key.
    pub path: Path,
    /// Its values.
    pub spec: Spec,
    form: Form,
}

/// How a file writes the numbers of a key: counts as numbers, decimals of the engine as texts, floats of reports as
/// floats. The configuration knows, so it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Whole,
    Text,
    Float,
}

impl Parameter {
    /// The value at a place, as the file says it.
    pub fn value(&self, index: u64) -> Value {
        self.value_in(self.form, index)
    }

    /// The value at a place, as people read it.
    pub fn text(&self, index: u64) -> String {
        match (self.spec.number(index), self.spec.word(index)) {
            (Some(number), _) => Price(number).to_string(),
            (None, Some(Value::String(word))) => word.clone(),
            (None, word) => word.map(ToString::to_string).unwrap_or_default(),
        }
    }

    fn value_in(&self, form: Form, index: u64) -> Value {
        match (self.spec.number(index), self.spec.word(index), form) {
            (Some(number), _, Form::Whole) => Value::Integer(number / SCALE),
            (Some(number), _, Form::Float) => Value::Float(number as f64 / SCALE as f64),
            (None, Some(word), _) => word.clone(),
            _ => Value::String(self.text(index)),
        }
    }

    /// Places that are looked at before a search begins: both ends and the middle of numbers, all words.
    fn probes(&self) -> Vec<u64> {
        let count = self.spec.count();
        match self.spec {
            Spec::Words(_) => (0..count).collect(),
            _ => vec![0, count - 1, count / 2],
        }
    }
}

/// Parameters of a base configuration, in the order of their paths, so that it does not matter in which they were said.
#[derive(Clone, Debug)]
pub struct Space {
    base: Base,
    parameters: Vec<Parameter>,
}

/// Most parameters of one search: more need more trials than anybody makes.
const PARAMETERS_MAX: usize = 32;
/// Points that are looked at before a value is called absurd that the base configuration does not take.
const COMPANIONS: u64 = 64;

impl Space {
    /// Refuses by name a path that is no key and a value that the key cannot have. A value that only some values of other
    /// parameters forbid is no such value: points that the configuration refuses are trials without a score.
    pub fn new(base: Base, specs: Vec<(Path, Spec)>) -> Result<Self, OptimizeError> {
        let mut specs = specs;
        specs.sort_by(|a, b| a.0.cmp(&b.0));
        for pair in specs.windows(2) {
            if pair[1].0.is_within(&pair[0].0) {
                let reason = if pair[0].0 == pair[1].0 {
                    "is varied twice"
                } else {
                    "lies within another one that is varied"
                };
                return Err(OptimizeError::parameter(&pair[1].0, reason));
            }
        }
        if specs.is_empty() {
            return Err(OptimizeError::Space(
                "nothing is varied; say --vary smc.pivot_left=2..6, or --space FILE with a table [space]"
                    .into(),
            ));
        }
        if specs.len() > PARAMETERS_MAX {
            let reason = format!("{} parameters are varied, at most {PARAMETERS_MAX} can be", specs.len());
            return Err(OptimizeError::Space(reason));
        }
        let parameters = specs.into_iter();
        let parameters = parameters.map(|(path, spec)| Parameter { path, spec, form: Form::Whole }).collect();
        let mut space = Self { base, parameters };
        for nth in 0..space.parameters.len() {
            space.find_form(nth)?;
        }
        for nth in 0..space.parameters.len() {
            space.check_values(nth)?;
        }
        Ok(space)
    }

    /// `PATH=SPEC` of a flag.
    pub fn parse_flag(text: &str) -> Result<(Path, Spec), OptimizeError> {
        let (path, spec) = text.split_once('=').ok_or_else(|| {
            OptimizeError::Space(format!("`{text}` is no PATH=SPEC, such as smc.pivot_left=2..6"))
        })?;
        let path = Path::parse(path)?;
        let spec = Spec::parse(spec).map_err(|reason| OptimizeError::parameter(&path, reason))?;
        Ok((path, spec))
    }

    /// The table `[space]` of a TOML file: keys are paths, in quotes or not, values are specs as texts, or lists.
    pub fn parse_file(text: &str) -> Result<Vec<(Path, Spec)>, OptimizeError> {
        let file: toml::Table = toml::from_str(text)
            .map_err(|error| OptimizeError::Space(error.to_string().trim_end().replace('\n', " ")))?;
        if let Some(other) = file.keys().find(|key| *key != "space") {
            return Err(OptimizeError::Space(format!(
                "`{other}`: only the table [space] stands in such a file"
            )));
        }
        let Some(Value::Table(space)) = file.get("space") else {
            return Err(OptimizeError::Space("has no table [space]".into()));
        };
        let mut found = Vec::new();
        flatten(space, "", &mut found)?;
        Ok(found)
    }

    /// The parameters.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The configuration whose keys are varied.
    pub const fn base(&self) -> &Base {
        &self.base
    }

    /// Points there are; `u64::MAX` stands for that many and more.
    pub fn points(&self) -> u64 {
        self.parameters.iter().fold(1u64, |points, parameter| points.saturating_mul(parameter.spec.count()))
    }

    /// The text of a configuration file at a point.
    pub fn text_at(&self, point: &[u64]) -> Result<String, OptimizeError> {
        let changes = self.parameters.iter().zip(point);
        self.base.with(changes.map(|(parameter, index)| (&parameter.path, parameter.value(*index))))
    }

    /// The configuration at a point, or why there is none.
    pub fn config_at(&self, point: &[u64]) -> Result<FileConfig, String> {
        let text = self.text_at(point).map_err(|error| error.to_string())?;
        Base::read(&text)
    }

    /// A point as the ledger and tables say it.
    pub fn texts(&self, point: &[u64]) -> BTreeMap<String, String> {
        let named = self.parameters.iter().zip(point);
        named.map(|(parameter, index)| (parameter.path.to_string(), parameter.text(*index))).collect()
    }

    /// Any point, each value as likely (in the logarithm, where it is spread so).
    pub(crate) fn any(&self, random: &mut Random) -> Point {
        self.parameters.iter().map(|parameter| parameter.spec.at(random.unit())).collect()
    }

    /// The points in a row, the last parameter moving fastest.
    pub(crate) fn nth(&self, nth: u64) -> Point {
        let mut rest = nth;
        let mut point: Point = Vec::with_capacity(self.parameters.len());
        for parameter in self.parameters.iter().rev() {
            let count = parameter.spec.count();
            point.push(rest % count);
            rest /= count;
        }
        point.reverse();
        point
    }

    /// Asks the configuration how it writes this key's numbers.
    fn find_form(&mut self, nth: usize) -> Result<(), OptimizeError> {
        let parameter = &self.parameters[nth];
        let forms: &[Form] = match (&parameter.spec, parameter.spec.is_whole()) {
            (Spec::Words(_), _) => return Ok(()),
            (_, true) => &[Form::Whole, Form::Text],
            _ => &[Form::Text, Form::Float],
        };
        // A key takes a form if it takes any value in it.
        let takes = |form: &&Form| {
            parameter.probes().into_iter().any(|index| {
                let value = parameter.value_in(**form, index);
                let text = self.base.with([(&parameter.path, value)]);
                text.is_ok_and(|text| Base::read(&text).is_ok())
            })
        };
        let found = forms.iter().find(takes).or(forms.first()).copied();
        self.parameters[nth].form = found.unwrap_or(Form::Text);
        Ok(())
    }

    /// Every value looked at must be accepted alone, or in company of other parameters' values.
    fn check_values(&self, nth: usize) -> Result<(), OptimizeError> {
        let parameter = &self.parameters[nth];
        for index in parameter.probes() {
            let text = self.base.with([(&parameter.path, parameter.value(index))])?;
            let Err(reason) = Base::read(&text) else { continue };
            let in_company = |companion: u64| {
                let mut point = self.any(&mut Random::of_run(companion, nth as u64));
                point[nth] = index;
                self.config_at(&point).is_ok()
            };
            if !(0..COMPANIONS).any(in_company) {
                return Err(OptimizeError::parameter(
                    &parameter.path,
                    format!("the configuration refuses {}: {reason}", parameter.text(index)),
                ));
            }
        }
        Ok(())
    }
}

fn flatten(table: &toml::Table, above: &str, found: &mut Vec<(Path, Spec)>) -> Result<(), OptimizeError> {
    for (key, value) in table {
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        if let Value::Table(below) = value {
            flatten(below, &path, found)?;
            continue;
        }
        let path = Path::parse(&path)?;
        let spec = Spec::of_value(value).map_err(|reason| OptimizeError::parameter(&path, reason))?;
        found.push((path, spec));
    }
    Ok(())
}
