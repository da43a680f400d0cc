//! Under the name `ss` the program says what `ss` of iproute2 says, byte for byte.

mod combinations;
mod masked;
mod stage;
