//! Pipelines and their versions.

use archesai_workflows::{
    Error, Json, OrganizationId, Pipeline, PipelineId, Slice,
    ports::{PipelineSort, Scope, Store, Transaction as _},
};

use super::{World, object, pages, pipeline, time};
use crate::fresh;

pub(super) async fn suite<S: Store>(world: &World<'_, S>) {
    a_pipeline_is_found_as_it_was_put(world).await;
    an_id_is_taken_once(world).await;
    a_pipeline_is_updated_from_the_version_before(world).await;
    every_version_keeps_its_definition(world).await;
    pipelines_are_listed_in_every_order(world).await;
    pages_stay_where_they_are(world).await;
    a_deleted_pipeline_is_gone(world).await;
    a_dropped_transaction_leaves_nothing(world).await;
}

async fn list<S: Store>(world: &World<'_, S>, organization: OrganizationId) -> Vec<Pipeline> {
    let slice = Slice {
        limit: 100,
        after: None,
        sort: PipelineSort::CreatedAt,
        descending: false,
    };
    let page = world.store.list_pipelines(organization, &slice).await;
    page.unwrap().items
}

async fn remove<S: Store>(world: &World<'_, S>, pipelines: &[Pipeline]) {
    for pipeline in pipelines {
        let removed = world.store.delete_pipeline(world.ours, pipeline.id).await;
        assert_eq!(removed.unwrap(), Some(pipeline.version));
    }
}

async fn a_pipeline_is_found_as_it_was_put<S: Store>(world: &World<'_, S>) {
    let mut one = pipeline(world.ours, "ünï \"code\"");
    one.definition = object([
        ("least", Json::Integer(i64::MIN)),
        ("most", Json::Integer(i64::MAX)),
        ("float", Json::Float(0.1)),
        ("large", Json::Float(1e300)),
        ("text", Json::from("tab\t, nul\0, é and 🦀")),
        (
            "list",
            Json::Array(vec![Json::Null, Json::Bool(true), Json::Array(vec![])]),
        ),
    ]);
    let other = Pipeline {
        description: None,
        ..pipeline(world.ours, "o")
    };
    for pipeline in [&one, &other] {
        world.store.insert_pipeline(pipeline).await.unwrap();
        let found = world.store.find_pipeline(world.ours, pipeline.id).await;
        assert_eq!(found.unwrap().as_ref(), Some(pipeline));
    }
    let absent = PipelineId(fresh());
    for (organization, id) in [(world.theirs, one.id), (world.ours, absent)] {
        let found = world.store.find_pipeline(organization, id).await;
        assert_eq!(found.unwrap(), None);
        let found = world.store.find_definition(organization, id, 1).await;
        assert_eq!(found.unwrap(), None);
    }
    assert_eq!(list(world, world.theirs).await, vec![]);
    remove(world, &[one, other]).await;
}

async fn an_id_is_taken_once<S: Store>(world: &World<'_, S>) {
    let one = world.pipeline().await;
    let theirs = Pipeline {
        organization_id: world.theirs,
        ..one.clone()
    };
    let next = Pipeline {
        version: 2,
        ..one.clone()
    };
    for again in [&one, &theirs, &next] {
        let refused = world.store.insert_pipeline(again).await;
        assert!(matches!(refused, Err(Error::AlreadyExists)), "{refused:?}");
    }
    assert_eq!(list(world, world.ours).await, vec![one.clone()]);
    assert_eq!(list(world, world.theirs).await, vec![]);
    remove(world, &[one]).await;
}

async fn a_pipeline_is_updated_from_the_version_before<S: Store>(world: &World<'_, S>) {
    let one = world.pipeline().await;
    let changed = Pipeline {
        name: "b".to_owned(),
        description: None,
        definition: object([("steps", Json::Null)]),
        version: 2,
        updated_at: time(9),
        ..one.clone()
    };
    world.store.update_pipeline(&changed).await.unwrap();
    let found = world.store.find_pipeline(world.ours, one.id).await;
    assert_eq!(found.unwrap().as_ref(), Some(&changed));

    let stale = changed.clone();
    let ahead = Pipeline {
        version: 4,
        ..changed.clone()
    };
    let absent = Pipeline {
        id: PipelineId(fresh()),
        version: 3,
        ..changed.clone()
    };
    let foreign = Pipeline {
        organization_id: world.theirs,
        version: 3,
        ..changed.clone()
    };
    for refused in [stale, ahead, absent, foreign] {
        let answer = world.store.update_pipeline(&refused).await;
        assert!(matches!(answer, Err(Error::VersionConflict)), "{answer:?}");
    }
    assert_eq!(list(world, world.ours).await, vec![changed.clone()]);
    remove(world, &[changed]).await;
}

