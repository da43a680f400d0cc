//! Writes BPF instructions, with labels for jumps.

/// `struct bpf_insn` (`include/uapi/linux/bpf.h`): opcode, two four-bit registers, offset, immediate.
pub type Instruction = [u8; 8];

/// A register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register(u8);

impl Register {
    /// The result of a call and of the program.
    pub const R0: Self = Self(0);
    /// First argument of a call; calls overwrite it.
    pub const R1: Self = Self(1);
    /// Second argument; calls overwrite it.
    pub const R2: Self = Self(2);
    /// Third argument; calls overwrite it.
    pub const R3: Self = Self(3);
    /// Fourth argument; calls overwrite it.
    pub const R4: Self = Self(4);
    /// Fifth argument; calls overwrite it.
    pub const R5: Self = Self(5);
    /// Preserved by calls.
    pub const R6: Self = Self(6);
    /// Preserved by calls.
    pub const R7: Self = Self(7);
    /// Preserved by calls.
    pub const R8: Self = Self(8);
    /// Preserved by calls.
    pub const R9: Self = Self(9);
    /// The frame pointer: the end of the stack, which grows down.
    pub const STACK: Self = Self(10);
}

/// The width of a memory access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 1 byte.
    One,
    /// 2 bytes.
    Two,
    /// 4 bytes.
    Four,
    /// 8 bytes.
    Eight,
}

impl Size {
    /// `BPF_B`, `BPF_H`, `BPF_W`, `BPF_DW`.
    const fn code(self) -> u8 {
        match self {
            Self::One => 0x10,
            Self::Two => 0x08,
            Self::Four => 0x00,
            Self::Eight => 0x18,
        }
    }

    /// The number of bytes.
    pub const fn bytes(self) -> i16 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

/// When a jump is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Always,
    /// When a loop ran for too long (`may_goto`, Linux 6.9).
    TooLong,
    /// The register equals the number.
    Is(Register, i32),
    /// The register differs from the number.
    IsNot(Register, i32),
    /// The register is at most the number, both unsigned.
    AtMost(Register, i32),
    /// The register has at least one of these bits.
    HasBits(Register, i32),
    /// The registers are equal.
    Same(Register, Register),
    /// The registers differ.
    Differ(Register, Register),
    /// The first register is greater than the second, both unsigned.
    Above(Register, Register),
}

/// The target of jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label(usize);

/// Builds a program.
#[derive(Debug, Default)]
pub struct Assembler {
    code: Vec<Instruction>,
    /// By label, the index of the instruction after it.
    places: Vec<usize>,
    /// Indexes of jumps, and their targets.
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    /// Makes a label without a place. The kernel refuses a program that jumps to a label never placed.
    pub fn label(&mut self) -> Label {
        self.places.push(usize::MAX);
        Label(self.places.len() - 1)
    }

    /// Places the label here.
    pub fn place(&mut self, label: Label) {
        if let Some(place) = self.places.get_mut(label.0) {
            *place = self.code.len();
        }
    }

    /// Jumps to the label if the condition holds.
    pub fn jump(&mut self, condition: Condition, label: Label) {
        let zero = Register::R0;
        let (code, one, other, number) = match condition {
            Condition::Always => (0x05, zero, zero, 0),
            Condition::TooLong => (0xe5, zero, zero, 0),
            Condition::Is(one, number) => (0x15, one, zero, number),
            Condition::IsNot(one, number) => (0x55, one, zero, number),
            Condition::AtMost(one, number) => (0xb5, one, zero, number),
            Condition::HasBits(one, bits) => (0x45, one, zero, bits),
            Condition::Same(one, other) => (0x1d, one, other, 0),
            Condition::Differ(one, other) => (0x5d, one, other, 0),
            Condition::Above(one, other) => (0x2d, one, other, 0),
        };
        self.jumps.push((self.code.len(), label));
        self.add(code, one, other, 0, number);
    }

    /// Loads from an address; the upper bytes become zero.
    pub fn load(&mut self, size: Size, into: Register, from: Register, offset: i16) {
        self.add(0x61 | size.code(), into, from, offset, 0);
    }

    /// Stores the lowest bytes of a register at an address.
    pub fn store(&mut self, size: Size, at: Register, offset: i16, from: Register) {
        self.add(0x63 | size.code(), at, from, offset, 0);
    }

    /// Atomically adds a register to the eight bytes at an address.
    pub fn add_at(&mut self, at: Register, offset: i16, from: Register) {
        self.add(0xdb, at, from, offset, 0);
    }

    /// Copies a register.
    pub fn copy(&mut self, into: Register, from: Register) {
        self.add(0xbf, into, from, 0, 0);
    }

