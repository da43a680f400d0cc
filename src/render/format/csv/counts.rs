//! Counts: a record for each table and state in which something is.

use crate::render::HeaderLine;
use crate::render::summary::Totals;

/// RFC 4180: no value needs quotes.
pub(super) fn write(out: &mut Vec<u8>, totals: &Totals<'_>) {
    if totals.layout.header == HeaderLine::Shown {
        out.extend_from_slice(b"protocol,family,state,count\r\n");
    }
    for (table, state, count) in totals.records() {
        let (protocol, family) = (table.protocol, table.family);
        let record = format!("{protocol},{family},{state},{count}\r\n");
        out.extend_from_slice(record.as_bytes());
    }
}
