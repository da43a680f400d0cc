//! Parses JSON, if built with it.

#[cfg(feature = "containers")]
pub(super) use serde_json::Value;

/// Parses a text.
#[cfg(feature = "containers")]
pub(super) fn parsed(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok()
}

#[cfg(not(feature = "containers"))]
pub(super) use absent::{Value, parsed};

/// Without JSON, containers have their ids as names.
#[cfg(not(feature = "containers"))]
mod absent {
    #[derive(Debug)]
    pub(in crate::container) enum Value {}

    impl Value {
        pub(in crate::container) fn get(&self, _: impl AsRef<str>) -> Option<&Self> {
            match *self {}
        }

        pub(in crate::container) fn pointer(&self, _: &str) -> Option<&Self> {
            match *self {}
        }

        pub(in crate::container) fn as_str(&self) -> Option<&str> {
            match *self {}
        }

        pub(in crate::container) fn as_array(&self) -> Option<&Vec<Self>> {
            match *self {}
        }

        pub(in crate::container) fn as_object(&self) -> Option<&Vec<(String, Self)>> {
            match *self {}
        }
    }

    pub(in crate::container) fn parsed(_: &[u8]) -> Option<Value> {
        None
    }
}
