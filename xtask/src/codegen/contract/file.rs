//! The files of the contract as they are written. A key that is not among the fields is refused.

use serde::Deserialize;
use yaml_serde::Value;

use super::{super::ordered::Ordered, Authorization, Schema};

/// One file of the contract.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) openapi: Option<String>,
    #[serde(rename = "jsonSchemaDialect")]
    _dialect: Option<String>,
    #[serde(rename = "info")]
    _info: Option<Value>,
    #[serde(rename = "servers")]
    _servers: Option<Value>,
    #[serde(rename = "externalDocs")]
    _external_docs: Option<Value>,
    pub(super) tags: Vec<Tag>,
    pub(super) security: Vec<Ordered<Vec<String>>>,
    pub(super) paths: Ordered<PathItem>,
    pub(super) components: Components,
}

/// A group of operations.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tag {
    /// What operations name it by.
    pub(crate) name: String,
    /// What it is about.
    pub(crate) description: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct Components {
    pub(super) schemas: Ordered<Schema>,
    pub(super) parameters: Ordered<Parameter>,
    pub(super) responses: Ordered<Response>,
    pub(super) request_bodies: Ordered<Body>,
    pub(super) headers: Ordered<Header>,
    #[serde(rename = "securitySchemes")]
    _security_schemes: Option<Value>,
    #[serde(rename = "examples")]
    _examples: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PathItem {
    #[serde(rename = "summary")]
    _summary: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) get: Option<OperationItem>,
    pub(super) put: Option<OperationItem>,
    pub(super) post: Option<OperationItem>,
    pub(super) delete: Option<OperationItem>,
    pub(super) patch: Option<OperationItem>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the contract"
)]
pub(super) struct OperationItem {
    pub(super) operation_id: String,
    pub(super) summary: String,
    pub(super) description: Option<String>,
    pub(super) tags: Vec<String>,
    #[serde(default)]
    pub(super) parameters: Vec<Parameter>,
    pub(super) request_body: Option<Body>,
    pub(super) responses: Ordered<Response>,
    pub(super) security: Option<Vec<Ordered<Vec<String>>>>,
    #[serde(default, rename = "deprecated")]
    _deprecated: bool,
    #[serde(rename = "x-authorization")]
    pub(super) authorization: Option<Authorization>,
    #[serde(default, rename = "x-idempotent")]
    pub(super) idempotent: bool,
    #[serde(default, rename = "x-raw")]
    pub(super) raw: bool,
    #[serde(default, rename = "x-etag")]
    pub(super) etag: bool,
}

/// A parameter of an operation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Parameter {
    #[serde(rename = "$ref")]
    pub(super) reference: Option<String>,
    /// As in the request.
    pub(crate) name: String,
    /// `path`, `query` or `header`.
    #[serde(rename = "in")]
    pub(crate) place: String,
    /// What it is for.
    pub(crate) description: Option<String>,
    /// Whether it must be there.
    pub(crate) required: bool,
    /// What it may be.
    pub(crate) schema: Schema,
    #[serde(rename = "style")]
    _style: Option<String>,
    #[serde(rename = "explode")]
    _explode: Option<bool>,
    #[serde(rename = "example")]
    _example: Option<Value>,
    #[serde(rename = "examples")]
    _examples: Option<Value>,
}

/// What an operation is sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Body {
    #[serde(rename = "$ref")]
    pub(super) reference: Option<String>,
    /// What it is.
    pub(crate) description: Option<String>,
    #[serde(rename = "required")]
    _required: bool,
    /// By media type.
    pub(crate) content: Ordered<Media>,
}

/// One way to answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Response {
    #[serde(rename = "$ref")]
    pub(super) reference: Option<String>,
    /// When it is given.
    pub(crate) description: String,
    /// By media type.
    pub(crate) content: Ordered<Media>,
    /// By name.
    pub(crate) headers: Ordered<Header>,
}

/// A header of an answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Header {
    #[serde(rename = "$ref")]
    pub(super) reference: Option<String>,
    /// What it says.
    pub(crate) description: Option<String>,
    #[serde(rename = "required")]
    _required: bool,
    #[serde(rename = "schema")]
    _schema: Schema,
}

/// A body in one media type.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Media {
    /// What it holds.
    pub(crate) schema: Option<Schema>,
    #[serde(rename = "example")]
    _example: Option<Value>,
    #[serde(rename = "examples")]
    _examples: Option<Value>,
    #[serde(rename = "encoding")]
    _encoding: Option<Value>,
}
