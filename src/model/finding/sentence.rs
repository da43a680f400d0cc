//! Texts of findings: fills in the templates of `sentences.txt`.

use std::collections::BTreeSet;

use super::group::{Found, Group, GroupKey, Holder, names, names_of, places_of};
use super::kind::FindingKind;
use super::limits::Limits;
use super::measure::{
    drops, handshakes_dropped, holders_of, overflows, places, queue_in_use, unread, unsent,
};
use crate::text::{bytes, counted};

const SENTENCES: &str = include_str!("sentences.txt");

impl FindingKind {
    /// The text (fact, cause and remedy), and its first sentence.
    pub fn text(&self, group: &Group<'_>, limits: &dyn Limits) -> (String, String) {
        let of = variant(group);
        let mut sentences = self.sentences();
        let template = sentences.find(|(variant, _)| *variant == of);
        let template = template.or_else(|| self.sentences().next());
        let template = template.map_or("", |(_, sentence)| sentence);
        let filled = |template: &str| -> String {
            let parts = template.split(['{', '}']).enumerate();
            let parts = parts.map(|(place, part)| match place % 2 {
                0 => part.to_owned(),
                _ => told(part, group, limits).unwrap_or_default(),
            });
            parts.collect()
        };
        // Names may have dots and blanks, too.
        let fact = template.split_inclusive(". ").next().unwrap_or_default();
        (filled(template), filled(fact.trim_end()))
    }

    /// The templates, each with its variant; the usual one first.
    fn sentences(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let lines = SENTENCES.lines().filter_map(|line| line.split_once(": "));
        lines.filter_map(|(of, sentence)| {
            let (name, variant) = of.split_once(' ').unwrap_or((of, ""));
            (name == self.name).then_some((variant, sentence))
        })
    }
}

