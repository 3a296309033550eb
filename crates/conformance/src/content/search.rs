//! Search: nothing is missed, and whatever is typed is only text.

use std::collections::BTreeSet;

use archesai_content::{
    Artifact, ArtifactId, ChunkId, Hit, Json, OrganizationId, SearchFilter, ports::Store,
};

use super::{World, artifact, check, model, texts, vectors};

/// Numbers between -1 and 1 that look random and are always the same (Steele and others: `SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = u16::try_from((z ^ (z >> 31)) >> 48).unwrap();
        f32::from(bits) / 32_768.0 - 1.0
    }

    /// A vector of unit length.
    fn unit(&mut self, dimensions: usize) -> Vec<f32> {
        let vector: Vec<f32> = (0..dimensions).map(|_| self.next()).collect();
        let length = dot(&vector, &vector).sqrt();
        vector.into_iter().map(|x| x / length).collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn only(artifacts: Vec<ArtifactId>) -> SearchFilter {
    SearchFilter {
        artifact_ids: Some(artifacts),
        ..SearchFilter::default()
    }
}

async fn words<S: Store>(world: &World<S>, organization: OrganizationId, query: &str) -> Vec<Hit> {
    let all = SearchFilter::default();
    let hits = world
        .store
        .search_keyword(organization, query, &all, 10)
        .await;
    hits.unwrap_or_else(|error| panic!("{query:?}: {error:?}"))
}

/// Runs every check.
pub(super) async fn suite<S: Store + Clone>(store: &S) {
    check(
        store,
        the_nearest_are_those_of_brute_force_at_any_selectivity,
    )
    .await;
    check(store, equal_ones_come_in_the_order_of_their_ids).await;
    check(store, opposite_directions_are_found_too).await;
    check(store, the_more_words_and_the_rarer_the_better).await;
    check(store, what_is_typed_is_only_text).await;
    check(store, both_searches_keep_to_the_filter).await;
    check(store, replaced_passages_are_found_no_more).await;
}

async fn the_nearest_are_those_of_brute_force_at_any_selectivity<S: Store>(world: &World<S>) {
    const DIMENSIONS: usize = 37;
    let model = model("m", 37);
    let mut numbers = Numbers(1);
    let mut known: Vec<(ChunkId, ArtifactId, Vec<f32>)> = Vec::new();
    for n in 0..40 {
        // Every tenth belongs to somebody else.
        let organization = if n % 10 == 9 {
            world.theirs
        } else {
            world.ours
        };
        let labels = if n == 7 {
            vec!["rare".to_owned()]
        } else {
            Vec::new()
        };
        let it = Artifact {
            labels,
            ..artifact(organization, &n.to_string())
        };
        let units: Vec<_> = (0..20).map(|_| numbers.unit(DIMENSIONS)).collect();
        let index = vectors(&it, &model, &units);
        if organization == world.ours {
            let ids = index.chunks.iter().map(|chunk| chunk.id);
            known.extend(ids.zip(units).map(|(id, unit)| (id, it.id, unit)));
        }
        world.put_indexed(&it, index).await;
    }
    let rare = SearchFilter {
        labels: vec!["rare".to_owned()],
        ..SearchFilter::default()
    };
    let few = known.iter().map(|(_, id, _)| *id).collect::<BTreeSet<_>>();
    let few: Vec<_> = few.into_iter().step_by(9).collect();
    let (mut asked, mut missed) = (0, 0);
    for filter in [SearchFilter::default(), rare, only(few)] {
        for _ in 0..10 {
            let query = numbers.unit(DIMENSIONS);
            let hits = world
                .store
                .search_semantic(world.ours, &model, &query, &filter, 10)
                .await;
            let hits = hits.unwrap();
            assert_eq!(hits.len(), 10, "always as many as asked for");
            assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
            let allowed = |id: &ArtifactId| match (&filter.artifact_ids, filter.labels.is_empty()) {
                (Some(ids), _) => ids.contains(id),
                (None, true) => true,
                (None, false) => *id == known[7 * 20].1,
            };
            let mut expected: Vec<_> = known
                .iter()
                .filter(|(_, artifact, _)| allowed(artifact))
                .map(|(id, _, unit)| (dot(unit, &query), *id))
                .collect();
            expected.sort_by(|a, b| b.0.total_cmp(&a.0));
            for hit in &hits {
                let place = expected.iter().position(|(_, id)| *id == hit.chunk_id);
                let place = place.expect("only what meets the filter");
                // As near as numbers of half the width tell.
                assert!((hit.score - f64::from(expected[place].0)).abs() < 1e-3);
                missed += usize::from(place >= 10);
            }
            asked += hits.len();
        }
    }
    assert!(missed * 20 <= asked, "{missed} of {asked} are missed");
}

async fn equal_ones_come_in_the_order_of_their_ids<S: Store>(world: &World<S>) {
    let model = model("m", 2);
    let it = artifact(world.ours, "it");
    let index = vectors(&it, &model, &vec![vec![0.0, 1.0]; 5]);
    let ids: Vec<_> = index.chunks.iter().map(|chunk| chunk.id).collect();
    world.put_indexed(&it, index).await;
    let all = SearchFilter::default();
    let hits = world
        .store
        .search_semantic(world.ours, &model, &[0.0, 1.0], &all, 3)
        .await;
    let hits = hits.unwrap();
    let found: Vec<_> = hits.iter().map(|hit| hit.chunk_id).collect();
    assert_eq!(found, ids[..3]);
    assert_eq!(hits[1].position, 1);
    assert_eq!(hits[1].text, "passage 1");
    assert_eq!(hits[1].artifact_name, "it");
    assert!((hits[1].score - 1.0).abs() < 1e-6);
}

async fn opposite_directions_are_found_too<S: Store>(world: &World<S>) {
    let model = model("m", 2);
    let it = artifact(world.ours, "it");
    world
        .put_indexed(&it, vectors(&it, &model, &[vec![-1.0, 0.0]]))
        .await;
    let all = SearchFilter::default();
    let hits = world
        .store
        .search_semantic(world.ours, &model, &[1.0, 0.0], &all, 5)
        .await;
    assert!((hits.unwrap()[0].score + 1.0).abs() < 1e-6);
    let none = world
        .store
        .search_semantic(world.ours, &model, &[1.0, 0.0], &only(vec![]), 5)
        .await;
    assert!(none.unwrap().is_empty());
}

async fn the_more_words_and_the_rarer_the_better<S: Store>(world: &World<S>) {
    let it = artifact(world.ours, "it");
    let index = texts(
        &it,
        &[
            "the cat sat on the mat",
            "the dog sat on the log",
            "the cat chased the dog",
            "nothing at all here",
            "Über Café naïve",
        ],
    );
    world.put_indexed(&it, index).await;
    let found = |hits: Vec<Hit>| hits.into_iter().map(|hit| hit.position).collect::<Vec<_>>();
    assert_eq!(
        found(words(world, world.ours, "cat dog chased").await)[0],
        2
    );
    assert_eq!(
        found(words(world, world.ours, "where is my MAT?").await),
        [0]
    );
    let hits = words(world, world.ours, "cat").await;
    assert!(
        hits.is_sorted_by(|a, b| a.score >= b.score) && hits.iter().all(|hit| hit.score >= 0.0)
    );
    for query in [
        "uber",
        "ÜBER",
        "cafe",
        "cafe\u{301}",
        "nai\u{308}ve",
        "NAÏVE",
    ] {
        assert_eq!(found(words(world, world.ours, query).await), [4], "{query}");
    }
}

async fn what_is_typed_is_only_text<S: Store>(world: &World<S>) {
    let it = artifact(world.ours, "it");
    world
        .put_indexed(&it, texts(&it, &["plain words and near or not"]))
        .await;
    let finds = [
        "\"words",
        "words\"",
        "words AND",
        "AND words",
        "NOT words",
        "words NOT plain",
        "(words",
        "words)",
        "words*",
        "*words",
        "^words",
        "text:words",
        "nosuch:words",
        "{text}:words",
        "text : words",
        "NEAR(words plain, 0)",
        "words -plain",
        "words + plain",
        "words'; --",
        "words\0plain",
        "words\u{2014}plain",
        "\u{201c}words\u{201d}",
        "\u{ff08}words\u{ff09}",
        "words OR OR OR",
        "\\\"words\\\"",
        "words;DROP TABLE chunks",
        "''words''",
        "words\u{301}",
    ];
    for query in finds {
        assert_eq!(words(world, world.ours, query).await.len(), 1, "{query:?}");
        assert!(
            words(world, world.theirs, query).await.is_empty(),
            "{query:?}"
        );
    }
    let nothing = [
        "\"",
        "\"\"",
        "*",
        "()",
        "^",
        ":",
        "-",
        "+",
        "''",
        "\\",
        "\0",
        "{}",
        "\u{301}",
        "…",
        "\u{1F600}",
        "中文",
        "xyzzy",
        "%",
        "_",
        "\u{1e900}",
        "\u{e000}",
        "²",
    ];
    for query in nothing {
        assert!(
            words(world, world.ours, query).await.is_empty(),
            "{query:?}"
        );
    }
    let long = "words ".repeat(10_000);
    assert_eq!(words(world, world.ours, &long).await.len(), 1);
}

async fn both_searches_keep_to_the_filter<S: Store>(world: &World<S>) {
    let model = model("m", 2);
    let metadata = Json::Object([("lang".to_owned(), Json::from("de"))].into());
    let chosen = Artifact {
        labels: vec!["a".to_owned(), "b".to_owned()],
        media_type: "text/html; charset=utf-8".to_owned(),
        metadata: metadata.clone(),
        ..artifact(world.ours, "chosen")
    };
    let other = Artifact {
        labels: vec!["a".to_owned()],
        ..artifact(world.ours, "other")
    };
    for it in [&chosen, &other] {
        world
            .put_indexed(it, vectors(it, &model, &[vec![1.0, 0.0]]))
            .await;
    }
    let all = SearchFilter::default;
    let filters = [
        (all(), 2),
        (
            SearchFilter {
                labels: vec!["a".to_owned()],
                ..all()
            },
            2,
        ),
        (
            SearchFilter {
                labels: chosen.labels.clone(),
                ..all()
            },
            1,
        ),
        (
            SearchFilter {
                labels: vec!["c".to_owned()],
                ..all()
            },
            0,
        ),
        (SearchFilter { metadata, ..all() }, 1),
        (
            SearchFilter {
                media_type: Some("text/html".to_owned()),
                ..all()
            },
            1,
        ),
        (only(vec![chosen.id]), 1),
        (only(vec![chosen.id, other.id]), 2),
        (only(vec![]), 0),
    ];
    for (filter, expected) in filters {
        let near = world
            .store
            .search_semantic(world.ours, &model, &[1.0, 0.0], &filter, 9)
            .await;
        let near = near.unwrap();
        let words = world
            .store
            .search_keyword(world.ours, "passage", &filter, 9)
            .await;
        let words = words.unwrap();
        assert_eq!(
            (near.len(), words.len()),
            (expected, expected),
            "{filter:?}"
        );
        if expected == 1 {
            assert_eq!(
                (near[0].artifact_id, words[0].artifact_id),
                (chosen.id, chosen.id)
            );
        }
    }
}

async fn replaced_passages_are_found_no_more<S: Store>(world: &World<S>) {
    let model = model("m", 2);
    let it = artifact(world.ours, "it");
    world
        .put_indexed(&it, vectors(&it, &model, &[vec![1.0, 0.0], vec![0.0, 1.0]]))
        .await;
    let replaced = world
        .store
        .replace_chunks(world.ours, it.id, &texts(&it, &["new"]))
        .await;
    assert!(replaced.unwrap());
    assert!(words(world, world.ours, "passage").await.is_empty());
    assert_eq!(words(world, world.ours, "new").await.len(), 1);
    let all = SearchFilter::default();
    let near = world
        .store
        .search_semantic(world.ours, &model, &[1.0, 0.0], &all, 9)
        .await;
    assert!(near.unwrap().is_empty());
}
