#![allow(
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use super::{Assembler, Condition, Instruction, Register, Size};

/// The distance of a jump, from the instruction after it.
fn distance([_, _, low, high, ..]: Instruction) -> i16 {
    i16::from_ne_bytes([low, high])
}

#[test]
fn jumps_lead_forward_and_back_to_where_the_label_stands() {
    let mut program = Assembler::default();
    let (begin, end) = (program.label(), program.label());
    program.place(begin);
    program.jump(Condition::IsNot(Register::R1, 7), end);
    program.set(Register::R0, 1);
    program.jump(Condition::Always, begin);
    program.place(end);
    program.exit();
    let code = program.finish();
    assert_eq!(code.len(), 4);
    assert_eq!([distance(code[0]), distance(code[2])], [2, -3]);
}

#[test]
fn jump_to_nowhere_or_too_far_leads_to_itself() {
    let mut program = Assembler::default();
    let (nowhere, far) = (program.label(), program.label());
    program.jump(Condition::Always, nowhere);
    program.jump(Condition::Always, far);
    for _ in 0..40_000 {
        program.exit();
    }
    program.place(far);
    let code = program.finish();
    assert_eq!([distance(code[0]), distance(code[1])], [-1, -1]);
}

#[test]
fn jumps_of_loops_are_those_of_the_kernel() {
    for (condition, registers, code) in [
        (Condition::TooLong, 0, 0xe5),
        (Condition::Same(Register::R1, Register::R2), 0x21, 0x1d),
    ] {
        let mut program = Assembler::default();
        let end = program.label();
        program.jump(condition, end);
        program.exit();
        program.place(end);
        let jump = program.finish()[0];
        assert_eq!((jump[0], distance(jump)), (code, 1));
        assert!(jump[1] == registers || cfg!(target_endian = "big"));
    }
}

/// One instruction, byte for byte as `llvm-mc -triple bpfel` writes it.
#[track_caller]
fn assert_is(write: impl FnOnce(&mut Assembler), bytes: &[Instruction]) {
    let mut program = Assembler::default();
    write(&mut program);
    if cfg!(target_endian = "little") {
        assert_eq!(program.finish(), bytes);
    }
}

#[test]
fn instructions_are_those_of_the_kernel() {
    let (r1, r2) = (Register::R1, Register::R2);
    for (size, load, store) in [
        (Size::One, 0x71, 0x73),
        (Size::Two, 0x69, 0x6b),
        (Size::Four, 0x61, 0x63),
        (Size::Eight, 0x79, 0x7b),
    ] {
        assert_is(
            |a| a.load(size, r1, Register::R6, 8),
            &[[load, 0x61, 8, 0, 0, 0, 0, 0]],
        );
        assert_is(
            |a| a.store(size, Register::STACK, -8, r2),
            &[[store, 0x2a, 0xf8, 0xff, 0, 0, 0, 0]],
        );
    }
    assert_is(|a| a.copy(r1, r2), &[[0xbf, 0x21, 0, 0, 0, 0, 0, 0]]);
    assert_is(|a| a.lower_half(r1), &[[0xbc, 0x11, 0, 0, 0, 0, 0, 0]]);
    assert_is(
        |a| a.set(r1, -2),
        &[[0xb7, 1, 0, 0, 0xfe, 0xff, 0xff, 0xff]],
    );
    assert_is(|a| a.add_number(r1, 3), &[[0x07, 1, 0, 0, 3, 0, 0, 0]]);
    assert_is(|a| a.subtract(r1, r2), &[[0x1f, 0x21, 0, 0, 0, 0, 0, 0]]);
    assert_is(|a| a.shift_down(r1, 32), &[[0x77, 1, 0, 0, 32, 0, 0, 0]]);
    assert_is(
        |a| a.shift_down_by(r1, r2),
        &[[0x7f, 0x21, 0, 0, 0, 0, 0, 0]],
    );
    assert_is(|a| a.add_at(r1, 4, r2), &[[0xdb, 0x21, 4, 0, 0, 0, 0, 0]]);
    assert_is(
        |a| a.from_network(Size::Two, r1),
        &[[0xdc, 1, 0, 0, 16, 0, 0, 0]],
    );
    assert_is(|a| a.call(131), &[[0x85, 0, 0, 0, 131, 0, 0, 0]]);
    assert_is(|a| a.call_kernel(9), &[[0x85, 0x20, 0, 0, 9, 0, 0, 0]]);
    let rest = [0; 8];
    assert_is(
        |a| a.set_unsigned(r1, 0xf000_0001),
        &[[0x18, 1, 0, 0, 1, 0, 0, 0xf0], rest],
    );
    assert_is(
        |a| a.set_map(r1, 5),
        &[[0x18, 0x11, 0, 0, 5, 0, 0, 0], rest],
    );
    assert_is(
        |a| a.set_map_value(r1, 5),
        &[[0x18, 0x21, 0, 0, 5, 0, 0, 0], rest],
    );
    assert_is(Assembler::exit, &[[0x95, 0, 0, 0, 0, 0, 0, 0]]);
}
