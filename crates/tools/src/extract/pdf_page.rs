//! Runs the content streams of a page (ISO 32000-1, 7.8.2 and 9.4) as far as they show text.

use std::collections::HashMap;
use std::rc::Rc;

use lopdf::content::{Content, Operation};
use lopdf::{Dictionary, Document, Object, ObjectId};

use super::pdf_fonts::Font;
use super::pdf_layout::{Layout, Matrix};
use super::{ExtractError, Source};

/// How many operations are run between two looks at the deadline.
const STRIDE: usize = 1 << 10;

/// Deepest nesting of forms inside of forms.
const MAX_FORMS: usize = 12;

/// Deepest stack of graphics states.
const MAX_STATES: usize = 512;

/// Most bytes of a string that are shown at once.
const MAX_STRING: usize = 1 << 16;

/// What the pages of a document share.
pub(super) struct Shared<'a> {
    pub(super) document: &'a Document,
    pub(super) source: &'a Source<'a>,
    /// Bytes of content that may still be unpacked.
    pub(super) budget: usize,
    /// Fonts by the address of their dictionary, which does not move.
    pub(super) fonts: HashMap<usize, Rc<Font>>,
}

/// The part of the graphics state that text depends on.
#[derive(Clone)]
struct State {
    matrix: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    character_spacing: f64,
    word_spacing: f64,
    /// As a factor, not in percent.
    scaling: f64,
    leading: f64,
    rise: f64,
}

struct Runner<'r, 'a, 'w> {
    shared: &'r mut Shared<'a>,
    layout: Layout<'w>,
    state: State,
    stack: Vec<State>,
    text: Matrix,
    line: Matrix,
    forms: usize,
}

/// Shows the text of a page.
pub(super) fn show(
    shared: &mut Shared,
    page: ObjectId,
    layout: Layout,
) -> Result<(), ExtractError> {
    let document = shared.document;
    let Ok(content) = document.get_page_content_with_limit(page, shared.budget) else {
        return Err(too_much(shared.source));
    };
    shared.budget -= content.len().min(shared.budget);
    let resources = resources(document, page);
    let mut runner = Runner {
        shared,
        layout,
        state: State {
            matrix: Matrix::IDENTITY,
            font: None,
            size: 0.0,
            character_spacing: 0.0,
            word_spacing: 0.0,
            scaling: 1.0,
            leading: 0.0,
            rise: 0.0,
        },
        stack: Vec::new(),
        text: Matrix::IDENTITY,
        line: Matrix::IDENTITY,
        forms: 0,
    };
    runner.run(&content, &resources)
}

/// The resources of a page, its own before those it inherits.
fn resources(document: &Document, page: ObjectId) -> Vec<&Dictionary> {
    let Ok((own, others)) = document.get_page_resources(page) else {
        return Vec::new();
    };
    let others = others
        .into_iter()
        .filter_map(|id| document.get_dictionary(id).ok());
    own.into_iter().chain(others).collect()
}

fn too_much(source: &Source) -> ExtractError {
    ExtractError::too_large("unpacked document", source.limits.inflated_bytes, "bytes")
}

/// The entry `name` in the category `kind` of the resources.
fn resource<'a>(
    document: &'a Document,
    resources: &[&'a Dictionary],
    kind: &[u8],
    name: &[u8],
) -> Option<&'a Object> {
    resources.iter().find_map(|resources| {
        let category = resources.get_deref(kind, document).ok()?.as_dict().ok()?;
        category.get_deref(name, document).ok()
    })
}

fn numbers<const N: usize>(operation: &Operation) -> Option<[f64; N]> {
    let mut numbers = [0.0; N];
    if operation.operands.len() < N {
        return None;
    }
    for (number, operand) in numbers.iter_mut().zip(&operation.operands) {
        *number = f64::from(operand.as_float().ok()?);
    }
    Some(numbers)
}