async fn every_version_keeps_its_definition<S: Store>(world: &World<'_, S>) {
    let mut pipeline = world.pipeline().await;
    let mut definitions = vec![pipeline.definition.clone()];
    for version in 2..=3 {
        pipeline.version = version;
        pipeline.definition = Json::from(i64::try_from(version).unwrap());
        definitions.push(pipeline.definition.clone());
        world.store.update_pipeline(&pipeline).await.unwrap();
    }
    for (version, definition) in (1..).zip(definitions) {
        let found = world
            .store
            .find_definition(world.ours, pipeline.id, version);
        assert_eq!(found.await.unwrap(), Some(definition));
        let found = world
            .store
            .find_definition(world.theirs, pipeline.id, version);
        assert_eq!(found.await.unwrap(), None);
    }
    let found = world.store.find_definition(world.ours, pipeline.id, 4);
    assert_eq!(found.await.unwrap(), None);
    remove(world, &[pipeline]).await;
}

/// Seven pipelines with equal keys among them, which their ids decide between.
async fn several<S: Store>(world: &World<'_, S>) -> Vec<Pipeline> {
    let mut pipelines = Vec::new();
    for (name, created, updated) in [
        ("b", 3, 3),
        ("a", 1, 9),
        ("B", 1, 8),
        ("a", 1, 7),
        ("é", 2, 7),
        ("z", 5, 7),
        ("a", 4, 5),
    ] {
        let pipeline = Pipeline {
            created_at: time(created),
            updated_at: time(updated),
            ..pipeline(world.ours, name)
        };
        world.store.insert_pipeline(&pipeline).await.unwrap();
        pipelines.push(pipeline);
    }
    pipelines
}

async fn pipelines_are_listed_in_every_order<S: Store>(world: &World<'_, S>) {
    let mut expected = several(world).await;
    for sort in [
        PipelineSort::CreatedAt,
        PipelineSort::UpdatedAt,
        PipelineSort::Name,
    ] {
        match sort {
            PipelineSort::CreatedAt => expected.sort_by_key(|one| (one.created_at, one.id)),
            PipelineSort::UpdatedAt => expected.sort_by_key(|one| (one.updated_at, one.id)),
            PipelineSort::Name => expected.sort_by_key(|one| (one.name.clone(), one.id)),
        }
        for descending in [false, true] {
            let read = async |slice: &Slice<_>| world.store.list_pipelines(world.ours, slice).await;
            let listed = pages(sort, descending, read).await;
            assert_eq!(listed, expected, "{sort:?}");
            expected.reverse();
        }
    }
    remove(world, &expected).await;
}

async fn pages_stay_where_they_are<S: Store>(world: &World<'_, S>) {
    let mut pipelines = several(world).await;
    pipelines.sort_by_key(|one| (one.created_at, one.id));
    let early = Pipeline {
        created_at: time(0),
        ..pipeline(world.ours, "early")
    };
    let read = async |slice: &Slice<_>| {
        let page = world.store.list_pipelines(world.ours, slice).await;
        if slice.after.is_none() {
            // What comes before the position, and even what it was made of, may come and go.
            world.store.insert_pipeline(&early).await.unwrap();
            remove(world, &pipelines[1..2]).await;
        }
        page
    };
    let listed = pages(PipelineSort::CreatedAt, false, read).await;
    assert_eq!(listed, pipelines);
    pipelines[1] = early;
    remove(world, &pipelines).await;
}

async fn a_deleted_pipeline_is_gone<S: Store>(world: &World<'_, S>) {
    let one = world.pipeline().await;
    for (organization, id) in [(world.theirs, one.id), (world.ours, PipelineId(fresh()))] {
        let deleted = world.store.delete_pipeline(organization, id).await;
        assert_eq!(deleted.unwrap(), None);
    }
    remove(world, std::slice::from_ref(&one)).await;
    let deleted = world.store.delete_pipeline(world.ours, one.id).await;
    assert_eq!(deleted.unwrap(), None);
    let found = world.store.find_definition(world.ours, one.id, 1).await;
    assert_eq!(found.unwrap(), None);
}

async fn a_dropped_transaction_leaves_nothing<S: Store>(world: &World<'_, S>) {
    use archesai_workflows::ports::Repository as _;

    let scope = Scope::Organization(world.ours);
    let one = pipeline(world.ours, "p");
    // More often than there may be connections: every one comes back clean.
    for _ in 0..20 {
        let transaction = world.store.begin(scope).await.unwrap();
        transaction.insert_pipeline(&one).await.unwrap();
        let found = transaction.find_pipeline(world.ours, one.id).await;
        assert_eq!(found.unwrap().as_ref(), Some(&one));
        let found = world.store.find_pipeline(world.ours, one.id).await;
        assert_eq!(found.unwrap(), None, "nobody sees what is not committed");
    }
    let transaction = world.store.begin(scope).await.unwrap();
    transaction.insert_pipeline(&one).await.unwrap();
    let refused = transaction.update_pipeline(&one).await;
    assert!(
        matches!(refused, Err(Error::VersionConflict)),
        "{refused:?}"
    );
    transaction.commit().await.unwrap();
    assert_eq!(list(world, world.ours).await, vec![one.clone()]);
    remove(world, &[one]).await;
}
