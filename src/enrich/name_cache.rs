//! Caches names by number.

use std::collections::BTreeMap;

pub(super) type LookUp = fn(u32) -> Option<Box<str>>;

/// Names looked up, and numbers without one.
#[derive(Debug)]
pub(super) struct NameCache {
    /// `None` = no number has a name.
    look_up: Option<LookUp>,
    names: BTreeMap<u32, Option<Box<str>>>,
}

impl NameCache {
    pub(super) fn new(look_up: Option<LookUp>) -> Self {
        let names = BTreeMap::new();
        Self { look_up, names }
    }

    /// Looks up the name of a number once.
    pub(super) fn prepare(&mut self, number: u32) {
        if let Some(look_up) = self.look_up {
            self.names.entry(number).or_insert_with(|| look_up(number));
        }
    }

    /// Looks up the name of a number once, with this function.
    pub(super) fn prepare_by(
        &mut self,
        number: u32,
        look_up: impl FnOnce(u32) -> Option<Box<str>>,
    ) {
        let name = self.names.entry(number);
        name.or_insert_with(|| look_up(number));
    }

    /// The name that [`NameCache::prepare`] found.
    pub(super) fn name(&self, number: u32) -> Option<&str> {
        self.names.get(&number)?.as_deref()
    }

    /// The name, or the number in digits if there is none.
    pub(super) fn name_or_digits(&mut self, number: u32) -> String {
        self.prepare(number);
        let name = self.name(number).map(str::to_owned);
        name.unwrap_or_else(|| number.to_string())
    }

    /// Sets the name of a number, in place of a lookup.
    pub(super) fn set(&mut self, number: u64, name: &[u8]) {
        if let (Ok(number), Ok(name)) = (u32::try_from(number), str::from_utf8(name)) {
            self.names.insert(number, Some(name.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NameCache;

    fn even(number: u32) -> Option<Box<str>> {
        number
            .is_multiple_of(2)
            .then(|| format!("n{number}").into())
    }

    #[test]
    fn numbers_without_a_name_have_digits_and_are_kept() {
        let mut names = NameCache::new(Some(even));
        assert_eq!(names.name(4), None, "nothing is known unasked");
        assert_eq!(names.name_or_digits(4), "n4");
        assert_eq!(names.name(4), Some("n4"));
        assert_eq!(names.name_or_digits(5), "5");
        assert_eq!(names.name(5), None);
        assert_eq!(names.names.len(), 2, "misses are kept");
    }
}
