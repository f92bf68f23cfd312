//! Who is at the other end of the socket, and what they may do: the kernel's word, and the configuration's.

use crate::config::ControlSection;
use mio::net::UnixStream;
use smc_operator::{Role, Roles, Seal};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Most groups asked of the kernel.
const GROUPS_MAX: usize = 256;
/// Longest file with a key.
const KEY_FILE_MAX: u64 = 4_096;

/// Who asks: the journal's number for them and what they may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// A user of the system, or the number that a key has.
    pub operator: u32,
    /// What they may do.
    pub role: Role,
}

/// Everybody who is known.
pub struct People {
    roles: Roles,
    relays: Vec<u32>,
    keys: BTreeMap<String, Holder>,
    /// Who may reach the socket besides its owner.
    pub group: Option<u32>,
}

/// Whose key it is.
pub struct Holder {
    /// The key.
    pub seal: Seal,
    /// Who holds it.
    pub who: Who,
}

/// What a connection may begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// As this person.
    Known(Who),
    /// Only with sealed commands.
    Relay,
}

impl People {
    /// Only the user of this process.
    pub fn owner_alone() -> Self {
        let owner = rustix::process::geteuid().as_raw();
        Self { roles: Roles::of_owner(owner), relays: Vec::new(), keys: BTreeMap::new(), group: None }
    }

    /// From the configuration; the error names the key.
    pub fn read(section: &ControlSection) -> Result<Self, String> {
        let mut people = Self::owner_alone();
        let named = |error: String, key: &str| format!("control.{key}: {error}");
        if let Some(name) = &section.group {
            people.group = Some(group(name).map_err(|error| named(error, "group"))?);
        }
        let lists = [&section.view, &section.operate, &section.risk, &section.admin];
        for (role, list) in Role::ALL.into_iter().zip(lists) {
            for name in list {
                match name.strip_prefix('@') {
                    Some(name) => {
                        let gid = group(name).map_err(|error| named(error, role.name()))?;
                        people.roles.add_group(gid, role);
                    }
                    None => {
                        people.roles.add_user(user(name).map_err(|error| named(error, role.name()))?, role)
                    }
                }
            }
        }
        for name in &section.relay {
            people.relays.push(user(name).map_err(|error| named(error, "relay"))?);
        }
        for (name, key) in &section.keys {
            let fail = |error: String| named(error, &format!("keys.{name}"));
            let role = key.role.parse().map_err(fail)?;
            let seal =
                read_key(&key.file).map_err(|error| fail(format!("{}: {error}", key.file.display())))?;
            people.keys.insert(name.clone(), Holder { seal, who: Who { operator: key.operator, role } });
        }
        Ok(people)
    }

    /// Whom the kernel says it is; none for strangers.
    pub fn entry(&self, stream: &UnixStream) -> Option<Entry> {
        let (uid, gids) = peer(stream)?;
        self.admit(uid, &gids)
    }

    fn admit(&self, uid: u32, gids: &[u32]) -> Option<Entry> {
        let known = self.roles.of(uid, gids).map(|role| Entry::Known(Who { operator: uid, role }));
        known.or_else(|| self.relays.contains(&uid).then_some(Entry::Relay))
    }

    /// The holder of the key of this name.
    pub fn holder(&self, key: &str) -> Option<&Holder> {
        self.keys.get(key)
    }
}

fn user(name: &str) -> Result<u32, String> {
    let known = || uzers::get_user_by_name(name).map(|user| user.uid());
    name.parse().ok().or_else(known).ok_or_else(|| format!("there is no user `{name}`"))
}

fn group(name: &str) -> Result<u32, String> {
    let known = || uzers::get_group_by_name(name).map(|group| group.gid());
    name.parse().ok().or_else(known).ok_or_else(|| format!("there is no group `{name}`"))
}

