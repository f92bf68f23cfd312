//! The worked examples that come with `smc`, and the simulated market and account that each asks for.

use crate::failure::Failure;
use crate::sim::{account_with, generated};
use smc_core::words::{Price, Qty};
use smc_runtime::config::{DemoSection, FileConfig, StoryWord};
use std::time::Duration;
use venue_sim::AccountSettings;
use venue_sim::credentials::Credentials;
use venue_sim::market::{GeneratorSettings, MarketSource};

/// A worked example.
pub struct Preset {
    /// What `--preset` takes.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// The configuration.
    pub text: &'static str,
}

/// All of them, the default first.
pub const PRESETS: [Preset; 4] = [
    Preset {
        name: "demo",
        about: "BTCUSDT on 5s, 15s, 1m: much happens in a minute; to look at, not an idea of how to trade",
        text: include_str!("../presets/demo.toml"),
    },
    Preset {
        name: "crypto-intraday",
        about: "BTCUSDT on 1m, 5m, 15m: swept liquidity, a turn, a zone in discount, with the 15-minute bias",
        text: include_str!("../presets/crypto-intraday.toml"),
    },
    Preset {
        name: "forex-session-sweep",
        about: "EURUSDT on 1m, 5m, 15m: London or New York sweep the Asian range and turn; flat before the roll",
        text: include_str!("../presets/forex-session-sweep.toml"),
    },
    Preset {
        name: "swing",
        about: "BTCUSDT on 15m, 1h, 4h: order blocks in discount with the 4-hour trend, weekly levels, wide stops",
        text: include_str!("../presets/swing.toml"),
    },
];

/// The preset of this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// A line for each.
pub fn list() -> String {
    let lines = PRESETS.iter().map(|Preset { name, about, .. }| format!("{name:20} {about}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The simulated market and account of a configuration: its `[demo]`, or the default.
pub struct Scene {
    section: DemoSection,
    symbol: [String; 3],
    seed: u64,
}

impl Scene {
    /// For the configuration's first instrument.
    pub fn of(config: &FileConfig, seed: Option<u64>) -> Self {
        const SEED: u64 = 7;
        let section = config.demo.clone().unwrap_or_default();
        let quote = config.engine.quote_asset.clone();
        let symbol = config.instruments.first().map_or_else(String::new, |first| first.symbol.clone());
        let base = symbol.strip_suffix(quote.as_str()).unwrap_or(&symbol).to_owned();
        Self { seed: seed.or(section.seed).unwrap_or(SEED), section, symbol: [symbol, base, quote] }
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn speed(&self) -> f64 {
        self.section.speed
    }

    pub fn hours(&self) -> Option<f64> {
        self.section.hours
    }

    /// The generated market.
    pub fn market(&self) -> Result<Box<dyn MarketSource>, Failure> {
        let section = &self.section;
        let default = GeneratorSettings::default();
        generated(GeneratorSettings {
            seed: self.seed,
            symbol: self.symbol.clone(),
            price: section.price,
            tick: Price(section.tick.0),
            lot: Qty(section.lot.0),
            start_ts: section.start_ts().unwrap_or(default.start_ts),
            step_ns: (60e9 / section.steps_per_minute) as u64,
            history_minutes: (section.history_days * 1_440.0).round() as usize,
            noise: section.day_noise_percent / 100.0 / DAY_SECONDS.sqrt(),
            leg_stretch: section.leg_stretch,
            has_days: section.story == StoryWord::Sessions,
            qty_scale: section.qty_scale,
        })
    }

    /// The account at the simulated venue.
    pub fn account(&self, credentials: &Credentials) -> AccountSettings {
        let section = &self.section;
        let [_, base, quote] = &self.symbol;
        let balances =
            [(quote.as_str(), Qty(section.quote_balance.0)), (base.as_str(), Qty(section.base_balance.0))];
        account_with(credentials, &balances, section.maker_fee_bps, section.taker_fee_bps)
    }

    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.section.heartbeat_ms)
    }

    /// What such a market may be silent for; none: as in life.
    pub fn silence_max_ms(&self) -> Option<u64> {
        const USUAL_MS: u64 = 5_000;
        let step_ms = (60_000.0 / self.section.steps_per_minute) as u64;
        let patience = 10 * self.section.heartbeat_ms.max(step_ms);
        (patience > USUAL_MS).then_some(patience)
    }
}

const DAY_SECONDS: f64 = 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_sound_configuration() {
        for Preset { name, text, .. } in &PRESETS {
            let config = FileConfig::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            let again = FileConfig::parse(&config.deciding_text()).unwrap();
            assert_eq!(format!("{:?}", config.engine().unwrap()), format!("{:?}", again.engine().unwrap()));
            assert!(Scene::of(&config, None).market().is_ok(), "{name}");
        }
        assert!(find("help").is_none() && list().contains("forex-session-sweep"));
    }

    /// Without `[demo]` the market is the one it has always been.
    #[test]
    fn the_default_demo_is_the_default_market() {
        let config = FileConfig::parse(PRESETS[0].text).unwrap();
        let scene = Scene::of(&config, Some(5));
        let settings = GeneratorSettings { seed: 5, ..GeneratorSettings::default() };
        let (mut ours, mut plain) = (scene.market().unwrap(), generated(settings).unwrap());
        for _ in 0..20_000 {
            assert_eq!(ours.next(), plain.next());
        }
        assert_eq!(scene.silence_max_ms(), None);
        assert_eq!((scene.hours(), scene.speed()), (None, 100.0));
    }
}
