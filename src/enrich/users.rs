//! Names of users.

/// Looks up users in the system's name service; without the feature `cli`, only in `/etc/passwd`.
#[cfg(feature = "cli")]
mod asked {
    pub(in crate::enrich) fn uid_of(name: &str) -> Option<u32> {
        // The C function takes no NUL.
        let name = Some(name).filter(|name| !name.contains('\0'))?;
        uzers::get_user_by_name(name).map(|user| user.uid())
    }

    pub(super) fn name_of(uid: u32) -> Option<String> {
        Some(uzers::get_user_by_uid(uid)?.name().to_str()?.to_owned())
    }
}

#[cfg(not(feature = "cli"))]
mod asked {
    /// Reads the first line of `/etc/passwd` with this text in this field.
    fn find<T>(place: usize, text: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let file = std::fs::read_to_string("/etc/passwd").ok()?;
        let mut lines = file.lines();
        let line = lines.find(|line| line.split(':').nth(place) == Some(text))?;
        read(line)
    }

    pub(in crate::enrich) fn uid_of(name: &str) -> Option<u32> {
        find(0, name, |line| line.split(':').nth(2)?.parse().ok())
    }

    pub(super) fn name_of(uid: u32) -> Option<String> {
        let name = |line: &str| line.split(':').next().map(str::to_owned);
        find(2, &uid.to_string(), name)
    }
}

pub(super) use asked::uid_of;

/// The name of a user; a numeric one would be confused with a uid, and is skipped.
pub(super) fn name_of(uid: u32) -> Option<Box<str>> {
    let name = asked::name_of(uid)?;
    (!name.chars().all(char::is_numeric)).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::{name_of, uid_of};

    #[test]
    fn root_has_a_name_and_others_have_none() {
        assert_eq!(name_of(0).as_deref(), Some("root"));
        // Hardly anybody's.
        assert_eq!(name_of(4_000_000_123), None);
    }

    #[test]
    fn names_have_their_uids() {
        assert_eq!(uid_of("root"), Some(0));
        assert_eq!(uid_of("no such user"), None);
        assert_eq!(uid_of("root\0x"), None);
    }
}
