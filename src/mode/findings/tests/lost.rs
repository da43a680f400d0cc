//! Tests of sockets that processes hold and no table lists.

use super::*;

/// A process that holds sockets with these inodes, all of one protocol. Of the `used` sockets in the
/// namespace, 5 are in tables.
fn leak(count: u64, protocol: &str, used: u64) -> (Vec<Finding>, usize) {
    leak_beside(count, protocol, used, 0)
}

/// Likewise, with `elsewhere` of these sockets in tables of another namespace.
fn leak_beside(count: u64, protocol: &str, used: u64, elsewhere: u64) -> (Vec<Finding>, usize) {
    let inodes: Vec<u64> = (1_000..1_000 + count).collect();
    let mut kernel = FakeKernel::default();
    let mut file = |name: &str, text: String| kernel.files.insert(name.to_owned(), text);
    file(
        "thread-self/net/sockstat",
        format!("sockets: used {used}\nTCP: inuse 5\n"),
    );
    let protocols = "protocol  size sockets memory\nTCP 2560 5 4\nUNIX 1024 -1 -1\n";
    file("thread-self/net/protocols", protocols.to_owned());
    file("900/comm", "le ak\n".to_owned());
    kernel.protocols = inodes
        .iter()
        .map(|inode| (*inode, protocol.to_owned()))
        .collect();
    let others = (1_000..1_000 + count)
        .rev()
        .take(elsewhere.try_into().unwrap());
    kernel.elsewhere = others.map(|inode| (inode, 4_026_532_215)).collect();
    // One of them is in a table.
    let listed = with(tcp(State::Established), |s| s.inode = Some(1_000));
    let (findings, [visits, _]) = search_among(&[listed], &kernel, |root| {
        process(root, 900, "leak", &inodes);
    });
    (findings, visits)
}

#[test]
fn sockets_in_no_table_are_counted_by_process() {
    assert_eq!(leak(20, "TCP", 25), (vec![], 2), "19");
    let (findings, visits) = leak(21, "TCP", 26);
    assert_eq!((findings.len(), visits), (1, 2), "{findings:?}");
    assert_eq!((findings[0].severity, findings[0].count), (WARNING, 20));
    assert_eq!(findings[0].sockets, "pid = 900");
    let told = "le ak[900] holds 20 TCP sockets that are in no table: never bound, reset by the peer, or closed";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
    assert_eq!(leak(1_001, "TCPv6", 1_100).0[0].severity, CRITICAL);
    // Sockets of other protocols, and of other network namespaces, which the kernel does not count here.
    assert_eq!(leak(2_000, "ALG", 2_005), (vec![], 2));
    assert_eq!(leak(2_000, "TCP", 24), (vec![], 0));
    assert_eq!(leak_beside(40, "TCP", 45, 20), (vec![], 2));
    assert_eq!(leak_beside(40, "TCP", 45, 19).0[0].count, 20);
}

/// The number of possibly lost TCP sockets of a process that cannot be read. The namespace has `used`
/// sockets, 5 of TCP in tables; the machine has `alloc` of TCP. Another process has 30 UDP sockets in no
/// table; these are listed.
fn may_be_lost([used, alloc]: [u64; 2], tables: Option<Family>, listed: &[Socket]) -> u64 {
    let mut kernel = FakeKernel::default();
    let mut file = |name: &str, text: String| kernel.files.insert(name.to_owned(), text);
    let text = format!("sockets: used {used}\nTCP: inuse 5 orphan 0 tw 0 alloc {alloc} mem 3\n");
    file("thread-self/net/sockstat", text);
    let protocols = "protocol  size sockets memory\nTCPv6 2560 2 4\nUDP 900 7 4\nTCP 2560 3 4\n";
    file("thread-self/net/protocols", protocols.to_owned());
    let inodes: Vec<u64> = (1_000..1_030).collect();
    let udp = inodes.iter().map(|inode| (*inode, "UDP".to_owned()));
    kernel.protocols = udp.collect();
    let (findings, _) = look_among(listed, &kernel, tables, |root| {
        process(root, 900, "resolver", &inodes);
        process(root, 901, "secret", &[]);
        fs::write(root.join("901/stat"), "901 (secret) S 1 901 901 0 -1 0 0\n").unwrap();
        fs::remove_dir(root.join("901/fd")).unwrap();
        symlink("fd", root.join("901/fd")).unwrap();
    });
    assert_eq!(findings.found, []);
    let untold = findings.not_checked.iter();
    let untold = untold.filter(|one| one.kind == "in_no_table");
    untold.map(|one| one.sockets).sum()
}

#[test]
fn sockets_that_are_of_others_or_listed_are_none_that_unreadable_processes_lost() {
    // 12 are in tables, 30 of UDP are known.
    assert_eq!(may_be_lost([62, 25], None, &[]), 20);
    assert_eq!(may_be_lost([61, 25], None, &[]), 0, "19 of any protocol");
    assert_eq!(may_be_lost([99, 25], None, &[]), 20, "20 of TCP");
    assert_eq!(may_be_lost([99, 24], None, &[]), 0, "19 of TCP");
    // Bound sockets are in no kernel table, but listed.
    let bound = vec![tcp(State::Bound); 20];
    assert_eq!(may_be_lost([99, 44], None, &bound), 0);
    assert_eq!(may_be_lost([99, 45], None, &bound), 20);
    assert_eq!(may_be_lost([99, 44], Some(Family::Inet6), &bound), 0);
    assert_eq!(may_be_lost([99, 45], Some(Family::Inet6), &bound), 20);
}
