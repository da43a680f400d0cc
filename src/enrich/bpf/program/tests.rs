#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::super::BTF;
use super::super::btf::{Value, tests::Kernel};
use super::{EXIT, FIELDS, FUNCTION, Label, Layout, Step, assemble, program, set, unless_is};
use crate::skip::skip;
use std::fs;
use std::process::Command;

/// A kernel with these fields, eight bytes apart.
fn kernel(fields: &[(&str, &str, Value)]) -> Vec<u8> {
    let mut kernel = Kernel::new();
    let (four, eight, pointer) = (kernel.number(4), kernel.number(8), kernel.pointer());
    let mut structures: Vec<&str> = fields.iter().map(|(of, ..)| *of).collect();
    structures.dedup();
    for structure in structures {
        let of = fields.iter().filter(|(of, ..)| *of == structure);
        let members: Vec<_> = of
            .zip(0..)
            .map(|((_, name, value), place)| match value {
                Value::Number(4) => (*name, four, place * 64),
                Value::Number(_) => (*name, eight, place * 64),
                _ => (*name, pointer, place * 64),
            })
            .collect();
        kernel.structure(structure, &members);
    }
    kernel.function(FUNCTION);
    kernel.bytes()
}

#[test]
fn layout_is_read_field_by_field() {
    let layout = Layout::read(&kernel(&FIELDS)).unwrap();
    assert_eq!(layout.offsets, [0, 8, 16, 24, 0, 0, 8, 0, 0, 8, 0]);
}

#[test]
fn what_a_kernel_does_not_have_is_named() {
    for missing in 0..FIELDS.len() {
        let mut fields = FIELDS.to_vec();
        let (of, name, _) = fields.remove(missing);
        let error = Layout::read(&kernel(&fields)).unwrap_err();
        assert!(error.contains(of), "{of}.{name}: {error}");
    }
}

#[test]
fn number_of_another_size_is_not_read() {
    let mut fields = FIELDS;
    let inode = fields.iter_mut().find(|field| field.1 == "i_ino").unwrap();
    inode.2 = Value::Number(4);
    let error = Layout::read(&kernel(&fields)).unwrap_err();
    assert!(error.contains("inode.i_ino"), "{error}");
}

#[test]
fn jumps_pass_over_instructions_and_not_over_labels() {
    let steps = [
        Step::Jump(unless_is(1, 7), Label::End),
        Step::Do(set(0, 1)),
        Step::At(Label::Write),
        Step::Do(set(0, 2)),
        Step::At(Label::End),
        Step::Do(EXIT),
    ];
    let code = assemble(&steps);
    assert_eq!(code.len(), 4);
    let jump = code
        .first()
        .map(|[_, _, low, high, ..]| i16::from_ne_bytes([*low, *high]));
    assert_eq!(jump, Some(2));
}

#[test]
fn every_jump_of_the_program_leads_forward_into_it() {
    let layout = Layout::read(&kernel(&FIELDS)).unwrap();
    let code = program(&layout);
    let jumps = code
        .iter()
        .zip(0_i16..)
        .filter(|([class, ..], _)| class & 7 == 5);
    let ends = jumps.map(|([_, _, low, high, ..], at)| at + 1 + i16::from_ne_bytes([*low, *high]));
    let length = i16::try_from(code.len()).unwrap();
    for end in ends {
        assert!((1..=length).contains(&end), "{end} of {length}");
    }
    assert_eq!(code.last(), Some(&EXIT));
}

/// What `bpftool` says of a type: `[13] STRUCT 'file' size=…`, its members below.
fn witness(text: &str, head: &str) -> (Option<u32>, Vec<String>) {
    let mut lines = text.lines().skip_while(|line| !line.contains(head));
    let number = lines.next().and_then(|line| {
        let (number, _) = line.strip_prefix('[')?.split_once(']')?;
        number.parse().ok()
    });
    let members = lines.take_while(|line| line.starts_with('\t'));
    (number, members.map(|line| line.trim().to_owned()).collect())
}

#[test]
fn layout_of_this_kernel_is_what_bpftool_says() {
    let Ok(bytes) = fs::read(BTF) else {
        skip("this kernel does not describe its types");
        return;
    };
    let layout = Layout::read(&bytes).unwrap();
    let dump = Command::new("bpftool")
        .args(["btf", "dump", "file", BTF])
        .output();
    let Some(dump) = dump.ok().filter(|dump| dump.status.success()) else {
        skip("bpftool cannot be run");
        return;
    };
    let text = String::from_utf8(dump.stdout).unwrap();
    let (function, _) = witness(&text, &format!("FUNC '{FUNCTION}'"));
    assert_eq!(Some(layout.function), function);
    let mut seen = 0;
    for ((of, name, _), offset) in FIELDS.into_iter().zip(layout.offsets) {
        let (_, members) = witness(&text, &format!("STRUCT '{of}' "));
        let found = members
            .iter()
            .find(|line| line.starts_with(&format!("'{name}'")));
        // The others stand in a union without a name.
        if let Some(line) = found {
            let bits = format!("bits_offset={}", i32::from(offset) * 8);
            assert!(
                line.split(' ').any(|word| word == bits),
                "{of}: {line}: {bits}"
            );
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen} fields compared");
}
