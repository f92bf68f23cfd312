//! Settings from defaults, then the file, then the flags.

use super::{Args, Failure, failure};
use serde::Deserialize;
use smc_core::smc::{ObMitigation, SmcParams};
use smc_settings::smc::SmcSection;
use std::io::Write;

/// Sections of an engine's configuration that matter here.
const SECTIONS: [&str; 1] = ["smc"];

/// Everything that can be said, as changed by file and flags; and the file's own section.
pub(super) fn params(args: &Args, notes: &mut dyn Write) -> Result<(SmcParams, SmcSection), Failure> {
    let section = section(args, notes)?;
    let mut params = SmcParams::everything();
    section.apply(&mut params);
    if let Some(is_body) = args.close_mitigation {
        params.ob_mitigation = if is_body { ObMitigation::Body } else { ObMitigation::Wick };
    }
    if let Some(is_joined) = args.join_consecutive {
        params.fvg_join = is_joined;
    }
    args.smc.apply(&mut params);
    params.validate().map_err(|error| Failure(error.to_string()))?;
    Ok((params, section))
}

fn section(args: &Args, notes: &mut dyn Write) -> Result<SmcSection, Failure> {
    #[derive(Deserialize)]
    struct Wanted {
        #[serde(default)]
        smc: SmcSection,
    }
    let Some(path) = &args.config else { return Ok(SmcSection::default()) };
    let text = std::fs::read_to_string(path).map_err(|error| failure(path.display(), error))?;
    let wrong = |error: toml::de::Error| {
        let line =
            error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        failure(format_args!("{}:{line}", path.display()), error.message().replace('\n', ", "))
    };
    let wanted: Wanted = toml::from_str(&text).map_err(wrong)?;
    let whole: toml::Table = toml::from_str(&text).map_err(wrong)?;
    let others: Vec<&str> = whole.keys().map(String::as_str).filter(|key| !SECTIONS.contains(key)).collect();
    if !others.is_empty() {
        // A whole engine configuration is welcome; its other sections play no part here.
        let _ = writeln!(notes, "smc: {}: no part here for {}", path.display(), others.join(", "));
    }
    Ok(wanted.smc)
}