/// Reads a key: hexadecimal in a file that only its owner, who is us, may read.
pub fn read_key(path: &Path) -> Result<Seal, String> {
    let mut file = fs::File::open(path).map_err(|error| error.to_string())?;
    let meta = file.metadata().map_err(|error| error.to_string())?;
    private(&meta)?;
    if meta.len() > KEY_FILE_MAX {
        return Err(format!("{} bytes are no key", meta.len()));
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(|error| error.to_string())?;
    let digits = text.trim();
    let byte = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let key: Option<Vec<u8>> =
        if digits.len().is_multiple_of(2) { (0..digits.len()).step_by(2).map(byte).collect() } else { None };
    let key = Zeroizing::new(key.ok_or("not hexadecimal")?);
    Seal::new(&key).map_err(|error| error.to_string())
}

/// A secret's file must be ours and closed to everybody else.
pub fn private(meta: &fs::Metadata) -> Result<(), String> {
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!("belongs to user {}, not to us", meta.uid()));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(format!("mode {:04o} lets others in: chmod 600", meta.mode() & 0o7777));
    }
    Ok(())
}

/// The kernel's word on who connected: the user, and every group.
fn peer(stream: &UnixStream) -> Option<(u32, Vec<u32>)> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    ask(stream, libc::SO_PEERCRED, std::slice::from_mut(&mut credentials)).ok()?;
    let mut gids = vec![0u32; GROUPS_MAX];
    // A kernel that does not tell the further ones (before 4.13), or more than there is room for: the first alone counts.
    let told = ask(stream, libc::SO_PEERGROUPS, &mut gids).unwrap_or(0);
    gids.truncate(told);
    gids.push(credentials.gid);
    Some((credentials.uid, gids))
}

/// How many of `out` the kernel filled in.
fn ask<T>(stream: &UnixStream, what: libc::c_int, out: &mut [T]) -> io::Result<usize> {
    let mut bytes = size_of_val(out) as libc::socklen_t;
    // SAFETY: the descriptor is open; the pointer is to `bytes` writable bytes, which the kernel fills with plain numbers: both
    // answers that are asked for here (`ucred`, `gid_t`) are, and every bit pattern of them is valid.
    let answer = unsafe {
        libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, what, out.as_mut_ptr().cast(), &raw mut bytes)
    };
    if answer == 0 { Ok(bytes as usize / size_of::<T>()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeySection;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_kernel_names_us_and_nobody_else_is_known() {
        let people = People::owner_alone();
        let (own, _other) = UnixStream::pair().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        assert_eq!(people.entry(&own), Some(Entry::Known(Who { operator: uid, role: Role::Admin })));
        assert_eq!(people.admit(uid + 1, &[uid]), None);
    }

    #[test]
    fn users_groups_relays_and_keys_are_read_or_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("laptop.key");
        std::fs::write(&file, "00112233445566778899aabbccddeeff".repeat(2)).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let key = KeySection { file: file.clone(), role: "operate".into(), operator: 2_001 };
        let section = ControlSection {
            view: vec!["@4000".into()],
            operate: vec!["5001".into()],
            relay: vec!["5002".into()],
            keys: BTreeMap::from([("laptop".into(), key)]),
            ..ControlSection::default()
        };
        let people = People::read(&section).unwrap();
        let known = |operator, role| Some(Entry::Known(Who { operator, role }));
        assert_eq!(people.admit(9, &[1, 4_000]), known(9, Role::View));
        assert_eq!(people.admit(5_001, &[4_000]), known(5_001, Role::Operate));
        assert_eq!(people.admit(5_002, &[]), Some(Entry::Relay));
        assert_eq!(people.admit(5_003, &[5_001]), None);
        let holder = people.holder("laptop").unwrap();
        assert_eq!(holder.who, Who { operator: 2_001, role: Role::Operate });

        let refused = |section: &ControlSection| People::read(section).err().unwrap();
        let nobody = ControlSection { risk: vec!["no such user".into()], ..ControlSection::default() };
        assert!(refused(&nobody).contains("control.risk"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(refused(&section).contains("0640"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "00ff", "zz", &"é".repeat(64), &"0".repeat(63)] {
            std::fs::write(&file, text).unwrap();
            assert!(refused(&section).contains("laptop.key"), "{text}");
        }
    }
}
