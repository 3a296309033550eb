//! The numbers of a model, out of a safetensors file.

use ndarray::{Array1, Array2};
use safetensors::{Dtype, SafeTensors};

/// What cannot be read says which part is at fault.
pub(super) type Result<T> = std::result::Result<T, String>;

/// The numbers of a model by their names.
pub(super) struct Weights<'a>(SafeTensors<'a>);

impl<'a> Weights<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes);
        Ok(Self(tensors.map_err(|error| error.to_string())?))
    }

    pub(super) fn matrix(&self, name: &str, shape: [usize; 2]) -> Result<Array2<f32>> {
        let numbers = self.numbers(name, &shape)?;
        Array2::from_shape_vec(shape, numbers).map_err(|error| error.to_string())
    }

    pub(super) fn vector(&self, name: &str, length: usize) -> Result<Array1<f32>> {
        Ok(self.numbers(name, &[length])?.into())
    }

    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let tensor = self.0.tensor(name).map_err(|error| error.to_string())?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            let (dtype, found) = (tensor.dtype(), tensor.shape());
            return Err(format!(
                "`{name}` is {dtype} {found:?} rather than F32 {shape:?}"
            ));
        }
        let (numbers, _) = tensor.data().as_chunks();
        Ok(numbers.iter().copied().map(f32::from_le_bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{TensorView, serialize};

    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let numbers: Vec<u8> = [1.0_f32, 2.0, 3.0]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        let tensor = |dtype, shape: &[usize]| TensorView::new(dtype, shape.to_vec(), &numbers);
        let tensors = [
            ("row", tensor(Dtype::F32, &[3]).expect("three numbers")),
            ("other", tensor(Dtype::U32, &[3]).expect("three numbers")),
        ];
        let file = serialize(tensors, None).expect("a file");
        let weights = Weights::parse(&file).expect("its own file");
        assert_eq!(weights.vector("row", 3), Ok(vec![1.0, 2.0, 3.0].into()));
        for (name, length) in [("row", 4), ("other", 3), ("missing", 3)] {
            let error = weights.vector(name, length).expect_err(name);
            assert!(error.contains(name), "{error}");
        }
        assert!(weights.matrix("row", [1, 3]).is_err());
        assert!(Weights::parse(b"no file").is_err());
    }
}
