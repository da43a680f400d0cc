//! BTF: the kernel's own description of its types (`include/uapi/linux/btf.h`). It tells where a field
//! stands in a structure.

use zerocopy::byteorder::native_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// `BTF_MAGIC`, in the byte order of this machine.
const MAGIC: u16 = 0xeb9f;
/// Steps from a name to what it stands for.
const MOST_NAMES: usize = 32;
/// Structures without a name that are looked through for a member.
const MOST_UNNAMED: usize = 64;

const INT: u32 = 1;
const PTR: u32 = 2;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const TYPEDEF: u32 = 8;
const FUNC: u32 = 12;

/// `struct btf_header`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct BtfHeader {
    magic: U16,
    version: u8,
    flags: u8,
    length: U32,
    types_start: U32,
    types_length: U32,
    strings_start: U32,
    strings_length: U32,
}

/// `struct btf_type`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct TypeRecord {
    name: U32,
    info: U32,
    /// Bytes, or the number of another type.
    size_or_type: U32,
}

/// `struct btf_member`.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Member {
    name: U32,
    kind: U32,
    offset: U32,
}

/// A type that has a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeKind {
    /// `struct NAME`.
    Struct,
    /// A function.
    Function,
    /// `typedef … NAME`.
    Typedef,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A number of so many bytes.
    Number(u32),
    /// The address of something.
    Pointer,
    /// A structure or union of so many bytes.
    Structure(u32),
    /// One bit, behind so many in the same byte.
    Bit(i32),
    /// Anything else.
    Other,
}

/// A field of a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    /// Bytes from the begin of the structure.
    offset: u32,
    value: ValueKind,
    /// The number of its type, without other names on top.
    kind: u32,
}

/// What is wrong with a description of types.
pub type Malformed = String;

/// The types of a kernel.
#[derive(Debug)]
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type stands; the first one has the number 1.
    places: Vec<u32>,
    /// Those that were asked for, as often as they were found, with their numbers.
    named: Vec<(TypeKind, &'static str, u32)>,
}

impl TypeRecord {
    fn kind(&self) -> u32 {
        self.info.get() >> 24 & 0x1f
    }

    /// How many parts it has.
    fn parts(&self) -> u32 {
        self.info.get() & 0xffff
    }

    /// Do the offsets of its members count bits, in 24 of their bits?
    fn has_bit_fields(&self) -> bool {
        self.info.get() >> 31 == 1
    }

    /// Bytes that follow it.
    fn rest(&self) -> Result<u32, Malformed> {
        Ok(match self.kind() {
            // A pointer, a declaration, another name, a function; a number with a point; a tag.
            2 | 7..=12 | 16 | 18 => 0,
            // A number, a variable, a tag of a declaration.
            1 | 14 | 17 => 4,
            // An array.
            3 => 12,
            // A list of small numbers, parameters.
            6 | 13 => 8 * self.parts(),
            // Members, variables of a section, large numbers.
            4 | 5 | 15 | 19 => 12 * self.parts(),
            kind => return Err(format!("unknown kind of type {kind}")),
        })
    }
}

