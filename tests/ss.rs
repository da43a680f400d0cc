//! Under the name `ss` the program says what `ss` of iproute2 says, byte for byte.

mod better;
mod combinations;
mod masked;
mod others;
mod stage;
