//! What a service manager is told (`sd_notify`): orders can be sent, the engine makes progress, it stops.
//!
//! The watchdog's word is never a blind timer's: it is said only when the engine thread has taken an event since the last one.
//! An idle engine takes its timer's. So an engine that hangs, a clock that stands still and a stopped process are all silent,
//! and the manager starts a new one, which reconciles before it sends anything.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// Between two looks at what people are told.
const STATUS_EVERY: Duration = Duration::from_secs(2);
/// What a start that goes on asks for, each time it says that it does.
const MORE_TIME: Duration = Duration::from_secs(60);

/// The service manager, if one is there.
pub struct Service {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// Between two words; a quarter of what the manager waits.
    watchdog: Option<Duration>,
    looked_at: Instant,
    heart: Heart,
    status_at: Instant,
    status: String,
}

/// Whether something has moved since the last look.
#[derive(Default)]
struct Heart(Option<u64>);

impl Heart {
    /// The first look moves nothing: there was none to compare with.
    fn beats(&mut self, count: u64) -> bool {
        self.0.replace(count).is_some_and(|before| before != count)
    }
}

impl Service {
    /// As the environment says.
    pub fn from_env(now: Instant) -> Self {
        let number = |key: &str| std::env::var(key).ok().and_then(|text| text.parse::<u64>().ok());
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|&us| is_ours && us > 0).map(Duration::from_micros);
        Self::at(std::env::var_os("NOTIFY_SOCKET"), watchdog, now)
    }

    fn at(path: Option<OsString>, watchdog: Option<Duration>, now: Instant) -> Self {
        Self {
            socket: path.as_ref().and_then(|path| address(path.as_bytes())).and_then(open),
            watchdog: watchdog.map(|every| every / 4),
            looked_at: now,
            heart: Heart::default(),
            status_at: now,
            status: String::new(),
        }
    }

    /// Orders can be sent.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// The start goes on and takes longer.
    pub fn starting(&self, status: &str) {
        self.say(&format!("EXTEND_TIMEOUT_USEC={}\nSTATUS={}", MORE_TIME.as_micros(), line(status)));
    }

    /// The end begins.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=cancelling entries, closing the journal");
    }

    /// Call it often: `events` is how many the engine thread has taken so far, `status` what people read.
    pub fn turn(&mut self, now: Instant, events: u64, status: impl FnOnce() -> String) {
        if self.socket.is_none() {
            return;
        }
        if let Some(every) = self.watchdog
            && now.saturating_duration_since(self.looked_at) >= every
        {
            self.looked_at = now;
            if self.heart.beats(events) {
                self.say("WATCHDOG=1");
            }
        }
        if now.saturating_duration_since(self.status_at) >= STATUS_EVERY {
            self.status_at = now;
            let status = line(&status());
            if status != self.status {
                self.say(&format!("STATUS={status}"));
                self.status = status;
            }
        }
    }

    /// A manager that does not read is not waited for.
    fn say(&self, text: &str) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

fn line(text: &str) -> String {
    smc_log::inert(text)
}

/// A path, or an abstract name that begins with `@`.
fn address(path: &[u8]) -> Option<SocketAddr> {
    match path {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)).ok(),
        _ => None,
    }
}

fn open(address: SocketAddr) -> Option<(UnixDatagram, SocketAddr)> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    Some((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> Vec<String> {
        let mut all = Vec::new();
        let mut bytes = [0; 512];
        while let Ok(count) = socket.recv(&mut bytes) {
            all.push(String::from_utf8(bytes[..count].to_vec()).unwrap());
        }
        all
    }

    /// The engine's count stands still while time goes on, as behind a hung thread or a stopped clock: not a word more.
    #[test]
    fn an_engine_that_takes_no_event_is_not_vouched_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let start = Instant::now();
        let mut service = Service::at(Some(path.into()), Some(Duration::from_secs(4)), start);
        let mut words = |from: u64, events: &dyn Fn(u64) -> u64| {
            for second in from..from + 10 {
                let now = start + Duration::from_secs(second);
                service.turn(now, events(second), || "NORMAL\nREADY=1".into());
            }
            heard(&manager)
        };
        let living = words(1, &|second| second * 10);
        assert_eq!(living.iter().filter(|word| *word == "WATCHDOG=1").count(), 9, "{living:?}");
        assert_eq!(living.iter().filter(|word| *word == "STATUS=NORMAL\\nREADY=1").count(), 1, "{living:?}");
        let hung = words(11, &|_| 100);
        assert!(!hung.iter().any(|word| word.contains("WATCHDOG")), "{hung:?}");
        let again = words(21, &|second| second * 10);
        assert!(again.iter().any(|word| word == "WATCHDOG=1"), "{again:?}");
    }

    #[test]
    fn an_abstract_name_is_one_and_without_a_manager_nothing_is_said() {
        let name = format!("smc-test-{}", std::process::id());
        let at = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let manager = UnixDatagram::bind_addr(&at).unwrap();
        manager.set_nonblocking(true).unwrap();
        let now = Instant::now();
        Service::at(Some(format!("@{name}").into()), None, now).ready();
        assert_eq!(heard(&manager), ["READY=1"]);
        for absent in [None, Some("relative".into()), Some("/nowhere/notify".into())] {
            let mut service = Service::at(absent, Some(Duration::from_secs(1)), now);
            service.turn(now + Duration::from_secs(9), 1, String::new);
            service.stopping();
        }
    }
}
