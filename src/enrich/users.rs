//! Names of users.

use std::collections::HashMap;

/// The user with this name.
pub fn uid_of(name: &str) -> Option<u32> {
    // The call cannot take a NUL.
    let name = Some(name).filter(|name| !name.contains('\0'))?;
    uzers::get_user_by_name(name).map(|user| user.uid())
}

/// Names of the users that were asked for, those without a name included.
#[derive(Debug)]
pub struct Users {
    wanted: bool,
    names: HashMap<u32, Option<Box<str>>>,
}

impl Users {
    /// Looks names up, or (`wanted` = false) never does.
    pub fn new(wanted: bool) -> Self {
        Self {
            wanted,
            names: HashMap::new(),
        }
    }

    /// Asks the system for the name of a user, once.
    pub fn prepare(&mut self, uid: u32) {
        if self.wanted {
            self.names.entry(uid).or_insert_with(|| {
                let user = uzers::get_user_by_uid(uid)?;
                user.name().to_str().map(Into::into)
            });
        }
    }

    /// The name that [`Users::prepare`] found.
    pub fn name(&self, uid: u32) -> Option<&str> {
        self.names.get(&uid)?.as_deref()
    }

    /// The name, or the number in digits where there is none or none is wanted.
    pub fn name_or_digits(&mut self, uid: u32) -> Box<str> {
        self.prepare(uid);
        match self.name(uid) {
            Some(name) => name.into(),
            None => itoa::Buffer::new().format(uid).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Users, uid_of};

    /// Hardly anybody's.
    const NOBODYS: u32 = 4_000_000_123;

    #[test]
    fn root_has_a_name_and_others_have_digits() {
        let mut users = Users::new(true);
        assert_eq!(&*users.name_or_digits(0), "root");
        assert_eq!(users.name(0), Some("root"));
        assert_eq!(&*users.name_or_digits(NOBODYS), "4000000123");
        assert_eq!(users.name(NOBODYS), None);
        assert_eq!(users.names.len(), 2, "misses are kept");
    }

    #[test]
    fn names_have_their_uids() {
        assert_eq!(uid_of("root"), Some(0));
        assert_eq!(uid_of("no such user"), None);
        assert_eq!(uid_of("root\0x"), None);
    }

    #[test]
    fn nothing_is_looked_up_unless_asked() {
        let mut users = Users::new(false);
        assert_eq!(&*users.name_or_digits(0), "0");
        assert!(users.names.is_empty());
    }
}
