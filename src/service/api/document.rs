//! The OpenAPI document: what the handlers say of themselves, and what is the same for all of them.

use axum::http::StatusCode;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{self, Content, Ref, RefOr, ResponseBuilder};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "LLM Latency Lab",
        description = "Benchmarks of latency optimisations as jobs, their results, and rankings of models. \
                       Every address but those of health and of this document wants a key in `x-api-key`.",
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "benchmarks", description = "What can be run, and running it"),
        (name = "jobs", description = "Runs under way and done"),
        (name = "results", description = "What was measured"),
        (name = "rankings", description = "Which model is best at what"),
        (name = "service", description = "The service itself"),
    )
)]
pub(super) struct Document;

/// What every address may reply that wants a key.
const GUARDED: [(&str, &str); 4] = [
    ("401", "there is no key"),
    ("403", "the key is none, or allows less"),
    ("421", "the host name is not the service's"),
    ("429", "too many requests, or too much at once"),
];

/// The document, with the key that all guarded addresses want.
pub(super) fn of(mut public: openapi::OpenApi, mut guarded: openapi::OpenApi) -> openapi::OpenApi {
    let requirement = SecurityRequirement::new("key", Vec::<String>::new());
    for item in guarded.paths.paths.values_mut() {
        for operation in
            [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten()
        {
            operation.security = Some(vec![requirement.clone()]);
            for (status, description) in GUARDED {
                let refusal = Content::new(Some(Ref::from_schema_name("Refusal")));
                let response =
                    ResponseBuilder::new().description(description).content("application/json", refusal);
                operation.responses.responses.insert(status.into(), RefOr::T(response.build()));
            }
        }
    }
    public.merge(guarded);
    for (path, item) in &mut public.paths.paths {
        let methods = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in methods.into_iter().filter_map(|(method, of)| Some((method, of.as_mut()?)))
        {
            // Handlers of several modules have one name.
            let words = path.split(['/', '{', '}']).filter(|word| !word.is_empty());
            operation.operation_id = Some(words.fold(method.to_owned(), |id, word| format!("{id}_{word}")));
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
                    let reason = status.and_then(|status| status.canonical_reason());
                    response.description = reason.unwrap_or("other").to_lowercase();
                }
            }
        }
    }
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key")));
    public.components.get_or_insert_default().add_security_scheme("key", key);
    public
}
