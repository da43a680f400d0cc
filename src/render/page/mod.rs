//! HTML and SVG: the diagram alone, and self-contained pages that need no scripts.

mod diagram;
mod report;

use std::fmt::Write as _;

use crate::model::Summary;

use super::summary::Totals;

/// Styles of the diagrams, light and dark.
const DRAWING: &str = include_str!("drawing.css");
/// The style sheet of a page; [`POLICY`] has its hash.
const STYLE: &str = concat!(include_str!("drawing.css"), include_str!("page.css"));
/// The script that sorts and filters tables.
const SCRIPT: &str = include_str!("page.js");

/// Allows only the style sheet and script with these hashes, whatever a name contains.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
     style-src 'sha256-oiMHd8nFOnFq4lFmyyiViBsSfiPvD5NMa1Yzxi8WkTw='; script-src 'sha256-Vxhr5TsMZMsQxUvHfJ3+UigcdwvDERglV9cH4o3l+Fc='";

/// The most lines in a list of warnings or sources: there may be a thousand namespaces.
const LINES: usize = 100;

/// Escapes a text for an element's content, or for a quoted attribute. Characters that are unsafe for a
/// terminal or invalid in XML are escaped as in text.
pub(super) fn markup(text: &str) -> String {
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

/// A page up to its content: `title` of this host, at this time.
pub(super) fn begin(title: &str, host: &str, about: &str) -> String {
    let [title, host, about] = [title, host, about].map(markup);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} {host}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>{title} <b>{host}</b></h1>\n<p>{about}</p>\n</header>\n<main>\n"
    )
}

/// The end of a page.
pub(super) fn end() -> String {
    format!("</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n")
}

/// A paragraph with a mark of its class, and the rest.
fn article(page: &mut String, class: &str, strong: &str, words: &str, rest: &str) {
    let words = markup(words);
    let _ = writeln!(
        page,
        "<article class=\"{class}\"><p><b>{strong}</b> {words}</p>{rest}</article>"
    );
}

/// Writes if everything was read, and what is missing.
pub(super) fn complete(page: &mut String, what: &str, is_complete: bool, mut missing: Vec<String>) {
    let all = format!("All {what} were read.");
    let warned = format!("{all} Warnings:");
    let partly = format!("Not all {what} could be read:");
    let (class, strong, words) = match (is_complete, missing.is_empty()) {
        (true, true) => ("ok", "complete", all),
        (true, false) => ("warning", "complete", warned),
        (false, _) => ("critical", "incomplete", partly),
    };
    let more = missing.split_off(missing.len().min(LINES)).len();
    missing.extend((more > 0).then(|| format!("and {more} more")));
    let lines = missing.iter();
    let lines = lines.map(|line| format!("<li>{}</li>\n", markup(line)));
    let list = match lines.collect::<String>() {
        none if none.is_empty() => none,
        lines => format!("<ul>\n{lines}</ul>"),
    };
    article(page, class, strong, &words, &list);
}

/// Writes a document that contains only the diagram.
pub(super) fn drawing(out: &mut Vec<u8>, totals: &Totals) {
    let style = format!("<style>\n{DRAWING}</style>\n");
    out.extend_from_slice(diagram::of(totals, &style).as_bytes());
}

/// Writes a page of counts, findings and sockets.
pub(super) fn report(out: &mut Vec<u8>, totals: &Totals, summary: &Summary) {
    out.extend_from_slice(report::of(totals, summary).as_bytes());
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
