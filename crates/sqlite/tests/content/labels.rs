//! Labels.

use archesai_content::{Artifact, Error, LabelSort, Slice, ports::Repository};

use crate::support::{OURS, Scratch, THEIRS, artifact, at, label};

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_taken_once_per_organization() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    store
        .insert_label(OURS, &label(OURS, "x"))
        .await
        .expect("insert");
    let again = store.insert_label(OURS, &label(OURS, "x")).await;
    assert!(matches!(again, Err(Error::LabelTaken)));
    store
        .insert_label(THEIRS, &label(THEIRS, "x"))
        .await
        .expect("insert");
    store
        .insert_label(OURS, &label(OURS, "X"))
        .await
        .expect("insert");
    let made = store
        .ensure_labels(OURS, &[label(OURS, "x"), label(OURS, "y")])
        .await
        .expect("ensure");
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].name, "y");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_listed_in_order() {
    let scratch = Scratch::new().await;
    for (name, seconds) in [("c", 1), ("a", 2), ("b", 3), ("B", 4)] {
        let mut label = label(OURS, name);
        label.created_at = at(seconds);
        scratch
            .store
            .insert_label(OURS, &label)
            .await
            .expect("insert");
    }
    let orders = [
        (LabelSort::Name, false, ["B", "a", "b", "c"]),
        (LabelSort::Name, true, ["c", "b", "a", "B"]),
        (LabelSort::CreatedAt, false, ["c", "a", "b", "B"]),
        (LabelSort::CreatedAt, true, ["B", "b", "a", "c"]),
    ];
    for (sort, descending, expected) in orders {
        let mut slice = Slice {
            limit: 3,
            after: None,
            sort,
            descending,
        };
        let first = scratch.store.list_labels(OURS, &slice).await.expect("list");
        slice.after = first.next;
        assert!(slice.after.is_some());
        let second = scratch.store.list_labels(OURS, &slice).await.expect("list");
        assert_eq!(second.next, None);
        let names: Vec<_> = first
            .items
            .iter()
            .chain(&second.items)
            .map(|l| &l.name)
            .collect();
        assert_eq!(names, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_is_taken_off_so_many_artifacts_at_a_time() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    for n in 0..5 {
        let labels = vec!["keep".to_owned(), "off".to_owned()];
        scratch
            .put(&Artifact {
                labels,
                ..artifact(OURS, &n.to_string())
            })
            .await;
    }
    let by_name = Slice {
        limit: 9,
        after: None,
        sort: LabelSort::Name,
        descending: true,
    };
    let off = store.list_labels(OURS, &by_name).await.expect("list").items[0].id;
    let in_use = store.delete_label(OURS, off).await;
    assert!(matches!(in_use, Err(Error::Unavailable(_))));
    for expected in [3, 2, 0] {
        let changed = store
            .take_off_label(OURS, off, 3, at(9))
            .await
            .expect("take off");
        assert_eq!(changed.len(), expected);
        for artifact in changed {
            assert_eq!(artifact.labels, ["keep"]);
            assert_eq!(artifact.version, 2);
            assert_eq!(artifact.updated_at, at(9));
        }
    }
    assert!(store.delete_label(OURS, off).await.expect("delete"));
    assert!(!store.delete_label(OURS, off).await.expect("delete"));
}
