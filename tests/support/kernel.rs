//! Features of the running kernel.

use super::skip;

/// True if Linux has at least this version.
pub fn is_from(version: (u32, u32)) -> bool {
    let system = rustix::system::uname();
    let release = system.release().to_str().unwrap();
    let mut numbers = release
        .split(|sign: char| !sign.is_ascii_digit())
        .map(|number| number.parse::<u32>().unwrap());
    (numbers.next(), numbers.next()) >= (Some(version.0), Some(version.1))
}

/// True if netlink lists TCP sockets in BOUND, which it does since Linux 6.8.
pub fn lists_bound() -> bool {
    is_from((6, 8))
}

/// Likewise; skips the test if false.
pub fn can_list_bound() -> bool {
    let lists = lists_bound();
    if !lists {
        skip("sock_diag lists bound sockets since Linux 6.8");
    }
    lists
}
