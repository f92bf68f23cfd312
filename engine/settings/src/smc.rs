//! `[smc]`: market structure as a file or a command line says it. One definition for both.
//!
//! Every key is optional and changes the defaults it meets; keys apply in the order they stand here, so that
//! `swing_length` can be refined by `pivot_left`. With the feature `flags` each key is a flag of the same name
//! (`pivot_left` is `--pivot-left`) and its doc the flag's help.

use serde::{Deserialize, Serialize};
use smc_core::smc::{
    BlockBar, BlockZone, FvgMiddle, InternalParams, ObMitigation, PivotProfile, RangeBands, SmcParams,
    VolatilityFilter,
};
use smc_core::words::Price;

use crate::text::{DepthText, LevelsText, PeriodsText, ToleranceText};
use crate::{Decimal, words};

macro_rules! file_and_flags {
    ($(#[$doc:meta])* $name:ident => $target:ty {
        $($(#[$key_doc:meta])* $key:ident : $kind:ty => |$to:ident, $value:ident| $change:expr,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        #[cfg_attr(feature = "flags", derive(clap::Args))]
        #[cfg_attr(feature = "flags", command(next_help_heading = "Market structure"))]
        pub struct $name {
            $(
                $(#[$key_doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                #[cfg_attr(feature = "flags", arg(long, value_name = "VALUE"))]
                pub $key: Option<$kind>,
            )*
        }

        impl $name {
            /// Changes what the section names.
            pub fn apply(&self, target: &mut $target) {
                $(if let Some($value) = self.$key {
                    let $to = &mut *target;
                    $change;
                })*
            }
        }
    };
}

file_and_flags! {
    /// `[smc]`: market structure, the same on all timeframes.
    SmcSection => SmcParams {
        /// Pivots by the public definition: this many bars after, one less before
        swing_length: u16 => |to, v| *to = to.with_swing_length(v),
        /// Pivot rule: window (extreme of its surroundings) or leg (strict, when the leg turns)
        pivot_profile: PivotWord => |to, v| to.pivot_profile = v.into(),
        /// Bars before a pivot (window)
        pivot_left: u16 => |to, v| to.pivot_left = v,
        /// Bars after a pivot, and so the bars until it is known
        pivot_right: u16 => |to, v| to.pivot_right = v,
        /// First bar index that may be a pivot (window)
        pivot_first: u32 => |to, v| to.pivot_first = v,
        /// An equal extreme in the window does not spoil a pivot
        pivot_ties: bool => |to, v| to.pivot_ties = v,
        /// A bar that is both counts as high only; when false, as low only
        pivot_high_first: bool => |to, v| to.pivot_high_first = v,

        /// Structure inside the swings: off, leg or window
        internal: InternalWord => |to, v| to.internal = v.params(to.internal),
        /// Pivot size of the internal structure; turns it on
        internal_size: u16 => |to, v| to.internal = Some(resized(to.internal, v)),
        /// Bars before an internal pivot (window)
        internal_left: u16 => |to, v| inner(to).pivot_left = v,
        /// Bars after an internal pivot
        internal_right: u16 => |to, v| inner(to).pivot_right = v,
        /// First bar index that may be an internal pivot (window)
        internal_first: u32 => |to, v| inner(to).pivot_first = v,
        /// An internal level at the swing level's price leaves its break to the swing
        internal_ignores_swing_level: bool => |to, v| inner(to).ignores_swing_level = v,
        /// Internal breaks make order blocks too
        internal_order_blocks: bool => |to, v| inner(to).order_blocks = v,

        /// A break needs the close beyond the level; when false, the wick is enough
        close_break: bool => |to, v| to.close_break = v,
        /// Least body of a breaking bar in ppm of ATR; 0 is off
        displacement_min_ppm: u32 => |to, v| to.displacement_min_ppm = v,
        /// A CHoCH with at least this body in ppm of ATR is an MSS; 0 is off
        mss_min_ppm: u32 => |to, v| to.mss_min_ppm = v,
        /// Four-swing patterns are said too
        patterns: bool => |to, v| to.patterns = v,

        /// Order blocks are kept
        order_blocks: bool => |to, v| to.order_blocks = v,
        /// Which bar is the order block: extreme or last-opposite
        ob_block: BlockBarWord => |to, v| to.ob_block = v.into(),
        /// Its zone: wick or body
        ob_zone: BlockZoneWord => |to, v| to.ob_zone = v.into(),
        /// What breaks it: wick, close, body or mean-threshold
        ob_mitigation: ObMitigationWord => |to, v| to.ob_mitigation = v.into(),
        /// Bars too wild to be one: off, atr or mean-true-range
        ob_filter: FilterWord => |to, v| to.ob_filter = v.into(),

        /// Fair value gaps are kept
        gaps: bool => |to, v| to.gaps = v,
        /// What a gap's middle bar must show: body, close-beyond or any
        fvg_middle: FvgMiddleWord => |to, v| to.fvg_middle = v.into(),
        /// Least height of a gap, in price
        fvg_size_min: Decimal => |to, v| to.fvg_size_min = Price(v.0),
        /// Least height of a gap in ppm of ATR
        fvg_size_min_atr_ppm: u32 => |to, v| to.fvg_size_min_atr_ppm = v,
        /// The middle bar must move more than twice the mean of all bars so far
        fvg_auto_threshold: bool => |to, v| to.fvg_auto_threshold = v,
        /// A gap right after one of its side takes that one in
        fvg_join: bool => |to, v| to.fvg_join = v,
        /// How deep price must come to mitigate a gap: touch, half, full or a part such as 0.25
        fvg_mitigation: DepthText => |to, v| to.fvg_mitigation = v.0,

        /// Pools and swept levels are kept
        liquidity: bool => |to, v| to.liquidity = v,
        /// How equal equal highs are: `0.1 atr`, `0.0005` (price), `0.05 %`, `1 % of 500 bars`
        pool_tolerance: ToleranceText => |to, v| to.pool_tolerance = v.0,
        /// Whose previous highs and lows are levels: a choice of day,week,month,240m or none
        periods: PeriodsText => |to, v| to.periods = v.0,

        /// Changes of the dealing range, of price's zone in it and of the retracement are said
        range_events: bool => |to, v| to.range_events = v,
        /// Premium and discount: halves or bands (outer 5 %, middle 5 %)
        range_bands: RangeBandsWord => |to, v| to.range_bands = v.into(),
        /// Retracements whose first reach is said: ascending parts such as 0.382,0.5 or none
        retracement_levels: LevelsText => |to, v| to.retracement_levels_ppm = v.0,
        /// Where the optimal trade entry begins, in ppm of the last leg
        ote_from_ppm: u32 => |to, v| to.ote_from_ppm = v,
        /// Where it ends
        ote_to_ppm: u32 => |to, v| to.ote_to_ppm = v,

        /// Smallest price step; no tolerance is below it
        tick: Decimal => |to, v| to.tick = Price(v.0),
        /// Bars of the ATR behind displacement and gap size
        atr_len: u16 => |to, v| to.atr_len = v,
        /// Bars of the slow ATR behind tolerances and the volatility filter
        vol_len: u16 => |to, v| to.vol_len = v,
        /// Gaps kept at once on each side
        fvg_cap: u16 => |to, v| to.fvg_cap = v,
        /// Order blocks kept at once on each side
        ob_cap: u16 => |to, v| to.ob_cap = v,
        /// Pools and their seeds kept at once on each side
        pool_cap: u16 => |to, v| to.pool_cap = v,
        /// Pivot levels watched at once on each side
        level_cap: u16 => |to, v| to.level_cap = v,
    }
}

words! {
    PivotWord => PivotProfile { Window, Leg }
    BlockBarWord => BlockBar { Extreme, LastOpposite }
    BlockZoneWord => BlockZone { Wick, Body }
    ObMitigationWord => ObMitigation { Wick, Close, Body, MeanThreshold }
    FilterWord => VolatilityFilter { Off, Atr, MeanTrueRange }
    FvgMiddleWord => FvgMiddle { Body, CloseBeyond, Any }
    RangeBandsWord => RangeBands { Halves, Bands }
}

/// Whether and how internal structure is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InternalWord {
    /// One scope only.
    Off,
    /// Pivots of the leg definition.
    Leg,
    /// Pivots of the public definition.
    Window,
}

impl std::str::FromStr for InternalWord {
    type Err = serde::de::value::Error;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        crate::from_word(word)
    }
}

/// Size of internal pivots when nobody says one.
const INTERNAL_SIZE: u16 = 5;

impl InternalWord {
    fn params(self, before: Option<InternalParams>) -> Option<InternalParams> {
        let size = before.map_or(INTERNAL_SIZE, |params| params.pivot_right);
        match self {
            Self::Off => None,
            Self::Leg => Some(InternalParams::leg(size)),
            Self::Window => Some(InternalParams::window(size)),
        }
    }
}

/// The same rule with pivots of another size.
fn resized(before: Option<InternalParams>, size: u16) -> InternalParams {
    let InternalParams { ignores_swing_level, order_blocks, pivot_profile, .. } =
        before.unwrap_or(InternalParams::leg(size));
    let params = match pivot_profile {
        PivotProfile::Leg => InternalParams::leg(size),
        PivotProfile::Window => InternalParams::window(size),
    };
    InternalParams { ignores_swing_level, order_blocks, ..params }
}

/// The internal scope; naming one of its keys turns it on.
fn inner(to: &mut SmcParams) -> &mut InternalParams {
    to.internal.get_or_insert(InternalParams::leg(INTERNAL_SIZE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(toml: &str) -> SmcParams {
        let section: SmcSection = toml::from_str(toml).unwrap();
        let mut params = SmcParams::default();
        section.apply(&mut params);
        params
    }

    #[test]
    fn an_empty_section_changes_nothing_and_an_unknown_key_is_refused() {
        assert_eq!(params(""), SmcParams::default());
        let error = toml::from_str::<SmcSection>("pivot_rigth = 3").unwrap_err();
        assert!(error.message().contains("pivot_rigth"), "{error}");
        let error = toml::from_str::<SmcSection>("ob_zone = \"shadow\"").unwrap_err();
        assert!(error.message().contains("`wick` or `body`"), "{error}");
    }

    #[test]
    fn swing_length_is_refined_by_the_pivot_keys() {
        assert_eq!(params("swing_length = 50"), SmcParams::default().with_swing_length(50));
        let refined = params("pivot_right = 3\nswing_length = 50");
        assert_eq!((refined.pivot_left, refined.pivot_right), (49, 3));
    }

    #[test]
    fn an_internal_key_turns_the_scope_on_and_off_ends_it() {
        assert_eq!(params("internal_size = 3").internal, Some(InternalParams::leg(3)));
        assert_eq!(
            params("internal = \"window\"\ninternal_size = 4").internal,
            Some(InternalParams::window(4))
        );
        let inner = params("internal_order_blocks = false").internal.unwrap();
        assert_eq!(inner, InternalParams { order_blocks: false, ..InternalParams::leg(5) });
        let mut all = SmcParams::everything();
        toml::from_str::<SmcSection>("internal = \"off\"").unwrap().apply(&mut all);
        assert_eq!(all.internal, None);
    }

    /// Each key changes something: a key that is read and forgotten would pass unnoticed otherwise.
    #[test]
    fn every_key_reaches_the_core_and_survives_being_written() {
        let lines = EVERY_KEY.trim().lines();
        for line in lines.clone() {
            assert_ne!(params(line), SmcParams::default(), "{line}");
            let section: SmcSection = toml::from_str(line).unwrap();
            assert_eq!(toml::from_str::<SmcSection>(&toml::to_string(&section).unwrap()).unwrap(), section);
        }
        let all: toml::Table = toml::from_str(EVERY_KEY).unwrap();
        let section: SmcSection = toml::from_str(EVERY_KEY).unwrap();
        let written: toml::Table = toml::from_str(&toml::to_string(&section).unwrap()).unwrap();
        assert_eq!(written.len(), all.len());
        assert_eq!(params(EVERY_KEY).validate(), Ok(()));
    }

    const EVERY_KEY: &str = r#"
swing_length = 6
pivot_profile = "leg"
pivot_left = 7
pivot_right = 8
pivot_first = 10
pivot_ties = false
pivot_high_first = false
internal = "window"
internal_size = 4
internal_left = 2
internal_right = 2
internal_first = 6
internal_ignores_swing_level = false
internal_order_blocks = false
close_break = false
displacement_min_ppm = 1
mss_min_ppm = 1
patterns = true
order_blocks = false
ob_block = "last-opposite"
ob_zone = "body"
ob_mitigation = "mean-threshold"
ob_filter = "atr"
gaps = false
fvg_middle = "close-beyond"
fvg_size_min = "0.0001"
fvg_size_min_atr_ppm = 1
fvg_auto_threshold = true
fvg_join = true
fvg_mitigation = "0.25"
liquidity = false
pool_tolerance = "1 % of 500 bars"
periods = "day,240m"
range_events = true
range_bands = "bands"
retracement_levels = "0.5"
ote_from_ppm = 610000
ote_to_ppm = 780000
tick = "0.00001"
atr_len = 15
vol_len = 100
fvg_cap = 100
ob_cap = 100
pool_cap = 100
level_cap = 100
"#;
}