/// The variant of the template for a group, if there are several.
fn variant(group: &Group<'_>) -> &'static str {
    match (&group.key, group.ports.is_udp) {
        (GroupKey::Unaccepted(_), _) => "unaccepted",
        (GroupKey::Route(..), _) => "route",
        (GroupKey::Address(ip, _), false) if !ip.is_unspecified() => "tcp-address",
        (GroupKey::Address(ip, _), true) if !ip.is_unspecified() => "udp-address",
        (GroupKey::Address(..) | GroupKey::EveryIpv4 | GroupKey::EveryIp, false) => "tcp",
        (GroupKey::Address(..) | GroupKey::EveryIpv4 | GroupKey::EveryIp, true) => "udp",
        _ => "",
    }
}

/// The value of a placeholder; `None` = nothing.
fn told(word: &str, group: &Group<'_>, limits: &dyn Limits) -> Option<String> {
    if let Some(one) = word.strip_prefix("count ") {
        return Some(counted(group.count, one));
    }
    let counter = |name| limits.counter("netstat", "TcpExt", name);
    let limit = |key: &str| limits.number(&format!("{key}/{word}"));
    // ` (somaxconn is 4096)`; empty if not reported.
    let limit_is = |key| limit(key).map_or_else(String::new, |most| format!(" ({word} is {most})"));
    let number = |number: u64| number.to_string();
    Some(match word {
        "who" => group.who(),
        "number" => number(group.count),
        "is" => if group.count == 1 { "is" } else { "are" }.to_owned(),
        "places" => places_of(&group.sockets),
        "holders" => names(&group.sockets),
        "programs" => names(&group.related),
        "listeners" => listeners(group),
        "unread" => number(group.sum(unread)),
        "unread bytes" => bytes(group.sum(unread)),
        "unsent" => number(group.sum(unsent)),
        "unsent bytes" => bytes(group.sum(unsent)),
        "drops" => number(group.sum(drops)),
        "how full" if group.sum(queue_in_use) < 100 => "nearly full".to_owned(),
        "how full" => "full".to_owned(),
        "dropped handshakes" => dropped(group, limits),
        "ListenOverflows" => number(overflows(limits)),
        "ListenDrops" => number(counter(word).unwrap_or_default()),
        "somaxconn" | "rmem_max" => limit_is("core"),
        "tcp_fin_timeout" => {
            limit("ipv4").map_or_else(String::new, |limit| format!(" ({limit} s)"))
        }
        "tcp_max_orphans" => number(limit("ipv4").unwrap_or_default()),
        "orphans" => number(limits.orphans().unwrap_or_default()),
        "backlogs" => backlogs(group, limits),
        "taken ports" => taken_ports(group, limits),
        "ports" => {
            let sockets = group.sockets.iter();
            let ports = sockets.filter_map(|found| found.socket.local.port);
            let mut ports: Vec<String> = ports.take(3).map(|port| port.to_string()).collect();
            ports.dedup();
            ports.join(", ")
        }
        "in TIME_WAIT" => number(group.ports.time_wait),
        "bound" => number(group.ports.bound),
        "left" => {
            let size = limits.ephemeral().map_or(0, |range| range.size());
            number(size.saturating_sub(group.ports.taken))
        }
        "by" if group.related.is_empty() => String::new(),
        "by" => format!(" by {}", names(&group.related)),
        // A port chosen for a socket without an address is chosen for every address.
        "there" => match &group.key {
            GroupKey::EveryIpv4 => "at 0.0.0.0 or [::]",
            GroupKey::EveryIp => "at [::]",
            GroupKey::Address(ip, _) if ip.is_unspecified() => "at any address",
            _ => "there",
        }
        .to_owned(),
        // `inet_rcv_saddr` of these is an IPv4 address that nobody has.
        "so does" if group.key == GroupKey::EveryIp => {
            "; so does bind at 0.0.0.0, where IPv6 sockets connected without bind".to_owned()
        }
        "so does" => String::new(),
        "who cannot accept" => cannot_accept(group, limits),
        "who else may" => who_else_may(group, limits),
        "who is at loopback" => names(&places(group)[0]),
        "who is everywhere" => names(&places(group)[1]),
        _ => return None,
    })
}

/// `40 of the 40 ports of ip_local_port_range (60000 to 60039)`
fn taken_ports(group: &Group<'_>, limits: &dyn Limits) -> String {
    let Some(range) = limits.ephemeral() else {
        return String::new();
    };
    let reserved = if range.has_reserved() {
        " without ip_local_reserved_ports"
    } else {
        ""
    };
    format!(
        "{} of the {} ports of ip_local_port_range ({} to {}){reserved}",
        group.ports.taken,
        range.size(),
        range.first,
        range.last,
    )
}

fn dropped(group: &Group<'_>, limits: &dyn Limits) -> String {
    let (least, most) = (handshakes_dropped(group, limits), group.sum(drops));
    if least < most {
        format!("{least} to {most} handshakes (TCP_DEFER_ACCEPT drops ACKs, too)")
    } else {
        format!("{most} handshakes")
    }
}

fn backlogs(group: &Group<'_>, limits: &dyn Limits) -> String {
    let listeners = group.related.iter();
    let backlog = listeners.filter_map(|found| found.socket.send_queue).max();
    let backlog = backlog.map(|backlog| format!("the backlog is {backlog}"));
    let most = limits.number("ipv4/tcp_max_syn_backlog");
    let most = most.map(|most| format!("tcp_max_syn_backlog is {most}"));
    let limits: Vec<String> = backlog.into_iter().chain(most).collect();
    limits.join(", ")
}

/// Which processes cannot accept where.
fn cannot_accept(group: &Group<'_>, limits: &dyn Limits) -> String {
    let full = holders_of(group, limits, Some(true));
    let most = |holder: &&Holder| match holder {
        Holder::Process(pid, ..) => limits.most_descriptors(*pid),
        _ => None,
    };
    let most: BTreeSet<u64> = full.iter().filter_map(most).collect();
    let most: Vec<String> = most.iter().map(u64::to_string).collect();
    format!(
        "{} cannot accept: all {} descriptors that RLIMIT_NOFILE allows are open, with {} waiting at {}",
        names_of(&full),
        most.join(" or "),
        counted(group.sum(unread), "connection"),
        places_of(&group.sockets),
    )
}

/// Which others can, in sentences.
fn who_else_may(group: &Group<'_>, limits: &dyn Limits) -> String {
    let others = |at_limit, verb| match holders_of(group, limits, at_limit).as_slice() {
        [] => String::new(),
        others => format!("{} {verb} accept them. ", names_of(others)),
    };
    others(Some(false), "can still") + &others(None, "perhaps can")
}

/// Where connections wait for `accept`, and which program must accept them: `0.0.0.0:80 (nginx[812])`.
fn listeners(group: &Group<'_>) -> String {
    let own = group.sockets.iter().map(|found| found.socket.local.ip);
    let own: BTreeSet<_> = own.collect();
    let takes = |found: &&Found| {
        let ip = found.socket.local.ip;
        ip.is_none_or(|ip| ip.is_unspecified()) || own.contains(&ip)
    };
    let listeners: Vec<&Found> = group.related.iter().copied().filter(takes).collect();
    if listeners.is_empty() {
        return format!("port {}", group.who());
    }
    format!("{} ({})", places_of(&listeners), names(&listeners))
}

#[cfg(test)]
mod tests {
    use super::told;
    use crate::model::finding::{FINDINGS, Group, GroupKey, limits::tests::Everywhere};

    #[test]
    fn every_word_of_a_sentence_is_told() {
        let group = Group::counted(GroupKey::Port(80), [1, 1]);
        for finding in FINDINGS {
            assert!(finding.sentences().next().is_some(), "{}", finding.name);
            for (_, template) in finding.sentences() {
                let words = template.split(['{', '}']).skip(1).step_by(2);
                for word in words {
                    let told = told(word, &group, &Everywhere("1 2"));
                    assert!(told.is_some(), "{}: {word}", finding.name);
                }
                let count = |brace| template.matches(brace).count();
                assert_eq!(count('{'), count('}'), "{}", finding.name);
            }
        }
    }
}
