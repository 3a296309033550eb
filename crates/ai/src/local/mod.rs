//! A model that runs in this process: all-MiniLM-L6-v2, or another BERT encoder in the same files.

mod config;
mod encoder;
mod engine;
mod numbers;
mod plan;
mod weights;

use std::{
    fmt,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use archesai_content::ModelInfo;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::{
    sync::{Mutex, Semaphore},
    time::sleep,
};

use self::{config::Config, engine::Engine};
use crate::{Error, Result};

/// How a local model is run.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// What the model is called. Vectors of models of different names are never compared.
    pub name: String,
    /// How many tokens of a text count; the rest is cut off. What the model was trained on, and
    /// at most what it has positions for.
    pub max_tokens: usize,
    /// How many threads compute. The default is half of the processors, rounded up, so that
    /// others get something done meanwhile.
    pub threads: NonZero<usize>,
    /// How long an unused model stays in memory.
    pub idle: Duration,
}

impl Default for LocalOptions {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            name: "all-minilm-l6-v2".to_owned(),
            max_tokens: 256,
            threads: NonZero::new(processors.div_ceil(2)).unwrap_or(NonZero::<usize>::MIN),
            idle: Duration::from_mins(5),
        }
    }
}

/// A model of this process. It is read into memory when it is first needed, and leaves it
/// again when it has not been needed for a while. Cheap to clone; clones share the memory.
#[derive(Clone)]
pub struct LocalModel {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    config: Config,
    options: LocalOptions,
    info: ModelInfo,
    /// As many turns as there are threads, given in the order of asking.
    turns: Arc<Semaphore>,
    engine: Mutex<Option<Arc<Engine>>>,
    /// Counts the uses, by which idleness is told.
    uses: AtomicU64,
}

impl LocalModel {
    /// Finds the model in a folder that has its `config.json`, `tokenizer.json` and
    /// `model.safetensors`.
    ///
    /// # Errors
    /// [`Error::Missing`] where one of the files is not there, [`Error::Unusable`] where the
    /// model is of a kind that this crate cannot run.
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(folder, LocalOptions::default()).await
    }

    /// As [`open`](Self::open), with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[expect(
        clippy::disallowed_methods,
        reason = "the model is a part of the program, no user's file"
    )]
    pub async fn open_with(folder: impl AsRef<Path>, options: LocalOptions) -> Result<Self> {
        let folder = folder.as_ref().to_path_buf();
        for name in [engine::CONFIG, engine::TOKENIZER, engine::WEIGHTS] {
            let file = folder.join(name);
            if !tokio::fs::try_exists(&file).await.unwrap_or(false) {
                return Err(Error::Missing { file });
            }
        }
        let file = folder.join(engine::CONFIG);
        let config = Config::parse(&engine::read(&file).await?);
        let config = config.map_err(|reason| Error::Unusable { file, reason })?;
        let info = ModelInfo {
            name: options.name.clone(),
            dimensions: u32::try_from(config.hidden_size).unwrap_or(u32::MAX),
        };
        Ok(Self {
            shared: Arc::new(Shared {
                folder,
                config,
                turns: Arc::new(Semaphore::new(options.threads.get())),
                options,
                info,
                engine: Mutex::new(None),
                uses: AtomicU64::new(0),
            }),
        })
    }

    /// What the model is called, and how long its vectors are.
    pub fn info(&self) -> &ModelInfo {
        &self.shared.info
    }

    /// Whether the model is in memory now.
    pub async fn is_loaded(&self) -> bool {
        self.shared.engine.lock().await.is_some()
    }

    /// Turns each text into a vector of length 1, in order. Texts are computed in small
    /// batches, between which others get their turn.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Unusable`] where the files have changed since they were
    /// found, [`Error::Failed`].
    pub async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let engine = self.engine().await?;
        let texts = plan::groups(texts, plan::BYTES, String::len);
        let sentences = self.compute(&engine, texts, Engine::tokenize).await?;
        let sentences = plan::groups(sentences, plan::TOKENS, Vec::len);
        let vectors = self.compute(&engine, sentences, Engine::encode).await?;
        self.shared.uses.fetch_add(1, Ordering::Relaxed);
        Ok(vectors)
    }

    /// Computes something for each group in a turn of its own, where it stops nobody else.
    async fn compute<T: Send + 'static, R: Send + 'static>(
        &self,
        engine: &Arc<Engine>,
        groups: Vec<Vec<T>>,
        work: fn(&Engine, &[T]) -> Result<Vec<R>>,
    ) -> Result<Vec<R>> {
        let compute = async |group: Vec<T>| {
            let turn = Arc::clone(&self.shared.turns).acquire_owned().await;
            let turn = turn.map_err(|error| Error::Failed(error.into()))?;
            let engine = Arc::clone(engine);
            engine::blocking(move || {
                // It ends with the work, which goes on when nobody waits for it any more.
                let _turn = turn;
                work(&engine, &group)
            })
            .await?
        };
        let done = stream::iter(groups).map(compute);
        let done = done.buffered(self.shared.options.threads.get());
        done.try_concat().await
    }

    /// The model in memory, read there if it is not.
    async fn engine(&self) -> Result<Arc<Engine>> {
        self.shared.uses.fetch_add(1, Ordering::Relaxed);
        let mut slot = self.shared.engine.lock().await;
        if let Some(engine) = &*slot {
            return Ok(Arc::clone(engine));
        }
        let (config, options) = (&self.shared.config, &self.shared.options);
        let engine = Engine::load(&self.shared.folder, config, options.max_tokens).await?;
        let engine = Arc::new(engine);
        *slot = Some(Arc::clone(&engine));
        tokio::spawn(unload(Arc::downgrade(&self.shared), options.idle));
        Ok(engine)
    }
}

/// Takes the model out of memory once nobody has used it for the time of `idle`.
async fn unload(shared: Weak<Shared>, idle: Duration) {
    let mut seen = None;
    loop {
        sleep(idle).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let mut slot = shared.engine.lock().await;
        let uses = shared.uses.load(Ordering::Relaxed);
        // A call that is still at work holds the engine too.
        let in_use = slot.as_ref().is_some_and(|e| Arc::strong_count(e) > 1);
        if seen == Some(uses) && !in_use {
            *slot = None;
            return;
        }
        seen = Some(uses);
    }
}

impl fmt::Debug for LocalModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalModel")
            .field("folder", &self.shared.folder)
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}
