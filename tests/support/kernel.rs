//! What the kernel that runs can tell.

use super::skip;

/// True if netlink lists TCP sockets in BOUND, which it does since Linux 6.8.
pub fn lists_bound() -> bool {
    let version = rustix::system::uname();
    let release = version.release().to_str().unwrap();
    let mut numbers = release
        .split(|sign: char| !sign.is_ascii_digit())
        .map(|number| number.parse::<u32>().unwrap());
    (numbers.next(), numbers.next()) >= (Some(6), Some(8))
}

/// True if it does; if not, the test is skipped.
pub fn can_list_bound() -> bool {
    let lists = lists_bound();
    if !lists {
        skip("sock_diag lists bound sockets since Linux 6.8");
    }
    lists
}
