//! What HTML elements mean for the layout of text, and a look at a page before a tree is built from it.

/// Elements whose content is no text of the page.
const SILENT: &[&str] = &[
    "script", "style", "nav", "noscript", "template", "head", "svg", "iframe", "object", "canvas",
    "audio", "video", "select", "button", "dialog",
];

/// Classes by which `DocBook`, Sphinx and others mark their navigation.
const NAVIGATION_CLASSES: &[&str] = &[
    "navheader",
    "navfooter",
    "navigation",
    "navbar",
    "breadcrumbs",
];

/// Elements that a paragraph's distance separates from their neighbours.
const PARAGRAPHS: &[&str] = &[
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "table",
    "ul",
    "ol",
    "dl",
    "pre",
    "blockquote",
    "figure",
    "section",
    "article",
    "hr",
    "details",
    "fieldset",
    "form",
];

/// Elements that begin and end a line.
const LINES: &[&str] = &[
    "div",
    "li",
    "dt",
    "dd",
    "tr",
    "main",
    "header",
    "footer",
    "aside",
    "address",
    "caption",
    "figcaption",
    "summary",
    "legend",
    "body",
    "html",
    "thead",
    "tbody",
    "tfoot",
    "center",
    "option",
];

/// Elements that stand alone or whose end tag may be left out; they say nothing about depth.
const UNPAIRED: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option",
    "optgroup", "colgroup", "rp", "rt", "html", "head", "body",
];

/// How an element is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Flows with the words around it.
    Inline,
    /// Begins and ends a line.
    Line,
    /// Has an empty line before and after it.
    Paragraph,
}

/// The layout of an element.
pub(super) fn layout(name: &str) -> Layout {
    if PARAGRAPHS.contains(&name) {
        Layout::Paragraph
    } else if LINES.contains(&name) {
        Layout::Line
    } else {
        Layout::Inline
    }
}

/// Whether an element and what is in it are left out.
pub(super) fn silent(element: &scraper::node::Element) -> bool {
    SILENT.contains(&element.name())
        || element.attr("hidden").is_some()
        || element.attr("aria-hidden") == Some("true")
        || element.attr("role") == Some("navigation")
        || element
            .classes()
            .any(|class| NAVIGATION_CLASSES.contains(&class))
}

/// The level of a heading element.
pub(super) fn heading(name: &str) -> Option<u32> {
    match name.as_bytes() {
        [b'h', digit @ b'1'..=b'6'] => Some(u32::from(digit - b'0')),
        _ => None,
    }
}

/// What a page looks like before it is parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// How many tags it has.
    pub(super) tags: usize,
    /// How deep its elements are nested at most, roughly.
    pub(super) depth: usize,
}

/// Counts the tags of a page. Building a tree costs a hundred times the memory of a tag, and closing one costs time in
/// proportion to the depth, so both are measured first.
pub(super) fn measure(text: &str) -> Shape {
    let (mut shape, mut depth) = (Shape::default(), 0_usize);
    for rest in text.split('<').skip(1) {
        let (closing, rest) = match rest.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let end = rest
            .find(|character: char| !character.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() {
            continue;
        }
        shape.tags += 1;
        if UNPAIRED
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
        {
            continue;
        }
        depth = if closing {
            depth.saturating_sub(1)
        } else {
            depth + 1
        };
        shape.depth = shape.depth.max(depth);
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_what_is_open() {
        let page = "<!doctype html><html><body><p>a<p>b<br><div><b>x</b><i>y</i></div>";
        assert_eq!(measure(page), Shape { tags: 11, depth: 2 });
        assert_eq!(measure(&"<span>".repeat(50)).depth, 50);
    }

    #[test]
    fn only_six_elements_are_headings() {
        assert_eq!(heading("h3"), Some(3));
        assert_eq!(heading("h7"), None);
        assert_eq!(heading("hr"), None);
    }
}
