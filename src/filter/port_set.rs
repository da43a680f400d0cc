//! Sets of ports.

/// Ports as ranges, both ends included: ascending, with at least one other port between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PortSet(Vec<(u16, u16)>);

impl PortSet {
    pub(super) fn of(ranges: impl IntoIterator<Item = (u16, u16)>) -> Self {
        let mut ranges: Vec<_> = ranges
            .into_iter()
            .filter(|(first, last)| first <= last)
            .collect();
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let joined = next.0 <= kept.1.saturating_add(1);
            if joined {
                kept.1 = kept.1.max(next.1);
            }
            joined
        });
        Self(ranges)
    }

    pub(super) fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }

    pub(super) fn complement(&self) -> Self {
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        let mut begin = Some(0);
        for (first, last) in &self.0 {
            rest.extend(begin.zip(first.checked_sub(1)));
            begin = last.checked_add(1);
        }
        rest.extend(begin.map(|begin| (begin, u16::MAX)));
        Self::of(rest)
    }

    /// With these ports too.
    pub(super) fn and(self, range: (u16, u16)) -> Self {
        Self::of(self.0.into_iter().chain([range]))
    }

    /// A set of no more than `count` ranges that has all these ports: the smallest gaps are closed.
    pub(super) fn widened(self, count: usize) -> Self {
        let excess = self.0.len().saturating_sub(count);
        if excess == 0 {
            return self;
        }
        let neighbours = self.0.iter().zip(self.0.iter().skip(1));
        let mut gaps: Vec<_> = neighbours
            .map(|((_, last), (next, _))| (next - last, *last, *next))
            .collect();
        gaps.sort_unstable();
        let closed = gaps.into_iter().take(excess);
        let closed: Vec<_> = closed.map(|(_, last, next)| (last, next)).collect();
        Self::of(self.0.into_iter().chain(closed))
    }
}

#[cfg(test)]
mod tests {
    use super::PortSet;

    #[test]
    fn ranges_that_touch_are_one() {
        let ports = PortSet::of([(80, 80), (10, 20), (21, 30), (15, 18), (9, 3)]);
        assert_eq!(ports.ranges(), [(10, 30), (80, 80)]);
    }

    #[test]
    fn complement_has_all_other_ports() {
        let complement = |ranges: &[(u16, u16)]| PortSet::of(ranges.iter().copied()).complement().0;
        assert_eq!(complement(&[]), [(0, 65_535)]);
        assert_eq!(complement(&[(0, 65_535)]), []);
        assert_eq!(complement(&[(0, 5), (9, 65_535)]), [(6, 8)]);
        assert_eq!(complement(&[(80, 80)]), [(0, 79), (81, 65_535)]);
    }

    #[test]
    fn smallest_gaps_are_closed() {
        let ports = PortSet::of([(1, 1), (3, 3), (10, 10), (12, 12), (50, 60)]);
        assert_eq!(ports.clone().widened(5), ports);
        assert_eq!(ports.clone().widened(3).0, [(1, 3), (10, 12), (50, 60)]);
        assert_eq!(ports.clone().widened(2).0, [(1, 12), (50, 60)]);
        let even = PortSet::of((1..=500).map(|n| (2 * n, 2 * n)));
        assert_eq!(even.widened(64).0.len(), 64);
    }
}