impl<'a> Btf<'a> {
    /// Looks through all types for those with one of these names.
    ///
    /// # Errors
    ///
    /// When it is not BTF as it is known here.
    pub fn read(bytes: &'a [u8], wanted: &[(TypeKind, &'static str)]) -> Result<Self, Malformed> {
        let (header, _) = BtfHeader::ref_from_prefix(bytes).map_err(|_| "it has no header")?;
        if header.magic.get() != MAGIC {
            return Err("no BTF of this machine".into());
        }
        let after = bytes.get(index(header.length.get())..);
        let part = |start: U32, length: U32| {
            let from = after?.get(index(start.get())..)?;
            from.get(..index(length.get()))
        };
        let types = part(header.types_start, header.types_length);
        let strings = part(header.strings_start, header.strings_length);
        let mut btf = Self {
            types: types.ok_or("its types are cut")?,
            strings: strings.ok_or("its names are cut")?,
            places: Vec::new(),
            named: Vec::new(),
        };
        btf.look_through(wanted)?;
        Ok(btf)
    }

    fn look_through(&mut self, wanted: &[(TypeKind, &'static str)]) -> Result<(), Malformed> {
        let names = wanted.iter().map(|(_, name)| mark(name.as_bytes()));
        let marks = names.fold(0, |marks, mark| marks | mark);
        let mut place = 0;
        while index(place) < self.types.len() {
            let (record, rest) = self.record_at(place)?;
            self.places.push(place);
            let kind = match record.kind() {
                STRUCT => Some(TypeKind::Struct),
                FUNC => Some(TypeKind::Function),
                TYPEDEF => Some(TypeKind::Typedef),
                _ => None,
            };
            if let Some(kind) = kind
                && let name = self.text(record.name.get())
                && mark(name) & marks != 0
            {
                let of_kind = wanted.iter().filter(|(wanted, _)| *wanted == kind);
                let mut same = of_kind.filter(|(_, wanted)| begins(name, wanted));
                if let Some((_, name)) = same.next() {
                    let number = u32::try_from(self.places.len()).unwrap_or(0);
                    self.named.push((kind, name, number));
                }
            }
            let length = record.rest()?;
            if index(length) > rest.len() {
                return Err("its last type is cut".into());
            }
            // It was checked that all of it is there.
            place += u32::try_from(size_of::<TypeRecord>()).unwrap_or(0) + length;
        }
        Ok(())
    }

    /// The number of the only type of this kind and name.
    ///
    /// # Errors
    ///
    /// When there is none, or there are several.
    pub fn find(&self, kind: TypeKind, name: &str) -> Result<u32, Malformed> {
        let found = |&&(of, other, _): &&(TypeKind, &str, u32)| of == kind && other == name;
        let mut found = self.named.iter().filter(found);
        match (found.next(), found.next()) {
            (Some((.., number)), None) => Ok(*number),
            _ => Err(unknown(name)),
        }
    }

    /// The offset of a field in a structure, as the instructions have it. The path `a.b` leads to what is
    /// within `a`; structures and unions without a name are passed through.
    ///
    /// # Errors
    ///
    /// When the kernel has no such field, or another kind of value in it.
    pub fn offset(&self, structure: &str, path: &str, value: ValueKind) -> Result<i16, Malformed> {
        let (offset, found) = self.place(structure, path)?;
        let offset = Some(offset).filter(|_| found == value);
        offset.ok_or_else(|| unknown(&format!("{structure}.{path}")))
    }

    /// The offset of the byte that holds a field of one bit, and how many bits of that byte are below it.
    ///
    /// # Errors
    ///
    /// When the kernel has no such field, or one of several bits.
    pub fn bit(&self, structure: &str, path: &str) -> Result<(i16, i32), Malformed> {
        match self.place(structure, path)? {
            (offset, ValueKind::Bit(before)) if cfg!(target_endian = "little") => {
                Ok((offset, before))
            }
            (offset, ValueKind::Bit(before)) => Ok((offset, 7 - before)),
            _ => Err(unknown(&format!("{structure}.{path}"))),
        }
    }

    /// Bytes of a structure, as instructions have numbers.
    ///
    /// # Errors
    ///
    /// When the kernel has no such structure.
    pub fn size(&self, structure: &str) -> Result<i32, Malformed> {
        let (record, _) = self.numbered(self.find(TypeKind::Struct, structure)?)?;
        i32::try_from(record.size_or_type.get()).map_err(|_| unknown(structure))
    }

    fn place(&self, structure: &str, path: &str) -> Result<(i16, ValueKind), Malformed> {
        let no_such = || unknown(&format!("{structure}.{path}"));
        let mut kind = self.find(TypeKind::Struct, structure)?;
        let (mut offset, mut last) = (0, ValueKind::Other);
        for name in path.split('.') {
            let field = self.field(kind, name)?.ok_or_else(no_such)?;
            offset += field.offset;
            (kind, last) = (field.kind, field.value);
        }
        let offset = i16::try_from(offset).map_err(|_| no_such())?;
        Ok((offset, last))
    }

    /// The field with this name in a structure, or in a nameless structure or union within it.
    fn field(&self, structure: u32, name: &str) -> Result<Option<Field>, Malformed> {
        let mut inner = vec![(structure, 0_u32)];
        for _ in 0..MOST_UNNAMED {
            let Some((structure, base)) = inner.pop() else {
                return Ok(None);
            };
            let (record, rest) = self.numbered(structure)?;
            if !matches!(record.kind(), STRUCT | UNION) {
                continue;
            }
            let members = <[Member]>::ref_from_prefix_with_elems(rest, index(record.parts()));
            let (members, _) = members.map_err(|_| "its members are cut")?;
            for member in members {
                let bits = member.offset.get();
                let (bits, width) = if record.has_bit_fields() {
                    (bits & 0xff_ffff, bits >> 24)
                } else {
                    (bits, 0)
                };
                let offset = base.saturating_add(bits / 8);
                if begins(self.text(member.name.get()), name) {
                    let (kind, value) = self.value(member.kind.get())?;
                    let value = match (width, bits % 8) {
                        (0, 0) => value,
                        (1, before) => ValueKind::Bit(i32::try_from(before).unwrap_or_default()),
                        _ => ValueKind::Other,
                    };
                    return Ok(Some(Field {
                        offset,
                        value,
                        kind,
                    }));
                }
                if member.name.get() == 0 {
                    inner.push((member.kind.get(), offset));
                }
            }
        }
        Err("structures within structures without an end".into())
    }

    /// What a type with any number of names on top comes to, and its number without them.
    fn value(&self, mut number: u32) -> Result<(u32, ValueKind), Malformed> {
        for _ in 0..MOST_NAMES {
            let (record, _) = self.numbered(number)?;
            let size_or_type = record.size_or_type.get();
            let value = match record.kind() {
                INT => ValueKind::Number(size_or_type),
                PTR => ValueKind::Pointer,
                STRUCT | UNION => ValueKind::Structure(size_or_type),
                // Another name, `volatile`, `const`, `restrict`, a tag.
                TYPEDEF..=11 | 18 => {
                    number = size_or_type;
                    continue;
                }
                _ => ValueKind::Other,
            };
            return Ok((number, value));
        }
        Err("names of names without an end".into())
    }

    /// The type with this number and what follows it. 0 is `void`, which has nothing.
    fn numbered(&self, number: u32) -> Result<(&'a TypeRecord, &'a [u8]), Malformed> {
        let place = number.checked_sub(1).map(index);
        let place = place.and_then(|place| self.places.get(place));
        self.record_at(*place.ok_or_else(|| format!("it has no type {number}"))?)
    }

    fn record_at(&self, place: u32) -> Result<(&'a TypeRecord, &'a [u8]), Malformed> {
        let from = self.types.get(index(place)..).unwrap_or_default();
        TypeRecord::ref_from_prefix(from).map_err(|_| "its last type is cut".into())
    }

    /// What begins there among the names; each ends with a NUL.
    fn text(&self, place: u32) -> &'a [u8] {
        self.strings.get(index(place)..).unwrap_or_default()
    }
}

fn unknown(what: &str) -> Malformed {
    format!("it has no {what} of the kind that is known")
}

/// One bit of 64, by the first bytes: most names that are not wanted have another one than those that are.
fn mark(name: &[u8]) -> u64 {
    let byte = |place| name.get(place).copied().unwrap_or_default();
    let sum = byte(0).wrapping_mul(5).wrapping_add(byte(1));
    1 << (sum % 64)
}

/// Is this the name that the text begins with? Mostly the first byte tells.
fn begins(text: &[u8], name: &str) -> bool {
    let name = name.as_bytes();
    text.first() == name.first() && text.starts_with(name) && text.get(name.len()) == Some(&0)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
