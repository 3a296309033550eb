//! Real documents, broken documents and documents that were made to do harm.

mod hostile;

use std::io::Write;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::samples;

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

fn read_as(media_type: &str, bytes: &[u8]) -> Result<Extracted, ExtractError> {
    extract(bytes, media_type, "", &Limits::default())
}

fn sample(name: &str) -> Extracted {
    extract(&samples::bytes(name), "", name, &Limits::default()).unwrap()
}

/// Sections begin where they say.
fn check_sections(found: &Extracted) {
    let characters: Vec<char> = found.text.chars().collect();
    let mut last = 0;
    for section in &found.sections {
        assert!(section.start >= last && section.start <= characters.len());
        last = section.start;
        if section.kind == SectionKind::Heading {
            let rest: String = characters[section.start..]
                .iter()
                .take(4 * section.title.len() + 40)
                .collect();
            let words = rest.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.starts_with(&section.title), "{section:?}: {words}");
        }
    }
}

#[test]
fn a_real_pdf_gives_its_pages_words_and_tables() {
    let found = sample("fhs-3.0.pdf");
    check_sections(&found);
    assert_eq!(found.sections.len(), 50);
    assert!(
        found
            .sections
            .iter()
            .all(|section| section.kind == SectionKind::Page)
    );
    assert_eq!(found.sections[49].number, 50);
    let ninth: String = found.text.chars().skip(found.sections[8].start).collect();
    assert!(
        ninth.starts_with("2\n\nChapter 2. The Filesystem"),
        "{}",
        &ninth[..200]
    );
    for piece in [
        "This standard assumes that the operating system underlying an FHS-compliant file system supports the\nsame basic security features",
        "\n\n\"Shareable\" files are those that can be stored on one host and used on others.",
        "/usr and /etc. In order to realize the advantages mentioned above, the /var hierarchy was\n",
        "cat\tUtility to concatenate files to standard output",
        "Copyright ©  2015 The Linux Foundation",
    ] {
        assert!(found.text.contains(piece), "{piece}");
    }
    assert!(!found.text.contains('\u{fffd}'));
}

#[test]
fn a_real_docx_gives_its_paragraphs_and_lists() {
    let found = sample("constitution.docx");
    assert!(found.text.starts_with("               Constitution for the Debian Project (v1.9)\n\nVersion 1.9 ratified on March 26th, 2022.\n\n"));
    assert!(
        found
            .text
            .contains("\n- The Project Leader;\n- The Technical Committee and/or its Chair;\n")
    );
    assert!(found.text.contains("3:1 majority for its supersession"));
    assert!(found.text.ends_with("cases of doubt."));
}

