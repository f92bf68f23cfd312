//! `[smc]`: market structure as a file says it.

use serde::{Deserialize, Serialize};
use smc_core::smc::{
    BlockBar, BlockZone, FvgMiddle, FvgMitigation, ObMitigation, PivotProfile, SmcParams, Tolerance,
    VolatilityFilter,
};
use smc_core::words::Price;

use crate::{Decimal, section, words};

section! {
    /// `[smc]`: market structure, the same on all timeframes.
    SmcSection => SmcParams {
        pivot_profile: PivotWord => pivot_profile = |v| v.into(),
        pivot_left: u16 => pivot_left = |v| v,
        pivot_right: u16 => pivot_right = |v| v,
        pivot_first: u32 => pivot_first = |v| v,
        pivot_ties: bool => pivot_ties = |v| v,
        close_break: bool => close_break = |v| v,
        displacement_min_ppm: u32 => displacement_min_ppm = |v| v,
        ob_block: BlockBarWord => ob_block = |v| v.into(),
        ob_zone: BlockZoneWord => ob_zone = |v| v.into(),
        ob_mitigation: ObMitigationWord => ob_mitigation = |v| v.into(),
        ob_filter: FilterWord => ob_filter = |v| v.into(),
        fvg_middle: FvgMiddleWord => fvg_middle = |v| v.into(),
        fvg_size_min: Decimal => fvg_size_min = |v| Price(v.0),
        fvg_size_min_atr_ppm: u32 => fvg_size_min_atr_ppm = |v| v,
        fvg_mitigation: FvgMitigationWord => fvg_mitigation = |v| v.into(),
        pool_tolerance_atr_ppm: u32 => pool_tolerance = |v| Tolerance::AtrMult(v),
        atr_len: u16 => atr_len = |v| v,
        vol_len: u16 => vol_len = |v| v,
        fvg_cap: u16 => fvg_cap = |v| v,
        ob_cap: u16 => ob_cap = |v| v,
        pool_cap: u16 => pool_cap = |v| v,
        level_cap: u16 => level_cap = |v| v,
    }
}

words! {
    PivotWord => PivotProfile { Window, Leg }
    BlockBarWord => BlockBar { Extreme, LastOpposite }
    BlockZoneWord => BlockZone { Wick, Body }
    ObMitigationWord => ObMitigation { Wick, Close, Body, MeanThreshold }
    FilterWord => VolatilityFilter { Off, Atr, MeanTrueRange }
    FvgMiddleWord => FvgMiddle { Body, CloseBeyond, Any }
    FvgMitigationWord => FvgMitigation { Touch, Half, Full }
}
