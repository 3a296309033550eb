//! The event log and the key that it is chained with, for whoever checks it.

use std::sync::Arc;

use archesai_platform::vault::Vault;

use crate::{
    compose::{infrastructure::open_database, keys::MasterKeyring},
    config::Config,
    erased::platform::AnyTrail,
};

/// Opens the log beside servers that run on it.
///
/// # Errors
///
/// If there is no database, it cannot be used, or the key is not the one it was used with.
pub async fn open_trail(config: &Config) -> anyhow::Result<(AnyTrail, Arc<dyn Vault>)> {
    let database = open_database(config).await?;
    let vault = MasterKeyring::find(config)?
        .open_vault(database.data_keys())
        .await?;
    Ok((database.trail(), vault))
}
