//! The connection to an engine: one line out, one line in; sealed where a key says so.

use crate::failure::Failure;
use serde_json::{Value, json};
use smc_operator::Seal;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longest wait for an answer. An act that is not taken is answered after two seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection.
pub struct Link {
    stream: UnixStream,
    reader: BufReader<UnixStream>,
    path: PathBuf,
    sealed: Option<Sealed>,
}

struct Sealed {
    name: String,
    seal: Seal,
    nonce: String,
    counter: u64,
}

/// With which key commands are sealed.
#[derive(Clone, Debug, clap::Args)]
pub struct KeyArgs {
    /// Name of the key that seals the commands, where the socket is a relay's: `[control.keys.NAME]` of the engine
    #[arg(long = "as", value_name = "NAME", requires = "key", global = true)]
    name: Option<String>,
    /// The key's file: hexadecimal, readable by its owner alone
    #[arg(long, value_name = "FILE", requires = "name", global = true)]
    key: Option<PathBuf>,
}

impl Link {
    /// Connects; with a key, also asks what to seal with.
    pub fn open(path: &Path, keys: &KeyArgs) -> Result<Self, Failure> {
        let fail = |error: std::io::Error| {
            let hint = match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "you may not enter there: the engine's [control] section says who may"
                }
                _ => "is `smc run` or `smc demo` running? `--socket PATH` is what it was given as --control",
            };
            Failure::wrong(path.display(), format!("no engine answers there ({error}); {hint}"))
        };
        let stream = UnixStream::connect(path).map_err(fail)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(fail)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(fail)?;
        let reader = BufReader::new(stream.try_clone().map_err(fail)?);
        let mut link = Self { stream, reader, path: path.to_owned(), sealed: None };
        if let (Some(name), Some(file)) = (&keys.name, &keys.key) {
            let seal = smc_runtime::control::people::read_key(file);
            let seal = seal.map_err(|error| Failure::wrong(file.display(), error))?;
            let challenge = link.ask(&json!({ "cmd": "challenge", "key": name }))?;
            let nonce = challenge["nonce"].as_str().unwrap_or_default().to_owned();
            link.sealed = Some(Sealed { name: name.clone(), seal, nonce, counter: 0 });
        }
        Ok(link)
    }

    /// Asks and waits for the answer; an answer that says no is a failure.
    pub fn ask(&mut self, request: &Value) -> Result<Value, Failure> {
        self.say(request)?;
        self.hear()?.ok_or_else(|| Failure::No("the engine closed the connection".into()))
    }

    /// Asks.
    pub fn say(&mut self, request: &Value) -> Result<(), Failure> {
        let line = match &mut self.sealed {
            None => request.to_string(),
            Some(sealed) => sealed.wrap(&request.to_string()),
        };
        let sent = self.stream.write_all(format!("{line}\n").as_bytes());
        sent.map_err(|error| Failure::wrong(self.path.display(), error))
    }

    /// The next line; none when the engine has ended.
    pub fn hear(&mut self) -> Result<Option<Value>, Failure> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line);
        if read.map_err(|error| Failure::wrong(self.path.display(), error))? == 0 {
            return Ok(None);
        }
        let answer: Value = serde_json::from_str(&line).map_err(|error| Failure::wrong("answer", error))?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(Failure::No(error.to_owned())),
            None => Ok(Some(answer)),
        }
    }

    /// Waits for lines as long as it takes: of a subscription nothing may come for hours.
    pub fn wait_for_ever(&self) -> Result<(), Failure> {
        let done = self.stream.set_read_timeout(None);
        done.map_err(|error| Failure::wrong(self.path.display(), error))
    }
}

impl Sealed {
    fn wrap(&mut self, request: &str) -> String {
        self.counter += 1;
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mac = self.seal.sign(&self.nonce, self.counter, time, request);
        json!({
            "cmd": "sealed", "key": self.name, "counter": self.counter, "time": time, "request": request, "mac": mac,
        })
        .to_string()
    }
}
