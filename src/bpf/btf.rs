//! BTF, the kernel's description of its types (`include/uapi/linux/btf.h`): finds the offsets of fields.

use zerocopy::byteorder::native_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// `BTF_MAGIC` in this machine's byte order.
const MAGIC: u16 = 0xeb9f;
/// Limit of typedefs and qualifiers on one type.
const MOST_NAMES: usize = 32;
/// Limit of anonymous structures searched for a member.
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
    /// Size in bytes, or the id of another type.
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

/// Kinds of named types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeKind {
    /// `struct NAME`.
    Struct,
    /// A function.
    Function,
    /// `typedef … NAME`.
    Typedef,
}

/// The kind of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A number of this many bytes.
    Number(u32),
    /// An address.
    Pointer,
    /// A structure or union of this many bytes.
    Structure(u32),
    /// A bit field of one bit, after this many bits of the same byte.
    Bit(i32),
    /// Anything else.
    Other,
}

/// A field of a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    /// Bytes from the start of the structure.
    offset: u32,
    value: ValueKind,
    /// The id of its type, without typedefs and qualifiers.
    kind: u32,
}

/// Why BTF is malformed.
pub type Malformed = String;

/// The types of a kernel.
#[derive(Debug)]
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Offsets of the types by id; the first has id 1.
    places: Vec<u32>,
    /// The wanted types with their ids; a name may occur more than once.
    named: Vec<(TypeKind, &'static str, u32)>,
}

impl TypeRecord {
    fn kind(&self) -> u32 {
        self.info.get() >> 24 & 0x1f
    }

    /// The number of its members or parameters.
    fn parts(&self) -> u32 {
        self.info.get() & 0xffff
    }

    /// True if member offsets hold a bit offset in 24 bits, and the width of a bit field.
    fn has_bit_fields(&self) -> bool {
        self.info.get() >> 31 == 1
    }

    /// Bytes after the record.
    fn rest(&self) -> Result<u32, Malformed> {
        Ok(match self.kind() {
            // Pointer, forward declaration, typedef, qualifiers, function; float; type tag.
            2 | 7..=12 | 16 | 18 => 0,
            // Integer, variable, declaration tag.
            1 | 14 | 17 => 4,
            // Array.
            3 => 12,
            // Enumeration, function prototype.
            6 | 13 => 8 * self.parts(),
            // Structure or union, section, 64-bit enumeration.
            4 | 5 | 15 | 19 => 12 * self.parts(),
            kind => return Err(format!("unknown kind of type {kind}")),
        })
    }
}

impl<'a> Btf<'a> {
    /// Searches all types for the wanted names.
    ///
    /// # Errors
    ///
    /// When the bytes are not BTF of a known layout.
    pub fn read(bytes: &'a [u8], wanted: &[(TypeKind, &'static str)]) -> Result<Self, Malformed> {
        let (header, _) = BtfHeader::ref_from_prefix(bytes).map_err(|_| "no header")?;
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
            types: types.ok_or("truncated types")?,
            strings: strings.ok_or("truncated names")?,
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
                return Err("truncated last type".into());
            }
            // Checked above: the record is complete.
            place += u32::try_from(size_of::<TypeRecord>()).unwrap_or(0) + length;
        }
        Ok(())
    }

    /// The id of the only type of this kind and name.
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

    /// The offset of a field in a structure, as an operand. The path `a.b` is the field `b` of the field `a`; anonymous
    /// structures and unions are searched.
    ///
    /// # Errors
    ///
    /// When the kernel has no such field, or its value is of another kind.
    pub fn offset(&self, structure: &str, path: &str, value: ValueKind) -> Result<i16, Malformed> {
        let (offset, found) = self.place(structure, path)?;
        let offset = Some(offset).filter(|_| found == value);
        offset.ok_or_else(|| unknown(&format!("{structure}.{path}")))
    }

    /// The offset of the byte with a one-bit field, and the number of lower bits in that byte.
    ///
    /// # Errors
    ///
    /// When the kernel has no such field, or it has several bits.
    pub fn bit(&self, structure: &str, path: &str) -> Result<(i16, i32), Malformed> {
        match self.place(structure, path)? {
            (offset, ValueKind::Bit(before)) if cfg!(target_endian = "little") => {
                Ok((offset, before))
            }
            (offset, ValueKind::Bit(before)) => Ok((offset, 7 - before)),
            _ => Err(unknown(&format!("{structure}.{path}"))),
        }
    }

    /// The size of a structure in bytes, as an operand.
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

    /// The field with this name in a structure, or in an anonymous structure or union within it.
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
            let (members, _) = members.map_err(|_| "truncated members")?;
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
        Err("endless nested structures".into())
    }

    /// The id and kind of a type without its typedefs and qualifiers.
    fn value(&self, mut number: u32) -> Result<(u32, ValueKind), Malformed> {
        for _ in 0..MOST_NAMES {
            let (record, _) = self.numbered(number)?;
            let size_or_type = record.size_or_type.get();
            let value = match record.kind() {
                INT => ValueKind::Number(size_or_type),
                PTR => ValueKind::Pointer,
                STRUCT | UNION => ValueKind::Structure(size_or_type),
                // Typedef, `volatile`, `const`, `restrict`, type tag.
                TYPEDEF..=11 | 18 => {
                    number = size_or_type;
                    continue;
                }
                _ => ValueKind::Other,
            };
            return Ok((number, value));
        }
        Err("endless typedefs".into())
    }

    /// The type with this id and the bytes after it. 0 is `void`, which has none.
    fn numbered(&self, number: u32) -> Result<(&'a TypeRecord, &'a [u8]), Malformed> {
        let place = number.checked_sub(1).map(index);
        let place = place.and_then(|place| self.places.get(place));
        self.record_at(*place.ok_or_else(|| format!("no type {number}"))?)
    }

    fn record_at(&self, place: u32) -> Result<(&'a TypeRecord, &'a [u8]), Malformed> {
        let from = self.types.get(index(place)..).unwrap_or_default();
        TypeRecord::ref_from_prefix(from).map_err(|_| "truncated last type".into())
    }

    /// The string table from this offset; each string ends with NUL.
    fn text(&self, place: u32) -> &'a [u8] {
        self.strings.get(index(place)..).unwrap_or_default()
    }
}

fn unknown(what: &str) -> Malformed {
    format!("no {what} of the expected type")
}

/// A bit of 64, from the first two bytes: it excludes most names that are not wanted.
fn mark(name: &[u8]) -> u64 {
    let byte = |place| name.get(place).copied().unwrap_or_default();
    let sum = byte(0).wrapping_mul(5).wrapping_add(byte(1));
    1 << (sum % 64)
}

/// True if the text begins with this name and a NUL. Mostly the first byte decides.
fn begins(text: &[u8], name: &str) -> bool {
    let name = name.as_bytes();
    text.first() == name.first() && text.starts_with(name) && text.get(name.len()) == Some(&0)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
