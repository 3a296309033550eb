//! Vaults over keys in memory.

use std::sync::Mutex;

use super::*;

/// Data keys that several nodes share.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<DataKey>>>);

impl DataKeys for Shared {
    async fn list(&self) -> Result<Vec<DataKey>> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn change(&self, listed: &[DataKey], then: &[DataKey]) -> Result<bool> {
        let mut keys = self.0.lock().unwrap();
        let is_done = *keys == listed;
        if is_done {
            *keys = then.to_vec();
        }
        Ok(is_done)
    }
}

/// A vault of a system of its own.
pub(crate) async fn vault() -> AesVault<Shared> {
    node(&Shared::default(), &[MasterKey::generate()]).await
}

async fn node(keys: &Shared, masters: &[MasterKey]) -> AesVault<Shared> {
    open(keys, masters).await.unwrap()
}

async fn open(keys: &Shared, masters: &[MasterKey]) -> Result<AesVault<Shared>, VaultError> {
    let masters = masters.to_vec();
    AesVault::open(keys.clone(), Box::new(move || Ok(masters.clone()))).await
}

#[tokio::test]
async fn what_was_sealed_opens_only_as_it_was() {
    let vault = vault().await;
    let sealed = vault.seal(b"here", b"secret").unwrap();
    assert_eq!(vault.open(b"here", &sealed).await.unwrap(), b"secret");
    assert!(vault.open(b"there", &sealed).await.is_err());
    let other = self::vault().await;
    assert!(other.open(b"here", &sealed).await.is_err());
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(vault.open(b"here", &changed).await.is_err(), "byte {at}");
    }
    for length in 0..sealed.len() {
        assert!(vault.open(b"here", &sealed[..length]).await.is_err());
    }
}

#[tokio::test]
async fn a_mac_takes_the_key_the_place_and_the_bytes() {
    let vault = vault().await;
    let mac = vault.mac(b"here", b"guess").unwrap();
    assert_eq!(vault.mac(b"here", b"guess").unwrap(), mac);
    assert_ne!(vault.mac(b"here", b"other").unwrap(), mac);
    assert_ne!(vault.mac(b"ther", b"guess").unwrap(), mac);
    assert_ne!(vault.mac(b"hereg", b"uess").unwrap(), mac);
    let other = self::vault().await;
    assert_ne!(other.mac(b"here", b"guess").unwrap(), mac);
}

#[tokio::test]
async fn all_nodes_use_the_one_first_key() {
    let keys = Shared::default();
    let master = [MasterKey::generate()];
    let nodes = futures_util::future::join_all((0..8).map(|_| node(&keys, &master))).await;
    assert_eq!(keys.list().await.unwrap().len(), 1);
    let sealed = nodes[0].seal(b"here", b"secret").unwrap();
    for node in &nodes {
        assert_eq!(node.open(b"here", &sealed).await.unwrap(), b"secret");
    }
}

#[tokio::test]
async fn a_rotation_is_learnt_of_and_loses_nothing() {
    let keys = Shared::default();
    let (old, new) = (MasterKey::generate(), MasterKey::generate());
    let one = node(&keys, std::slice::from_ref(&old)).await;
    let before = one.seal(b"here", b"before").unwrap();
    let mac = one.mac(b"here", b"guess").unwrap();
    drop(one);

    let both = [new.clone(), old.clone()];
    let (one, other) = (node(&keys, &both).await, node(&keys, &both).await);
    assert_eq!(one.rotate().await.unwrap(), 2);
    let after = one.seal(b"here", b"after").unwrap();
    assert_eq!(after[1..5], [0, 0, 0, 2]);
    // Whoever meets a key they do not know looks for it.
    assert_eq!(other.open(b"here", &after).await.unwrap(), b"after");
    assert_eq!(other.seal(b"here", b"after").unwrap()[1..5], [0, 0, 0, 2]);
    assert_eq!(other.rotate().await.unwrap(), 3);
    // Whoever only seals is told.
    assert_eq!(one.seal(b"here", b"after").unwrap()[1..5], [0, 0, 0, 2]);
    one.refresh().await.unwrap();
    assert_eq!(one.seal(b"here", b"after").unwrap()[1..5], [0, 0, 0, 3]);

    // The old master key is good for nothing any more.
    let one = node(&keys, &[new]).await;
    assert_eq!(one.open(b"here", &before).await.unwrap(), b"before");
    assert_eq!(one.open(b"here", &after).await.unwrap(), b"after");
    assert_eq!(one.mac(b"here", b"guess").unwrap(), mac);
    let refused = open(&keys, &[old]).await.err().unwrap();
    let first = VaultError::WrongMasterKey { data_key: 1 };
    assert_eq!(refused.to_string(), first.to_string());
}

#[tokio::test]
async fn of_rotations_at_once_each_is_carried_out() {
    let keys = Shared::default();
    let master = [MasterKey::generate()];
    let nodes = futures_util::future::join_all((0..8).map(|_| node(&keys, &master))).await;
    let rotations = nodes.iter().map(AesVault::rotate);
    let mut made: Vec<_> = futures_util::future::join_all(rotations)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    made.sort_unstable();
    assert_eq!(made, (2..10).collect::<Vec<_>>());
    node(&keys, &master).await;
}

#[tokio::test]
async fn a_wrapped_key_is_no_other() {
    let keys = Shared::default();
    let master = [MasterKey::generate()];
    node(&keys, &master).await.rotate().await.unwrap();
    let wrapped = |at: usize| keys.0.lock().unwrap()[at].wrapped.clone();
    let (first, second) = (wrapped(0), wrapped(1));
    keys.0.lock().unwrap()[0].wrapped = second;
    keys.0.lock().unwrap()[1].wrapped = first;
    assert!(open(&keys, &master).await.is_err());
}
