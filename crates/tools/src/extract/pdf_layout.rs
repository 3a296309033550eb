//! Puts the runs of a page's text, which only have places, into lines and paragraphs.

use super::ExtractError;
use super::writer::Writer;

/// A run that begins this far behind the end of the one before is another word; in font sizes.
const WORD: f64 = 0.17;
/// A run that begins this far behind is another column.
const COLUMN: f64 = 2.5;
/// A run that begins this far before the end of the one before goes back.
const BACK: f64 = 0.8;
/// A shift across the line up to this is a superscript or subscript.
const SAME_LINE: f64 = 0.55;
/// A shift across the line beyond this separates paragraphs.
const NEXT_LINE: f64 = 1.55;

/// An affine map, as PDF writes it (ISO 32000-1, 8.3.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Matrix {
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) c: f64,
    pub(super) d: f64,
    pub(super) e: f64,
    pub(super) f: f64,
}

impl Matrix {
    pub(super) const IDENTITY: Self = Self {
        a: 1.0,
        b: 0.0,
        c: 0.0,
        d: 1.0,
        e: 0.0,
        f: 0.0,
    };

    pub(super) fn translation(x: f64, y: f64) -> Self {
        Self {
            e: x,
            f: y,
            ..Self::IDENTITY
        }
    }

    /// First `self`, then `next`.
    pub(super) fn then(self, next: Self) -> Self {
        Self {
            a: self.a * next.a + self.b * next.c,
            b: self.a * next.b + self.b * next.d,
            c: self.c * next.a + self.d * next.c,
            d: self.c * next.b + self.d * next.d,
            e: self.e * next.a + self.f * next.c + next.e,
            f: self.e * next.b + self.f * next.d + next.f,
        }
    }
}

/// Where the last run ended, in coordinates along and across its direction.
#[derive(Clone, Copy, Debug)]
struct Place {
    direction: (f64, f64),
    along: f64,
    across: f64,
    size: f64,
}

/// The text of a page, run by run.
pub(super) struct Layout<'a> {
    writer: &'a mut Writer,
    last: Option<Place>,
}

impl<'a> Layout<'a> {
    pub(super) fn new(writer: &'a mut Writer) -> Self {
        Self { writer, last: None }
    }

    /// Adds a run that begins at the origin of `begin` and ends at the origin of `end`, with characters of `size` in the
    /// units of the matrices.
    pub(super) fn show(
        &mut self,
        text: &str,
        begin: Matrix,
        end: Matrix,
        size: f64,
    ) -> Result<(), ExtractError> {
        let place = Place::of(begin, size);
        if let Some(last) = self.last {
            self.separate(last, place);
        }
        // The library and the producer may both say that a space is there.
        if text.trim().is_empty() {
            self.writer.space();
        } else {
            self.writer.push(text)?;
        }
        self.last = Some(Place::of(end, size));
        Ok(())
    }

    fn separate(&mut self, last: Place, next: Place) {
        let size = last.size.max(next.size).max(f64::MIN_POSITIVE);
        let turned = (last.direction.0 - next.direction.0).abs()
            + (last.direction.1 - next.direction.1).abs()
            > 0.1;
        let down = (last.across - next.across) / size;
        let right = (next.along - last.along) / size;
        if turned || !(-SAME_LINE..=NEXT_LINE).contains(&down) {
            self.writer.paragraph();
        } else if down > SAME_LINE || right < -BACK {
            self.writer.line();
        } else if right > COLUMN {
            self.writer.column();
        } else if right > WORD {
            self.writer.space();
        }
    }
}

impl Place {
    fn of(matrix: Matrix, size: f64) -> Self {
        let length = matrix.a.hypot(matrix.b);
        let direction = if length > 0.0 {
            (matrix.a / length, matrix.b / length)
        } else {
            (1.0, 0.0)
        };
        Self {
            direction,
            along: matrix.e * direction.0 + matrix.f * direction.1,
            across: matrix.f * direction.0 - matrix.e * direction.1,
            size: size * matrix.c.hypot(matrix.d),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay_out(runs: &[(&str, f64, f64, f64)]) -> String {
        let mut writer = Writer::new(1000);
        let mut layout = Layout::new(&mut writer);
        for (text, x, y, width) in runs {
            let (begin, end) = (
                Matrix::translation(*x, *y),
                Matrix::translation(x + width, *y),
            );
            layout.show(text, begin, end, 10.0).unwrap();
        }
        writer.finish().text
    }

    #[test]
    fn distances_make_words_lines_and_paragraphs() {
        let text = lay_out(&[
            ("The", 0.0, 100.0, 20.0),
            ("sis", 20.5, 100.0, 15.0),
            ("is", 40.0, 100.0, 10.0),
            ("next", 0.0, 88.0, 20.0),
            ("far", 0.0, 60.0, 20.0),
            ("cell", 100.0, 60.0, 20.0),
            ("2", 120.0, 64.0, 4.0),
        ]);
        assert_eq!(text, "Thesis is\nnext\n\nfar\tcell2");
    }

    #[test]
    fn turned_text_is_read_along_its_direction() {
        let mut writer = Writer::new(1000);
        let mut layout = Layout::new(&mut writer);
        let up = |y: f64| Matrix {
            a: 0.0,
            b: 1.0,
            c: -1.0,
            d: 0.0,
            e: 50.0,
            f: y,
        };
        layout.show("go", up(0.0), up(10.0), 10.0).unwrap();
        layout.show("up", up(15.0), up(25.0), 10.0).unwrap();
        assert_eq!(writer.finish().text, "go up");
    }

    #[test]
    fn matrices_apply_in_order() {
        let double = Matrix {
            a: 2.0,
            d: 2.0,
            ..Matrix::IDENTITY
        };
        let moved = Matrix::translation(3.0, 4.0).then(double);
        assert_eq!((moved.e, moved.f), (6.0, 8.0));
    }
}
