//! The chart: well-formed, inside its picture, and blind to what comes after its last bar.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use clap::Parser;
use smc_detect::cli::{Args, run};
use std::fmt::Write as _;

fn market(rows: usize, seed: u64, step: i64) -> String {
    let mut text = String::from("time,open,high,low,close,volume\n");
    let (mut random, mut close) = (seed, 10_000 * step);
    let mut next = |below: i64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((random >> 33) as i64) % below * step
    };
    for row in 0..rows {
        let open = close;
        close = (open + next(81) - 40 * step).max(100 * step);
        let (high, low) = (open.max(close) + next(15), open.min(close) - next(15));
        writeln!(text, "{},{open},{high},{low},{close},{}", 1_700_000_100 + row * 900, next(1_000)).unwrap();
    }
    text
}

fn chart(csv: &str, flags: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (path, svg) = (dir.path().join("<bars> & more.csv"), dir.path().join("chart.svg"));
    std::fs::write(&path, csv).unwrap();
    let mut words = vec!["detect", "--csv", path.to_str().unwrap(), "--svg", svg.to_str().unwrap()];
    words.extend(flags);
    run(&Args::try_parse_from(words).unwrap(), &mut Vec::new(), &mut Vec::new()).unwrap();
    std::fs::read_to_string(svg).unwrap()
}

/// Attributes of every element, after checking that tags open and close as they should.
fn elements(svg: &str) -> Vec<(String, Vec<(String, String)>)> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    let mut rest = svg;
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains('>'), "a stray > before {:.40}", &rest[at..]);
        let end = at + rest[at..].find('>').expect("a tag that never ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (body, is_closed) = tag.strip_suffix('/').map_or((tag, false), |body| (body, true));
        let (name, mut attributes) = body.split_once(' ').unwrap_or((body, ""));
        let mut pairs = Vec::new();
        while let Some((key, more)) = attributes.trim_start().split_once("=\"") {
            let (value, more) = more.split_once('"').expect("an open attribute");
            assert!(!value.contains(['<', '&']));
            pairs.push((key.to_owned(), value.to_owned()));
            attributes = more;
        }
        assert_eq!(attributes.trim(), "", "{tag}");
        all.push((name.to_owned(), pairs));
        if !is_closed {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "{open:?}");
    all
}

/// Numbers of a path, relative steps followed.
fn check_path(data: &str) {
    let (mut x, mut y) = (0.0f64, 0.0f64);
    let mut rest = data;
    let number = |rest: &mut &str| {
        *rest = rest.trim_start_matches(' ');
        let end =
            rest.char_indices().find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || (at == 0 && c == '-')));
        let (text, more) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        *rest = more;
        text.parse::<f64>().unwrap_or_else(|_| panic!("`{text}` in {data:.80}"))
    };
    while let Some(command) = rest.chars().next() {
        rest = &rest[1..];
        match command {
            'M' | 'L' => (x, y) = (number(&mut rest), number(&mut rest)),
            'V' => y = number(&mut rest),
            'h' => x += number(&mut rest),
            'v' => y += number(&mut rest),
            'a' => {
                let steps: Vec<f64> = (0..7).map(|_| number(&mut rest)).collect();
                (x, y) = (x + steps[5], y + steps[6]);
            }
            'z' => {}
            other => panic!("{other} in {data:.80}"),
        }
        assert!((-1.0..=1601.0).contains(&x) && (-1.0..=901.0).contains(&y), "{x} {y}");
    }
}

