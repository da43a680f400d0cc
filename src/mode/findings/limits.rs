//! Limits and counters of the kernel.

use std::fs;
use std::str::FromStr;

use crate::model::Limits;

pub(super) struct Kernel;

impl Limits for Kernel {
    fn numbers(&self, key: &str) -> Option<Vec<u64>> {
        let text = fs::read_to_string(format!("/proc/sys/net/{key}")).ok()?;
        let numbers = text.split_whitespace().map(u64::from_str);
        numbers.collect::<Result<_, _>>().ok()
    }

    /// `TCP: inuse 5 orphan 0 …` of `/proc/net/sockstat`.
    fn orphans(&self) -> Option<u64> {
        let text = fs::read_to_string("/proc/thread-self/net/sockstat").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
        let mut words = line.split_whitespace().skip_while(|word| *word != "orphan");
        words.nth(1)?.parse().ok()
    }

    fn udp_without_room(&self) -> u64 {
        let read = |file: &str| fs::read_to_string(format!("/proc/thread-self/net/{file}"));
        let v4 = read("snmp").map(|text| of_snmp(&text)).unwrap_or_default();
        let v6 = read("snmp6")
            .map(|text| of_snmp6(&text))
            .unwrap_or_default();
        v4.saturating_add(v6)
    }
}

/// A line of names, and one of numbers, for each protocol.
fn of_snmp(text: &str) -> u64 {
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines.chunks_exact(2).filter_map(|pair| match pair {
        [names, numbers] => Some((names, numbers)),
        _ => None,
    });
    let of_udp = pairs.filter(|(names, _)| names.starts_with("Udp"));
    let errors = of_udp.filter_map(|(names, numbers)| {
        let mut both = names.split_whitespace().zip(numbers.split_whitespace());
        let (_, number) = both.find(|(name, _)| *name == "RcvbufErrors")?;
        number.parse::<u64>().ok()
    });
    errors.fold(0, u64::saturating_add)
}

/// A name and a number in each line.
fn of_snmp6(text: &str) -> u64 {
    let errors = text.lines().filter_map(|line| {
        let (name, number) = line.split_once(char::is_whitespace)?;
        let is_ours = matches!(name, "Udp6RcvbufErrors" | "UdpLite6RcvbufErrors");
        number.trim().parse::<u64>().ok().filter(|_| is_ours)
    });
    errors.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::{of_snmp, of_snmp6};

    #[test]
    fn datagrams_without_room_are_those_of_every_udp() {
        let snmp = "Tcp: RcvbufErrors\nTcp: 7\nUdp: InDatagrams RcvbufErrors SndbufErrors\n\
                    Udp: 85 3 1\nUdpLite: InDatagrams RcvbufErrors\nUdpLite: 0 20\n";
        assert_eq!(of_snmp(snmp), 23);
        let snmp6 = "Ip6InReceives 9\nUdp6RcvbufErrors                \t4\nUdpLite6RcvbufErrors 5\n\
                     Udp6SndbufErrors 8\n";
        assert_eq!(of_snmp6(snmp6), 9);
        assert_eq!((of_snmp(""), of_snmp6("")), (0, 0));
    }
}
