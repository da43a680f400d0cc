//! Many expressions made of tests whose answers are known: whatever is left to the kernel, and whichever
//! tables are not asked, the answer is that of the parts.

use serde_json::Value;

use super::cases::{Case, check};
use super::{fields, hosts, logic};
use crate::support::{list, stage};

/// The same numbers in every run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn choose<'c, T>(&mut self, of: &'c [T]) -> &'c T {
        &of[self.roll(of.len())]
    }

    /// An expression of a few of these.
    fn expression(&mut self, parts: &[Case], depth: usize) -> Case {
        if depth == 0 {
            return self.choose(parts).clone();
        }
        match self.roll(8) {
            0 => self.choose(parts).clone(),
            1 | 2 => {
                let sign = *self.choose(&["not ", "!", "! "]);
                self.expression(parts, depth - 1).negated(sign)
            }
            3..=5 => {
                let sign = *self.choose(&[" and ", "&", " && ", " ", ""]);
                let one = self.expression(parts, depth - 1);
                one.and(sign, self.expression(parts, depth - 1))
            }
            _ => {
                let sign = *self.choose(&[" or ", "|", " || "]);
                let one = self.expression(parts, depth - 1);
                one.or(sign, self.expression(parts, depth - 1))
            }
        }
    }
}

/// So many expressions of these parts.
fn expressions(count: usize, groups: Vec<Vec<Case>>) -> Vec<Case> {
    let parts = groups.into_iter().flatten().filter(Case::is_movable);
    let parts: Vec<Case> = parts.collect();
    let mut dice = Dice(u64::try_from(count).unwrap());
    let made = (0..count).map(|_| dice.expression(&parts, 4).all_or_none());
    made.collect()
}

#[test]
fn what_the_kernel_narrows_is_never_too_little() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let rows = list(&["-tan"]);
    let parts = vec![
        fields::states(),
        hosts::addresses(),
        hosts::interfaces(),
        hosts::ports(&rows),
    ];
    check(&["-tan"], &["-e"], &expressions(250, parts));
}

#[test]
fn expressions_over_every_table_are_the_sum_of_their_parts() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let words = super::evaluation::TOLD;
    let shown = ["-e", "-i", "-m", "-o"];
    let rows: Vec<Value> = list(&[words, &shown].concat());
    let parts = vec![
        fields::states(),
        fields::words(),
        fields::sides(),
        fields::timers(),
        fields::numbers(&rows),
        fields::kernel(&rows),
        hosts::addresses(),
        hosts::ports(&rows),
        hosts::names(&rows),
        logic::compound(),
    ];
    check(words, &shown, &expressions(150, parts));
}
