//! The one place where tools are registered: each has its line in the list of modules and in that of the tools.

mod artifact_read;
mod artifact_search;
mod artifact_write;
mod csv_parse;
mod embedding_create;
mod http_request;
mod json_transform;
mod llm_complete;
mod template_render;
mod text_extract;
mod text_split;
mod time_sleep;

use crate::{capabilities::Parts, slots::Slots, tool::Tool};

/// Every tool.
pub(crate) fn all(parts: &Parts) -> Vec<Box<dyn Tool>> {
    let slots = Slots::default();
    vec![
        Box::new(artifact_read::ArtifactRead::new(parts)),
        Box::new(artifact_search::ArtifactSearch::new(parts)),
        Box::new(artifact_write::ArtifactWrite::new(parts)),
        Box::new(csv_parse::CsvParse(slots.clone())),
        Box::new(embedding_create::EmbeddingCreate::new(parts, slots.clone())),
        Box::new(http_request::HttpRequest::new(parts)),
        Box::new(json_transform::JsonTransform(slots.clone())),
        Box::new(llm_complete::LlmComplete::new(parts)),
        Box::new(template_render::TemplateRender(slots.clone())),
        Box::new(text_extract::TextExtract::new(parts)),
        Box::new(text_split::TextSplit(slots)),
        Box::new(time_sleep::TimeSleep::new(parts)),
    ]
}
