//! `[control]`: who may do what at the control socket.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[control]`. Without it only the user who runs the engine gets in, and may do everything.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlSection {
    /// Group whose members may reach the socket at all: its directory is then 0750 and the socket 0660, both of this group.
    /// Without it they are 0700 and 0600.
    pub group: Option<String>,
    /// Who may look: users by name or number, groups as `@name`.
    pub view: Vec<String>,
    /// Who may stop, pause, go on, flatten, connect and disconnect.
    pub operate: Vec<String>,
    /// Who may take risk on too: arm, change limits, reset a loss.
    pub risk: Vec<String>,
    /// Who may do everything.
    pub admin: Vec<String>,
    /// Users who only carry sealed commands of others: relays.
    pub relay: Vec<String>,
    /// Keys of people who come through a relay, by their name.
    pub keys: BTreeMap<String, KeySection>,
}

/// `[control.keys.NAME]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeySection {
    /// The key, at least 32 bytes in one line of hexadecimal; nobody else may read the file.
    pub file: PathBuf,
    /// What its holder may do: `view`, `operate`, `risk` or `admin`.
    pub role: String,
    /// The number the journal knows the holder by.
    pub operator: u32,
}
