//! What is said of ports that the kernel cannot choose.

use super::group::{Group, GroupKey, names};
use super::limits::Limits;

/// Of the destination that most connections go to, of an address, or of all together; and which calls fail.
pub(super) fn ports_are_taken(group: &Group<'_>, limits: &dyn Limits) -> String {
    let Some(range) = limits.ephemeral() else {
        return String::new();
    };
    let (size, ports) = (range.size(), group.ports);
    let reserved = if range.has_reserved() {
        " without ip_local_reserved_ports"
    } else {
        ""
    };
    let by = match names(&group.related) {
        names if names.is_empty() => names,
        names => format!(" by {names}"),
    };
    let taken = format!(
        "{} of the {size} ports of ip_local_port_range ({} to {}){reserved} are taken",
        ports.taken, range.first, range.last,
    );
    let left = size.saturating_sub(ports.taken);
    let sockets = group.number("socket");
    let (who, time_wait, bound) = (group.who(), ports.time_wait, ports.bound);
    let there = match &group.key {
        GroupKey::Route(..) => {
            return format!(
                "{taken} for connections from {who}{by}: {sockets}, {time_wait} in TIME_WAIT; {left} are \
                 left. connect to there fails with EADDRNOTAVAIL where none is left. Keep connections open \
                 and use them again, or widen the range.",
            );
        }
        GroupKey::EveryIpv4 => "at 0.0.0.0 or [::]",
        GroupKey::EveryIp => "at [::]",
        GroupKey::Address(ip, _) if ip.is_unspecified() => "at any address",
        _ => "there",
    };
    // What the kernel has to choose for a socket without an address, it chooses for every address.
    let (unbound, advice) = match (ports.is_udp, there) {
        (true, "there") => ("", "or widen the range"),
        (true, _) => (
            "; connect and send without bind fail with EAGAIN",
            "or widen the range",
        ),
        (false, "there") => (
            "; connect without bind fails with EADDRNOTAVAIL where all were bound first",
            "widen the range, or connect without bind (IP_BIND_ADDRESS_NO_PORT)",
        ),
        (false, _) => (
            ", as does listen without bind; connect without bind fails with EADDRNOTAVAIL where all were \
             bound first",
            "widen the range, or bind to one address",
        ),
    };
    // `inet_rcv_saddr` of such is an IPv4 address that nobody has.
    let ipv4 = match group.key {
        GroupKey::EveryIp => "; so does bind at 0.0.0.0, where IPv6 sockets connected without bind",
        _ => "",
    };
    format!(
        "{taken} {who}{by}: {sockets}, {time_wait} in TIME_WAIT, {bound} bound without a connection; \
         {left} are left. bind to port 0 {there} fails with EADDRINUSE where none is left{unbound}{ipv4}. Close \
         what is not needed, {advice}.",
    )
}
