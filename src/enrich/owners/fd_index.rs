//! An index of descriptors by inode.

use std::hint::black_box;

use crate::procfs::fd::Descriptor;

/// Sorted descriptors without duplicates, and a hash table of where those of each inode begin: 16 bytes a descriptor,
/// and 8 to 16 a socket.
///
/// A binary search would take longer for all sockets of a large machine than finding their descriptors: nearly every
/// step misses the caches.
#[derive(Debug)]
pub(super) struct FdIndex {
    descriptors: Vec<Descriptor>,
    /// A hash table with open addressing, at most half full: positions in the list, counted from 1; 0 = free. Its
    /// length is a power of two, at least 2.
    places: Vec<u32>,
}

impl FdIndex {
    pub(super) fn new(mut descriptors: Vec<Descriptor>) -> Self {
        descriptors.sort_unstable();
        descriptors.dedup();
        let sockets = descriptors.chunk_by(is_same_socket).count();
        let mut held = Self {
            descriptors,
            places: vec![0; (2 * sockets).next_power_of_two().max(2)],
        };
        let mut place = 1;
        for of_socket in held.descriptors.chunk_by(is_same_socket) {
            let inode = of_socket.first().map_or(0, |first| first.inode);
            let mut free = slots(inode, held.places.len());
            let free = free.find(|slot| held.places.get(*slot) == Some(&0));
            if let Some(slot) = free.and_then(|slot| held.places.get_mut(slot)) {
                *slot = u32::try_from(place).unwrap_or(0);
            }
            place += of_socket.len();
        }
        held
    }

    /// All descriptors, sorted.
    pub(super) fn descriptors(&self) -> &[Descriptor] {
        &self.descriptors
    }

    /// Reads what [`of`](Self::of) will read of each inode. These reads do not wait for each other, so that most of the
    /// time for memory outside the caches is saved.
    pub(super) fn announce(&self, inodes: &[u64]) {
        let place = |inode: &u64| {
            let slot = slots(*inode, self.places.len()).next()?;
            self.places.get(slot).copied()
        };
        black_box(inodes.iter().filter_map(place).fold(0, u32::wrapping_add));
        let held = |inode: &u64| {
            let place = usize::try_from(place(inode)?.checked_sub(1)?).ok()?;
            self.descriptors.get(place).map(|held| held.pid)
        };
        black_box(inodes.iter().filter_map(held).fold(0, u32::wrapping_add));
    }

    /// The descriptors of the socket with this inode, by process and number.
    pub(super) fn of(&self, inode: u64) -> &[Descriptor] {
        for slot in slots(inode, self.places.len()) {
            let place = self.places.get(slot).copied().unwrap_or(0);
            let Some(Ok(place)) = place.checked_sub(1).map(usize::try_from) else {
                break;
            };
            let from = self.descriptors.get(place..).unwrap_or_default();
            if from.first().is_some_and(|held| held.inode == inode) {
                let end = from.iter().position(|held| held.inode != inode);
                return from.get(..end.unwrap_or(from.len())).unwrap_or_default();
            }
        }
        &[]
    }
}

fn is_same_socket(a: &Descriptor, b: &Descriptor) -> bool {
    a.inode == b.inode
}

/// The slots to probe for an inode in a table of this length, a power of two: all, from the one that its hash gives.
/// Consecutive inodes are spread.
fn slots(inode: u64, length: usize) -> impl Iterator<Item = usize> {
    /// 2^64 divided by the golden ratio.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let spread = inode.wrapping_mul(SPREAD) >> (u64::BITS - length.ilog2());
    let start = usize::try_from(spread).unwrap_or(0);
    (start..length).chain(0..start)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::FdIndex;
    use crate::procfs::fd::Descriptor;

    fn held(list: &[(u64, u32, u32)]) -> FdIndex {
        let held = list
            .iter()
            .map(|&(inode, pid, fd)| Descriptor { inode, pid, fd });
        FdIndex::new(held.collect())
    }

    #[test]
    fn nothing_is_held_where_there_is_nothing() {
        assert_eq!(held(&[]).of(5), []);
        assert_eq!(held(&[(5, 1, 1)]).of(0), []);
    }

    #[test]
    fn all_of_a_socket_come_in_order_and_once() {
        let held = held(&[
            (7, 2, 9),
            (5, 1, 1),
            (7, 2, 3),
            (7, 1, 4),
            (7, 2, 9),
            (6, 3, 3),
        ]);
        let of = |inode| {
            let held = held.of(inode).iter();
            held.map(|held| (held.pid, held.fd)).collect::<Vec<_>>()
        };
        assert_eq!(of(7), [(1, 4), (2, 3), (2, 9)]);
        assert_eq!((of(5), of(6)), (vec![(1, 1)], vec![(3, 3)]));
        assert_eq!(of(8), []);
    }

    #[test]
    fn every_one_of_many_is_found_and_no_other() {
        // Consecutive, in steps of a power of two, and far apart.
        for step in [1, 2, 1 << 10, 1 << 20, 1 << 32, 12_345_679] {
            let inode = |number: u64| 1 + number * step;
            let list: Vec<_> = (0..3_000).map(|number| (inode(number), 1, 1)).collect();
            let held = held(&list);
            for number in 0..3_000 {
                let found = held.of(inode(number));
                assert_eq!(found.len(), 1, "{step}: {number}");
                assert_eq!(found.first().unwrap().inode, inode(number));
            }
            assert_eq!(held.of(inode(3_000)), [], "{step}");
        }
    }
}
