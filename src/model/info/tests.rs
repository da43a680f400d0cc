#![expect(
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use super::{Info, Structure};

fn tcp(bytes: &[u8]) -> Info<'_> {
    Info::new(Structure::TcpInfo, bytes)
}

fn counting() -> Vec<u8> {
    (0..=255).cycle().take(400).collect()
}

#[test]
fn fields_stand_at_the_offsets_of_the_header() {
    let bytes = counting();
    let info = tcp(&bytes);
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
fn every_line_is_a_field() {
    for (place, structure) in Structure::ALL.into_iter().enumerate() {
        assert_eq!(structure.place(), place);
    }
    for structure in Structure::ALL {
        let (fields, text) = (structure.fields(), structure.text());
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let names: Vec<_> = fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), lines.clone().count(), "{names:?}");
        let count = |note| text.lines().filter(|line| line.contains(note)).count();
        let counted = fields.iter().filter(|field| field.counter.is_some());
        assert_eq!(counted.count(), count(" counter="), "{names:?}");
        let limited = fields.iter().filter(|field| !field.none.is_empty());
        assert_eq!(limited.count(), count(" none="), "{names:?}");
        let worded = fields.iter().filter(|field| !field.words.is_empty());
        assert_eq!(worded.count(), count(" words="), "{names:?}");
        let usual = fields.iter().filter(|field| field.usual != 0);
        assert_eq!(usual.count(), count(" usual="), "{names:?}");
    }
}

#[test]
fn a_field_the_kernel_did_not_send_is_absent() {
    let bytes = counting();
    for structure in Structure::ALL {
        for len in 0..=bytes.len() {
            let info = Info::new(structure, bytes.get(..len).unwrap_or_default());
            for field in structure.fields() {
                let sent = field.span.offset + field.span.size <= len;
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
    let info = tcp(&bytes);
    let fields = Structure::TcpInfo.fields().iter();
    let told: Vec<&str> = fields
        .filter(|field| info.get(field).is_some())
        .map(|field| field.name)
        .collect();
    let kernel = "state unacked sacked snd_cwnd reordering pacing_rate max_pacing_rate";
    assert_eq!(told.join(" "), kernel);
    bytes[0] = 1;
    assert_eq!(tcp(&bytes).value("rto"), Some(0));
}

#[test]
fn what_was_never_measured_or_sent_is_none() {
    let mut bytes = vec![0; 280];
    let is = |bytes: &[u8], name: &str| tcp(bytes).value(name);
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
fn send_rate_is_a_window_in_each_round_trip() {
    let mut bytes = vec![0; 104];
    let rate = |bytes: &[u8]| tcp(bytes).value("send_rate");
    bytes[16..20].copy_from_slice(&1448_u32.to_ne_bytes());
    bytes[80..84].copy_from_slice(&10_u32.to_ne_bytes());
    assert_eq!(rate(&bytes), None, "nothing was measured");
    bytes[68..72].copy_from_slice(&20_000_u32.to_ne_bytes());
    assert_eq!(rate(&bytes), Some(724_000));
    assert_eq!(rate(&bytes[..80]), None, "the window was not sent");
    for place in [16, 80] {
        bytes[place..place + 4].fill(0xff);
    }
    bytes[68..72].copy_from_slice(&1_u32.to_ne_bytes());
    assert_eq!(rate(&bytes), None, "more than 64 bits");
}

#[test]
fn number_that_means_none_is_none() {
    let mut bytes = vec![0; 280];
    let is = |bytes: &[u8], name: &str| tcp(bytes).value(name);
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
        let value = |bytes: &[u8]| tcp(bytes).value(name);
        assert_eq!(value(&bytes), None, "{name}");
        assert_eq!(value(&bytes[..count]), Some(0), "{name}: not counted");
        bytes[count] = 1;
        assert_eq!(value(&bytes[..end]), Some(0), "{name}");
    }
    let mut bytes = vec![0; 96];
    assert_eq!(
        Info::new(Structure::MptcpInfo, &bytes).value("last_data_recv"),
        None
    );
    bytes[64] = 1;
    assert_eq!(
        Info::new(Structure::MptcpInfo, &bytes).value("last_data_recv"),
        Some(0)
    );
}

#[test]
fn fields_do_not_overlap() {
    for structure in Structure::ALL {
        let fields = structure.fields().iter();
        let fields: Vec<_> = fields.filter(|field| !field.is_computed).collect();
        for pair in fields.windows(2) {
            let [a, b] = pair else { continue };
            let (a, b, names) = (a.span, b.span, [a.name, b.name]);
            let same_byte = a.offset == b.offset && a.shift + a.bits <= b.shift;
            assert!(a.offset + a.size <= b.offset || same_byte, "{names:?}");
        }
    }
}
