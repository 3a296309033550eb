//! `archesai keys`: changing the keys that what is sealed at rest opens with.

use clap::Command;

use crate::{compose, config::Config};

const MORE: &str = "Every data key is encrypted under the master key: the one that is set, where \
previous_master_keys has those before it, or a new one where the data folder keeps it. Then a new data key \
is made, which seals from then on. Servers may run meanwhile, and what is cut off the next rotation completes.";

/// The subcommand, given one that takes the settings.
pub(super) fn command(with_settings: impl Fn(Command) -> Command) -> Command {
    let rotate = Command::new("rotate").about("Changes the master key and the data key");
    Command::new("keys")
        .about("Changes the keys that what is sealed at rest opens with")
        .subcommand_required(true)
        .subcommand(with_settings(rotate.after_help(MORE)))
}

/// Rotates the keys, and says what that comes to.
pub(super) async fn rotate(config: &Config) -> anyhow::Result<()> {
    let rotated = compose::rotate_keys(config).await?;
    if rotated.is_configured {
        println!("every data key is encrypted under master_key; previous_master_keys can go");
    } else {
        println!(
            "every data key is encrypted under a new master key, which is kept in place of the old one"
        );
    }
    println!("data key {} seals from now on", rotated.data_key);
    Ok(())
}
