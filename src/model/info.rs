//! Kernel structures that grow from version to version: `tcp_info` and `mptcp_info`.

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things, codes and bits.
    Count,
    /// Bytes.
    Bytes,
    /// Bytes of which each one counts: a segment, a window.
    Octets,
    /// Bytes per second.
    Rate,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
}

/// One field of a kernel structure.
#[derive(Debug, PartialEq, Eq)]
pub struct InfoField {
    /// Its name, without the structure's prefix.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    offset: usize,
    /// Bytes.
    size: usize,
    /// Its bits: where in the first byte they begin, how many.
    shift: u32,
    bits: u32,
    /// The names of its bits, the lowest first; none where it is no set of flags.
    pub flags: &'static [&'static str],
    /// True if the kernel tells it of a listener too; every other field is 0 there, and says nothing.
    of_listener: bool,
    /// The number that stands for none: no limit, or nothing measured yet.
    none: Option<u64>,
    /// The count of what the field is about: while it is 0, the field says nothing.
    count: Option<&'static InfoField>,
}

impl InfoField {
    /// Told of listeners too.
    const fn of_listener(self) -> Self {
        Self {
            of_listener: true,
            ..self
        }
    }

    const fn none_is(self, number: u64) -> Self {
        let none = Some(number);
        Self { none, ..self }
    }

    const fn counted_by(self, count: &'static InfoField) -> Self {
        let count = Some(count);
        Self { count, ..self }
    }
}

/// `TCPI_OPT_*` (`include/uapi/linux/tcp.h`), with the short names of `ss`.
const OPTIONS: &[&str] = &[
    "ts",
    "sack",
    "wscale",
    "ecn",
    "ecn_seen",
    "syn_data",
    "usec_ts",
    "tfo_child",
];

/// `MPTCP_INFO_FLAG_*` (`include/uapi/linux/mptcp.h`).
const MPTCP_FLAGS: &[&str] = &["fallback", "remote_key_received"];

const fn flags(
    name: &'static str,
    offset: usize,
    size: usize,
    flags: &'static [&'static str],
) -> InfoField {
    InfoField {
        flags,
        ..field(name, offset, size, Unit::Count)
    }
}

const fn field(name: &'static str, offset: usize, size: usize, unit: Unit) -> InfoField {
    InfoField {
        name,
        unit,
        offset,
        size,
        shift: 0,
        bits: match size {
            1 => 8,
            2 => 16,
            4 => 32,
            _ => 64,
        },
        flags: &[],
        none: None,
        count: None,
        of_listener: false,
    }
}

const fn bits(name: &'static str, offset: usize, shift: u32, bits: u32) -> InfoField {
    InfoField {
        shift,
        bits,
        ..field(name, offset, 1, Unit::Count)
    }
}

const RTT: InfoField = field("rtt", 68, 4, Unit::Micros).none_is(0);
const SEGS_OUT: InfoField = field("segs_out", 136, 4, Unit::Count);
const SEGS_IN: InfoField = field("segs_in", 140, 4, Unit::Count);
const DATA_SEGS_IN: InfoField = field("data_segs_in", 152, 4, Unit::Count);
const DATA_SEGS_OUT: InfoField = field("data_segs_out", 156, 4, Unit::Count);
const MPTCP_BYTES_SENT: InfoField = field("bytes_sent", 56, 8, Unit::Bytes);
const MPTCP_BYTES_RECEIVED: InfoField = field("bytes_received", 64, 8, Unit::Bytes);

/// `TCP_INFINITE_SSTHRESH` (`include/net/tcp.h`).
const NO_SSTHRESH: u64 = 0x7fff_ffff;
/// `min_rtt` before the first measurement.
const NO_RTT: u64 = 0xffff_ffff;
/// Of every rate: no limit.
const NO_RATE: u64 = u64::MAX;

