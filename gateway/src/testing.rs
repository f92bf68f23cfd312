//! What the tests of every venue share: the corpora beside the repository.

use std::path::Path;

/// The text of a file under `shared`, which stands beside the repository; says so and gives none when absent.
pub(crate) fn shared(path: &str) -> Option<String> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|ancestor| ancestor.join("shared").join(path))
        .find(|candidate| candidate.is_file())
        .and_then(|file| std::fs::read_to_string(file).ok());
    if found.is_none() {
        println!("skipped: {path} absent");
    }
    found
}

/// Its lines; none when it is absent.
pub(crate) fn lines(path: &str) -> Vec<String> {
    shared(path).map_or_else(Vec::new, |text| text.lines().map(str::to_owned).collect())
}

/// The messages (`raw`) of a corpus file.
pub(crate) fn messages(path: &str) -> Vec<String> {
    lines(path)
        .iter()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["raw"].as_str().unwrap().to_owned()
        })
        .collect()
}
