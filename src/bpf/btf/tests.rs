#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as expected"
)]

use super::{Btf, TypeKind, ValueKind};

/// A fictitious kernel: its types and their names.
#[derive(Default)]
pub(crate) struct Kernel {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Kernel {
    pub(crate) fn new() -> Self {
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

    /// Adds a type and returns its id. Structures have no size here.
    fn add(&mut self, name: &str, info: u32, size_or_type: u32, rest: &[u32]) -> u32 {
        let name = self.name(name);
        for word in [name, info, size_or_type].iter().chain(rest) {
            self.types.extend(word.to_ne_bytes());
        }
        self.count += 1;
        self.count
    }

    pub(crate) fn number(&mut self, bytes: u32) -> u32 {
        self.add("number", 1 << 24, bytes, &[0])
    }

    pub(crate) fn pointer(&mut self) -> u32 {
        self.add("", 2 << 24, 0, &[])
    }

    fn other_name(&mut self, of: u32) -> u32 {
        self.add("other", 8 << 24, of, &[])
    }

    pub(crate) fn function(&mut self, name: &str) -> u32 {
        self.add(name, 12 << 24, 0, &[])
    }

    /// Members are name, type and offset in bits.
    fn members(&mut self, members: &[(&str, u32, u32)]) -> Vec<u32> {
        let words = members
            .iter()
            .map(|&(name, kind, bits)| [self.name(name), kind, bits]);
        words.flatten().collect()
    }

    pub(crate) fn structure(&mut self, name: &str, members: &[(&str, u32, u32)]) -> u32 {
        let parts: u32 = members.len().try_into().unwrap();
        let members = self.members(members);
        self.add(name, 4 << 24 | parts, 0, &members)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let lengths = [&self.types, &self.strings].map(|part| u32::try_from(part.len()).unwrap());
        let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        for word in [24, 0, lengths[0], lengths[0], lengths[1]] {
            bytes.extend(word.to_ne_bytes());
        }
        [bytes, self.types.clone(), self.strings.clone()].concat()
    }
}

const WANTED: [(TypeKind, &str); 3] = [
    (TypeKind::Struct, "outer"),
    (TypeKind::Struct, "twice"),
    (TypeKind::Function, "go"),
];

/// The offsets of these fields, or why a kernel lacks one.
fn offsets(bytes: &[u8], fields: &[(&str, ValueKind)]) -> Result<Vec<i16>, String> {
    let btf = Btf::read(bytes, &WANTED)?;
    let offset = |(path, value): &(&str, ValueKind)| btf.offset("outer", path, *value);
    btf.find(TypeKind::Function, "go")?;
    fields.iter().map(offset).collect()
}

const FIELDS: [(&str, ValueKind); 5] = [
    ("a", ValueKind::Number(8)),
    ("b", ValueKind::Pointer),
    ("c", ValueKind::Number(4)),
    ("d", ValueKind::Structure(0)),
    ("d.b", ValueKind::Pointer),
];

/// Plain fields, fields with typedefs, and fields in anonymous types.
fn kernel() -> Vec<u8> {
    let mut kernel = Kernel::new();
    let eight = kernel.number(8);
    let four = kernel.number(4);
    let other = kernel.other_name(eight);
    let pointer = kernel.pointer();
    // Array, enumeration, prototype and tag are skipped.
    kernel.add("", 3 << 24, 0, &[1, 1, 4]);
    kernel.add("list", 6 << 24 | 2, 4, &[0; 4]);
    kernel.add("", 13 << 24 | 1, 0, &[0; 2]);
    kernel.add("tag", 17 << 24, 1, &[0]);
    let inner = kernel.structure("", &[("x", four, 0), ("b", pointer, 64)]);
    let union_of = kernel.members(&[("", inner, 0), ("y", eight, 0)]);
    let union = kernel.add("", 5 << 24 | 2, 16, &union_of);
    let behind = kernel.other_name(inner);
    let members = [
        ("a", other, 0),
        ("", union, 64),
        ("c", four, 192),
        ("d", behind, 256),
    ];
    kernel.structure("outer", &members);
    kernel.function("go");
    kernel.bytes()
}

#[test]
fn fields_are_found_through_other_names_and_within_what_has_none() {
    let expected = vec![0, 16, 24, 32, 40];
    assert_eq!(offsets(&kernel(), &FIELDS), Ok(expected));
}

#[test]
fn what_is_not_there_or_of_another_kind_is_named() {
    for (path, value) in [
        ("a", ValueKind::Number(4)),
        ("b", ValueKind::Number(8)),
        ("e", ValueKind::Pointer),
        ("a.b", ValueKind::Pointer),
        ("d.c", ValueKind::Pointer),
        ("d", ValueKind::Structure(8)),
    ] {
        let error = offsets(&kernel(), &[(path, value)]).unwrap_err();
        let expected = format!("no outer.{path} of the expected type");
        assert_eq!(error, expected);
    }
}

#[test]
fn every_prefix_is_an_error_and_none_a_panic() {
    let whole = kernel();
    for length in 0..whole.len() {
        let found = offsets(&whole[..length], &FIELDS);
        assert!(found.is_err(), "{length} bytes");
    }
}

#[test]
fn no_wrong_bytes_make_it_panic_or_run_for_ever() {
    let whole = kernel();
    for place in 0..whole.len() {
        for wrong in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] = wrong;
            // Any result is allowed, but no panic.
            let _ = offsets(&bytes, &FIELDS);
        }
    }
}

