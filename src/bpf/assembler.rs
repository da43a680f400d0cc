//! Instructions of the kernel's virtual machine, and jumps between them.

/// `struct bpf_insn` (`include/uapi/linux/bpf.h`): code, two registers of four bits, offset, number.
pub type Instruction = [u8; 8];

/// A register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register(u8);

impl Register {
    /// The result of a call and of the program.
    pub const R0: Self = Self(0);
    /// Arguments of calls, lost in a call: the first,
    pub const R1: Self = Self(1);
    /// the second,
    pub const R2: Self = Self(2);
    /// the third,
    pub const R3: Self = Self(3);
    /// the fourth,
    pub const R4: Self = Self(4);
    /// the fifth.
    pub const R5: Self = Self(5);
    /// Kept in a call, like the three that follow.
    pub const R6: Self = Self(6);
    /// Kept in a call.
    pub const R7: Self = Self(7);
    /// Kept in a call.
    pub const R8: Self = Self(8);
    /// Kept in a call.
    pub const R9: Self = Self(9);
    /// The end of the stack, which grows down.
    pub const STACK: Self = Self(10);
}

/// Bytes that are read or written at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 1.
    One,
    /// 2.
    Two,
    /// 4.
    Four,
    /// 8.
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

    /// How many they are.
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
    /// At any time.
    Always,
    /// When a loop has run for too long (`may_goto`, Linux 6.9).
    TooLong,
    /// The register holds this number.
    Is(Register, i32),
    /// The register holds another number than this.
    IsNot(Register, i32),
    /// The register holds a number not above this, both without a sign.
    AtMost(Register, i32),
    /// Of these bits the register has some.
    HasBits(Register, i32),
    /// The registers hold the same number.
    Same(Register, Register),
    /// The registers hold different numbers.
    Differ(Register, Register),
    /// The first register holds a greater number than the second, both without a sign.
    Above(Register, Register),
}

/// A place to go on at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label(usize);

/// Puts a program together.
#[derive(Debug, Default)]
pub struct Assembler {
    code: Vec<Instruction>,
    /// By label, the instruction that it stands before.
    places: Vec<usize>,
    /// Instructions that jump, and where to.
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    /// A label that stands nowhere yet. The kernel refuses a program that jumps to one that stays so.
    pub fn label(&mut self) -> Label {
        self.places.push(usize::MAX);
        Label(self.places.len() - 1)
    }

    /// Here it is.
    pub fn place(&mut self, label: Label) {
        if let Some(place) = self.places.get_mut(label.0) {
            *place = self.code.len();
        }
    }

    /// Goes on at the label, if the condition holds.
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

    /// Reads so many bytes from an address; what is above them becomes zero.
    pub fn load(&mut self, size: Size, into: Register, from: Register, offset: i16) {
        self.add(0x61 | size.code(), into, from, offset, 0);
    }

    /// Writes the lowest bytes of a register to an address.
    pub fn store(&mut self, size: Size, at: Register, offset: i16, from: Register) {
        self.add(0x63 | size.code(), at, from, offset, 0);
    }

    /// Adds a register to the eight bytes at an address, whatever other processors do there.
    pub fn add_at(&mut self, at: Register, offset: i16, from: Register) {
        self.add(0xdb, at, from, offset, 0);
    }

    /// Copies a register.
    pub fn copy(&mut self, into: Register, from: Register) {
        self.add(0xbf, into, from, 0, 0);
    }

    /// Keeps the lower 32 bits of a register; what is above them becomes zero.
    pub fn lower_half(&mut self, register: Register) {
        self.add(0xbc, register, register, 0, 0);
    }

    /// Sets a register to a number.
    pub fn set(&mut self, into: Register, number: i32) {
        self.add(0xb7, into, Register::R0, 0, number);
    }

    /// Sets a register to a number of 32 bits without a sign.
    pub fn set_unsigned(&mut self, into: Register, number: u32) {
        self.set_long(into, number.into());
    }

    /// Sets a register to a number of 64 bits without a sign.
    pub fn set_long(&mut self, into: Register, number: u64) {
        let halves: [[u8; 4]; 2] = zerocopy::transmute!(number.to_le_bytes());
        self.set_wide(into, 0, halves.map(i32::from_le_bytes));
    }

    /// Sets a register to a map, for calls that take one.
    pub fn set_map(&mut self, into: Register, map: i32) {
        self.set_wide(into, 1, [map, 0]);
    }

    /// Sets a register to the address of the value in a map that has one only.
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

    /// Takes a register from another.
    pub fn subtract(&mut self, from: Register, register: Register) {
        self.add(0x1f, from, register, 0, 0);
    }

    /// Keeps the bits of a register in which another differs from it.
    pub fn exclusive_or(&mut self, register: Register, other: Register) {
        self.add(0xaf, register, other, 0, 0);
    }

    /// Moves the bits of a register up.
    pub fn shift_up(&mut self, register: Register, bits: i32) {
        self.add(0x67, register, Register::R0, 0, bits);
    }

    /// Moves the bits of a register down; what is above them becomes zero.
    pub fn shift_down(&mut self, register: Register, bits: i32) {
        self.add(0x77, register, Register::R0, 0, bits);
    }

    /// The same, as far as another register says.
    pub fn shift_down_by(&mut self, register: Register, by: Register) {
        self.add(0x7f, register, by, 0, 0);
    }

    /// Turns the lowest bytes of a register around, if this machine does not have them in the order of
    /// the network; what is above them becomes zero.
    pub fn from_network(&mut self, size: Size, register: Register) {
        self.add(0xdc, register, Register::R0, 0, 8 * i32::from(size.bytes()));
    }

    /// Calls a helper by its number (`BPF_FUNC_…`).
    pub fn call(&mut self, helper: i32) {
        self.add(0x85, Register::R0, Register::R0, 0, helper);
    }

    /// Calls a function of the kernel by its number among the types.
    pub fn call_kernel(&mut self, function: i32) {
        self.add(0x85, Register::R0, Register::R2, 0, function);
    }

    /// Ends the program.
    pub fn exit(&mut self) {
        self.add(0x95, Register::R0, Register::R0, 0, 0);
    }

    /// The program, with the distances put into the jumps.
    pub fn finish(mut self) -> Vec<Instruction> {
        for (from, label) in self.jumps {
            let place = self.places.get(label.0).copied();
            // Counted from behind the jump. Too far or nowhere leads to itself: a loop without an end.
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

    /// A number of 64 bits takes the place of two instructions; the second has its upper half.
    fn set_wide(&mut self, into: Register, kind: u8, [low, high]: [i32; 2]) {
        self.add(0x18, into, Register(kind), 0, low);
        self.add(0, Register::R0, Register::R0, 0, high);
    }

    fn add(&mut self, code: u8, into: Register, from: Register, offset: i16, number: i32) {
        // The order of bit fields is that of bytes.
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
