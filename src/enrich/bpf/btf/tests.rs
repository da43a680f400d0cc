#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as expected"
)]

use super::{Btf, Field, Kind, Value};

/// A made-up kernel: its types and their names.
#[derive(Default)]
pub(in super::super) struct Kernel {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Kernel {
    pub(in super::super) fn new() -> Self {
        Self {
            strings: vec![0],
            ..Self::default()
        }
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let place = self.strings.len().try_into().unwrap();
        self.strings.extend(name.as_bytes());
        self.strings.push(0);
        place
    }

    /// A type, and its number.
    fn add(&mut self, name: &str, info: u32, size_or_type: u32, rest: &[u32]) -> u32 {
        let name = self.name(name);
        for word in [name, info, size_or_type].iter().chain(rest) {
            self.types.extend(word.to_ne_bytes());
        }
        self.count += 1;
        self.count
    }

    pub(in super::super) fn number(&mut self, bytes: u32) -> u32 {
        self.add("number", 1 << 24, bytes, &[0])
    }

    pub(in super::super) fn pointer(&mut self) -> u32 {
        self.add("", 2 << 24, 0, &[])
    }

    fn other_name(&mut self, of: u32) -> u32 {
        self.add("other", 8 << 24, of, &[])
    }

    pub(in super::super) fn function(&mut self, name: &str) -> u32 {
        self.add(name, 12 << 24, 0, &[])
    }

    /// Members are name, type and offset in bits.
    fn members(&mut self, members: &[(&str, u32, u32)]) -> Vec<u32> {
        let words = members
            .iter()
            .map(|&(name, kind, bits)| [self.name(name), kind, bits]);
        words.flatten().collect()
    }

    pub(in super::super) fn structure(&mut self, name: &str, members: &[(&str, u32, u32)]) -> u32 {
        let parts: u32 = members.len().try_into().unwrap();
        let members = self.members(members);
        self.add(name, 4 << 24 | parts, 0, &members)
    }

    pub(in super::super) fn bytes(&self) -> Vec<u8> {
        let lengths = [&self.types, &self.strings].map(|part| u32::try_from(part.len()).unwrap());
        let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        for word in [24, 0, lengths[0], lengths[0], lengths[1]] {
            bytes.extend(word.to_ne_bytes());
        }
        [bytes, self.types.clone(), self.strings.clone()].concat()
    }
}

const WANTED: [(Kind, &str); 3] = [
    (Kind::Struct, "outer"),
    (Kind::Struct, "twice"),
    (Kind::Function, "go"),
];

/// Reads everything that is asked for here; `None` = an error.
fn look(bytes: &[u8]) -> Option<(Option<u32>, [Option<Field>; 3])> {
    let btf = Btf::read(bytes, &WANTED).ok()?;
    let outer = btf.find(Kind::Struct, "outer")?;
    let [a, b, c] = ["a", "b", "c"].map(|name| btf.field(outer, name));
    Some((btf.find(Kind::Function, "go"), [a.ok()?, b.ok()?, c.ok()?]))
}

/// Fields of their own, behind other names, and within what has no name.
fn kernel() -> Vec<u8> {
    let mut kernel = Kernel::new();
    let eight = kernel.number(8);
    let four = kernel.number(4);
    let other = kernel.other_name(eight);
    let pointer = kernel.pointer();
    // An array, a list of numbers, parameters, and a tag are passed over.
    kernel.add("", 3 << 24, 0, &[1, 1, 4]);
    kernel.add("list", 6 << 24 | 2, 4, &[0; 4]);
    kernel.add("", 13 << 24 | 1, 0, &[0; 2]);
    kernel.add("tag", 17 << 24, 1, &[0]);
    let inner = kernel.structure("", &[("x", four, 0), ("b", pointer, 64)]);
    let union_of = kernel.members(&[("", inner, 0), ("y", eight, 0)]);
    let union = kernel.add("", 5 << 24 | 2, 16, &union_of);
    let members = [("a", other, 0), ("", union, 64), ("c", four, 192)];
    kernel.structure("outer", &members);
    kernel.function("go");
    kernel.bytes()
}

#[test]
fn fields_are_found_through_other_names_and_within_what_has_none() {
    let field = |offset, value| Some(Field { offset, value });
    let expected = [
        field(0, Value::Number(8)),
        field(16, Value::Pointer),
        field(24, Value::Number(4)),
    ];
    assert_eq!(look(&kernel()), Some((Some(12), expected)));
}

#[test]
fn every_prefix_is_an_error_and_none_a_panic() {
    let whole = kernel();
    for length in 0..whole.len() {
        assert_eq!(look(&whole[..length]), None, "{length} bytes");
    }
}

#[test]
fn no_wrong_bytes_make_it_panic_or_run_for_ever() {
    let whole = kernel();
    for place in 0..whole.len() {
        for wrong in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] = wrong;
            // Whatever it says then: it says something.
            let _ = look(&bytes);
        }
    }
}

#[test]
fn other_byte_order_is_not_read() {
    let mut bytes = kernel();
    bytes.swap(0, 1);
    assert_eq!(look(&bytes), None);
}

#[test]
fn circles_end() {
    let mut kernel = Kernel::new();
    let name = kernel.other_name(1);
    assert_eq!(name, 1);
    kernel.structure("outer", &[("a", name, 0), ("", 2, 0)]);
    let bytes = kernel.bytes();
    let btf = Btf::read(&bytes, &WANTED).unwrap();
    let outer = btf.find(Kind::Struct, "outer").unwrap();
    assert!(btf.field(outer, "a").is_err(), "a name of itself");
    assert!(btf.field(outer, "b").is_err(), "a structure within itself");
}

#[test]
fn two_of_one_name_are_none() {
    let mut kernel = Kernel::new();
    kernel.structure("twice", &[]);
    let name = u32::try_from(kernel.strings.len() - "twice\0".len()).unwrap();
    assert_eq!(kernel.add("", 4 << 24, 0, &[]), 2);
    let again = kernel.types.len() - 12;
    kernel.types[again..again + 4].copy_from_slice(&name.to_ne_bytes());
    let bytes = kernel.bytes();
    let btf = Btf::read(&bytes, &WANTED).unwrap();
    assert_eq!(btf.find(Kind::Struct, "twice"), None);
    assert_eq!(btf.find(Kind::Function, "twice"), None);
}

#[test]
fn bits_of_a_number_are_no_number() {
    let mut kernel = Kernel::new();
    let four = kernel.number(4);
    let members = [("a", four, 32), ("b", four, 3 << 24 | 64), ("c", four, 67)];
    let words = kernel.members(&members);
    let outer = kernel.add("outer", 1 << 31 | 4 << 24 | 3, 0, &words);
    let bytes = kernel.bytes();
    let btf = Btf::read(&bytes, &WANTED).unwrap();
    let values = ["a", "b", "c"].map(|name| btf.field(outer, name).unwrap().unwrap().value);
    assert_eq!(values, [Value::Number(4), Value::Other, Value::Other]);
}

#[test]
fn unknown_kind_is_told() {
    let mut kernel = Kernel::new();
    kernel.add("", 20 << 24, 0, &[]);
    let error = Btf::read(&kernel.bytes(), &WANTED).unwrap_err();
    assert_eq!(error, "unknown kind of type 20");
}
