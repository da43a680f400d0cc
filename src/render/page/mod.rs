//! Markup: `svg` is the diagram alone.

mod diagram;

use std::fmt::Write as _;

use super::summary::Totals;

/// The colors and looks of what is drawn, light and dark.
const DRAWING: &str = include_str!("drawing.css");

/// A text as the content of an element, or as the value of an attribute in quotes. What a terminal must not get,
/// and what XML cannot hold, is escaped as there.
fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in crate::text::shown(text).chars() {
        // Writing to a String cannot fail.
        let _ = match c {
            '&' => write!(out, "&amp;"),
            '<' => write!(out, "&lt;"),
            '>' => write!(out, "&gt;"),
            '"' => write!(out, "&quot;"),
            '\'' => write!(out, "&#39;"),
            '\u{fffe}' | '\u{ffff}' => write!(out, "\\x{:x}", u32::from(c)),
            other => write!(out, "{other}"),
        };
    }
    out
}

/// Writes a document with the diagram and nothing else.
pub(super) fn drawing(out: &mut Vec<u8>, totals: &Totals) {
    let style = format!("<style>\n{DRAWING}</style>\n");
    out.extend_from_slice(diagram::of(totals, &style).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::markup;

    #[test]
    fn no_text_is_markup_or_reorders_what_follows() {
        for (text, expected) in [
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;",
            ),
            ("\" onload='x' &amp;", "&quot; onload=&#39;x&#39; &amp;amp;"),
            ("a\u{1b}[0m\u{202e}b\0", "a\\x1b[0m\\xe2\\x80\\xaeb\\x00"),
            ("\u{ffff}", "\\xffff"),
            ("naïve 名前", "naïve 名前"),
        ] {
            assert_eq!(markup(text), expected);
        }
    }
}
