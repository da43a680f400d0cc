//! The TCP state machine, drawn after figure 5 of RFC 9293, with the number of sockets in each state.

use std::fmt::Write as _;

use crate::model::State::{
    self, Bound, CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen,
    SynRcvd, SynSent, TimeWait,
};
use crate::model::{Explanation, Protocol, TRANSITIONS};

use super::super::weight::{Weight, number};
use super::markup;
use crate::render::summary::Totals;

/// The upper left corner of each state.
const PLACES: [(State, [u16; 2]); 12] = [
    (Listen, [20, 70]),
    (Bound, [340, 70]),
    (Closed, [660, 70]),
    (SynRcvd, [20, 190]),
    (SynSent, [660, 190]),
    (Established, [340, 290]),
    (FinWait1, [20, 390]),
    (Closing, [340, 390]),
    (CloseWait, [660, 390]),
    (FinWait2, [20, 510]),
    (TimeWait, [340, 510]),
    (LastAck, [660, 510]),
];

/// The arrows: names of both states, path, place of the label, and label.
fn arrows() -> impl Iterator<Item = (&'static str, &'static str, &'static str, &'static str)> {
    let lines = include_str!("arrows.txt").lines();
    lines.filter_map(|line| {
        let mut parts = line.split(" | ");
        Some((parts.next()?, parts.next()?, parts.next()?, parts.next()?))
    })
}

/// The cause of an arrow's transition.
fn cause(arrow: &str) -> &'static str {
    let mut steps = TRANSITIONS.iter();
    let step = steps.find(|step| format!("{} -> {}", step.from, step.to) == arrow);
    step.map_or("", |step| step.cause)
}

/// An SVG element, with its own style sheet or inside a page that has it.
pub(super) fn of(totals: &Totals, style: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 670\" width=\"860\" role=\"img\" \
         aria-labelledby=\"about counts\">\n\
         <title id=\"about\">TCP sockets of {} by state, {}</title>\n",
        markup(&totals.envelope.host),
        markup(&totals.envelope.time),
    );
    let counts = &totals.counts;
    // What was not read is not zero.
    let is_read = counts.of_protocol(Protocol::Tcp).next().is_some();
    let count = |state| counts.told(Protocol::Tcp, state).filter(|_| is_read);
    let listed = PLACES.iter().filter(|(state, _)| *state != Closed);
    let listed = listed.map(|(state, _)| format!("{state} {}", number(count(*state))));
    let listed = listed.collect::<Vec<_>>().join(", ");
    // Writing to a String cannot fail.
    let _ = write!(
        svg,
        "<desc id=\"counts\">{listed}</desc>\n\
         {style}<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"2\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path id=\"tip\" d=\"M0,0L8,4L0,8z\"/></marker></defs>\n\
         <rect class=\"back\" width=\"860\" height=\"670\" rx=\"10\"/>\n"
    );
    for (arrow, path, label, text) in arrows() {
        let (place, anchor) = label.split_once(' ').unwrap_or((label, "start"));
        let (x, y) = place.split_once(',').unwrap_or((place, "0"));
        let _ = writeln!(
            svg,
            "<g class=\"arrow\"><title>{}: {}</title>\
             <path d=\"{path}\" marker-end=\"url(#arrow)\"/>\
             <text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text></g>",
            markup(arrow),
            markup(cause(arrow)),
            markup(text),
        );
    }
    let total = counts.total(Protocol::Tcp);
    for (state, [x, y]) in PLACES {
        let (name, meaning) = (
            state.name(),
            Explanation::of(state).map_or("", |of| of.meaning),
        );
        let count = count(state).filter(|_| state != Closed);
        let known = count.unwrap_or_default();
        let class = Weight::of(state, known, total).class();
        let width = known.saturating_mul(156).checked_div(total).unwrap_or(0);
        // The kernel lists no such socket.
        let (middle, number) = match state {
            Closed => (33, String::new()),
            _ => (21, number(count)),
        };
        let _ = writeln!(
            svg,
            "<g class=\"{class}\" transform=\"translate({x},{y})\"><title>{}</title>\
             <rect class=\"box\" width=\"180\" height=\"56\" rx=\"8\"/>\
             <text class=\"name\" x=\"12\" y=\"{middle}\">{name}</text>\
             <text class=\"count\" x=\"12\" y=\"43\">{number}</text>\
             <rect class=\"bar\" x=\"12\" y=\"48\" width=\"{width}\" height=\"3\" rx=\"1.5\"/></g>",
            markup(meaning),
        );
    }
    svg.push_str(
        "<g class=\"none\"><rect class=\"box\" x=\"380\" y=\"622\" width=\"100\" height=\"32\" rx=\"16\"/>\
         <text class=\"name\" x=\"430\" y=\"643\" text-anchor=\"middle\">CLOSED</text></g>\n\
         <text x=\"20\" y=\"643\">An RST, a timeout or an abort ends any connection.</text>\n</svg>\n",
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::{PLACES, arrows, cause};
    use crate::model::State;

    #[test]
    fn every_state_of_tcp_has_a_place_and_arrows() {
        for state in State::NAMED
            .into_iter()
            .filter(|state| *state != State::Unconn)
        {
            let name = state.name();
            assert_eq!(PLACES.iter().filter(|place| place.0 == state).count(), 1);
            let mut from = arrows();
            assert!(
                from.any(|arrow| arrow.0.starts_with(&format!("{name} -> "))),
                "{name}"
            );
            let mut to = arrows();
            assert!(
                to.any(|arrow| arrow.0.ends_with(&format!(" -> {name}"))),
                "{name}"
            );
        }
    }

    #[test]
    fn every_arrow_is_a_step_of_the_machine() {
        for (arrow, path, ..) in arrows() {
            assert!(!cause(arrow).is_empty() && path.starts_with('M'), "{arrow}");
        }
        // Those of the RFC, and two of BOUND.
        assert_eq!(arrows().count(), 19 + 2);
    }
}
