//! What `ss` alone makes something of.

use crate::netstat::{Stage, User};
use crate::support::Run;

use super::masked::masked;

/// Names that `ss` writes raw are compared elsewhere.
const UNWANTED: &[&str] = &["unix names"];

pub fn set() -> Option<Stage> {
    Stage::for_program("ss", UNWANTED)
}

/// Both say the same, but for what moves by itself; what `ss` says on stderr is not compared.
pub fn agree(stage: &Stage, user: User, words: &[&str]) -> Result<(), String> {
    let ours = || stage.ours(user, words);
    let told = |run: &Run| Run {
        stderr: String::new(),
        ..masked(run, words.contains(&"netlink"))
    };
    stage.compare_by((user, words), ours, told)
}
