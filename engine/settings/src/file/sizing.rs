//! `[sizing]`: how much to trade as a file says it.
//!
//! Every key is optional and has the name and meaning of a field of the core's parameters; the core checks the values.

use crate::{Decimal, section, words};
use serde::{Deserialize, Serialize};
use smc_core::config::{SizingMethod, SizingParams};
use smc_core::sizing::heat::HeatParams;
use smc_core::sizing::policy::KellyParams;
use smc_core::words::Qty;

/// `[sizing]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each key is documented at the core's field of the same name")]
pub struct SizingSection {
    /// `fixed-fraction` (default), `fixed-quantity` or `kelly`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_fraction_ppm: Option<u32>,
    /// For `fixed-quantity` alone: base units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_ppm: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notional_fraction_ppm_max: Option<u32>,
    pub kelly: KellySection,
    pub heat: HeatSection,
}

words! {
    MethodWord => SizingMethod { FixedQuantity, FixedFraction, Kelly }
}

section! {
    /// `[sizing.kelly]`
    KellySection => KellyParams {
        fraction_ppm: u32 => fraction_ppm = |v| v,
        prior_strength: u32 => prior_strength = |v| v,
        cap_ppm: u32 => cap_ppm = |v| v,
        lower_quantile_ppm: u32 => lower_quantile_ppm = |v| v,
        drawdown_limit_ppm: u32 => drawdown_limit_ppm = |v| v,
        probation_trades: u32 => probation_trades = |v| v,
        probation_ppm: u32 => probation_ppm = |v| v,
        volatility_target_ppm: u32 => volatility_target_ppm = |v| Some(v),
    }
}

section! {
    /// `[sizing.heat]`
    HeatSection => HeatParams {
        open_ppm_max: u32 => open_ppm_max = |v| v,
        cluster_ppm_max: u32 => cluster_ppm_max = |v| v,
        correlation_ppm: u32 => correlation_ppm = |v| v,
        lambda_ppm: u32 => lambda_ppm = |v| v,
    }
}

impl SizingSection {
    /// Changes what the section names.
    pub fn apply(&self, to: &mut SizingParams) {
        let Self { method, risk_fraction_ppm, quantity, fee_ppm, notional_fraction_ppm_max, kelly, heat } =
            self;
        to.method = method.map_or(to.method, SizingMethod::from);
        to.risk_fraction_ppm = risk_fraction_ppm.unwrap_or(to.risk_fraction_ppm);
        to.quantity = quantity.map_or(to.quantity, |quantity| Qty(quantity.0));
        to.fee_ppm = fee_ppm.unwrap_or(to.fee_ppm);
        to.notional_fraction_ppm_max = notional_fraction_ppm_max.unwrap_or(to.notional_fraction_ppm_max);
        kelly.apply(&mut to.kelly);
        heat.apply(&mut to.heat);
    }
}
