//! Infers the segments between the two ends of a connection from their events.

use crate::model::{self, Ending, State};

use super::super::paint;
use super::{Pair, Step};

/// An end; the client is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    const fn of<T>(self, [left, right]: &[T; 2]) -> &T {
        match self {
            Self::Left => left,
            Self::Right => right,
        }
    }

    const fn of_mut<T>(self, [left, right]: &mut [T; 2]) -> &mut T {
        match self {
            Self::Left => left,
            Self::Right => right,
        }
    }
}

/// A segment, by its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment {
    Syn,
    SynAck,
    Ack,
    Fin,
    /// Also acknowledges the FIN of the other end.
    FinAck,
    Rst,
}

impl Segment {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Syn => "SYN",
            Self::SynAck => "SYN+ACK",
            Self::Ack => "ACK",
            Self::Fin => "FIN",
            Self::FinAck => "FIN+ACK",
            Self::Rst => "RST",
        }
    }

    /// True if a segment sent as `self` arrives as `received`.
    fn is(self, received: Self) -> bool {
        self == received
            || (self, received) == (Self::SynAck, Self::Ack)
            || (self, received) == (Self::FinAck, Self::Fin)
    }
}

/// The segments that an event certainly received and sent. An ACK of a FIN may be delayed and combined; it is
/// known to be sent once it causes an event at the other end.
fn segments(step: &Step) -> (Option<Segment>, Option<Segment>) {
    use Segment::{Ack, Fin, Rst, Syn, SynAck};
    use State::{
        Bound, CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen,
        SynRcvd, SynSent, TimeWait,
    };
    let Some(old) = step.old else {
        return (None, None);
    };
    match (old, step.new) {
        (Closed | Bound, SynSent) => (None, (step.syn == model::Syn::Sent).then_some(Syn)),
        (SynSent, Established) if step.syn == model::Syn::Restored => (None, None),
        (SynSent, Established) => (Some(SynAck), Some(Ack)),
        (Listen | SynSent, SynRcvd) => (Some(Syn), Some(SynAck)),
        (Listen | SynRcvd, Established) | (FinWait1, FinWait2) | (Closing, TimeWait) => {
            (Some(Ack), None)
        }
        (SynRcvd | Established, FinWait1) | (CloseWait, LastAck) => (None, Some(Fin)),
        (Established, CloseWait) | (FinWait1, Closing | TimeWait) | (FinWait2, TimeWait) => {
            (Some(Fin), None)
        }
        (_, Closed) => match step.ending {
            Some(Ending::Complete) => (Some(Fin), None),
            Some(Ending::Refused | Ending::ResetByPeer) => (Some(Rst), None),
            Some(Ending::NotAccepted) => (None, Some(Rst)),
            // Once all its data is sent, an end closed both ways sends no RST.
            Some(Ending::Aborted) if !matches!(old, Closing | LastAck) => (None, Some(Rst)),
            None if old == LastAck && !step.sampled => (Some(Ack), None),
            _ => (None, None),
        },
        _ => (None, None),
    }
}

/// What is drawn between the ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Between {
    #[default]
    Nothing,
    Segment {
        from: Side,
        segment: Segment,
        has_arrived: bool,
    },
    /// The other end has sent its FIN; this one may still send.
    Open(Side),
    /// Why the connection ended, if no segment shows it.
    Words(&'static str),
}

/// A line of the drawing.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The new states of both ends.
    pub(super) states: [Option<String>; 2],
    pub(super) between: Between,
    /// The event: when a segment arrived, or was sent if arrival is unknown, or when a state changed.
    pub(super) step: Option<Step>,
}

impl Line {
    /// The segment sent by this end, and true if it has arrived.
    fn sent(&self, by: Side) -> Option<(Segment, bool)> {
        match self.between {
            Between::Segment {
                from,
                segment,
                has_arrived,
            } if from == by => Some((segment, has_arrived)),
            _ => None,
        }
    }
}

