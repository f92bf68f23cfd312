//! The listening end: where the socket lies, who gets in, how many.

use super::client::Client;
use super::desk::Desk;
use super::people::{Entry, People};
use super::protocol::{Refusal, no};
use super::{Operators, StatusSource};
use mio::net::{UnixListener, UnixStream};
use mio::{Events, Interest, Poll, Token};
use smc_observe::View;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Clients served at once. One more takes the place of whoever has been silent longest.
const CLIENTS_MAX: usize = 32;
/// How often histograms are fed.
const COLLECT_EVERY: Duration = Duration::from_millis(50);
/// How often it is looked whether the engine has taken what was said.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Connections taken in one pass, so that a flood of them does not keep the others waiting.
const ACCEPTS_PER_TURN_MAX: usize = 64;

/// Why the control port could not be opened.
#[derive(Debug)]
pub struct ControlError {
    path: PathBuf,
    error: io::Error,
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "control socket {}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for ControlError {}

/// What requests are answered from, and what does what they ask.
pub struct Services {
    /// Counters and histograms.
    pub source: StatusSource,
    /// Makes acts of requests.
    pub desk: Desk,
    /// Who may ask.
    pub people: People,
    /// The way into the engine.
    pub operators: Operators,
    /// The observer's picture.
    pub view: Option<View>,
    /// Sets the level of the log, 1 (error) to 5 (trace); none where nothing is logged.
    pub set_log_level: Option<fn(u8)>,
}

/// The listening end; serves on the thread that calls [`ControlPort::serve`].
pub struct ControlPort {
    path: PathBuf,
    listener: UnixListener,
    services: Services,
}

impl ControlPort {
    /// Opens the socket at `path`, making its directory when missing: for its owner alone, or for a group that is configured. A
    /// stale socket, one nobody answers on, is replaced; a live one is an error, and so is a directory that others may write.
    pub fn open(path: &Path, services: Services) -> Result<Self, ControlError> {
        let fail = |error| ControlError { path: path.to_owned(), error };
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let group = services.people.group;
        prepare(dir, group).map_err(fail)?;
        if let Ok(meta) = fs::symlink_metadata(path) {
            if !meta.file_type().is_socket() {
                return Err(fail(io::Error::other("something that is not a socket stands there")));
            }
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(fail(io::Error::new(io::ErrorKind::AddrInUse, "another engine answers there")));
            }
            fs::remove_file(path).map_err(fail)?;
        }
        // Whoever comes between the two meets the kernel's word on who it is, as everybody does.
        let listener = UnixListener::bind(path).map_err(fail)?;
        let mode = if group.is_some() { 0o660 } else { 0o600 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(fail)?;
        if let Some(gid) = group {
            std::os::unix::fs::chown(path, None, Some(gid)).map_err(fail)?;
        }
        Ok(Self { path: path.to_owned(), listener, services })
    }

    /// Serves until `stop`; also feeds the histograms.
    pub fn serve(mut self, stop: &AtomicBool) -> io::Result<()> {
        const LISTENER: Token = Token(usize::MAX);
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(64);
        poll.registry().register(&mut self.listener, LISTENER, Interest::READABLE)?;
        let mut clients: BTreeMap<usize, Client> = BTreeMap::new();
        let mut next_client = 0;
        let mut has_callers = false;
        while !stop.load(Ordering::Acquire) {
            let is_busy = clients.values().any(Client::is_busy);
            let pause = if has_callers {
                Duration::ZERO
            } else if is_busy {
                LOOK_EVERY
            } else {
                COLLECT_EVERY
            };
            if let Err(error) = poll.poll(&mut events, Some(pause))
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            self.services.source.latencies.collect();
            if has_callers || events.iter().any(|event| event.token() == LISTENER) {
                has_callers = false;
                for nth in 0..=ACCEPTS_PER_TURN_MAX {
                    let Ok((mut stream, _)) = self.listener.accept() else { break };
                    // The kernel does not tell again of those that still wait.
                    has_callers = nth == ACCEPTS_PER_TURN_MAX;
                    let Some(entry) = self.admit(&mut stream) else { continue };
                    let token = Token(next_client);
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    if poll.registry().register(&mut stream, token, interest).is_err() {
                        continue;
                    }
                    make_room(&mut clients);
                    clients.insert(next_client, Client::new(stream, entry));
                    next_client += 1;
                }
            }
            let services = &mut self.services;
            clients.retain(|_, client| client.turn(services).is_ok());
        }
        let _ = fs::remove_file(&self.path);
        Ok(())
    }

