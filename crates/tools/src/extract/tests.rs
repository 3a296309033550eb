//! Real documents, broken documents and documents that were made to do harm.

use std::io::Write;
use std::time::{Duration, Instant};

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
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/html");
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
    for text in [
        ">".repeat(100_000),
        "- ".repeat(100_000),
        "[".repeat(100_000),
        "*a ".repeat(50_000),
        "`".repeat(100_000),
        "<".repeat(100_000),
    ] {
        let begin = Instant::now();
        let _ = read_as("text/markdown", text.as_bytes());
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", &text[..3]);
    }
}

#[test]
fn broken_pdfs_are_explained() {
    let told = |bytes: &[u8]| read_as("application/pdf", bytes).unwrap_err().to_string();
    let whole = samples::bytes("fhs-3.0.pdf");
    for length in [0, 5, 20, 1_000, 50_000, whole.len() - 2_000] {
        let outcome = read_as("application/pdf", &whole[..length]);
        match outcome {
            Ok(found) => assert!(!found.sections.is_empty()),
            Err(error) => assert!(
                error.to_string().starts_with("the PDF is damaged: "),
                "{length}: {error}"
            ),
        }
    }
    assert_eq!(
        told(b"no pdf at all"),
        "the PDF is damaged: it does not begin like a PDF"
    );
    let mut random = b"%PDF-1.7\n".to_vec();
    random.extend(
        (0_u32..100_000)
            .map(|n| u8::try_from((n.wrapping_mul(2_654_435_761) >> 13) & 0xff).unwrap()),
    );
    let outcome = extract(&random, "", "random.pdf", &Limits::default());
    assert!(
        matches!(
            outcome,
            Err(ExtractError::Damaged {
                format: Format::Pdf,
                ..
            })
        ),
        "{outcome:?}"
    );
    for error in [told(&random), told(&whole[..1_000])] {
        assert!(
            !error.contains("lopdf") && !error.contains("xref") && error.len() < 120,
            "{error}"
        );
    }
}

/// A PDF with one page that has this content and these further objects, from number 5.
fn pdf(content: &[u8], filter: &str, font: &str, more: &[Vec<u8>]) -> Vec<u8> {
    let stream = |dictionary: &str, bytes: &[u8]| {
        let mut object =
            format!("<< {dictionary} /Length {} >>\nstream\n", bytes.len()).into_bytes();
        object.extend(bytes);
        object.extend(b"\nendstream");
        object
    };
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        format!("<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F {font} >> /XObject << /X 5 0 R >> >> >>").into_bytes(),
        stream(filter, content),
    ];
    objects.extend(more.iter().cloned());
    let mut file = b"%PDF-1.5\n".to_vec();
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n", index + 1).into_bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let start = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).into_bytes());
    for place in places {
        file.extend(format!("{place:010} 00000 n \n").into_bytes());
    }
    file.extend(
        format!(
            "trailer\n<< /Root 1 0 R /Size {} >>\nstartxref\n{start}\n%%EOF",
            objects.len() + 1
        )
        .into_bytes(),
    );
    file
}

const PLAIN_FONT: &str = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding << /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [65 /Adieresis /nonsense /ff] >> >>";

#[test]
fn fonts_say_what_codes_mean() {
    let content = b"BT /F 10 Tf 0 100 Td (ABCx) Tj 0 -12 Td [(W) 20 (or) -500 (d)] TJ T* ET q BT /F 10 Tf 0 50 Td (p\\351) Tj ET Q";
    let found = read_as("application/pdf", &pdf(content, "", PLAIN_FONT, &[])).unwrap();
    assert_eq!(found.text, "Äffx\nWor d\n\npé");
    let map = b"<< /Length 96 >>\nstream\nbegincodespacerange <0000> <FFFF> endcodespacerange beginbfrange <0001> <00FF> <0410> endbfrange\nendstream".to_vec();
    let composite = "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /ToUnicode 5 0 R /DescendantFonts [<< /DW 500 >>] >>";
    let found = read_as(
        "application/pdf",
        &pdf(b"BT /F 10 Tf <00010002> Tj ET", "", composite, &[map]),
    )
    .unwrap();
    assert_eq!(found.text, "АБ");
}

