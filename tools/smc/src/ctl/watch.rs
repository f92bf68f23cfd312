//! `smc ctl watch`: everything, live: the full-screen view where there is a terminal, else a line twice a second.

use super::link::Link;
use crate::failure::{Failure, Outcome};
use crate::view::{Screen, Source, screen};
use serde_json::{Value, json};
use smc_observe::Picture;
use smc_runtime::control::Status;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the picture is asked for; it is published no more often than a few times a second.
const PICTURE_EVERY: Duration = Duration::from_millis(250);

/// Watches until the person or the engine ends it.
pub fn watch(mut link: Link, as_json: bool) -> Outcome {
    if as_json || !io::stdout().is_terminal() {
        return lines(&mut link, as_json);
    }
    let status = link.ask(&json!({ "cmd": "status" }))?;
    let journal = std::path::PathBuf::from(status["journal"].as_str().unwrap_or_default());
    let mut there = There { link, picture: None, asked: None };
    let done = screen(Screen { journal: &journal, source: &mut there }, &|| false);
    done.map(drop).map_err(|error| Failure::wrong("terminal", error))
}

/// Plain lines, as they were asked for once.
fn lines(link: &mut Link, as_json: bool) -> Outcome {
    link.say(&json!({ "cmd": "watch" }))?;
    let mut has_begun = false;
    while let Some(status) = link.hear()? {
        has_begun = true;
        if as_json {
            println!("{status}");
        } else {
            println!("{}", line(&status));
        }
    }
    // A watcher whose engine ends has seen all there is.
    if has_begun { Ok(()) } else { Err(Failure::No("the engine closed the connection".into())) }
}

fn line(status: &Value) -> String {
    let positions = status["positions"].as_object().cloned().unwrap_or_default();
    let positions: Vec<String> =
        positions.iter().map(|(symbol, qty)| format!("{symbol} {}", qty.as_str().unwrap_or("?"))).collect();
    format!(
        "{:<11} seq {:>9}  {}  open {:>2}  fills {:>4}  realised {:>12}  equity {}",
        status["state"].as_str().unwrap_or("?"),
        status["seq"],
        positions.join(" "),
        status["open_orders"],
        status["fills"],
        status["realised_pnl"].as_str().unwrap_or("?"),
        status["equity"].as_str().unwrap_or("?"),
    )
}

/// An engine behind a socket.
struct There {
    link: Link,
    picture: Option<Arc<Picture>>,
    asked: Option<Instant>,
}

impl There {
    /// None when the engine has ended.
    fn ask(&mut self, cmd: &str) -> io::Result<Option<Value>> {
        match self.link.ask(&json!({ "cmd": cmd })) {
            Ok(answer) => Ok(Some(answer)),
            Err(Failure::No(_)) => Ok(None),
            Err(Failure::Wrong(_)) => Ok(None),
        }
    }
}

impl Source for There {
    fn status(&mut self) -> io::Result<Option<Status>> {
        let Some(answer) = self.ask("status")? else { return Ok(None) };
        serde_json::from_value(answer).map(Some).map_err(io::Error::other)
    }

    fn picture(&mut self) -> io::Result<Option<Arc<Picture>>> {
        if self.asked.is_none_or(|asked| asked.elapsed() >= PICTURE_EVERY) {
            self.asked = Some(Instant::now());
            if let Some(answer) = self.ask("picture")? {
                self.picture = Some(Arc::new(serde_json::from_value(answer).map_err(io::Error::other)?));
            }
        }
        Ok(self.picture.clone())
    }

    fn has_kill(&self) -> bool {
        true
    }

    fn kill(&mut self) -> String {
        match self.link.ask(&json!({ "cmd": "kill", "reason": "watch" })) {
            Ok(answer) => match answer["seq"].as_u64() {
                Some(seq) => {
                    format!("KILLED: record {seq}, the engine is {}", answer["state"].as_str().unwrap_or("?"))
                }
                None => format!("kill sent, not taken yet: {}", answer["warning"].as_str().unwrap_or("")),
            },
            Err(Failure::No(text) | Failure::Wrong(text)) => format!("NOT KILLED: {text}"),
        }
    }
}