#[expect(clippy::many_single_char_names, reason = "the names of the standard")]
fn matrix([a, b, c, d, e, f]: [f64; 6]) -> Matrix {
    Matrix { a, b, c, d, e, f }
}

impl<'a> Runner<'_, 'a, '_> {
    fn run(&mut self, content: &[u8], resources: &[&'a Dictionary]) -> Result<(), ExtractError> {
        for (number, operation) in Content::decode_iter(content).enumerate() {
            if number % STRIDE == 0 {
                self.shared.source.go_on()?;
            }
            // What follows an operation that cannot be read is lost; what came before it is not.
            let Ok(operation) = operation else { break };
            self.operate(&operation, resources)?;
        }
        Ok(())
    }

    fn operate(
        &mut self,
        operation: &Operation,
        resources: &[&'a Dictionary],
    ) -> Result<(), ExtractError> {
        match operation.operator.as_str() {
            "q" if self.stack.len() < MAX_STATES => self.stack.push(self.state.clone()),
            "Q" => self.state = self.stack.pop().unwrap_or_else(|| self.state.clone()),
            "cm" => {
                if let Some(numbers) = numbers(operation) {
                    self.state.matrix = matrix(numbers).then(self.state.matrix);
                }
            }
            "Do" => self.form(operation, resources)?,
            "BT" => self.set_line(Matrix::IDENTITY),
            "Tm" => {
                if let Some(numbers) = numbers(operation) {
                    self.set_line(matrix(numbers));
                }
            }
            "Td" | "TD" => self.next_line_at(operation),
            "T*" => self.next_line(),
            "Tf" => self.set_font(operation, resources),
            "Tc" | "Tw" | "Tz" | "TL" | "Ts" => self.set_spacing(operation),
            "Tj" => self.show_all(&operation.operands)?,
            "TJ" => {
                if let Some(Ok(list)) = operation.operands.first().map(Object::as_array) {
                    self.show_all(list)?;
                }
            }
            "'" => {
                self.next_line();
                self.show_all(&operation.operands)?;
            }
            "\"" => {
                if let Some([word, character]) = numbers(operation) {
                    (self.state.word_spacing, self.state.character_spacing) = (word, character);
                }
                self.next_line();
                self.show_all(operation.operands.get(2..).unwrap_or_default())?;
            }
            _ => {}
        }
        Ok(())
    }

    fn set_line(&mut self, matrix: Matrix) {
        (self.text, self.line) = (matrix, matrix);
    }

    fn next_line_at(&mut self, operation: &Operation) {
        if let Some([x, y]) = numbers(operation) {
            if operation.operator == "TD" {
                self.state.leading = -y;
            }
            self.set_line(Matrix::translation(x, y).then(self.line));
        }
    }

    fn next_line(&mut self) {
        self.set_line(Matrix::translation(0.0, -self.state.leading).then(self.line));
    }

    fn set_spacing(&mut self, operation: &Operation) {
        let Some([value]) = numbers(operation) else {
            return;
        };
        match operation.operator.as_str() {
            "Tc" => self.state.character_spacing = value,
            "Tw" => self.state.word_spacing = value,
            "Tz" => self.state.scaling = value / 100.0,
            "TL" => self.state.leading = value,
            _ => self.state.rise = value,
        }
    }

    fn set_font(&mut self, operation: &Operation, resources: &[&'a Dictionary]) {
        let [name, size] = operation.operands.as_slice() else {
            return;
        };
        if let Ok(size) = size.as_float() {
            self.state.size = f64::from(size);
        }
        let document = self.shared.document;
        let font = name
            .as_name()
            .ok()
            .and_then(|name| resource(document, resources, b"Font", name))
            .and_then(|font| font.as_dict().ok());
        self.state.font = font.map(|font| {
            let address = std::ptr::from_ref(font).addr();
            let loaded = self.shared.fonts.entry(address);
            Rc::clone(loaded.or_insert_with(|| Rc::new(Font::load(document, font))))
        });
    }

    /// Strings are shown, numbers move back by thousandths of the font size.
    fn show_all(&mut self, list: &[Object]) -> Result<(), ExtractError> {
        for element in list {
            if let Ok(bytes) = element.as_str() {
                for part in bytes.chunks(MAX_STRING) {
                    self.shared.source.go_on()?;
                    self.show_string(part)?;
                }
            } else if let Ok(back) = element.as_float() {
                let shift = -f64::from(back) / 1000.0 * self.state.size * self.state.scaling;
                self.text = Matrix::translation(shift, 0.0).then(self.text);
            }
        }
        Ok(())
    }

    fn show_string(&mut self, bytes: &[u8]) -> Result<(), ExtractError> {
        let Some(font) = self.state.font.clone() else {
            return Ok(());
        };
        let (mut text, mut advance) = (String::new(), 0.0);
        font.decode(bytes, &mut text, |glyph| {
            let spacing = self.state.character_spacing
                + if glyph.is_space {
                    self.state.word_spacing
                } else {
                    0.0
                };
            advance += (glyph.width * self.state.size + spacing) * self.state.scaling;
        });
        let begin = self.text;
        self.text = Matrix::translation(advance, 0.0).then(self.text);
        if text.is_empty() {
            return Ok(());
        }
        let rise = Matrix::translation(0.0, self.state.rise);
        let place = |matrix: Matrix| rise.then(matrix).then(self.state.matrix);
        self.layout
            .show(&text, place(begin), place(self.text), self.state.size.abs())
    }

    /// A form is a content stream inside of another (8.10); images are passed over.
    fn form(
        &mut self,
        operation: &Operation,
        resources: &[&'a Dictionary],
    ) -> Result<(), ExtractError> {
        let document = self.shared.document;
        let form = operation
            .operands
            .first()
            .and_then(|name| name.as_name().ok())
            .and_then(|name| resource(document, resources, b"XObject", name))
            .and_then(|object| object.as_stream().ok());
        let Some(form) = form else { return Ok(()) };
        if form.dict.get(b"Subtype").and_then(Object::as_name).ok() != Some(b"Form")
            || self.forms >= MAX_FORMS
        {
            return Ok(());
        }
        let content = match form.get_plain_content_with_limit(self.shared.budget) {
            Ok(content) => content,
            Err(lopdf::Error::Decompress(lopdf::DecompressError::MemoryLimitExceeded {
                ..
            })) => {
                return Err(too_much(self.shared.source));
            }
            Err(_) => return Ok(()),
        };
        // Forms may be shown again and again, so each showing costs.
        let cost = content.len().max(1024);
        if cost > self.shared.budget {
            return Err(too_much(self.shared.source));
        }
        self.shared.budget -= cost;
        let own = form
            .dict
            .get_deref(b"Resources", document)
            .and_then(Object::as_dict)
            .ok();
        let mut inner: Vec<&Dictionary> = own.into_iter().collect();
        if inner.is_empty() {
            inner.extend(resources);
        }
        self.run_form(&form.dict, &content, &inner)
    }

    fn run_form(
        &mut self,
        form: &Dictionary,
        content: &[u8],
        resources: &[&'a Dictionary],
    ) -> Result<(), ExtractError> {
        let saved = (
            self.state.clone(),
            std::mem::take(&mut self.stack),
            self.text,
            self.line,
        );
        let placed = form
            .get_deref(b"Matrix", self.shared.document)
            .and_then(Object::as_array);
        if let Ok(list) = placed {
            let operation = Operation::new("cm", list.clone());
            if let Some(numbers) = numbers(&operation) {
                self.state.matrix = matrix(numbers).then(self.state.matrix);
            }
        }
        self.forms += 1;
        let outcome = self.run(content, resources);
        self.forms -= 1;
        (self.state, self.stack, self.text, self.line) = saved;
        outcome
    }
}