#[test]
fn other_byte_order_is_not_read() {
    let mut bytes = kernel();
    bytes.swap(0, 1);
    let error = offsets(&bytes, &FIELDS).unwrap_err();
    assert_eq!(error, "no BTF of this machine");
}

#[test]
fn circles_end() {
    let mut kernel = Kernel::new();
    let name = kernel.other_name(1);
    assert_eq!(name, 1);
    kernel.structure("outer", &[("a", name, 0), ("", 2, 0)]);
    let bytes = kernel.bytes();
    let btf = Btf::read(&bytes, &WANTED).unwrap();
    for (path, what) in [
        ("a", "a name of itself"),
        ("b", "a structure within itself"),
    ] {
        let error = btf.offset("outer", path, ValueKind::Number(4)).unwrap_err();
        assert!(error.contains("endless"), "{what}: {error}");
    }
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
    assert!(btf.find(TypeKind::Struct, "twice").is_err());
    assert!(btf.find(TypeKind::Function, "twice").is_err());
}

#[test]
fn bits_of_a_number_are_no_number() {
    let mut kernel = Kernel::new();
    let four = kernel.number(4);
    let (three, one) = (3 << 24, 1 << 24);
    let members = [
        ("a", four, 32),
        ("b", four, three | 64),
        ("c", four, 67),
        ("d", four, one | 0x4a),
    ];
    let words = kernel.members(&members);
    kernel.add("outer", 1 << 31 | 4 << 24 | 4, 0, &words);
    let bytes = kernel.bytes();
    let btf = Btf::read(&bytes, &WANTED).unwrap();
    let is_number = |path| btf.offset("outer", path, ValueKind::Number(4)).is_ok();
    let found = ["a", "b", "c", "d"].map(is_number);
    assert_eq!(found, [true, false, false, false]);
    let bit = if cfg!(target_endian = "little") { 2 } else { 5 };
    assert_eq!(btf.bit("outer", "d"), Ok((9, bit)));
    for path in ["a", "b", "c"] {
        assert!(btf.bit("outer", path).is_err(), "{path}");
    }
}

#[test]
fn unknown_kind_is_told() {
    let mut kernel = Kernel::new();
    kernel.add("", 20 << 24, 0, &[]);
    let error = Btf::read(&kernel.bytes(), &WANTED).unwrap_err();
    assert_eq!(error, "unknown kind of type 20");
}

#[test]
fn offsets_of_this_kernel_are_what_bpftool_says() {
    let path = std::path::Path::new(crate::bpf::BTF);
    let fields = [
        ("task_struct", "pid", ValueKind::Number(4)),
        ("task_struct", "tgid", ValueKind::Number(4)),
        ("inode", "i_sb", ValueKind::Pointer),
        ("inode", "i_ino", ValueKind::Number(8)),
        ("super_block", "s_magic", ValueKind::Number(8)),
    ];
    let wanted = fields.map(|(of, ..)| (TypeKind::Struct, of));
    let offsets = crate::bpf::describe(path, &wanted, |btf| {
        let offset = |(of, path, value)| btf.offset(of, path, value);
        fields
            .map(offset)
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
    });
    let mut bpftool = std::process::Command::new("bpftool");
    let dump = crate::start::output(bpftool.args(["btf", "dump", "file", crate::bpf::BTF]));
    let (Ok(offsets), Some(dump)) = (offsets, dump.ok().filter(|dump| dump.status.success()))
    else {
        crate::skip::skip("there is no BTF, or bpftool cannot be run");
        return;
    };
    let text = String::from_utf8(dump.stdout).unwrap();
    for ((of, name, _), offset) in fields.into_iter().zip(offsets) {
        let head = format!("STRUCT '{of}' ");
        let lines = text.lines().skip_while(|line| !line.contains(&head));
        let mut members = lines.skip(1).take_while(|line| line.starts_with('\t'));
        let line = members.find(|line| line.contains(&format!("'{name}'")));
        let bits = format!("bits_offset={}", i32::from(offset) * 8);
        let is_there = line.is_some_and(|line| line.split(' ').any(|word| word == bits));
        assert!(is_there, "{of}: {line:?}: {bits}");
    }
}
