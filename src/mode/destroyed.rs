//! `ss -E`: sockets as they are destroyed.

use std::io::Write;
use std::ops::ControlFlow;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::Messages;
use super::sources::{anchor, open};
use crate::error::Error;
use crate::exit::Verdict;
use crate::filter::Rule;
use crate::mode::sources::matching;
use crate::model::{Socket, Summary};
use crate::query::{OpenOutput, Query};
use crate::render::{self, Envelope};
use crate::source::Recorder;
use crate::source::events::{Heard, Notices};

/// Shows matching sockets until a signal arrives or the reader closes the pipe.
///
/// # Errors
///
/// If the kernel cannot report them, or the output cannot be written.
pub fn destroyed(
    query: &Query,
    output: Option<OpenOutput>,
    envelope: &Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let (mut source, tables) = open(query, &Recorder::default())?;
    let mut matcher = matching(query, source.as_mut())?;
    let rules: Vec<Rule> = tables.iter().map(|table| query.rule(*table)).collect();
    let join = move || Notices::join(tables.into_iter()).map(Notices::keeping_attributes);
    let joined = match anchor(query)? {
        Some(anchor) => anchor.run(join).and_then(|joined| joined),
        None => join(),
    };
    let mut notices = joined.map_err(Error::Watch)?;
    let mut sink = render::sink(query.format, query.layout.clone(), envelope, out);
    let reader = output.and_then(|open| open().ok());
    loop {
        let mut polled = vec![PollFd::new(&notices, PollFlags::IN)];
        polled.extend(
            reader
                .iter()
                .map(|reader| PollFd::new(reader, PollFlags::empty())),
        );
        match poll(&mut polled, None) {
            Err(Errno::INTR) | Ok(_) => {}
            Err(error) => return Err(Error::Watch(error.into())),
        }
        // The reader has closed the pipe.
        if polled
            .get(1)
            .is_some_and(|reader| !reader.revents().is_empty())
        {
            return Ok(Verdict::Done);
        }
        let mut written = Ok(());
        let heard = notices.drain(|socket: &Socket| {
            let rule = rules.iter().find(|rule| rule.table() == socket.table());
            if rule.is_some_and(|rule| matcher.decide(socket, rule).held() == Some(true))
                && written.is_ok()
            {
                let row = sink.row(&matcher.row(socket));
                written = row.and_then(|_: ControlFlow<()>| sink.finish(&Summary::default()));
            }
        });
        written.map_err(Error::Output)?;
        if heard.map_err(Error::Watch)? == Heard::Overrun {
            messages
                .error("sockets are missing: the buffer for the kernel's notifications was full");
        }
    }
}
