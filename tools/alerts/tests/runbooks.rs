//! Every notice names a page that is there.

#![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::path::Path;

#[test]
fn every_page_that_a_notice_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = ["src/rules.rs", "src/follow.rs", "../smc/src/alerts.rs"];
    let mut named = 0;
    for source in sources {
        let text = std::fs::read_to_string(root.join(source)).unwrap();
        for page in text.split('"').filter(|word| word.starts_with("Smc") && word.ends_with(".md")) {
            assert!(root.join("../monitoring/runbooks").join(page).exists(), "{source}: {page}");
            named += 1;
        }
    }
    assert!(named > 25, "{named}: the pages are named otherwise now");
}
