//! Rows for serializers.

use serde_core::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::{OwnedRow, Row, Value};
use crate::fields::{self, Datum, Field, Shape};
use crate::model::{Process, ProcessStatus};
use crate::text::{escape, unix_name};
use std::os::unix::ffi::OsStrExt as _;

/// What every row has, in this order, under the names that it has in the JSON of the program.
const USUAL: [Field; 13] = [
    Field::Protocol,
    Field::Family,
    Field::State,
    Field::RecvQueue,
    Field::SendQueue,
    Field::LocalAddress,
    Field::LocalPort,
    Field::PeerAddress,
    Field::PeerPort,
    Field::Interface,
    Field::Uid,
    Field::Inode,
    Field::Cookie,
];

/// Fields as the program writes them in JSON: numbers of 64 bits as text, what is not known as null, names escaped. The
/// fields that [were asked for](crate::Sockets::fields) follow under the way to them there, `tcp_info.rtt`.
impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut map)?;
        map.end()
    }
}

impl Row<'_> {
    fn write<M: serde_core::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for field in USUAL {
            self.write_field(map, field)?;
        }
        if let Some(netns) = self.row.netns {
            map.serialize_entry("netns", &*escape(netns))?;
        }
        map.serialize_entry("processes", &self.row.processes)?;
        let status = self.process_status().map(ProcessStatus::name);
        map.serialize_entry("process_status", status.unwrap_or("not_searched"))?;
        let others = self.fields.iter().filter(|field| !USUAL.contains(field));
        for field in others {
            self.write_field(map, *field)?;
        }
        Ok(())
    }

    fn write_field<M: serde_core::ser::SerializeMap>(
        &self,
        map: &mut M,
        field: Field,
    ) -> Result<(), M::Error> {
        map.serialize_key(&field.path())?;
        if let fields::Value::Known(Datum::Path(name)) = field.value(&self.row) {
            return map.serialize_value(&unix_name(name));
        }
        match self.value(field) {
            Value::Number(number) if field.shape() == Shape::Wide => {
                map.serialize_value(&number.to_string())
            }
            value => map.serialize_value(&value),
        }
    }
}

impl Serialize for OwnedRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.row().serialize(serializer)
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Unknown => serializer.serialize_none(),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Flag(is_set) => serializer.serialize_bool(*is_set),
            Self::Text(text) => serializer.serialize_str(&escape(text.as_bytes())),
            Self::List(list) => {
                let mut all = serializer.serialize_seq(Some(list.len()))?;
                for one in list {
                    all.serialize_element(one)?;
                }
                all.end()
            }
        }
    }
}

impl Serialize for Process {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let clean = |name: Option<&[u8]>| name.map(|name| escape(name).into_owned());
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("pid", &self.pid)?;
        map.serialize_entry("name", &clean(self.name.as_deref()))?;
        map.serialize_entry("command", &clean(self.command.as_deref()))?;
        map.serialize_entry("user", &self.user)?;
        map.serialize_entry("fds", &self.fds)?;
        map.end()
    }
}
