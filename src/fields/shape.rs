//! Types of fields in JSON, for programs that load rows.

use super::Field;

/// The type of a field in JSON; any may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A number that fits in 53 bits.
    Number,
    /// A number that uses all 64 bits, written as a string of digits.
    Wide,
    /// True or false.
    Flag,
    /// A string.
    Text,
    /// A list of strings; never empty.
    Texts,
    /// A list of numbers.
    Numbers,
    /// An object with a member for each of its [parts](Field::parts).
    Object,
    /// A list of such objects.
    Objects,
}

impl Field {
    /// The type of the field; of a part, that of its member.
    pub fn shape(self) -> Shape {
        match self {
            Self::Processes | Self::PeerProcesses => Shape::Objects,
            Self::Timer | Self::Memory => Shape::Object,
            structure if structure.as_structure().is_some() => Shape::Object,
            Self::LocalAddresses | Self::PeerAddresses => Shape::Texts,
            Self::PendingPeers | Self::Fd | Self::Tid => Shape::Numbers,
            Self::V6Only | Self::AtPath => Shape::Flag,
            Self::Cookie => Shape::Wide,
            Self::InfoPart(part) if part.is_wide => Shape::Wide,
            number if number.is_port() || number.unit().is_some() => Shape::Number,
            _ => Shape::Text,
        }
    }
}