    /// Keeps the lower 32 bits of a register; the upper ones become zero.
    pub fn lower_half(&mut self, register: Register) {
        self.add(0xbc, register, register, 0, 0);
    }

    /// Sets a register to a number.
    pub fn set(&mut self, into: Register, number: i32) {
        self.add(0xb7, into, Register::R0, 0, number);
    }

    /// Sets a register to an unsigned 32-bit number.
    pub fn set_unsigned(&mut self, into: Register, number: u32) {
        self.set_long(into, number.into());
    }

    /// Sets a register to an unsigned 64-bit number.
    pub fn set_long(&mut self, into: Register, number: u64) {
        let halves: [[u8; 4]; 2] = zerocopy::transmute!(number.to_le_bytes());
        self.set_wide(into, 0, halves.map(i32::from_le_bytes));
    }

    /// Sets a register to a map, as an argument of a call.
    pub fn set_map(&mut self, into: Register, map: i32) {
        self.set_wide(into, 1, [map, 0]);
    }

    /// Sets a register to the address of the value in a map of one value.
    pub fn set_map_value(&mut self, into: Register, map: i32) {
        self.set_wide(into, 2, [map, 0]);
    }

    /// Adds a number to a register.
    pub fn add_number(&mut self, to: Register, number: i32) {
        self.add(0x07, to, Register::R0, 0, number);
    }

    /// Adds a register to another.
    pub fn add_register(&mut self, to: Register, register: Register) {
        self.add(0x0f, to, register, 0, 0);
    }

    /// Multiplies a register by another.
    pub fn multiply(&mut self, register: Register, by: Register) {
        self.add(0x2f, register, by, 0, 0);
    }

    /// Subtracts a register from another.
    pub fn subtract(&mut self, from: Register, register: Register) {
        self.add(0x1f, from, register, 0, 0);
    }

    /// XORs a register with another.
    pub fn exclusive_or(&mut self, register: Register, other: Register) {
        self.add(0xaf, register, other, 0, 0);
    }

    /// Shifts a register left.
    pub fn shift_up(&mut self, register: Register, bits: i32) {
        self.add(0x67, register, Register::R0, 0, bits);
    }

    /// Shifts a register right; the upper bits become zero.
    pub fn shift_down(&mut self, register: Register, bits: i32) {
        self.add(0x77, register, Register::R0, 0, bits);
    }

    /// As [`Self::shift_down`], by the number in another register.
    pub fn shift_down_by(&mut self, register: Register, by: Register) {
        self.add(0x7f, register, by, 0, 0);
    }

    /// Converts the lowest bytes of a register from network byte order; the upper bytes become zero.
    pub fn from_network(&mut self, size: Size, register: Register) {
        self.add(0xdc, register, Register::R0, 0, 8 * i32::from(size.bytes()));
    }

    /// Calls a helper by its number (`BPF_FUNC_*`).
    pub fn call(&mut self, helper: i32) {
        self.add(0x85, Register::R0, Register::R0, 0, helper);
    }

    /// Calls a kernel function by its BTF id.
    pub fn call_kernel(&mut self, function: i32) {
        self.add(0x85, Register::R0, Register::R2, 0, function);
    }

    /// Ends the program.
    pub fn exit(&mut self) {
        self.add(0x95, Register::R0, Register::R0, 0, 0);
    }

    /// Resolves the jumps and returns the program.
    pub fn finish(mut self) -> Vec<Instruction> {
        for (from, label) in self.jumps {
            let place = self.places.get(label.0).copied();
            // Counted from the instruction after the jump. A target too far or not placed gives a jump to itself.
            let distance = place.and_then(|place| {
                let [place, from] = [place, from].map(i32::try_from);
                i16::try_from(place.ok()? - from.ok()? - 1).ok()
            });
            if let Some([_, _, low, high, ..]) = self.code.get_mut(from) {
                [*low, *high] = distance.unwrap_or(-1).to_ne_bytes();
            }
        }
        self.code
    }

    /// A 64-bit number takes two instructions; the second has the upper half.
    fn set_wide(&mut self, into: Register, kind: u8, [low, high]: [i32; 2]) {
        self.add(0x18, into, Register(kind), 0, low);
        self.add(0, Register::R0, Register::R0, 0, high);
    }

    fn add(&mut self, code: u8, into: Register, from: Register, offset: i16, number: i32) {
        // Bit fields are laid out in byte order.
        let registers = if cfg!(target_endian = "big") {
            into.0 << 4 | from.0
        } else {
            from.0 << 4 | into.0
        };
        let [low, high] = offset.to_ne_bytes();
        let [a, b, c, d] = number.to_ne_bytes();
        self.code.push([code, registers, low, high, a, b, c, d]);
    }
}

#[cfg(test)]
mod tests;
