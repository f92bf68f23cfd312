//! Roles: each may do what the one before it may.

use std::fmt;
use std::str::FromStr;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    View,
    /// Stop, pause, go on, flatten; connect and disconnect venues; acknowledge alerts.
    Operate,
    /// Take risk on: arm, change limits, reset a loss.
    Risk,
    /// Look after the process: journal, snapshots, logs, the end.
    Admin,
}

impl Role {
    /// All, in their order.
    pub const ALL: [Self; 4] = [Self::View, Self::Operate, Self::Risk, Self::Admin];

    /// As the configuration calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Operate => "operate",
            Self::Risk => "risk",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = Self::ALL.into_iter().find(|role| role.name() == text);
        role.ok_or_else(|| format!("`{text}`: expected view, operate, risk or admin"))
    }
}

/// Who has which role, by the numbers the system knows users and groups by.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    users: Vec<(u32, Role)>,
    groups: Vec<(u32, Role)>,
}

impl Roles {
    /// Only `owner` may do anything, and may do everything.
    pub fn of_owner(owner: u32) -> Self {
        Self { users: vec![(owner, Role::Admin)], groups: Vec::new() }
    }

    /// Gives a user a role. Of several the highest counts.
    pub fn add_user(&mut self, uid: u32, role: Role) {
        self.users.push((uid, role));
    }

    /// Gives everybody in a group a role.
    pub fn add_group(&mut self, gid: u32, role: Role) {
        self.groups.push((gid, role));
    }

    /// The role of a user who is in these groups; none for a stranger.
    pub fn of(&self, uid: u32, gids: &[u32]) -> Option<Role> {
        let own = self.users.iter().filter(|(id, _)| *id == uid).map(|(_, role)| *role);
        let shared = self.groups.iter().filter(|(id, _)| gids.contains(id)).map(|(_, role)| *role);
        own.chain(shared).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_of_user_and_groups_counts_and_strangers_have_none() {
        let mut roles = Roles::of_owner(1_000);
        roles.add_user(7, Role::View);
        roles.add_group(50, Role::Operate);
        roles.add_group(60, Role::Risk);
        assert_eq!(roles.of(1_000, &[]), Some(Role::Admin));
        assert_eq!(roles.of(7, &[]), Some(Role::View));
        assert_eq!(roles.of(7, &[9, 50]), Some(Role::Operate));
        assert_eq!(roles.of(8, &[50, 60]), Some(Role::Risk));
        assert_eq!(roles.of(8, &[1_000, 7]), None, "a group's number is no user's");
        assert_eq!(roles.of(0, &[0]), None, "the system's administrator is a stranger until named");
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().is_err());
    }
}
