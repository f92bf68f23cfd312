//! A line cut into fields: separators, quotes, spaces around.

/// Separators that files use, the first to give enough columns wins. Comma last: it may be a decimal comma.
const SEPARATORS: [char; 4] = [';', '\t', '|', ','];
/// Time, open, high, low, close.
const COLUMNS_MIN: usize = 5;

/// Which separator a line uses.
pub(super) fn separator_of(line: &str) -> char {
    let gives_enough = |separator: &char| split(line, *separator).count() >= COLUMNS_MIN;
    SEPARATORS.into_iter().find(gives_enough).unwrap_or(',')
}

/// The fields of a line, without quotes and surrounding spaces.
pub(super) fn split(line: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut is_quoted = false;
        let end = text.char_indices().find(|&(_, c)| {
            is_quoted ^= c == '"';
            c == separator && !is_quoted
        });
        let field = match end {
            Some((at, _)) => {
                rest = Some(&text[at + separator.len_utf8()..]);
                &text[..at]
            }
            None => {
                rest = None;
                text
            }
        };
        Some(field.trim_matches(|c: char| c == '"' || c == '\'' || c.is_whitespace()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hide_separators_and_spaces_fall_off() {
        let fields = |line, separator| split(line, separator).collect::<Vec<_>>();
        assert_eq!(fields("a, b ,\"c,d\",", ','), ["a", "b", "c,d", ""]);
        assert_eq!(fields("", ','), [""]);
        assert_eq!(fields("\"open\";'x'", ';'), ["open", "x"]);
        assert_eq!(fields("\"never closed, and on", ','), ["never closed, and on"]);
    }

    #[test]
    fn the_separator_is_the_one_that_gives_columns() {
        assert_eq!(separator_of("t,o,h,l,c"), ',');
        assert_eq!(separator_of("2022.10.10;1,2;1,3;1,1;1,2"), ';');
        assert_eq!(separator_of("t\to\th\tl\tc\tv"), '\t');
        assert_eq!(separator_of("nothing"), ',');
    }
}
