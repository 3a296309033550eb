//! `operations.gen.rs`: every operation as a constant.

use std::fmt::Write as _;

use super::super::{
    contract::{Authorization, Contract},
    emit, names,
};

/// The text of the module.
pub(super) fn text(contract: &Contract) -> String {
    let mut text = emit::header(super::SOURCE);
    text += "//! Every operation of the contract, with who may call it.\n\n";
    text += "use crate::{Access, Operation, Place};\n\n";
    let mut all = Vec::new();
    for operation in &contract.operations {
        let name = names::screaming(&operation.id);
        _ = write!(
            text,
            "{}pub const {name}: Operation = Operation {{
                id: {},
                method: {},
                path: {},
                access: {},
            }};\n\n",
            emit::doc(&operation.summary),
            emit::literal(&operation.id),
            emit::literal(&operation.method),
            emit::literal(&operation.path),
            access(&operation.authorization),
        );
        all.push(name);
    }
    _ = writeln!(
        text,
        "/// Every operation, in the order of the contract.\npub const ALL: &[Operation] = &[{}];",
        all.join(", ")
    );
    text
}

fn access(authorization: &Authorization) -> String {
    match authorization {
        Authorization::Unlimited => "Access::Unlimited".to_owned(),
        Authorization::Public => "Access::Public".to_owned(),
        Authorization::User => "Access::User".to_owned(),
        Authorization::Member(member) => format!(
            "Access::Member {{
                role: archesai_organizations::Role::{},
                scope: {},
                place: Place::{},
            }}",
            names::pascal(&member.role),
            if member.scope == "none" {
                "None".to_owned()
            } else {
                format!(
                    "Some(archesai_auth::Scope::{})",
                    names::pascal(&member.scope)
                )
            },
            if member.organization.is_some() {
                "Path"
            } else {
                "Active"
            },
        ),
    }
}