/// `struct tcp_info` (`include/uapi/linux/tcp.h`), without the prefix `tcpi_`.
///
/// The word at 276 has two layouts of one length in Linux 6.18 and 7.x: it is left out.
pub const TCP_INFO: &[InfoField] = &[
    field("state", 0, 1, Unit::Count).of_listener(),
    field("ca_state", 1, 1, Unit::Count),
    field("retransmits", 2, 1, Unit::Count),
    field("probes", 3, 1, Unit::Count),
    field("backoff", 4, 1, Unit::Count),
    flags("options", 5, 1, OPTIONS),
    bits("snd_wscale", 6, 0, 4),
    bits("rcv_wscale", 6, 4, 4),
    bits("delivery_rate_app_limited", 7, 0, 1),
    bits("fastopen_client_fail", 7, 1, 2),
    field("rto", 8, 4, Unit::Micros),
    field("ato", 12, 4, Unit::Micros),
    field("snd_mss", 16, 4, Unit::Octets),
    field("rcv_mss", 20, 4, Unit::Octets),
    field("unacked", 24, 4, Unit::Count).of_listener(),
    field("sacked", 28, 4, Unit::Count).of_listener(),
    field("lost", 32, 4, Unit::Count),
    field("retrans", 36, 4, Unit::Count),
    field("fackets", 40, 4, Unit::Count),
    field("last_data_sent", 44, 4, Unit::Millis).counted_by(&DATA_SEGS_OUT),
    // No kernel remembers it.
    field("last_ack_sent", 48, 4, Unit::Millis).none_is(0),
    field("last_data_recv", 52, 4, Unit::Millis).counted_by(&DATA_SEGS_IN),
    field("last_ack_recv", 56, 4, Unit::Millis).counted_by(&SEGS_IN),
    field("pmtu", 60, 4, Unit::Octets),
    field("rcv_ssthresh", 64, 4, Unit::Octets),
    RTT,
    field("rttvar", 72, 4, Unit::Micros).counted_by(&RTT),
    field("snd_ssthresh", 76, 4, Unit::Count).none_is(NO_SSTHRESH),
    field("snd_cwnd", 80, 4, Unit::Count).of_listener(),
    field("advmss", 84, 4, Unit::Octets),
    field("reordering", 88, 4, Unit::Count).of_listener(),
    field("rcv_rtt", 92, 4, Unit::Micros).none_is(0),
    field("rcv_space", 96, 4, Unit::Octets),
    field("total_retrans", 100, 4, Unit::Count),
    field("pacing_rate", 104, 8, Unit::Rate).of_listener(),
    field("max_pacing_rate", 112, 8, Unit::Rate).of_listener(),
    field("bytes_acked", 120, 8, Unit::Bytes),
    field("bytes_received", 128, 8, Unit::Bytes),
    SEGS_OUT,
    SEGS_IN,
    // Before the first SYN the difference of two unset sequence numbers.
    field("notsent_bytes", 144, 4, Unit::Octets).counted_by(&SEGS_OUT),
    field("min_rtt", 148, 4, Unit::Micros).none_is(NO_RTT),
    DATA_SEGS_IN,
    DATA_SEGS_OUT,
    field("delivery_rate", 160, 8, Unit::Rate).none_is(0),
    field("busy_time", 168, 8, Unit::Micros),
    field("rwnd_limited", 176, 8, Unit::Micros),
    field("sndbuf_limited", 184, 8, Unit::Micros),
    field("delivered", 192, 4, Unit::Count),
    field("delivered_ce", 196, 4, Unit::Count),
    field("bytes_sent", 200, 8, Unit::Bytes),
    field("bytes_retrans", 208, 8, Unit::Bytes),
    field("dsack_dups", 216, 4, Unit::Count),
    field("reord_seen", 220, 4, Unit::Count),
    field("rcv_ooopack", 224, 4, Unit::Count),
    field("snd_wnd", 228, 4, Unit::Octets),
    field("rcv_wnd", 232, 4, Unit::Octets),
    field("rehash", 236, 4, Unit::Count),
    field("total_rto", 240, 2, Unit::Count),
    field("total_rto_recoveries", 242, 2, Unit::Count),
    field("total_rto_time", 244, 4, Unit::Millis),
    field("received_ce", 248, 4, Unit::Count),
    field("delivered_e1_bytes", 252, 4, Unit::Bytes),
    field("delivered_e0_bytes", 256, 4, Unit::Bytes),
    field("delivered_ce_bytes", 260, 4, Unit::Bytes),
    field("received_e1_bytes", 264, 4, Unit::Bytes),
    field("received_e0_bytes", 268, 4, Unit::Bytes),
    field("received_ce_bytes", 272, 4, Unit::Bytes),
];

