//! Instructions that need the kernel's types: loads of fields, and casts of addresses.

use super::Size::{Eight, Four, One, Two};
use super::{Assembler, Btf, Malformed, Register, Size, TypeKind, ValueKind};

/// Casts an address to a structure for reading; the kernel turns the call into a copy (`kernel/bpf/helpers.c`).
pub const CAST: &str = "bpf_rdonly_cast";
/// Begins with an eight-byte number; used to read such a number at any address.
pub const NUMBER: &str = "timespec64";

/// Writes a program that reads structures of the kernel. Fields are given as structure and path.
pub trait Typed {
    /// The program.
    fn code(&mut self) -> &mut Assembler;

    /// The types of the kernel; with [`CAST`] and [`NUMBER`] for casts.
    fn btf(&self) -> &Btf<'_>;

    /// Loads a field of the structure at an address.
    ///
    /// # Errors
    ///
    /// When the kernel has no such field of this kind, which the error names.
    fn load(
        &mut self,
        into: Register,
        from: Register,
        value: ValueKind,
        [structure, path]: [&str; 2],
    ) -> Result<(), Malformed> {
        let offset = self.btf().offset(structure, path, value)?;
        self.code().load(size(value), into, from, offset);
        Ok(())
    }

    /// Loads a field that is an address.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    fn pointer(
        &mut self,
        into: Register,
        from: Register,
        field: [&str; 2],
    ) -> Result<(), Malformed> {
        self.load(into, from, ValueKind::Pointer, field)
    }

    /// Casts the address in the first register to this structure; the result is in register 0.
    ///
    /// # Errors
    ///
    /// When the kernel has no such structure, or no [`CAST`].
    fn cast(&mut self, structure: &str) -> Result<(), Malformed> {
        let structure = self.btf().find(TypeKind::Struct, structure)?;
        let cast = self.btf().find(TypeKind::Function, CAST)?;
        self.code().set(Register::R2, structure.cast_signed());
        self.code().call_kernel(cast.cast_signed());
        Ok(())
    }

    /// Reads the eight-byte number at the address in the first register.
    ///
    /// # Errors
    ///
    /// As [`cast`](Self::cast).
    fn number_at(&mut self, into: Register) -> Result<(), Malformed> {
        self.cast(NUMBER)?;
        self.load(into, Register::R0, ValueKind::Number(8), [NUMBER, "tv_sec"])
    }
}

/// The size of a value in a register.
pub const fn size(value: ValueKind) -> Size {
    match value {
        ValueKind::Number(1) => One,
        ValueKind::Number(2) => Two,
        ValueKind::Number(4) => Four,
        _ => Eight,
    }
}