fn check(svg: &str) {
    let mut rects = 0;
    for (name, attributes) in elements(svg) {
        let number = |key: &str| {
            let value =
                attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.parse::<f64>());
            value.map(|value| value.unwrap_or_else(|_| panic!("{key} of {attributes:?}")))
        };
        let is_across = |value: f64| (0.0..=1600.0).contains(&value);
        let is_down = |value: f64| (0.0..=900.0).contains(&value);
        match name.as_str() {
            "rect" => {
                let [x, y, width, height] = ["x", "y", "width", "height"].map(|key| number(key).unwrap());
                assert!(is_across(x) && is_across(x + width) && width >= 0.0, "{attributes:?}");
                assert!(is_down(y) && is_down(y + height) && height >= 0.0, "{attributes:?}");
                rects += 1;
            }
            "line" => {
                assert!(
                    [number("x1"), number("x2")].into_iter().all(|x| is_across(x.unwrap())),
                    "{attributes:?}"
                );
                assert!(
                    [number("y1"), number("y2")].into_iter().all(|y| is_down(y.unwrap())),
                    "{attributes:?}"
                );
            }
            "text" => {
                assert!(is_across(number("x").unwrap()) && is_down(number("y").unwrap()), "{attributes:?}")
            }
            "path" => check_path(&attributes.iter().find(|(key, _)| key == "d").unwrap().1),
            "svg" | "style" => {}
            other => panic!("<{other}>"),
        }
    }
    assert!(rects > 5);
}

#[test]
fn every_chart_is_well_formed_and_inside_its_picture() {
    for (rows, seed, step) in [(2, 1, 1), (3, 2, 1), (40, 3, 1), (700, 4, 1), (700, 5, 1_000), (1_500, 6, 1)]
    {
        check(&chart(&market(rows, seed, step), &[]));
    }
    check(&chart(&market(700, 7, 1), &["--timeframes", "1h,4h", "--last", "30"]));
    check(&chart(&market(700, 8, 1), &["--last", "1"]));
    // A market that stands still has no height of its own.
    let still = "time,open,high,low,close\n60,5,5,5,5\n120,5,5,5,5\n180,5,5,5,5\n";
    check(&chart(still, &[]));
}

/// Text boxes from the widths of a common font, a little under them.
#[test]
fn no_label_lies_on_another() {
    for (rows, seed) in [(120, 4), (700, 5), (700, 9)] {
        let svg = chart(&market(rows, seed, 1), &["--sessions", "london,new-york"]);
        let mut boxes: Vec<(String, [f64; 4])> = Vec::new();
        let texts = svg.lines().filter(|line| line.starts_with("<text"));
        for line in texts.filter(|line| line.contains(" halo\"") || line.contains("\"ts\"")) {
            let (_, attributes) = elements(line).into_iter().next().unwrap();
            let get = |key: &str| attributes.iter().find(|(name, _)| name == key).unwrap().1.clone();
            let number = |key: &str| get(key).parse::<f64>().unwrap();
            let text = line.split_once('>').unwrap().1.trim_end_matches("</text>").to_owned();
            let (x, y, size) = (number("x"), number("y"), number("font-size"));
            let width = text.chars().count() as f64 * size * 0.55;
            let x = match get("text-anchor").as_str() {
                "start" => x,
                "middle" => x - width / 2.0,
                _ => x - width,
            };
            let own = [x, y - size * 0.7, x + width, y];
            for (other, at) in &boxes {
                let is_apart = own[2] <= at[0] || at[2] <= own[0] || own[3] <= at[1] || at[3] <= own[1];
                assert!(is_apart, "{text} {own:?} lies on {other} {at:?}");
            }
            boxes.push((text, own));
        }
        assert!(boxes.len() > 20, "{}", boxes.len());
    }
}

#[test]
fn the_files_name_is_text() {
    let svg = chart(&market(50, 1, 1), &[]);
    assert!(svg.contains("&lt;bars&gt; &amp; more"));
}

#[test]
fn what_comes_after_the_last_bar_is_not_on_the_chart() {
    let text = market(600, 12, 1);
    let cut: Vec<&str> = text.lines().take(401).collect();
    // The 400th bar.
    let to = (1_700_000_100 + 399 * 900).to_string();
    assert_eq!(chart(&text, &["--to", &to]), chart(&cut.join("\n"), &[]));
}

#[test]
fn structures_are_on_it() {
    let svg = chart(&market(600, 4, 1), &["--sessions", "london"]);
    for class in
        ["\"gu", "\"gd", "\"ou", "\"od", "\"ku\"", "\"kd\"", "\"prev\"", "\"prem\"", "\"disc\"", "\"s0\""]
    {
        assert!(svg.contains(&format!("class={class}")), "{class}");
    }
    for text in [">BOS<", ">CHoCH<", ">HH<", ">LL<", ">london<", ">PDH<"] {
        assert!(svg.contains(text), "{text}");
    }
}
