//! Basic operations of the program.

use super::{OUTPUT, RECORD, SEQ_WRITE, SOCKET, TCP, Writer, ZERO};
use crate::bpf::Size::Eight;
use crate::bpf::{Assembler, Btf, Malformed, Register as R, Size, Typed, ValueKind, size};

impl Typed for Writer<'_> {
    fn code(&mut self) -> &mut Assembler {
        &mut self.code
    }

    fn btf(&self) -> &Btf<'_> {
        self.btf
    }
}

impl Writer<'_> {
    /// Writes the record to the output.
    pub(super) fn emit(&mut self) -> Result<(), Malformed> {
        self.code.copy(R::R1, OUTPUT);
        self.code.copy(R::R2, R::STACK);
        self.code.add_number(R::R2, RECORD.into());
        let bytes = i32::try_from(self.plan.extent.bytes());
        self.code
            .set(R::R3, bytes.map_err(|cause| cause.to_string())?);
        self.code.call(SEQ_WRITE);
        Ok(())
    }

    pub(super) fn of_socket(
        &mut self,
        into: R,
        value: ValueKind,
        path: &str,
    ) -> Result<(), Malformed> {
        self.load(into, SOCKET, value, [TCP, &within(path)])
    }

    pub(super) fn copy(
        &mut self,
        value: ValueKind,
        path: &str,
        place: usize,
    ) -> Result<(), Malformed> {
        self.of_socket(R::R1, value, path)?;
        self.write(size(value), place, R::R1);
        Ok(())
    }

    pub(super) fn write(&mut self, size: Size, place: usize, from: R) {
        self.code.store(size, R::STACK, at(place), from);
    }

    /// Loads a zero that the verifier does not know to be zero.
    pub(super) fn zero(&mut self, into: R) {
        self.code.load(Eight, into, R::STACK, ZERO);
    }

    /// Makes the verifier forget the bounds of a number and its equality with others. It follows a loop until it meets
    /// a known state, and such knowledge makes states differ.
    pub(super) fn forget(&mut self, number: R) {
        self.zero(R::R5);
        self.code.add_register(number, R::R5);
    }

    pub(super) fn set(&mut self, size: Size, place: usize, number: i32) {
        match number {
            0 => self.zero(R::R1),
            number => self.code.set(R::R1, number),
        }
        self.write(size, place, R::R1);
    }
}

pub(super) const BYTE: ValueKind = ValueKind::Number(1);
pub(super) const SHORT: ValueKind = ValueKind::Number(2);
pub(super) const WORD: ValueKind = ValueKind::Number(4);
pub(super) const LONG: ValueKind = ValueKind::Number(8);
pub(super) const POINTER: ValueKind = ValueKind::Pointer;

/// The path to a field in the structures at the start of `struct tcp_sock`.
pub(super) fn within(path: &str) -> String {
    let before = match path.split('_').next() {
        Some("skc") => "inet_conn.icsk_inet.sk.__sk_common.",
        Some("sk") => "inet_conn.icsk_inet.sk.",
        Some("icsk") => "inet_conn.",
        _ => "",
    };
    format!("{before}{path}")
}

/// The stack slot of a field of the record.
pub(super) fn at(place: usize) -> i16 {
    i16::try_from(place).map_or(0, |place| RECORD + place)
}
