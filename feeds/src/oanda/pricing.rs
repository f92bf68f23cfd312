//! Prices by REST, and what currencies are worth in the account's. Cold.

use smc_core::event::AssetRate;
use smc_core::words::{Name, Price, TsNs};

use super::fields::{Fields, decimal};
use super::message::{DecodeError, Tick};

/// An answer to the question for prices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pricing<S> {
    /// The venue's time of the answer; none in old ones.
    pub time: Option<TsNs>,
    /// The price of each instrument that was asked for.
    pub ticks: Vec<Tick<S>>,
    /// What one unit of a currency is worth in the account's.
    pub rates: Vec<AssetRate>,
}

/// The request for the present prices, and what their currencies are worth.
pub fn pricing_path<'n>(account: &str, symbols: impl Iterator<Item = &'n Name>) -> String {
    let symbols = joined(symbols);
    format!("/v3/accounts/{account}/pricing?instruments={symbols}&includeHomeConversions=true")
}

/// Names behind one another as a query carries them.
pub(super) fn joined<'n>(symbols: impl Iterator<Item = &'n Name>) -> String {
    let symbols: Vec<&str> = symbols.map(Name::as_str).collect();
    symbols.join("%2C")
}

/// The venue's time, out of an answer to [`pricing_path`].
pub fn server_time(body: &mut [u8]) -> Result<TsNs, DecodeError> {
    let tape = simd_json::to_tape(body).map_err(|error| DecodeError::BadJson { at: error.index() })?;
    Fields::of(tape.as_value())?.moment("time")
}

/// Reads the answer's body, which may be changed. `resolve` names the instruments.
pub fn pricing<'a, S>(
    body: &'a mut [u8],
    resolve: impl Fn(&'a str) -> Option<S>,
) -> Result<Pricing<S>, DecodeError> {
    let tape = simd_json::to_tape(body).map_err(|error| DecodeError::BadJson { at: error.index() })?;
    let root = Fields::of(tape.as_value())?;
    let time = if root.find("time").is_some() { Some(root.moment("time")?) } else { None };
    let mut all = Pricing { time, ticks: Vec::new(), rates: Vec::new() };
    for price in root.list("prices")?.iter() {
        let price = Fields::of(price)?;
        all.ticks.push(price.tick(&resolve)?);
        all.rates.extend(old_rate(&price)?);
    }
    if root.find("homeConversions").is_some() {
        // The present form; what the prices carried beside themselves is the same, older.
        all.rates.clear();
        for row in root.list("homeConversions")?.iter() {
            let row = Fields::of(row)?;
            let asset =
                Name::new(row.text("currency")?).ok_or(DecodeError::WrongType { field: "currency" })?;
            all.rates.push(AssetRate { asset, price: factor(&row, "positionValue")? });
        }
    }
    Ok(all)
}

/// The factors of gains and losses of an instrument's quote currency: their middle.
fn old_rate(price: &Fields<'_, '_>) -> Result<Option<AssetRate>, DecodeError> {
    let Some(factors) = price.find("quoteHomeConversionFactors") else { return Ok(None) };
    let factors = Fields::of(factors)?;
    let quote = price.text("instrument")?.split_once('_').and_then(|(_, quote)| Name::new(quote));
    let (gain, loss) = (factor(&factors, "positiveUnits")?, factor(&factors, "negativeUnits")?);
    let middle = Price(gain.0 / 2 + loss.0 / 2 + (gain.0 % 2 + loss.0 % 2) / 2);
    Ok(quote.map(|asset| AssetRate { asset, price: middle }))
}

/// A factor to eight decimals; the venue may tell more, which are cut off.
fn factor(row: &Fields<'_, '_>, field: &'static str) -> Result<Price, DecodeError> {
    let text = row.text(field)?;
    let end = text.find('.').map_or(text.len(), |point| text.len().min(point + 9));
    let (kept, cut) = text.split_at_checked(end).ok_or(DecodeError::WrongType { field })?;
    if !cut.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecodeError::WrongType { field });
    }
    match decimal(kept, field)? {
        0 => Err(DecodeError::Zero { field }),
        units => Ok(Price(units)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_are_the_position_values_cut_to_eight_decimals() {
        let mut body = br#"{"time":"2026-07-22T07:01:01Z","prices":[],"homeConversions":[
            {"currency":"JPY","accountGain":"0.0086","accountLoss":"0.0087","positionValue":"0.008664945317"}]}"#
            .to_vec();
        let all = pricing(&mut body, Some).unwrap();
        let rate = AssetRate { asset: Name::new("JPY").unwrap(), price: Price(866_494) };
        assert_eq!((all.rates, all.time), (vec![rate], Some(TsNs(1_784_703_661_000_000_000))));
    }

    #[test]
    fn what_is_no_factor_is_refused_by_name() {
        for (text, expected) in [
            ("0", DecodeError::Zero { field: "positionValue" }),
            ("-1", DecodeError::Negative { field: "positionValue" }),
            ("1.123456789x", DecodeError::WrongType { field: "positionValue" }),
        ] {
            let mut body = format!(
                r#"{{"prices":[],"homeConversions":[{{"currency":"JPY","positionValue":"{text}"}}]}}"#
            )
            .into_bytes();
            assert_eq!(pricing(&mut body, Some), Err(expected), "{text}");
        }
    }
}
