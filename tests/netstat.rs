//! Under the name `netstat` the program says what `netstat` of net-tools says, byte for byte.

mod combinations;
mod format;
mod made_up;
mod refused;
mod said;
mod sources;
mod stage;
mod watched;

pub use said::difference;
pub use stage::{Stage, User};
