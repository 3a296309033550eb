//! What follows for an operation from what it is: which answers it can give, and which headers it
//! takes. The contract says all of it, and what it leaves out is found here.

use anyhow::{Context as _, Result, ensure};

use super::{Authorization, Contract, Operation};

/// Checks that the contract leaves nothing out.
pub(super) fn check(contract: &Contract) -> Result<()> {
    for operation in &contract.operations {
        answers(operation)
            .and_then(|()| headers(operation))
            .with_context(|| operation.id.clone())?;
    }
    Ok(())
}

fn answers(operation: &Operation) -> Result<()> {
    let open = operation.authorization.is_open();
    let limited = operation.authorization != Authorization::Unlimited;
    let parsed = operation.body.is_some()
        || operation.parameters_in("query").next().is_some()
        || has_id(operation);
    let rules: [(bool, &[u16], &str); 7] = [
        (!open, &[401, 403], "takes a credential"),
        (limited, &[429, 503], "is not unlimited"),
        (
            operation.body.is_some(),
            &[400, 408, 413, 415],
            "takes a body",
        ),
        (parsed, &[422], "takes what can be invalid"),
        (operation.idempotent, &[409, 422], "is idempotent"),
        (
            operation.takes("If-None-Match"),
            &[304, 400],
            "takes `If-None-Match`",
        ),
        (
            operation.takes("If-Match"),
            &[400, 409, 412],
            "takes `If-Match`",
        ),
    ];
    for (holds, statuses, because) in rules {
        for status in statuses {
            let known = operation.responses.iter().any(|(known, _)| known == status);
            ensure!(
                !holds || known,
                "responses: {status} is missing, and the operation {because}"
            );
        }
    }
    Ok(())
}

fn has_id(operation: &Operation) -> bool {
    operation
        .parameters_in("path")
        .any(|parameter| parameter.schema.format.is_some())
}

fn headers(operation: &Operation) -> Result<()> {
    let changes = matches!(operation.method.as_str(), "PUT" | "PATCH");
    let rules = [
        (operation.idempotent, "Idempotency-Key"),
        (operation.etag && operation.method == "GET", "If-None-Match"),
        (operation.etag && changes, "If-Match"),
    ];
    for (holds, name) in rules {
        let taken = operation.takes(name);
        ensure!(!holds || taken, "parameters: `{name}` is missing");
    }
    for (status, response) in &operation.responses {
        let tagged = response.headers.get("ETag").is_some();
        ensure!(
            !operation.etag || !(200..300).contains(status) || tagged,
            "responses: {status}: headers: `ETag` is missing"
        );
    }
    Ok(())
}
