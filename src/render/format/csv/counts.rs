//! Counts: a record for each table and state in which something is.

use crate::model::Counts;
use crate::render::Header;
use crate::render::summary::records;

/// RFC 4180: no value needs quotes.
pub(in crate::render) fn write(out: &mut Vec<u8>, counts: &Counts, header: Header) {
    if header == Header::Shown {
        out.extend_from_slice(b"protocol,family,state,count\r\n");
    }
    for (table, state, count) in records(counts) {
        let (protocol, family) = (table.protocol, table.family);
        let record = format!("{protocol},{family},{state},{count}\r\n");
        out.extend_from_slice(record.as_bytes());
    }
}
