//! `archesai audit`: what an auditor does.

use anyhow::ensure;
use archesai_platform::chains::PLATFORM;
use clap::{Arg, ArgAction, ArgMatches, Command};
use uuid::Uuid;

use crate::{
    audit::{Audit, Finding, Head, InvalidHead, Summary},
    compose,
    config::Config,
};

const ABOUT: &str = "Checks that nothing in the event log was changed, removed, added or moved";

const MORE: &str = "Goes along the chain of each organization, and that of the platform, which has the \
nil id. Of a chain that holds it prints the head, to be kept elsewhere: given with --head later, it shows \
whether the chain still has it, or was set back as a whole. Of one that does not hold it prints the first \
place where it does not, and ends with 1. Servers may run meanwhile; what they have not published yet is \
in no chain, and counted.";

/// The subcommand, given one that takes the settings.
pub(super) fn command(with_settings: impl Fn(Command) -> Command) -> Command {
    let head = Arg::new("head")
        .long("head")
        .value_name("ORGANIZATION:POSITION:MAC")
        .action(ArgAction::Append)
        .value_parser(|text: &str| -> Result<Head, InvalidHead> { text.parse() })
        .help("A head that was printed before and kept; can be given several times");
    let verify = Command::new("verify").about(ABOUT).after_help(MORE);
    Command::new("audit")
        .about("Checks the event log as an audit trail")
        .subcommand_required(true)
        .subcommand(with_settings(verify.arg(head)))
}

/// Checks the log.
pub(super) async fn verify(config: &Config, flags: &ArgMatches) -> anyhow::Result<()> {
    let kept: Vec<Head> = flags
        .get_many("head")
        .map(|heads| heads.copied().collect())
        .unwrap_or_default();
    let (trail, vault) = compose::open_trail(config).await?;
    let audit = Audit {
        trail: &trail,
        vault: &*vault,
        kept: &kept,
    };
    let summary = audit.run(print).await?;
    let Summary {
        whole,
        broken,
        events,
        pending,
    } = summary;
    println!("{whole} chains with {events} events hold; {pending} events are not published yet");
    ensure!(
        broken == 0,
        "{broken} of {} chains do not hold",
        whole + broken
    );
    Ok(())
}

/// Prints what was found: how far it is to those who watch, the rest to those who keep it.
fn print(organization: u128, found: &Finding) {
    let of = name(organization);
    match found {
        Finding::Checked(position) => eprintln!("{of}: checked up to position {position}"),
        Finding::Holds {
            base,
            head,
            outlived,
        } => {
            let count = head.position - base.position;
            let head = Head {
                organization,
                place: *head,
            };
            let gone = match base.position {
                0 => String::new(),
                last => format!("those up to position {last} had their time, "),
            };
            println!("{of}: holds, {count} events, {gone}head {head}");
            if let Some(position) = outlived {
                println!(
                    "{of}: the head kept at position {position} cannot be checked: it had its time"
                );
            }
        }
        Finding::Broken {
            position,
            event,
            fault,
        } => {
            let position = position.map(|position| format!(" at position {position}"));
            let event = event.map(|event| format!(", event {}", Uuid::from_u128(event)));
            let (position, event) = (position.unwrap_or_default(), event.unwrap_or_default());
            println!("{of}: BROKEN{position}{event}: {fault}");
        }
    }
}

fn name(organization: u128) -> String {
    let id = Uuid::from_u128(organization);
    if organization == PLATFORM {
        format!("platform {id}")
    } else {
        format!("organization {id}")
    }
}
