//! Colours. The view paints its own calm dark ground, so it looks the same on dark and on light terminals.
//!
//! Each colour has two forms: exact, and the nearest good one of the 256 that every terminal has. With `NO_COLOR`
//! there is none, and arrows, letters and shapes still tell everything.

use ratatui::style::Color;
use smc_core::words::{Direction, Side};

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Any colour.
    Exact,
    /// 256 of them.
    Indexed,
    /// None wanted.
    None,
}

impl Depth {
    /// What the environment says.
    pub fn from_env() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if is_set("NO_COLOR") {
            return Self::None;
        }
        match std::env::var("COLORTERM").as_deref() {
            Ok("truecolor" | "24bit") => Self::Exact,
            _ => Self::Indexed,
        }
    }
}

/// The colours by what they mean.
pub struct Theme {
    /// Behind everything.
    pub ground: Color,
    /// Lines that part panels.
    pub rule: Color,
    /// Words that explain.
    pub dim: Color,
    /// Words that tell.
    pub text: Color,
    /// Words that matter most.
    pub bright: Color,
    /// Names of panels, the chosen timeframe.
    pub accent: Color,
    /// Bullish, bought, won.
    pub up: Color,
    /// Bearish, sold, lost.
    pub down: Color,
    /// A change of character, a warning.
    pub gold: Color,
    /// Liquidity: pools and sweeps.
    pub violet: Color,
    /// Bands of order blocks, bullish and bearish.
    pub block: [Color; 2],
    /// The same after price came back once.
    pub block_touched: [Color; 2],
    /// Bands of gaps.
    pub gap: [Color; 2],
    /// The same after price came back once.
    pub gap_touched: [Color; 2],
    /// Bands of breakers and inverted gaps.
    pub flipped: Color,
}

impl Theme {
    /// The theme at a depth.
    pub fn new(depth: Depth) -> Self {
        let colour = |rgb: u32, index: u8| match depth {
            Depth::Exact => Color::from_u32(rgb),
            Depth::Indexed => Color::Indexed(index),
            Depth::None => Color::Reset,
        };
        Self {
            ground: colour(0x10_14_1a, 233),
            rule: colour(0x2c_35_40, 237),
            dim: colour(0x74_80_8e, 244),
            text: colour(0xb9_c2_cc, 250),
            bright: colour(0xf0_f3_f6, 255),
            accent: colour(0x7a_b4_e0, 110),
            up: colour(0x4f_b5_8b, 72),
            down: colour(0xdb_6e_68, 167),
            gold: colour(0xdc_b4_68, 179),
            violet: colour(0xa9_92_dc, 140),
            block: [colour(0x15_3d_33, 23), colour(0x4a_23_2b, 52)],
            block_touched: [colour(0x13_2b_27, 235), colour(0x30_1c_22, 235)],
            gap_touched: [colour(0x13_20_2c, 234), colour(0x25_1f_19, 234)],
            gap: [colour(0x17_2f_44, 17), colour(0x3d_2e_1a, 58)],
            flipped: colour(0x1e_21_2b, 236),
        }
    }

    /// Of a direction.
    pub const fn direction(&self, direction: Direction) -> Color {
        match direction {
            Direction::Up => self.up,
            Direction::Down => self.down,
        }
    }

    /// Of a side.
    pub const fn side(&self, side: Side) -> Color {
        match side {
            Side::Buy => self.up,
            Side::Sell => self.down,
        }
    }

    /// Of a profit.
    pub const fn profit(&self, value: i64) -> Color {
        match value {
            ..=-1 => self.down,
            0 => self.text,
            1.. => self.up,
        }
    }
}
