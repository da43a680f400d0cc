//! Names of users.

pub(super) fn uid_of(name: &str) -> Option<u32> {
    // The call cannot take a NUL.
    let name = Some(name).filter(|name| !name.contains('\0'))?;
    uzers::get_user_by_name(name).map(|user| user.uid())
}

/// The name of a user, as the system tells it; one of digits would be taken for another user's number.
pub(super) fn name_of(uid: u32) -> Option<Box<str>> {
    let user = uzers::get_user_by_uid(uid)?;
    let name = user.name().to_str()?;
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
