//! Which paragraph styles of a DOCX are headings (ECMA-376, Part 1, 17.7).

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// Levels of headings by the id of their style. Ids are translated in localized versions of Word, names are not.
#[derive(Debug, Default)]
pub(super) struct Styles(HashMap<String, u32>);

impl Styles {
    /// Reads `word/styles.xml`; what cannot be read is left out, because a document is readable without it.
    pub(super) fn parse(xml: &str) -> Self {
        let mut reader = Reader::from_str(xml);
        let mut levels = HashMap::new();
        let mut style = String::new();
        while let Ok(event) = reader.read_event() {
            match event {
                Event::Eof => break,
                Event::Start(tag) | Event::Empty(tag) => match tag.local_name().as_ref() {
                    "style" => style = attribute(&tag, "styleId").unwrap_or_default(),
                    "name" => {
                        if let Some(level) = attribute(&tag, "val").and_then(|name| by_name(&name))
                        {
                            levels.insert(style.clone(), level);
                        }
                    }
                    "outlineLvl" => {
                        if let Some(level) = outline_level(&tag) {
                            levels.entry(style.clone()).or_insert(level);
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        Self(levels)
    }

    /// The level of the headings with this style.
    pub(super) fn level(&self, id: &str) -> Option<u32> {
        self.0.get(id).copied().or_else(|| by_name(id))
    }
}

/// The level in names like `heading 2` and `Heading2`; a title stands above all headings and is one of level 1.
fn by_name(name: &str) -> Option<u32> {
    let name = name.to_ascii_lowercase();
    if name == "title" {
        return Some(1);
    }
    let level = name.strip_prefix("heading")?.trim().parse().ok()?;
    (1..=9).contains(&level).then_some(level)
}

/// The level in `w:outlineLvl`, which counts from 0; 9 is body text.
pub(super) fn outline_level(tag: &BytesStart) -> Option<u32> {
    let level: u32 = attribute(tag, "val")?.parse().ok()?;
    (level < 9).then_some(level + 1)
}

/// The value of an attribute, whatever prefix its name has.
pub(super) fn attribute(tag: &BytesStart, name: &str) -> Option<String> {
    tag.attributes()
        .with_checks(false)
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == name)
        .map(|attribute| attribute.value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_outline_levels_make_headings() {
        let styles = Styles::parse(
            r#"<w:styles><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
            <w:style w:styleId="Own"><w:name w:val="Own"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>
            <w:style w:styleId="Body"><w:name w:val="Normal"/><w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style></w:styles>"#,
        );
        assert_eq!(styles.level("berschrift1"), Some(1));
        assert_eq!(styles.level("Own"), Some(3));
        assert_eq!(styles.level("Body"), None);
        assert_eq!(styles.level("Heading4"), Some(4));
        assert_eq!(styles.level("Title"), Some(1));
    }
}