#[test]
fn real_pages_give_their_words_without_navigation() {
    let found = sample("html/ddl-rowsecurity.html");
    check_sections(&found);
    assert_eq!(found.sections[0].title, "5.8. Row Security Policies");
    assert!(found.text.starts_with(
        "5.8. Row Security Policies\n\nIn addition to the SQL-standard privilege system"
    ));
    assert!(found.text.contains("CREATE POLICY account_managers ON accounts TO managers\n    USING (manager = current_user);"));
    assert!(!found.text.contains("Prev"), "{}", found.text);
    let json = sample("html/datatype-json.html");
    check_sections(&json);
    assert!(json.text.contains(
        "JSON primitive type\tPostgreSQL type\tNotes\nstring\ttext\t\\u0000 is disallowed"
    ));
    assert_eq!(
        (json.sections[1].number, json.sections[1].title.as_str()),
        (3, "Note")
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests read their samples")]
fn every_sample_is_read() {
    let mut names: Vec<String> = [
        "fhs-3.0.pdf",
        "constitution.docx",
        "seattle-weather.csv",
        "social-contract.txt",
    ]
    .map(String::from)
    .into();
    let folder = crate::samples::folder().join("html");
    names.extend(
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("html/{}", entry.unwrap().file_name().to_str().unwrap())),
    );
    assert_eq!(names.len(), 24);
    for name in names {
        let found = sample(&name);
        check_sections(&found);
        assert!(found.text.chars().count() > 1_500, "{name}");
        assert!(
            !found
                .text
                .contains(|c: char| c.is_control() && c != '\n' && c != '\t'),
            "{name}"
        );
        assert!(
            !found.text.contains("\n\n\n")
                || name.ends_with("txt")
                || name.contains("docx")
                || name.starts_with("html"),
            "{name}"
        );
    }
}

#[test]
fn a_table_says_what_its_values_mean() {
    let found = sample("seattle-weather.csv");
    assert!(found.text.starts_with("date: 2012-01-01\nprecipitation: 0.0\ntemp_max: 12.8\ntemp_min: 5.0\nwind: 4.7\nweather: drizzle\n\ndate: 2012-01-02\n"));
    let small = read_as("text/csv", b"a;b\n1;\n\"x\ny\";2;3\n").unwrap();
    assert_eq!(small.text, "a: 1\n\na: x y\nb: 2\ncolumn_3: 3");
}

#[test]
fn text_is_read_in_its_encoding() {
    assert_eq!(
        sample("social-contract.txt").text,
        samples::text("social-contract.txt")
    );
    assert_eq!(
        read_as("text/plain", b"caf\xe9\r\n\0x").unwrap().text,
        "café\nx"
    );
    assert_eq!(
        read_as("text/plain; charset=iso-8859-2", b"\xb1")
            .unwrap()
            .text,
        "ą"
    );
    assert_eq!(
        read_as("application/json", b"{\"a\": 1}").unwrap().text,
        "{\"a\": 1}"
    );
    assert_eq!(read_as("", b"").unwrap(), Extracted::default());
}

#[test]
fn html_keeps_blocks_apart_and_leaves_out_what_is_not_seen() {
    let page = b"<html><head><title>T</title><style>p{}</style></head><body><nav><a>Home</a></nav><h1>One <b>two</b></h1>
        <p>a<br>b<script>x()</script> c</p><ul><li>i</li><li><p>j</p></li></ul><div hidden>no</div>
        <table><tr><th>k</th><th>v</th></tr><tr><td>1</td><td>2</td></tr></table><pre>x
  y</pre><h2></h2><h3>End</h3>tail &amp; &eacute;</body></html>";
    let found = read_as("text/html", page).unwrap();
    assert_eq!(
        found.text,
        "One two\n\na\nb c\n\n- i\n- j\n\nk\tv\n1\t2\n\nx\n  y\n\nEnd\n\ntail & é"
    );
    check_sections(&found);
    let titles: Vec<(u32, &str)> = found
        .sections
        .iter()
        .map(|section| (section.number, section.title.as_str()))
        .collect();
    assert_eq!(titles, [(1, "One two"), (3, "End")]);
    let cyrillic = b"<meta http-equiv='Content-Type' content='text/html; charset=windows-1251'><p>\xcf\xf0\xe8\xe2\xe5\xf2";
    assert_eq!(read_as("text/html", cyrillic).unwrap().text, "Привет");
}

#[test]
fn markdown_loses_its_marks_and_keeps_its_headings() {
    let text = b"---\ntitle: x\n---\n# One *two*\n\nSome `code` and [a link](http://x).\nNext <b>line</b>.\n\n- a\n- b\n  - c\n\n1. d\n\n```rust\nfn x() {}\n```\n\n| k | v |\n|---|---|\n| 1 | 2 |\n\n> quote\n\n## Sub\n- [x] done\n";
    let found = read_as("text/markdown", text).unwrap();
    assert_eq!(
        found.text,
        "One two\n\nSome code and a link.\nNext line.\n\n- a\n- b\n- c\n\n- d\n\nfn x() {}\n\nk\tv\n1\t2\n\nquote\n\nSub\n\n- [x] done"
    );
    check_sections(&found);
    assert_eq!(found.sections.len(), 2);
    assert_eq!(found.sections[1].number, 2);
}

/// An archive with these parts.
fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        let options = ::zip::write::SimpleFileOptions::default()
            .compression_method(::zip::CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn docx(body: &str) -> Vec<u8> {
    archive(&[(
        "word/document.xml",
        format!("<w:document xmlns:w='x'><w:body>{body}</w:body></w:document>").as_bytes(),
    )])
}

#[test]
fn docx_headings_tables_and_changes_are_understood() {
    let body = "<w:p><w:pPr><w:pStyle w:val='Heading2'/></w:pPr><w:r><w:t>A title</w:t></w:r></w:p>
        <w:p><w:r><w:t xml:space='preserve'>one </w:t></w:r><w:r><w:tab/><w:t>two&amp;&#x20ac;</w:t><w:br/><w:t>three</w:t></w:r></w:p>
        <w:p><w:del><w:r><w:delText>gone</w:delText><w:t>gone</w:t></w:r></w:del><w:ins><w:r><w:t>new</w:t></w:r></w:ins></w:p>
        <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr>
        <w:tr><w:tc><w:p/></w:tc><w:tc><w:p><w:r><w:t>d</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
        <w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>x</w:t></w:r></w:p><w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>y</w:t></w:r></w:p>
        <w:p><w:r><w:instrText>PAGE</w:instrText><mc:AlternateContent><mc:Fallback><w:t>no</w:t></mc:Fallback></mc:AlternateContent></w:r></w:p>";
    let found = read_as(DOCX, &docx(body)).unwrap();
    assert_eq!(
        found.text,
        "A title\n\none \ttwo&€\nthree\n\nnew\n\na\tb\nd\n\n- x\n- y"
    );
    check_sections(&found);
    assert_eq!(
        (found.sections[0].title.as_str(), found.sections[0].number),
        ("A title", 2)
    );
}

#[test]
fn broken_docx_are_explained() {
    let told = |bytes: &[u8]| read_as(DOCX, bytes).unwrap_err().to_string();
    let whole = samples::bytes("constitution.docx");
    assert_eq!(
        told(&whole[..whole.len() / 2]),
        "the DOCX is damaged: it is not a complete archive"
    );
    assert_eq!(
        told(b"PK\x03\x04 and nothing more"),
        "the DOCX is damaged: it is not a complete archive"
    );
    assert_eq!(
        told(&archive(&[("other.xml", b"<a/>")])),
        "the DOCX is damaged: it has no part word/document.xml"
    );
    assert_eq!(
        told(&docx("<w:p><w:t>open</w:p>")),
        "the DOCX is damaged: its XML is not well-formed"
    );
    assert_eq!(
        told(&archive(&[("word/document.xml", b"<a><b>")])),
        "the DOCX is damaged: its XML ends in the middle"
    );
    assert_eq!(
        told(&docx("<w:p><w:t>&bomb;</w:t></w:p>")),
        "the DOCX is damaged: it uses an unknown entity &bomb;"
    );
    let doctype = b"<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><d>&b;</d>";
    assert_eq!(
        told(&archive(&[("word/document.xml", doctype)])),
        "the DOCX is damaged: it declares a document type"
    );
    let mut damaged = whole.clone();
    let middle = whole.len() / 3;
    damaged[middle..middle + 200].fill(0x55);
    assert!(matches!(
        read_as(DOCX, &damaged),
        Err(ExtractError::Damaged {
            format: Format::Docx,
            ..
        }) | Ok(_)
    ));
    let mut locked = vec![0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    locked.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(told(&locked), "the DOCX is protected by a password");
}

#[test]
fn archives_that_inflate_without_end_are_refused() {
    let zeros = vec![b' '; 40 << 20];
    let bomb = archive(&[("word/document.xml", &zeros)]);
    assert!(bomb.len() < 100 << 10);
    let limits = Limits {
        inflated_bytes: 8 << 20,
        ..Limits::default()
    };
    let error = extract(&bomb, DOCX, "", &limits).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the unpacked document is larger than 8388608 bytes"
    );
    // The parts share the limit.
    let part = vec![b' '; 5 << 20];
    let bomb = archive(&[("word/styles.xml", &part), ("word/document.xml", &part)]);
    assert!(matches!(
        extract(&bomb, DOCX, "", &limits),
        Err(ExtractError::TooLarge { .. })
    ));
    let names: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    let parts: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let limits = Limits {
        archive_entries: 200,
        ..Limits::default()
    };
    let error = extract(&archive(&parts), DOCX, "", &limits).unwrap_err();
    assert_eq!(error.to_string(), "the archive is larger than 200 entries");
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("{}{}", "<w:p>".repeat(100_000), "</w:p>".repeat(100_000));
    assert_eq!(
        read_as(DOCX, &docx(&deep)).unwrap_err().to_string(),
        "the DOCX is nested deeper than 256 levels"
    );
    let deep = "<div>".repeat(100_000);
    assert_eq!(
        read_as("text/html", deep.as_bytes())
            .unwrap_err()
            .to_string(),
        "the HTML is nested deeper than 2000 levels"
    );
    let nested = format!("{}x", "<div>".repeat(1_900));
    assert_eq!(read_as("text/html", nested.as_bytes()).unwrap().text, "x");
    let many = "<br>".repeat(1_000_001);
    assert_eq!(
        read_as("text/html", many.as_bytes())
            .unwrap_err()
            .to_string(),
        "the page is larger than 1000000 tags"
    );
    let patient = Limits {
        time: Duration::from_mins(10),
        ..Limits::default()
    };
    for text in [
        ">".repeat(100_000),
        "- ".repeat(100_000),
        "[".repeat(100_000),
        "*a ".repeat(50_000),
        "`".repeat(100_000),
        "<".repeat(100_000),
    ] {
        let outcome = extract(text.as_bytes(), "text/markdown", "", &patient);
        assert!(outcome.is_ok(), "{}: {outcome:?}", &text[..3]);
    }
}
