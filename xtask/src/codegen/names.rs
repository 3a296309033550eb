//! Names of the contract turned into names of Rust.

/// The words of a name in any style: `content:read`, `created_at`, `-name`, `listRuns`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    let mut lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            open = false;
            continue;
        }
        let begins = !open || (lower && c.is_ascii_uppercase());
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c.to_ascii_lowercase());
        }
        open = true;
        lower = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    words
}

/// `content:read` as the name of a type or variant: `ContentRead`. A leading minus, as in what to
/// sort by, becomes a word of its own at the end.
pub(crate) fn pascal(name: &str) -> String {
    let mut pascal: String = words(name)
        .iter()
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        })
        .collect();
    if name.starts_with('-') {
        pascal += "Descending";
    }
    pascal
}

/// `filter[label]` as the name of a field or function: `filter_label`.
pub(crate) fn snake(name: &str) -> String {
    let name = words(name).join("_");
    let keyword = matches!(
        name.as_str(),
        "as" | "async"
            | "await"
            | "box"
            | "break"
            | "const"
            | "continue"
            | "dyn"
            | "else"
            | "enum"
            | "extern"
            | "false"
            | "fn"
            | "for"
            | "gen"
            | "if"
            | "impl"
            | "in"
            | "let"
            | "loop"
            | "match"
            | "mod"
            | "move"
            | "mut"
            | "pub"
            | "ref"
            | "return"
            | "static"
            | "struct"
            | "trait"
            | "true"
            | "try"
            | "type"
            | "unsafe"
            | "use"
            | "where"
            | "while"
            | "yield"
    );
    if keyword { format!("r#{name}") } else { name }
}

/// `listRuns` or `list_runs` as the name of a constant: `LIST_RUNS`.
pub(crate) fn screaming(name: &str) -> String {
    words(name).join("_").to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_contract_become_names_of_rust() {
        assert_eq!(pascal("content:read"), "ContentRead");
        assert_eq!(pascal("user.password_changed"), "UserPasswordChanged");
        assert_eq!(pascal("ApiKeyId"), "ApiKeyId");
        assert_eq!(pascal("-created_at"), "CreatedAtDescending");
        assert_eq!(snake("filter[label]"), "filter_label");
        assert_eq!(snake("type"), "r#type");
        assert_eq!(snake("If-Match"), "if_match");
        assert_eq!(screaming("list_runs"), "LIST_RUNS");
        assert_eq!(screaming("listRuns"), "LIST_RUNS");
    }
}
