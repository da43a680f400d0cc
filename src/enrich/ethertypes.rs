//! Names of `EtherTypes`, for packet sockets.

/// Numbers and names, by number (`ETH_P_*`, `include/uapi/linux/if_ether.h`).
#[rustfmt::skip]
const NAMES: &[(u16, &str)] = &[
    (0x0001, "802.3"), (0x0002, "ax25"), (0x0003, "all"), (0x0004, "802.2"), (0x0005, "snap"),
    (0x000C, "can"), (0x000D, "canfd"), (0x000E, "canxl"), (0x0011, "tr_802.2"),
    (0x0016, "control"), (0x0019, "hdlc"), (0x001B, "dsa"), (0x0060, "loop"), (0x00F5, "phonet"),
    (0x00F6, "ieee802154"), (0x00F9, "map"), (0x00FA, "mctp"), (0x0800, "ip"), (0x0805, "x25"),
    (0x0806, "arp"), (0x22EB, "erspan2"), (0x22F0, "tsn"), (0x4305, "batman"), (0x6558, "teb"),
    (0x8035, "rarp"), (0x809B, "atalk"), (0x80F3, "aarp"), (0x8100, "802.1q"), (0x8137, "ipx"),
    (0x86DD, "ipv6"), (0x8808, "pause"), (0x8809, "slow"), (0x883E, "wccp"), (0x8847, "mpls"),
    (0x8848, "mpls_mc"), (0x8863, "pppoe_disc"), (0x8864, "pppoe_sess"), (0x886C, "link_ctl"),
    (0x888E, "eapol"), (0x8892, "profinet"), (0x8899, "realtek"), (0x88A2, "aoe"),
    (0x88A4, "ethercat"), (0x88A8, "802.1ad"), (0x88BE, "erspan"), (0x88C7, "preauth"),
    (0x88CA, "tipc"), (0x88CC, "lldp"), (0x88E3, "mrp"), (0x88E5, "macsec"), (0x88E7, "802.1ah"),
    (0x88F5, "mvrp"), (0x88F7, "1588"), (0x88F8, "ncsi"), (0x88FB, "prp"), (0x8902, "cfm"),
    (0x8906, "fcoe"), (0x890D, "tdls"), (0x8914, "fip"), (0x8915, "iboe"), (0x8917, "802.21"),
    (0x892F, "hsr"), (0x894F, "nsh"), (0x9000, "loopback"), (0x9100, "qinq"), (0xED3E, "ife"),
];

pub(super) fn name(number: u32) -> Option<&'static str> {
    let number = u16::try_from(number).ok()?;
    let at = NAMES.binary_search_by_key(&number, |entry| entry.0).ok()?;
    NAMES.get(at).map(|entry| entry.1)
}

/// The `EtherType` with this name, ignoring case.
pub(super) fn number(name: &str) -> Option<u16> {
    let found = NAMES
        .iter()
        .find(|entry| entry.1.eq_ignore_ascii_case(name));
    found.map(|entry| entry.0)
}

#[cfg(test)]
mod tests {
    use super::{NAMES, name, number};

    #[test]
    fn numbers_ascend_and_names_are_different() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        let names: std::collections::HashSet<_> = NAMES.iter().map(|entry| entry.1).collect();
        assert_eq!(names.len(), NAMES.len());
    }

    #[test]
    fn known_types_have_names_and_others_none() {
        assert_eq!(name(3), Some("all"));
        assert_eq!(name(0x888E), Some("eapol"));
        assert_eq!(name(0), None);
        assert_eq!(name(0x1_0003), None);
    }

    #[test]
    fn every_name_has_its_number() {
        for (known, name) in NAMES {
            assert_eq!(number(&name.to_uppercase()), Some(*known));
        }
        assert_eq!(number(""), None);
    }
}