/// The lines of a connection.
pub(super) fn lines(pair: &Pair) -> Vec<Line> {
    let mut exchange = Exchange::default();
    let mut steps: Vec<(Side, &Step)> = Vec::new();
    let mut begin = Line::default();
    for (side, end) in [Side::Left, Side::Right].into_iter().zip(&pair.ends) {
        let of_end = end.iter().flat_map(|end| &end.steps);
        if let Some(first) = of_end.clone().next() {
            *side.of_mut(&mut begin.states) = Some(named(first.old, false));
            *side.of_mut(&mut exchange.at) = first.old;
        }
        steps.extend(of_end.map(|step| (side, step)));
    }
    exchange.lines.push(begin);
    steps.sort_by_key(|(_, step)| step.time);
    for (side, step) in steps {
        exchange.step(side, step);
    }
    exchange.lines
}

fn named(state: Option<State>, is_alarm: bool) -> String {
    match state {
        None => "?".to_owned(),
        Some(state) if is_alarm => paint::mark_alarm(state.to_string(), true),
        Some(state) => paint::mark_state(&state.to_string()),
    }
}

#[derive(Debug, Default)]
struct Exchange {
    lines: Vec<Line>,
    /// The current states of both ends.
    at: [Option<State>; 2],
}

impl Exchange {
    fn step(&mut self, side: Side, step: &Step) {
        if side.of_mut(&mut self.at).replace(step.new) != step.old {
            // The events between were not seen.
            self.stay(side, named(None, false), None);
            if step.old.is_some() {
                self.stay(side, named(step.old, false), None);
            }
        }
        if (step.old, step.new) == (Some(State::Listen), State::Established) {
            // An MPTCP listener reports no SYN_RCVD.
            self.prove(side.other(), Segment::Syn, true);
            self.prove(side, Segment::SynAck, false);
        }
        let (received, mut sent) = segments(step);
        if received.is_none() && step.is_broken_off && self.told(side, Segment::Rst).is_some() {
            sent = Some(Segment::Rst);
        }
        // A listener creates a socket after the handshake, so what it sent was sent earlier.
        let is_late = (step.old, step.new) == (Some(State::Listen), State::SynRcvd);
        let time = Some(*step).filter(|_| !is_late);
        let state = named(Some(step.new), step.is_broken_off);
        let line = received.map(|segment| self.receive(side, segment, time));
        match (sent, line) {
            (Some(segment), line) => {
                let is_timed = line.is_some_and(|(_, is_timed)| is_timed);
                let place = self
                    .told(side, segment)
                    .unwrap_or_else(|| self.send(side, segment, false, time.filter(|_| !is_timed)));
                self.place(place, side, state);
            }
            (None, Some((place, _))) if self.is_open_at(place, side) => {
                self.place(place, side, state);
            }
            (None, _) => self.stay(side, state, time),
        }
        let of_others = [Ending::NotAccepted, Ending::Destroyed].map(Some);
        let is_told = received.or(sent).is_some() && !of_others.contains(&step.ending);
        let is_opened = step.new == State::SynSent || step.old == Some(State::SynSent);
        let is_special = step.ending.is_some() || step.is_broken_off || is_opened;
        if !is_told && is_special {
            self.tell(step.words.unwrap_or_default());
        }
        if step.new == State::CloseWait {
            self.push(Between::Open(side), None);
        }
    }

