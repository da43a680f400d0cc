//! Lines of `/proc/net` as Linux 6.18 wrote them.

use crate::model::{Family, Protocol, Table};

macro_rules! tables {
    ($($name:ident $protocol:ident $family:ident,)*) => {$(
        pub(super) const $name: Table = Table::new(Protocol::$protocol, Family::$family);
    )*};
}

tables! {
    TABLE_TCP Tcp Inet,
    TABLE_TCP6 Tcp Inet6,
    TABLE_UDP Udp Inet,
    TABLE_UDP6 Udp Inet6,
    TABLE_UDPLITE UdpLite Inet,
    TABLE_UDPLITE6 UdpLite Inet6,
    TABLE_RAW Raw Inet,
    TABLE_RAW6 Raw Inet6,
    TABLE_ICMP Icmp Inet,
    TABLE_ICMP6 Icmp Inet6,
    TABLE_UNIX Unix Unix,
    TABLE_PACKET Packet Packet,
    TABLE_NETLINK Netlink Netlink,
}

/// A line and the table it belongs to.
pub(super) type Sample = (Table, &'static [u8]);

#[rustfmt::skip]
pub(super) const LISTEN: Sample = (TABLE_TCP, b"   0: 0100007F:A319 00000000:0000 0A 00000000:00000001 00:00000000 00000000     0        0 21392 2 000000004e2264b4 100 0 0 10 0                     ");
#[rustfmt::skip]
pub(super) const TIME_WAIT: Sample = (TABLE_TCP, b"   2: 0100007F:A319 0100007F:E67E 06 00000000:00000000 03:00001751 00000000     0        0 0 3 0000000018730eec                                      ");
#[rustfmt::skip]
pub(super) const KEEPALIVE: Sample = (TABLE_TCP, b"   3: 0100007F:E666 0100007F:A319 01 00000000:00000000 02:000AFC61 00000000     0        0 21393 3 000000009bba5bc8 20 0 0 10 -1                     ");
#[rustfmt::skip]
pub(super) const SYN_RCVD: Sample = (TABLE_TCP, b"   5: 0100007F:C8A7 0100007F:DC6C 03 00000000:00000000 01:00000045 00000000     0        0 0 0 00000000e28a439a                                      ");
#[rustfmt::skip]
pub(super) const UNREAD: Sample = (TABLE_TCP, b"   7: 0100007F:D6FC 0100007F:8C09 01 00000000:0001F600 00:00000000 00000000     0        0 21405 2 0000000007710321 20 8 0 10 -1                     ");
#[rustfmt::skip]
pub(super) const PENDING: Sample = (TABLE_TCP, b"  10: 0100007F:A319 0100007F:E688 01 00000000:00000000 00:00000000 00000000     0        0 0 1 00000000a080d6ca 20 0 0 10 -1                         ");
#[rustfmt::skip]
pub(super) const LISTEN6: Sample = (TABLE_TCP6, b"   0: 00000000000000000000000001000000:D249 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21410 2 0000000001121cf4 100 0 0 10 0");
#[rustfmt::skip]
pub(super) const SYN_RCVD6: Sample = (TABLE_TCP6, b"   4: 00000000000000000000000001000000:D249 00000000000000000000000001000000:EAFE 03 00000000:00000000 01:00000044 00000000     0        0 0 0 00000000d1c2fa79");
#[rustfmt::skip]
pub(super) const MAPPED: Sample = (TABLE_TCP6, b"   5: 0000000000000000FFFF00000100007F:8C09 0000000000000000FFFF00000100007F:D6FC 01 0039B600:00000000 04:0000000F 00000000     0        0 21406 2 000000005becc97b 20 0 0 15 -1");
#[rustfmt::skip]
pub(super) const TIME_WAIT6: Sample = (TABLE_TCP6, b"   6: 00000000000000000000000001000000:A8AB 00000000000000000000000001000000:A600 06 00000000:00000000 03:00001750 00000000     0        0 0 3 000000004e048345");
#[rustfmt::skip]
pub(super) const UDP: Sample = (TABLE_UDP, b" 4804: 0100007F:96D5 00000000:0000 07 00000000:00000340 00:00000000 00000000     0        0 21413 2 000000002606dbe8 0         ");
#[rustfmt::skip]
pub(super) const UDP6: Sample = (TABLE_UDP6, b"11164: 00000000000000000000000001000000:AFAD 00000000000000000000000001000000:B1E9 01 00000000:00000000 00:00000000 00000000     0        0 21416 2 000000003820b5c6 0");
#[rustfmt::skip]
pub(super) const UDPLITE: Sample = (TABLE_UDPLITE, b"14022: 0100007F:BAD7 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 21417 2 000000008e11e1dd 0         ");
#[rustfmt::skip]
pub(super) const UDPLITE6: Sample = (TABLE_UDPLITE6, b"15698: 00000000000000000000000001000000:C163 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 21423 2 000000004d7ba727 0");
#[rustfmt::skip]
pub(super) const RAW: Sample = (TABLE_RAW, b" 233: 0100007F:0001 0100007F:0000 01 00000000:00000000 00:00000000 00000000     0        0 21420 2 000000002f4117e4 0");
#[rustfmt::skip]
pub(super) const RAW6: Sample = (TABLE_RAW6, b"   92: 00000000000000000000000001000000:003A 00000000000000000000000001000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 21426 2 00000000f01d2adc 0");
#[rustfmt::skip]
pub(super) const ICMP: Sample = (TABLE_ICMP, b"   60: 0100007F:004D 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 21421 2 000000002a8b455b 0         ");
#[rustfmt::skip]
pub(super) const ICMP6: Sample = (TABLE_ICMP6, b"   60: 00000000000000000000000001000000:004D 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 21427 2 00000000d9ed93a3 0");
#[rustfmt::skip]
pub(super) const UNIX: Sample = (TABLE_UNIX, b"000000008b3667b3: 00000002 00000000 00010000 0001 01 21429 /tmp/pf a b");
#[rustfmt::skip]
pub(super) const UNIX_UNNAMED: Sample = (TABLE_UNIX, b"0000000044db1d1d: 00000003 00000000 00000000 0001 03   442");
#[rustfmt::skip]
pub(super) const UNIX_PENDING: Sample = (TABLE_UNIX, b"000000002067d913: 00000003 00000000 00000000 0001 02     0 /tmp/pf a b");
#[rustfmt::skip]
pub(super) const UNIX_BYTES: Sample = (TABLE_UNIX, b"00000000a07caced: 00000002 00000000 00010000 0001 01 21432 /tmp/pf\xff\xfe");
#[rustfmt::skip]
pub(super) const UNIX_AUTOBIND: Sample = (TABLE_UNIX, b"000000002ae7fbe1: 00000002 00000000 00000000 0001 01 21439 @3b861");
#[rustfmt::skip]
pub(super) const UNIX_SEQPACKET: Sample = (TABLE_UNIX, b"000000004bfba817: 00000002 00000000 00010000 0005 01 21438 @");
#[rustfmt::skip]
pub(super) const PACKET: Sample = (TABLE_PACKET, b"00000000c3a1ca5b 3      2    0800   0     1 64644  0      21448 ");
#[rustfmt::skip]
pub(super) const PACKET_LO: Sample = (TABLE_PACKET, b"0000000016f26412 3      3    0806   1     1 0      0      21449 ");
#[rustfmt::skip]
pub(super) const PACKET_IDLE: Sample = (TABLE_PACKET, b"0000000032cb1321 2      3    0000   0     0 0      0      21450 ");
#[rustfmt::skip]
pub(super) const NETLINK: Sample = (TABLE_NETLINK, b"0000000069f19906 0   3400313592 00000005 0        0        0     2        0        21456   ");
#[rustfmt::skip]
pub(super) const NETLINK_KERNEL: Sample = (TABLE_NETLINK, b"00000000ed70b2a7 4   0          00000000 0        0        0     2        0        21933   ");

/// All samples.
pub(super) const SAMPLES: &[Sample] = &[
    LISTEN,
    TIME_WAIT,
    KEEPALIVE,
    SYN_RCVD,
    UNREAD,
    PENDING,
    LISTEN6,
    SYN_RCVD6,
    MAPPED,
    TIME_WAIT6,
    UDP,
    UDP6,
    UDPLITE,
    UDPLITE6,
    RAW,
    RAW6,
    ICMP,
    ICMP6,
    UNIX,
    UNIX_UNNAMED,
    UNIX_PENDING,
    UNIX_BYTES,
    UNIX_AUTOBIND,
    UNIX_SEQPACKET,
    PACKET,
    PACKET_LO,
    PACKET_IDLE,
    NETLINK,
    NETLINK_KERNEL,
];
