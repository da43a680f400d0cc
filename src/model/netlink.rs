//! Names of the netlink families.

use std::borrow::Cow;

/// `NETLINK_*` (`include/uapi/linux/netlink.h`) in lower case; the number where it has no name.
pub fn netlink_family_name(code: u32) -> Cow<'static, str> {
    Cow::Borrowed(match code {
        0 => "route",
        2 => "usersock",
        3 => "firewall",
        4 => "sock_diag",
        5 => "nflog",
        6 => "xfrm",
        7 => "selinux",
        8 => "iscsi",
        9 => "audit",
        10 => "fib_lookup",
        11 => "connector",
        12 => "netfilter",
        13 => "ip6_fw",
        14 => "dnrtmsg",
        15 => "kobject_uevent",
        16 => "generic",
        18 => "scsitransport",
        19 => "ecryptfs",
        20 => "rdma",
        21 => "crypto",
        22 => "smc",
        other => return Cow::Owned(other.to_string()),
    })
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
