//! The local model against numbers that were computed elsewhere, and its manners in memory.

use std::{error, path::PathBuf, time::Duration};

use archesai_ai::{Embeddings, Error, LocalModel, LocalOptions};
use archesai_content::{self as content, ports::Embedder};

type Test = Result<(), Box<dyn error::Error>>;

/// The first numbers of vectors that numpy computed in double precision from the same files.
const REFERENCE: [(&str, [f32; 8]); 2] = [
    (
        "a cat sits on a mat",
        [
            0.120_031_8,
            -0.035_382_8,
            -0.023_464_4,
            0.045_211,
            -0.045_675_4,
            0.021_825_3,
            0.053_530_2,
            0.026_539_1,
        ],
    ),
    (
        "quarterly revenue grew",
        [
            0.041_234_7,
            -0.010_575_5,
            -0.004_918_5,
            -0.031_234_9,
            0.019_306_7,
            -0.018_515,
            -0.024_119_6,
            0.014_393_5,
        ],
    ),
];

/// As above, for `word ` 400 times: more than the 256 tokens that count.
const REFERENCE_CUT: [f32; 8] = [
    -0.008_123_7,
    -0.095_586,
    -0.038_673_1,
    0.049_662,
    -0.043_793_7,
    0.023_719_8,
    -0.018_142_4,
    -0.020_206_7,
];

/// Where the model is: a test that needs it fails without.
#[expect(clippy::disallowed_methods, reason = "as the server looks for it")]
fn folder() -> PathBuf {
    let set = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    let cache = || {
        let home = || set("HOME").unwrap_or_default().join(".cache");
        let cache = set("XDG_CACHE_HOME").unwrap_or_else(home);
        cache.join("archesai/models")
    };
    let models = set("ARCHESAI_MODEL_DIR").unwrap_or_else(cache);
    let folder = models.join("all-minilm-l6-v2");
    assert!(
        folder.join("model.safetensors").exists(),
        "this test needs the embedding model in {}; get it with `cargo xtask model`",
        folder.display()
    );
    folder
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn assert_close(vector: &[f32], reference: &[f32], what: &str) {
    for (number, expected) in vector.iter().zip(reference) {
        let off = (number - expected).abs();
        assert!(off < 2e-6, "{what}: {number} rather than {expected}");
    }
}

#[tokio::test]
async fn the_numbers_are_right_alone_and_in_company() -> Test {
    let model = LocalModel::open(folder()).await?;
    assert_eq!(model.info().name, "all-minilm-l6-v2");
    assert_eq!(model.info().dimensions, 384);

    let (texts, references): (Vec<_>, Vec<_>) = REFERENCE.into_iter().unzip();
    let cut = "word ".repeat(400);
    let mut all: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
    all.push(cut);
    all.push(String::new());
    let together = model.embed(all.clone()).await?;
    assert_eq!(together.len(), all.len());
    for (at, text) in all.into_iter().enumerate() {
        let alone = model.embed(vec![text.clone()]).await?;
        assert_eq!(alone[0].len(), 384);
        let length = cosine(&alone[0], &alone[0]);
        assert!((length - 1.0).abs() < 1e-5, "of length 1: {length}");
        assert_close(&together[at], &alone[0], &text);
        let reference = references.get(at).or((at == 2).then_some(&REFERENCE_CUT));
        if let Some(reference) = reference {
            assert_close(&alone[0], reference, &text);
        }
    }
    assert!(model.embed(Vec::new()).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_means_the_same_is_near() -> Test {
    let model = LocalModel::open(folder()).await?;
    let vectors = model
        .embed(texts(&[
            "a cat sits on a mat",
            "a kitten rests on a rug",
            "quarterly revenue grew",
        ]))
        .await?;
    let near = cosine(&vectors[0], &vectors[1]);
    let far = cosine(&vectors[0], &vectors[2]);
    assert!((near - 0.674_431).abs() < 1e-4, "{near}");
    assert!((far + 0.029_374).abs() < 1e-4, "{far}");
    Ok(())
}

#[tokio::test]
async fn hostile_text_is_bounded() -> Test {
    let model = LocalModel::open(folder()).await?;
    let hostile = vec![
        "é".repeat(2_000_000),
        "\u{0}\u{feff}\u{200d}".repeat(1000),
        " ".repeat(1_000_000),
        "a".repeat(1_000_000),
    ];
    for vector in model.embed(hostile).await? {
        assert!(vector.iter().all(|number| number.is_finite()));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_idle_model_leaves_the_memory_and_comes_back() -> Test {
    let options = LocalOptions {
        idle: Duration::from_secs(100),
        ..LocalOptions::default()
    };
    let model = LocalModel::open_with(folder(), options).await?;
    assert!(!model.is_loaded().await, "not before it is needed");
    let before = model.embed(texts(&["a cat sits on a mat"])).await?;
    assert!(model.is_loaded().await);
    tokio::time::sleep(Duration::from_secs(90)).await;
    model.embed(texts(&["a"])).await?;
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert!(model.is_loaded().await, "used not long ago");
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(!model.is_loaded().await, "unused for long");
    let after = model.embed(texts(&["a cat sits on a mat"])).await?;
    assert_eq!(before, after);
    Ok(())
}

#[tokio::test]
async fn many_callers_load_it_once_and_all_get_theirs() -> Test {
    let model = LocalModel::open(folder()).await?;
    let calls = (0..20).map(|number| {
        let model = model.clone();
        tokio::spawn(async move { model.embed(vec![format!("text {number}")]).await })
    });
    let mut vectors = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        vectors.extend(call.await??);
    }
    let again = model.embed((0..20).map(|n| format!("text {n}")).collect());
    for (a, b) in vectors.iter().zip(again.await?) {
        assert_close(a, &b, "text");
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_model_says_how_to_get_one() -> Test {
    let error = LocalModel::open("/nowhere/to/be/found").await;
    let Err(error) = error else {
        return Err("there is no such model".into());
    };
    assert!(matches!(error, Error::Missing { .. }), "{error:?}");
    for hint in ["cargo xtask model", "ARCHESAI_MODEL_DIR", "provider"] {
        assert!(error.to_string().contains(hint), "{error}");
    }
    let error = content::Error::from(error);
    assert!(matches!(error, content::Error::NoModel), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn the_port_answers_for_the_model_and_for_none() -> Test {
    let local = Embeddings::Local(LocalModel::open(folder()).await?);
    let dimensions = local.model().map(|model| model.dimensions);
    assert_eq!(dimensions, Some(384));
    assert_eq!(local.embed(texts(&["a", "b"])).await?.len(), 2);

    assert_eq!(Embeddings::None.model(), None);
    let answer = Embeddings::None.embed(texts(&["a"])).await;
    assert!(matches!(answer, Err(content::Error::NoModel)), "{answer:?}");
    Ok(())
}
