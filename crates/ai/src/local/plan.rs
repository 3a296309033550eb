//! Which texts are computed together.

/// How much text is tokenized in one turn, in bytes.
pub(super) const BYTES: usize = 64 << 10;

/// How many tokens are computed in one turn. More are no faster on a processor, and would make a
/// query wait longer for its turn: so many take a fraction of a second.
pub(super) const TOKENS: usize = 512;

/// Groups items, in order, so that no group is larger than `most` unless it has one item only.
pub(super) fn groups<T>(items: Vec<T>, most: usize, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut room = 0;
    for item in items {
        // Every item costs something.
        let size = size(&item).max(1);
        if let Some(group) = groups.last_mut().filter(|_| size <= room) {
            group.push(item);
        } else {
            groups.push(vec![item]);
            room = most;
        }
        room = room.saturating_sub(size);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_in_order_and_within_the_bound() {
        let grouped = |items: &[usize]| groups(items.to_vec(), 10, |&size| size);
        assert_eq!(grouped(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(grouped(&[4, 6, 1, 9, 2]), [vec![4, 6], vec![1, 9], vec![2]]);
        assert_eq!(grouped(&[11, 1, 12, 13]), [[11], [1], [12], [13]]);
        assert_eq!(grouped(&[0; 25]).iter().map(Vec::len).max(), Some(10));
    }
}
