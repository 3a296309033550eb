//! PDFs and others that are broken or made to do harm, and the limits that hold.

use super::*;

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
    let ended = |bytes: &[u8]| extract(bytes, "application/pdf", "", &quick);
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
        Err(ExtractError::TooLarge { what, .. }) if what == "text"
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