    /// Marks a segment as received: returns its line, and true if that got the time.
    fn receive(&mut self, by: Side, segment: Segment, time: Option<Step>) -> (usize, bool) {
        if segment == Segment::SynAck {
            self.prove(by, Segment::Syn, true);
        }
        let from = by.other();
        let is_under_way = |wanted: Segment| move |line: &Line| matches!(line.sent(from), Some((sent, false)) if sent.is(wanted));
        if segment == Segment::Ack && *from.of(&self.at) == Some(State::FinWait2) {
            self.acknowledge_fin(from);
        }
        // A segment proven by its answer has arrived.
        let is_syn =
            |line: &Line| segment == Segment::Syn && line.sent(from) == Some((Segment::Syn, true));
        let found = self
            .lines
            .iter()
            .rposition(|line| is_under_way(segment)(line) || is_syn(line));
        // An ACK may be part of a FIN, sent by an end that had received ours.
        let with_fin = self.lines.last().is_some_and(is_under_way(Segment::Fin));
        let is_with_fin = found.is_none() && segment == Segment::Ack && with_fin;
        let place = match found {
            Some(place) => place,
            None if is_with_fin => self.lines.len().saturating_sub(1),
            None => self.send(from, segment, true, None),
        };
        let is_timed = self.is_open_at(place, by) && time.is_some();
        if let Some(line) = self.lines.get_mut(place) {
            if let Between::Segment {
                segment,
                has_arrived,
                ..
            } = &mut line.between
            {
                *has_arrived = !is_with_fin;
                if is_with_fin {
                    *segment = Segment::FinAck;
                }
            }
            if is_timed {
                line.step = time;
            }
        }
        (place, is_timed)
    }

    /// Adds a segment that an end must have sent, if it is missing.
    fn prove(&mut self, by: Side, segment: Segment, has_arrived: bool) {
        let is_it = |line: &Line| line.sent(by).is_some_and(|(sent, _)| sent == segment);
        if !self.lines.iter().any(is_it) {
            self.send(by, segment, has_arrived, None);
        }
    }

    /// An end in `FIN_WAIT_2` has acknowledged a FIN, so it is in `TIME_WAIT`, which not every kernel
    /// reports.
    fn acknowledge_fin(&mut self, by: Side) {
        let last = self.lines.len().saturating_sub(1);
        let fin = self.lines.last().and_then(|line| line.sent(by.other()));
        if fin == Some((Segment::Fin, false)) && self.is_open_at(last, by) {
            self.place(last, by, named(Some(State::TimeWait), false));
            *by.of_mut(&mut self.at) = Some(State::TimeWait);
        }
    }

    /// The line of a segment that has arrived, and that its sender reports only now.
    fn told(&self, by: Side, segment: Segment) -> Option<usize> {
        let is_it = |line: &Line| line.sent(by) == Some((segment, true));
        let place = self.lines.iter().rposition(is_it)?;
        let mut since = self.lines.iter().skip(place);
        since
            .all(|line| by.of(&line.states).is_none())
            .then_some(place)
    }

    fn push(&mut self, between: Between, step: Option<Step>) -> usize {
        self.lines.push(Line {
            between,
            step,
            ..Line::default()
        });
        self.lines.len() - 1
    }

    fn send(&mut self, from: Side, segment: Segment, has_arrived: bool, at: Option<Step>) -> usize {
        let segment = Between::Segment {
            from,
            segment,
            has_arrived,
        };
        self.push(segment, at)
    }

    /// A state change without a segment.
    fn stay(&mut self, side: Side, state: String, time: Option<Step>) {
        let place = self.push(Between::Nothing, time);
        self.place(place, side, state);
    }

    fn place(&mut self, place: usize, side: Side, state: String) {
        if let Some(line) = self.lines.get_mut(place) {
            *side.of_mut(&mut line.states) = Some(state);
        }
    }

    /// True if no states follow this line, and this end has none in it.
    fn is_open_at(&self, place: usize, side: Side) -> bool {
        let is_note =
            |line: &Line| line.states == [None, None] && matches!(line.between, Between::Words(_));
        let line = self.lines.get(place);
        let mut below = self.lines.iter().skip(place + 1);
        below.all(is_note) && line.is_some_and(|line| side.of(&line.states).is_none())
    }

    fn tell(&mut self, words: &'static str) {
        let words = Between::Words(words);
        match self.lines.last_mut() {
            Some(last) if last.between == Between::Nothing => last.between = words,
            _ => drop(self.push(words, None)),
        }
    }
}
