//! Takes events away that have had their time: from the beginnings of chains, which go on from there.

use std::time::SystemTime;

use archesai_platform::{
    Result,
    chains::{Chain, Record, Step, Trail, Walk},
    vault::Vault,
};

/// How many chains are looked at in a round.
const CHAINS: u32 = 16;

/// How many events are taken away at once.
const PIECE: u32 = 500;

/// Takes away some of what happened before a time. Answers how many events that were: as long as
/// there are any, there may be more.
///
/// # Errors
///
/// If the log or the vault fails.
pub async fn expire(trail: &impl Trail, vault: &dyn Vault, before: SystemTime) -> Result<u64> {
    let mut gone = 0;
    for chain in trail.begun_before(before, CHAINS).await? {
        gone += shorten(trail, vault, chain, before).await?;
    }
    Ok(gone)
}

/// Takes the first events of a chain away. Each is checked before: once it is gone nobody can. What
/// is wrong stays as it is, for whoever wants to know why.
async fn shorten(
    trail: &impl Trail,
    vault: &dyn Vault,
    chain: Chain,
    before: SystemTime,
) -> Result<u64> {
    let everything = (i64::MIN, i64::MIN);
    let mut records = trail
        .records(chain.organization, everything, PIECE + 1)
        .await?;
    // What came since the chain was looked up is none of its yet.
    records.retain(|record| record.position <= chain.head.position);
    let has_gone = |record: &Record| record.event.occurred_at < before;
    let gone = records.iter().take(PIECE as usize);
    let gone = gone.take_while(|record| has_gone(record)).count();
    let (gone, kept) = records.split_at(gone);
    let mut walk = Walk::after(vault, chain.base);
    for record in gone {
        if walk.step(record)?.is_some() {
            return give_up(trail, chain).await;
        }
    }
    let base = walk.place();
    if !chain.is_whole(vault)? || (kept.is_empty() && base != chain.head) {
        return give_up(trail, chain).await;
    }
    let begins_at = kept.first().map(|record| record.event.occurred_at);
    let step = Step::begin_after(vault, chain, base, begins_at)?;
    let is_trimmed = trail.trim(&step).await?;
    Ok(if is_trimmed { gone.len() as u64 } else { 0 })
}

/// Leaves a chain alone from now on.
async fn give_up(trail: &impl Trail, chain: Chain) -> Result<u64> {
    tracing::error!(
        organization = format!("{:032x}", chain.organization),
        "somebody tampered with the audit trail, of which nothing is taken away any more; \
         `archesai audit verify` says more"
    );
    trail.trim(&Step::break_off(chain)).await?;
    Ok(0)
}
