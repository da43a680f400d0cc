//! Columns of `/proc/net` that netlink does not have.

/// Columns of a line of `net/tcp` or `net/unix`, as they stand there; those the file does not have
/// are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcNetExtras {
    /// `RefCount` of a unix socket: how often the kernel refers to it, its descriptors as one.
    pub references: u32,
    /// `tx_queue` of TCP. A listener has no such queue: what stands there is left of a connection that
    /// the same socket had before.
    pub tx_queue: u32,
    /// `tr` of TCP: the code of the timer that runs; 0 = none.
    pub timer: u8,
    /// `tm->when`: hundredths of a second until it fires.
    pub ticks: u64,
    /// `retrnsmt`: segments sent again without an answer, whatever timer runs.
    pub retransmits: u32,
    /// `timeout`: probes sent without an answer, whatever timer runs.
    pub probes: u32,
}