    /// What the one who connected may begin with; a stranger is told so and sent away.
    fn admit(&self, stream: &mut UnixStream) -> Option<Entry> {
        let entry = self.services.people.entry(stream);
        if entry.is_none() {
            let text = format!("{}\n", no(None, &Refusal::new("role", "you are not known here")));
            let _ = stream.write(text.as_bytes());
        }
        entry
    }
}

/// An operator who comes to stop the engine must get in, however many connections somebody has left open.
fn make_room(clients: &mut BTreeMap<usize, Client>) {
    while clients.len() >= CLIENTS_MAX {
        let silent = clients.iter().filter(|(_, client)| !client.is_waiting());
        let oldest = silent.min_by_key(|(_, client)| client.heard()).map(|(token, _)| *token);
        let Some(token) = oldest.or_else(|| clients.keys().next().copied()) else { return };
        clients.remove(&token);
    }
}

/// The directory, made when missing: ours, no link, written by nobody else.
fn prepare(dir: &Path, group: Option<u32>) -> io::Result<()> {
    let mode = if group.is_some() { 0o750 } else { 0o700 };
    if fs::symlink_metadata(dir).is_err() {
        fs::DirBuilder::new().recursive(true).mode(mode).create(dir)?;
        if let Some(gid) = group {
            std::os::unix::fs::chown(dir, None, Some(gid))?;
        }
    }
    directory_is_ours(dir, group)
}

/// Whether a socket may lie in a directory that is there: ours, no link, written by nobody else. `group` may reach the socket, where
/// one is configured.
pub fn directory_is_ours(dir: &Path, group: Option<u32>) -> io::Result<()> {
    let mode = if group.is_some() { 0o750 } else { 0o700 };
    let meta = fs::symlink_metadata(dir)?;
    let refuse = |what: String| Err(io::Error::other(format!("directory {}: {what}", dir.display())));
    if !meta.is_dir() {
        return refuse("is no directory itself".into());
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return refuse(format!("belongs to user {}, not to us", meta.uid()));
    }
    let open = meta.mode() & 0o7777;
    // Who may only enter meets the socket's own mode; who may write could put another in its place.
    if open & 0o022 != 0 || group.is_some_and(|gid| open & 0o070 != 0 && meta.gid() != gid) {
        return refuse(format!("mode {open:04o} lets others write: chmod {mode:04o}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_mode(dir: &Path, mode: u32) -> String {
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        prepare(dir, None).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_directory_that_others_may_write_or_that_is_a_link_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("own");
        prepare(&dir, None).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        assert_eq!(with_mode(&dir, 0o700), "");
        assert_eq!(with_mode(&dir, 0o500), "");
        assert_eq!(with_mode(&dir, 0o755), "");
        for mode in [0o720, 0o702, 0o777, 0o1777] {
            assert!(with_mode(&dir, mode).contains("lets others write"), "{mode:o}");
        }
        let link = home.path().join("link");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        assert!(prepare(&link, None).unwrap_err().to_string().contains("no directory itself"));
    }

    #[test]
    fn a_group_that_is_configured_may_enter_and_no_other() {
        let home = tempfile::tempdir().unwrap();
        let gid = fs::metadata(home.path()).unwrap().gid();
        let dir = home.path().join("shared");
        prepare(&dir, Some(gid)).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o750);
        assert!(prepare(&dir, Some(gid + 1)).is_err(), "of another group");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(prepare(&dir, Some(gid)).is_err(), "the group could replace the socket");
    }
}
