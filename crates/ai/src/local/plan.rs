//! Which texts are computed together.

/// The most texts of a batch, and of one round of tokenizing.
pub(super) const TEXTS: usize = 32;

/// The most tokens of a batch with its padding. Larger ones are no faster on a processor, and
/// would make a query wait longer for its turn: two long texts take a fraction of a second.
const TOKENS: usize = 512;

/// Groups sentences of similar length, so that little is padded. Each group is a list of
/// positions in `sentences`; every position is in one of them.
pub(super) fn batches(sentences: &[Vec<u32>]) -> Vec<Vec<usize>> {
    let mut order: Vec<_> = (0..sentences.len()).collect();
    order.sort_by_key(|&at| sentences[at].len());
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for at in order {
        // In ascending order, the newcomer is the longest.
        let fits = |batch: &Vec<usize>| {
            batch.len() < TEXTS && (batch.len() + 1) * sentences[at].len() <= TOKENS
        };
        match batches.last_mut().filter(|batch| fits(batch)) {
            Some(batch) => batch.push(at),
            None => batches.push(vec![at]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(lengths: &[usize]) -> Vec<Vec<usize>> {
        let sentences: Vec<_> = lengths.iter().map(|&length| vec![0; length]).collect();
        batches(&sentences)
    }

    #[test]
    fn groups_by_length_within_the_bounds() {
        assert_eq!(planned(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(
            planned(&[256, 3, 256, 256, 4]),
            [vec![1, 4], vec![0, 2], vec![3]]
        );
        assert_eq!(planned(&[600, 600]), [[0], [1]]);
        let many = planned(&[5; 70]);
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [32, 32, 6]);
    }

    #[test]
    fn every_text_is_in_one_batch() {
        let lengths: Vec<_> = (0..500).map(|at| 2 + at * 7919 % 255).collect();
        let mut all: Vec<_> = planned(&lengths).into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..500).collect::<Vec<_>>());
    }
}
