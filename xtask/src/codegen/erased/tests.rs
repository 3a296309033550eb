//! What becomes of ports.

use super::*;

const PORTS: &str = "
use std::time::{Duration, SystemTime};
use crate::{Result, Thing, ThingId, engine::Unused};

/// Where a transaction may write.
pub enum Scope { One, All }

pub trait Repository: Send + Sync + 'static {
    fn find(&self, id: ThingId) -> impl Future<Output = Result<Option<Thing>>> + Send;
}
pub trait Store: Repository {
    type Transaction: Transaction;
    fn begin(&self, scope: Scope) -> impl Future<Output = Result<Self::Transaction>> + Send;
}
pub trait Transaction: Repository {
    fn commit(self) -> impl Future<Output = Result<()>> + Send;
}
pub trait Writer: Send + 'static {
    fn write(&mut self, bytes: &[u8]) -> impl Future<Output = ()> + Send;
    fn name(&self) -> &str;
}
pub trait Opener: Send + Sync + 'static {
    type Writer: Writer;
    fn open(&self) -> Self::Writer;
}
pub trait Signer: Send + Sync + 'static {
    fn sign(&self, text: &str) -> String;
}
";

fn generated() -> String {
    let text = text("things", PORTS).unwrap();
    let file = syn::parse_file(&text).unwrap();
    prettyplease::unparse(&file)
}

#[test]
fn a_store_and_its_transaction_are_erased() {
    let text = generated();
    for expected in [
        "trait DynStore: DynRepository {",
        "async fn begin(&self, scope: Scope) -> Result<AnyTransaction>;",
        "Store::begin(self, scope).await.map(AnyTransaction::new)",
        "pub struct AnyStore(Box<dyn DynStore>);",
        "impl Repository for AnyStore {",
        "impl Repository for AnyTransaction {",
        "type Transaction = AnyTransaction;",
        "async fn commit(self: Box<Self>) -> Result<()>;",
        "Transaction::commit(*self).await",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains("AnyRepository"), "{text}");
}

#[test]
fn exclusive_and_sync_methods_are_kept() {
    let text = generated();
    for expected in [
        "trait DynWriter: Send {",
        "async fn write(&mut self, bytes: &[u8]);",
        "fn name(&self) -> &str;",
        "fn open(&self) -> AnyWriter;",
        "AnyWriter::new(Opener::open(self))",
        "type Writer = AnyWriter;",
    ] {
        assert!(
            text.contains(&expected.replace(");", ")")),
            "{expected}\n{text}"
        );
    }
}

#[test]
fn a_port_without_futures_is_left_alone() {
    assert!(!generated().contains("Signer"));
}

#[test]
fn the_cache_keeps_its_parameters_and_its_failures_are_told() {
    let text = generated();
    for expected in [
        "pub struct AnyCache<K: Send + Sync + 'static, V: Send + Sync + 'static>",
        "for AnyCache<K, V>",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let told = text.matches(".inspect_err(|error| super::cache_failed(error))");
    assert_eq!(told.count(), 3, "{text}");
}

#[test]
fn only_what_is_needed_is_imported() {
    let text = generated();
    assert!(text.contains("use archesai_things::"), "{text}");
    assert!(!text.contains("Unused"), "{text}");
    assert!(!text.contains("SystemTime"), "{text}");
}

#[test]
fn what_cannot_be_erased_is_refused_with_its_place() {
    let ports = "pub trait A: Send { fn f<T>(&self, t: T) -> impl Future<Output = ()> + Send; }";
    let error = format!("{:#}", text("things", ports).unwrap_err());
    assert_eq!(
        error,
        "trait A: method f: type and lifetime parameters cannot be erased"
    );
}