/// `struct mptcp_info` (`include/uapi/linux/mptcp.h`), without the prefix `mptcpi_`.
pub const MPTCP_INFO: &[InfoField] = &[
    field("subflows", 0, 1, Unit::Count),
    field("add_addr_signal", 1, 1, Unit::Count),
    field("add_addr_accepted", 2, 1, Unit::Count),
    field("subflows_max", 3, 1, Unit::Count),
    field("add_addr_signal_max", 4, 1, Unit::Count),
    field("add_addr_accepted_max", 5, 1, Unit::Count),
    flags("flags", 8, 4, MPTCP_FLAGS),
    field("token", 12, 4, Unit::Count),
    field("write_seq", 16, 8, Unit::Count),
    field("snd_una", 24, 8, Unit::Count),
    field("rcv_nxt", 32, 8, Unit::Count),
    field("local_addr_used", 40, 1, Unit::Count),
    field("local_addr_max", 41, 1, Unit::Count),
    field("csum_enabled", 42, 1, Unit::Count),
    field("retransmits", 44, 4, Unit::Count),
    field("bytes_retrans", 48, 8, Unit::Bytes),
    MPTCP_BYTES_SENT,
    MPTCP_BYTES_RECEIVED,
    field("bytes_acked", 72, 8, Unit::Bytes),
    field("subflows_total", 80, 1, Unit::Count),
    field("endp_laminar_max", 81, 1, Unit::Count),
    field("last_data_sent", 84, 4, Unit::Millis).counted_by(&MPTCP_BYTES_SENT),
    field("last_data_recv", 88, 4, Unit::Millis).counted_by(&MPTCP_BYTES_RECEIVED),
    field("last_ack_recv", 92, 4, Unit::Millis),
];

/// `TCP_LISTEN` (`include/net/tcp_states.h`).
const TCP_LISTEN: u8 = 10;

/// Bytes of the longest structure that is decoded; eight from the begin of its last field on.
const MAX_LEN: usize = 280;

/// Such a structure as one kernel sent it. A field beyond its end is absent, not zero; bytes beyond
/// the fields known here are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Every field known here, sent or not.
    pub fields: &'static [InfoField],
    bytes: [u8; MAX_LEN],
    len: usize,
    is_listener: bool,
}

impl Info {
    /// Keeps the bytes of a `tcp_info`.
    pub fn tcp(payload: &[u8]) -> Self {
        Self {
            is_listener: payload.first() == Some(&TCP_LISTEN),
            ..Self::new(TCP_INFO, payload)
        }
    }

    /// Keeps the bytes of an `mptcp_info`.
    pub fn mptcp(payload: &[u8]) -> Self {
        Self::new(MPTCP_INFO, payload)
    }

    fn new(fields: &'static [InfoField], payload: &[u8]) -> Self {
        let mut bytes = [0; MAX_LEN];
        let len = payload.len().min(MAX_LEN);
        for (slot, byte) in bytes.iter_mut().zip(payload) {
            *slot = *byte;
        }
        Self {
            fields,
            bytes,
            len,
            is_listener: false,
        }
    }

    /// The value of a field; `None` when this kernel did not send it, or it means that there is none.
    pub fn get(&self, field: &InfoField) -> Option<u64> {
        if self.lacks(field) {
            return None;
        }
        let value = self.number(field)?;
        let is_none = field.none == Some(value)
            || field.unit == Unit::Rate && value == NO_RATE
            || field
                .count
                .is_some_and(|count| self.number(count) == Some(0));
        (!is_none).then_some(value)
    }

    /// The number in a field.
    fn number(&self, field: &InfoField) -> Option<u64> {
        if !self.was_sent(field) {
            return None;
        }
        let word = u64::from_ne_bytes(*self.bytes.get(field.offset..)?.first_chunk()?);
        // C compilers fill bit fields from the low end on little-endian machines.
        let shift = if cfg!(target_endian = "little") {
            field.shift
        } else {
            u64::BITS - field.shift - field.bits
        };
        Some(word >> shift & u64::MAX >> (u64::BITS - field.bits))
    }

    /// True if this kernel sent the field, whatever it says.
    pub const fn was_sent(&self, field: &InfoField) -> bool {
        field.offset + field.size <= self.len
    }

    /// True if a socket of this kind has no such field.
    pub const fn lacks(&self, field: &InfoField) -> bool {
        self.is_listener && !field.of_listener
    }

