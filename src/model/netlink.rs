//! Names of the netlink families.

use std::borrow::Cow;
use std::sync::LazyLock;

/// `NETLINK_*` (`include/uapi/linux/netlink.h`) in lower case; `-` = the number has no name.
static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let names = "route - usersock firewall sock_diag nflog xfrm selinux iscsi audit fib_lookup connector \
        netfilter ip6_fw dnrtmsg kobject_uevent generic - scsitransport ecryptfs rdma crypto smc";
    names.split(' ').collect()
});

/// The name of a netlink family, or its number if it has no name.
pub fn netlink_family_name(code: u32) -> Cow<'static, str> {
    let place = usize::try_from(code).unwrap_or(usize::MAX);
    let known = NAMES.get(place).filter(|name| **name != "-");
    known.map_or_else(|| code.to_string().into(), |name| (*name).into())
}

#[cfg(test)]
mod tests {
    use super::netlink_family_name;
    use std::borrow::Cow;

    #[test]
    fn known_family_is_a_borrowed_name() {
        assert!(matches!(netlink_family_name(0), Cow::Borrowed("route")));
        assert!(matches!(netlink_family_name(22), Cow::Borrowed("smc")));
    }

    #[test]
    fn family_without_a_name_is_its_number() {
        assert_eq!(netlink_family_name(1), "1");
        assert_eq!(netlink_family_name(31), "31");
    }
}