#[test]
fn pdfs_made_to_do_harm_end() {
    let quick = Limits {
        inflated_bytes: 16 << 20,
        time: Duration::from_secs(40),
        ..Limits::default()
    };
    let ended = |bytes: &[u8]| {
        let begin = Instant::now();
        let outcome = extract(bytes, "application/pdf", "", &quick);
        assert!(begin.elapsed() < Duration::from_secs(50), "{outcome:?}");
        outcome
    };
    // A map that claims all codes.
    let map = b"<< /Length 90 >>\nstream\nbegincodespacerange <00000000> <FFFFFFFF> endcodespacerange beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange\nendstream".to_vec();
    let font = "<< /Type /Font /Subtype /Type0 /Encoding /Identity-H /ToUnicode 5 0 R >>";
    let _ = ended(&pdf(
        b"BT /F 10 Tf <0000000100000002> Tj ET",
        "",
        font,
        &[map],
    ));
    // Content that unpacks into more than the limit.
    let zeros = deflate(&vec![b' '; 64 << 20]);
    assert!(matches!(
        ended(&pdf(&zeros, "/Filter /FlateDecode", PLAIN_FONT, &[])),
        Err(ExtractError::TooLarge { .. })
    ));
    // A form that shows itself.
    let form = b"<< /Type /XObject /Subtype /Form /Length 29 /Resources << /XObject << /X 5 0 R >> >> >>\nstream\n/X Do /X Do /X Do /X Do /X Do\nendstream".to_vec();
    assert!(matches!(
        ended(&pdf(b"/X Do", "", PLAIN_FONT, &[form])),
        Err(ExtractError::TooLarge { .. } | ExtractError::TooSlow(_))
    ));
    // A string as long as everything allowed.
    let long = format!("BT /F 10 Tf ({}) Tj ET", "x".repeat(3 << 20));
    assert!(
        ended(&pdf(
            &deflate(long.as_bytes()),
            "/Filter /FlateDecode",
            PLAIN_FONT,
            &[]
        ))
        .is_ok()
    );
    // Nesting without end.
    for content in [
        "[".repeat(500_000),
        "q ".repeat(500_000),
        "<<".repeat(500_000),
        "(".repeat(500_000),
        "BT ".repeat(500_000),
    ] {
        let _ = ended(&pdf(content.as_bytes(), "", PLAIN_FONT, &[]));
    }
    // Pages that are their own parents.
    let mut circle = pdf(b"", "", PLAIN_FONT, &[]);
    let at = circle
        .windows(7)
        .position(|window| window == b"[3 0 R]")
        .unwrap();
    circle[at..at + 7].copy_from_slice(b"[2 0 R]");
    assert_eq!(
        ended(&circle).unwrap_err().to_string(),
        "the PDF is damaged: it has no pages"
    );
    let limits = Limits {
        pages: 49,
        ..Limits::default()
    };
    let error = extract(&samples::bytes("fhs-3.0.pdf"), "", "", &limits).unwrap_err();
    assert_eq!(error.to_string(), "the document is larger than 49 pages");
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let packed = archive(&[("x", bytes)]);
    // Takes the raw stream out of the archive and puts it into a zlib frame.
    let start = 30 + 1;
    let central = packed
        .windows(4)
        .rposition(|window| window == b"PK\x01\x02")
        .unwrap();
    let size = u32::from_le_bytes(packed[central + 20..central + 24].try_into().unwrap()) as usize;
    let mut framed = vec![0x78, 0x9c];
    framed.extend(&packed[start..start + size]);
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    framed.extend(((high << 16) | low).to_be_bytes());
    framed
}

#[test]
fn a_huge_field_of_a_table_is_no_harm() {
    let mut table = b"name,note\nx,\"".to_vec();
    table.extend(std::iter::repeat_n(b'y', 30 << 20));
    let limits = Limits {
        output_chars: 1_000_000,
        ..Limits::default()
    };
    assert!(matches!(
        extract(&table, "text/csv", "", &limits),
        Err(ExtractError::TooLarge { what: "text", .. })
    ));
    let wide = ",".repeat(20_000);
    assert_eq!(
        read_as("text/csv", wide.as_bytes())
            .unwrap_err()
            .to_string(),
        "the table is larger than 10000 columns"
    );
}

#[test]
fn limits_on_size_and_time_hold() {
    let limits = Limits {
        input_bytes: 3,
        ..Limits::default()
    };
    assert_eq!(
        extract(b"four", "", "", &limits).unwrap_err().to_string(),
        "the document is larger than 3 bytes"
    );
    let limits = Limits {
        output_chars: 3,
        ..Limits::default()
    };
    assert!(extract("äöü".as_bytes(), "", "", &limits).is_ok());
    assert_eq!(
        extract(b"four", "", "", &limits).unwrap_err().to_string(),
        "the text is larger than 3 characters"
    );
    let limits = Limits {
        time: Duration::ZERO,
        ..Limits::default()
    };
    let outcome = extract(&samples::bytes("fhs-3.0.pdf"), "", "", &limits);
    assert_eq!(
        outcome.unwrap_err().to_string(),
        "the document took longer than 0 ms"
    );
}

#[test]
fn types_without_a_reader_are_told() {
    let error = extract(b"\x89PNG\r\n\x1a\n", "", "x.bin", &Limits::default()).unwrap_err();
    assert_eq!(
        error,
        ExtractError::Unsupported {
            media_type: "image/png".to_owned()
        }
    );
    assert!(matches!(
        read_as("image/png", b""),
        Err(ExtractError::Unsupported { .. })
    ));
    assert!(matches!(
        read_as("application/octet-stream", b"\x00\x01"),
        Err(ExtractError::Unsupported { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_bytes_of_any_type_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000), kind in 0_usize..6) {
        let media_type = ["application/pdf", DOCX, "text/html", "text/markdown", "text/csv", "text/plain"][kind];
        if let Ok(found) = read_as(media_type, &bytes) {
            check_sections(&found);
        }
    }

    #[test]
    fn damaged_documents_never_panic(changes in prop::collection::vec((0.0..1.0_f64, any::<u8>()), 1..40), docx in any::<bool>()) {
        let mut bytes = samples::bytes(if docx { "constitution.docx" } else { "html/wal-intro.html" });
        for (place, byte) in changes {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a small file")]
            let place = (place * (bytes.len() - 1) as f64) as usize;
            bytes[place] = byte;
        }
        let _ = read_as(if docx { DOCX } else { "text/html" }, &bytes);
    }

    #[test]
    fn damaged_pdfs_never_panic(cuts in prop::collection::vec((0_usize..1_000, 0_usize..40), 1..6)) {
        let mut bytes = pdf(b"BT /F 10 Tf 0 100 Td (ABCx) Tj [(W) 20 (or) -500 (d)] TJ ET", "", PLAIN_FONT, &[]);
        for (place, length) in cuts {
            let place = place % bytes.len();
            let end = (place + length).min(bytes.len());
            bytes.drain(place..end);
            if bytes.is_empty() {
                break;
            }
        }
        let outcome = read_as("application/pdf", &bytes);
        prop_assert!(!matches!(outcome, Err(ExtractError::TooSlow(_))));
    }
}
