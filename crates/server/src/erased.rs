//! The domains' ports behind pointers, so that configuration can choose the adapters.

#[path = "erased/auth.gen.rs"]
pub mod auth;
#[path = "erased/content.gen.rs"]
pub mod content;
#[path = "erased/organizations.gen.rs"]
pub mod organizations;
#[path = "erased/workflows.gen.rs"]
pub mod workflows;