    /// Every field known here, with its value where the kernel sent one.
    pub fn values(&self) -> impl Iterator<Item = (&'static InfoField, Option<u64>)> + '_ {
        self.fields.iter().map(|field| (field, self.get(field)))
    }

    /// The value of the field with this name.
    pub fn value(&self, name: &str) -> Option<u64> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        self.get(field)
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::indexing_slicing,
        reason = "a test stops at the first surprise"
    )]

    use super::{Info, MPTCP_INFO, TCP_INFO};

    fn counting() -> Vec<u8> {
        (0..=255).cycle().take(400).collect()
    }

    #[test]
    fn fields_stand_at_the_offsets_of_the_header() {
        let info = Info::tcp(&counting());
        assert_eq!(info.value("snd_wscale"), Some(6));
        assert_eq!(info.value("rcv_wscale"), Some(0));
        assert_eq!(info.value("delivery_rate_app_limited"), Some(1));
        assert_eq!(info.value("fastopen_client_fail"), Some(3));
        assert_eq!(
            info.value("rtt"),
            Some(u64::from(u32::from_ne_bytes([68, 69, 70, 71])))
        );
        assert_eq!(
            info.value("total_rto_recoveries"),
            Some(u64::from(u16::from_ne_bytes([242, 243])))
        );
        let rate = u64::from_ne_bytes([160, 161, 162, 163, 164, 165, 166, 167]);
        assert_eq!(info.value("delivery_rate"), Some(rate));
    }

    #[test]
    fn a_field_the_kernel_did_not_send_is_absent() {
        let bytes = counting();
        for fields in [TCP_INFO, MPTCP_INFO] {
            for len in 0..=bytes.len() {
                let info = Info::new(fields, bytes.get(..len).unwrap_or_default());
                for field in fields {
                    let sent = field.offset + field.size <= len;
                    assert_eq!(
                        info.get(field).is_some(),
                        sent,
                        "{} of {len} bytes",
                        field.name
                    );
                }
            }
        }
    }

    #[test]
    fn what_a_listener_cannot_have_is_not_zero() {
        let mut bytes = vec![0; 280];
        bytes[0] = 10;
        let info = Info::tcp(&bytes);
        let told = info.values().filter(|(_, value)| value.is_some());
        let told: Vec<&str> = told.map(|(field, _)| field.name).collect();
        let kernel = "state unacked sacked snd_cwnd reordering pacing_rate max_pacing_rate";
        assert_eq!(told.join(" "), kernel);
        bytes[0] = 1;
        assert_eq!(Info::tcp(&bytes).value("rto"), Some(0));
    }

    #[test]
    fn what_was_never_measured_or_sent_is_none() {
        let mut bytes = vec![0; 280];
        let is = |bytes: &[u8], name: &str| Info::tcp(bytes).value(name);
        for (name, at, counted_at) in [
            ("rtt", 68, 68),
            ("rttvar", 72, 68),
            ("rcv_rtt", 92, 92),
            ("delivery_rate", 160, 160),
            ("notsent_bytes", 144, 136),
        ] {
            bytes[at] = 7;
            bytes[counted_at] = 0;
            assert_eq!(is(&bytes, name), None, "{name}");
            bytes[counted_at] = 1;
            assert!(is(&bytes, name).is_some(), "{name}");
        }
    }

    #[test]
    fn number_that_means_none_is_none() {
        let mut bytes = vec![0; 280];
        let is = |bytes: &[u8], name: &str| Info::tcp(bytes).value(name);
        for (name, at, len) in [
            ("pacing_rate", 104, 8),
            ("max_pacing_rate", 112, 8),
            ("min_rtt", 148, 4),
        ] {
            assert_eq!(is(&bytes, name), Some(0));
            bytes[at..at + len].fill(0xff);
            assert_eq!(is(&bytes, name), None, "{name}");
            bytes[at] = 0xfe;
            assert!(is(&bytes, name).is_some(), "{name}");
        }
        bytes[76..80].copy_from_slice(&0x7fff_ffff_u32.to_ne_bytes());
        assert_eq!(is(&bytes, "snd_ssthresh"), None);
    }

    #[test]
    fn time_since_what_never_happened_is_none() {
        let mut bytes = vec![0; 280];
        for (name, count, end) in [
            ("last_data_recv", 152, 156),
            ("last_data_sent", 156, 160),
            ("last_ack_recv", 140, 144),
        ] {
            let value = |bytes: &[u8]| Info::tcp(bytes).value(name);
            assert_eq!(value(&bytes), None, "{name}");
            assert_eq!(value(&bytes[..count]), Some(0), "{name}: not counted");
            bytes[count] = 1;
            assert_eq!(value(&bytes[..end]), Some(0), "{name}");
        }
        let mut bytes = vec![0; 96];
        assert_eq!(Info::mptcp(&bytes).value("last_data_recv"), None);
        bytes[64] = 1;
        assert_eq!(Info::mptcp(&bytes).value("last_data_recv"), Some(0));
    }

    #[test]
    fn fields_do_not_overlap() {
        for fields in [TCP_INFO, MPTCP_INFO] {
            for pair in fields.windows(2) {
                let [a, b] = pair else { continue };
                let same_byte = a.offset == b.offset && a.shift + a.bits <= b.shift;
                assert!(
                    a.offset + a.size <= b.offset || same_byte,
                    "{} {}",
                    a.name,
                    b.name
                );
            }
        }
    }
}
