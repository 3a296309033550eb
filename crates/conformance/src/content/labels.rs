//! Labels.

use archesai_content::{Artifact, Error, Label, LabelSort, Slice, ports::Store};

use super::{World, artifact, check, label, time};

/// Runs every check.
pub(super) async fn suite<S: Store + Clone>(store: &S) {
    check(store, a_name_is_taken_once_per_organization).await;
    check(store, an_identity_is_taken_once_whoever_has_it).await;
    check(store, labels_are_listed_in_order).await;
    check(store, a_label_is_taken_off_so_many_artifacts_at_a_time).await;
}

async fn a_name_is_taken_once_per_organization<S: Store>(world: &World<S>) {
    let store = &world.store;
    store
        .insert_label(world.ours, &label(world.ours, "x"))
        .await
        .unwrap();
    let again = store
        .insert_label(world.ours, &label(world.ours, "x"))
        .await;
    assert!(matches!(again, Err(Error::LabelTaken)));
    store
        .insert_label(world.theirs, &label(world.theirs, "x"))
        .await
        .unwrap();
    store
        .insert_label(world.ours, &label(world.ours, "X"))
        .await
        .unwrap();
    let made = store
        .ensure_labels(
            world.ours,
            &[label(world.ours, "x"), label(world.ours, "y")],
        )
        .await
        .unwrap();
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].name, "y");
}

async fn an_identity_is_taken_once_whoever_has_it<S: Store>(world: &World<S>) {
    let store = &world.store;
    let first = label(world.ours, "x");
    store.insert_label(world.ours, &first).await.unwrap();
    for name in ["x", "y"] {
        for organization in [world.ours, world.theirs] {
            let second = Label {
                id: first.id,
                ..label(organization, name)
            };
            let refused = store.insert_label(organization, &second).await;
            assert!(matches!(refused, Err(Error::AlreadyExists)), "{refused:?}");
        }
    }
    let found = store.find_label(world.ours, first.id).await.unwrap();
    assert_eq!(found, Some(first.clone()));
    let found = store.find_label(world.theirs, first.id).await.unwrap();
    assert_eq!(found, None);
}

async fn labels_are_listed_in_order<S: Store>(world: &World<S>) {
    for (name, seconds) in [("c", 1), ("a", 2), ("b", 3), ("B", 4)] {
        let mut label = label(world.ours, name);
        label.created_at = time(seconds);
        world.store.insert_label(world.ours, &label).await.unwrap();
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
        let first = world.store.list_labels(world.ours, &slice).await.unwrap();
        slice.after = first.next;
        assert!(slice.after.is_some());
        let second = world.store.list_labels(world.ours, &slice).await.unwrap();
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

async fn a_label_is_taken_off_so_many_artifacts_at_a_time<S: Store>(world: &World<S>) {
    let store = &world.store;
    for n in 0..5 {
        let labels = vec!["keep".to_owned(), "off".to_owned()];
        world
            .put(&Artifact {
                labels,
                ..artifact(world.ours, &n.to_string())
            })
            .await;
    }
    let by_name = Slice {
        limit: 9,
        after: None,
        sort: LabelSort::Name,
        descending: true,
    };
    let off = store.list_labels(world.ours, &by_name).await.unwrap().items[0].id;
    let in_use = store.delete_label(world.ours, off).await;
    assert!(matches!(in_use, Err(Error::Unavailable(_))));
    for expected in [3, 2, 0] {
        let changed = store
            .take_off_label(world.ours, off, 3, time(9))
            .await
            .unwrap();
        assert_eq!(changed.len(), expected);
        for artifact in changed {
            assert_eq!(artifact.labels, ["keep"]);
            assert_eq!(artifact.version, 2);
            assert_eq!(artifact.updated_at, time(9));
        }
    }
    assert!(store.delete_label(world.ours, off).await.unwrap());
    assert!(!store.delete_label(world.ours, off).await.unwrap());
}
