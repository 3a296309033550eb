//! What a Rust file names: paths, macros, attributes and texts, each with its line.
//!
//! It reads tokens rather than the syntax tree, so that it sees into macros; and it knows which
//! tokens are there for tests only.

use std::{iter::Peekable, str::FromStr as _, vec};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Something that a file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mention {
    /// Counted from 1.
    pub(super) line: usize,
    /// Whether it is within something that is there for tests only.
    pub(super) in_test: bool,
    /// What it is.
    pub(super) what: What,
}

/// What can be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A path such as `std::fs::read`; an import of several things is several paths.
    Path(String),
    /// A macro that is called, without its exclamation mark.
    Macro(String),
    /// An attribute without blanks, such as `cfg(test)`.
    Attribute(String),
    /// A literal text. Documentation is not among them.
    Text(String),
    /// A module that is declared for tests only, and is in a file of its own.
    TestModule(String),
    /// A call of something named `sleep` that lasts so many milliseconds of real time.
    Sleep(u64),
}

impl Mention {
    /// The path, if it is one.
    pub(super) fn path(&self) -> Option<&str> {
        match &self.what {
            What::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The module's name, if it is one for tests only.
    pub(super) fn test_module(&self) -> Option<&str> {
        match &self.what {
            What::TestModule(name) => Some(name),
            _ => None,
        }
    }
}

/// Everything that a Rust file names; nothing if it is not Rust, which the compiler tells.
pub(super) fn of(text: &str) -> Vec<Mention> {
    let mut reader = Reader::default();
    if let Ok(tokens) = TokenStream::from_str(text) {
        reader.read(tokens, Context::default());
    }
    reader.mentions
}

/// What is known about the place where the tokens are.
#[derive(Clone, Copy, Default)]
struct Context {
    in_test: bool,
    /// Whether time is not the real one.
    paused: bool,
}

impl Context {
    fn or(self, other: Self) -> Self {
        Self {
            in_test: self.in_test || other.in_test,
            paused: self.paused || other.paused,
        }
    }
}

type Tokens = Peekable<vec::IntoIter<TokenTree>>;

#[derive(Default)]
struct Reader {
    mentions: Vec<Mention>,
}

impl Reader {
    fn add(&mut self, line: usize, context: Context, what: What) {
        self.mentions.push(Mention {
            line,
            in_test: context.in_test,
            what,
        });
    }

    /// Reads the tokens of one group, or of the file.
    fn read(&mut self, tokens: TokenStream, mut around: Context) {
        let mut tokens = peekable(tokens);
        // What the attributes say about the item that follows, until it ends.
        let mut item = Context::default();
        while let Some(token) = tokens.next() {
            let here = around.or(item);
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let inner = next_is(&mut tokens, '!');
                    if inner {
                        tokens.next();
                    }
                    if let Some(said) = self.attribute(&mut tokens, here) {
                        if inner {
                            around = around.or(said);
                        } else {
                            item = item.or(said);
                        }
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => item = Context::default(),
                TokenTree::Group(group) => {
                    self.read(group.stream(), here);
                    if group.delimiter() == Delimiter::Brace {
                        item = Context::default();
                    }
                }
                TokenTree::Ident(ident) => {
                    let line = ident.span().start().line;
                    self.path(ident.to_string(), line, &mut tokens, here);
                }
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                        let line = literal.span().start().line;
                        self.add(line, here, What::Text(text.value()));
                    }
                }
                TokenTree::Punct(_) => {}
            }
        }
    }

    /// Reads the brackets of an attribute; what it says about tests.
    fn attribute(&mut self, tokens: &mut Tokens, context: Context) -> Option<Context> {
        let Some(TokenTree::Group(group)) = tokens.peek() else {
            return None;
        };
        if group.delimiter() != Delimiter::Bracket {
            return None;
        }
        let line = group.span_open().start().line;
        let text: String = group.stream().to_string().split_whitespace().collect();
        tokens.next();
        let name = text.split(['(', '=']).next().unwrap_or(&text);
        let said = Context {
            in_test: text == "cfg(test)"
                || text.starts_with("cfg(all(test,")
                || name == "test"
                || name.ends_with("::test"),
            paused: text.contains("start_paused=true"),
        };
        if name != "doc" {
            self.add(line, context.or(said), What::Attribute(text));
        }
        Some(said)
    }

    /// Reads on from the first word of a path.
    fn path(&mut self, mut path: String, line: usize, tokens: &mut Tokens, context: Context) {
        if path == "mod" {
            return self.module(tokens, context);
        }
        if path == "use" {
            return;
        }
        while skip_colons(tokens) {
            match tokens.peek() {
                Some(TokenTree::Ident(next)) => {
                    path = format!("{path}::{next}");
                    tokens.next();
                }
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    let inner = group.stream();
                    tokens.next();
                    return self.imports(&path, inner, context);
                }
                _ => break,
            }
        }
        if next_is(tokens, '!') && is_call(tokens) {
            return self.add(line, context, What::Macro(path));
        }
        if let Some(TokenTree::Group(arguments)) = tokens.peek()
            && (path == "sleep" || path.ends_with("::sleep"))
            && let Some(millis) = longest(arguments)
            && !context.paused
        {
            self.add(line, context, What::Sleep(millis));
        }
        self.add(line, context, What::Path(path));
    }

    /// Reads what is imported from below a path: `{self, a::b, c::{d, e}}`.
    fn imports(&mut self, prefix: &str, tokens: TokenStream, context: Context) {
        let before = self.mentions.len();
        self.read(without_aliases(tokens), context);
        for mention in &mut self.mentions[before..] {
            if let What::Path(path) = &mut mention.what {
                *path = format!("{prefix}::{path}");
            }
        }
    }

    /// Reads on from `mod`.
    fn module(&mut self, tokens: &mut Tokens, context: Context) {
        let Some(TokenTree::Ident(name)) =
            tokens.next_if(|next| matches!(next, TokenTree::Ident(_)))
        else {
            return;
        };
        if context.in_test && next_is(tokens, ';') {
            let line = name.span().start().line;
            self.add(line, context, What::TestModule(name.to_string()));
        }
    }
}

fn peekable(tokens: TokenStream) -> Tokens {
    tokens
        .into_iter()
        .collect::<Vec<_>>()
        .into_iter()
        .peekable()
}

/// What is imported without the names it is imported as.
fn without_aliases(tokens: TokenStream) -> TokenStream {
    let mut tokens = tokens.into_iter();
    let mut kept = Vec::new();
    while let Some(token) = tokens.next() {
        if matches!(&token, TokenTree::Ident(ident) if ident == "as") {
            tokens.next();
        } else {
            kept.push(token);
        }
    }
    kept.into_iter().collect()
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn next_is(tokens: &mut Tokens, character: char) -> bool {
    tokens
        .peek()
        .is_some_and(|token| is_punct(token, character))
}

/// Goes past `::`, if it is next.
fn skip_colons(tokens: &mut Tokens) -> bool {
    let mut ahead = tokens.clone();
    let mut colon = || ahead.next().is_some_and(|token| is_punct(&token, ':'));
    if colon() && colon() {
        *tokens = ahead;
        return true;
    }
    false
}

/// Whether an exclamation mark is followed by what a macro gets, rather than by `=`.
fn is_call(tokens: &Tokens) -> bool {
    matches!(tokens.clone().nth(1), Some(TokenTree::Group(_)))
}

/// The longest duration, in milliseconds, that is made from a number within some arguments.
fn longest(arguments: &Group) -> Option<u64> {
    let mut longest = None;
    let mut tokens = peekable(arguments.stream());
    while let Some(token) = tokens.next() {
        match (&token, tokens.peek()) {
            (TokenTree::Ident(name), Some(TokenTree::Group(number))) => {
                longest = longest
                    .max(millis(&name.to_string(), number))
                    .max(self::longest(number));
            }
            (TokenTree::Group(inner), _) => longest = longest.max(self::longest(inner)),
            _ => {}
        }
    }
    longest
}

/// How many milliseconds `Duration::name(number)` is.
fn millis(name: &str, number: &Group) -> Option<u64> {
    let unit = match name {
        "from_millis" => 1,
        "from_secs" | "from_secs_f32" | "from_secs_f64" => 1_000,
        "from_mins" => 60_000,
        "from_hours" => 3_600_000,
        _ => return None,
    };
    let digits = number.stream().to_string().replace('_', "");
    let whole = digits.split('.').next()?;
    whole.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let mentions = of(text);
        let paths = mentions.iter().filter_map(Mention::path);
        paths
            .filter(|path| path.contains("::"))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn imports_are_taken_apart() {
        assert_eq!(
            paths("use std::{env, fs::{self, File}, io as x};"),
            ["std::env", "std::fs::self", "std::fs::File", "std::io"]
        );
        assert_eq!(paths("use ::std::fs;"), ["std::fs"]);
    }

    #[test]
    fn calls_are_seen_within_macros() {
        let text = "macro_rules! m { ($x:ident) => { SystemTime::now() } }";
        assert_eq!(paths(text), ["SystemTime::now"]);
        assert_eq!(paths("vec![std::fs::read::<T>(p)]"), ["std::fs::read"]);
    }

    #[test]
    fn what_is_for_tests_is_known() {
        let text = "fn a() { x::a() }
            #[cfg(test)] use std::{y::b};
            fn c() { x::c() }
            #[cfg(test)] mod tests { use super::*; fn d() { x::d() } }
            #[tokio::test] async fn e() { x::e() }
            fn f() { x::f() }";
        let mentions = of(text);
        let in_test = |path: &str| {
            let mut mentions = mentions.iter();
            mentions
                .find(|mention| mention.path() == Some(path))
                .unwrap()
                .in_test
        };
        for (path, expected) in [
            ("x::a", false),
            ("std::y::b", true),
            ("x::c", false),
            ("x::d", true),
            ("x::e", true),
            ("x::f", false),
        ] {
            assert_eq!(in_test(path), expected, "{path}");
        }
        let whole = of("#![cfg(test)] fn g() { x::g() }");
        assert!(whole.iter().all(|mention| mention.in_test));
    }

    #[test]
    fn modules_for_tests_are_told() {
        let mentions = of("#[cfg(test)]\nmod samples;\nmod real;\n#[cfg(test)] mod here {}");
        let modules: Vec<_> = mentions.iter().filter_map(Mention::test_module).collect();
        assert_eq!(modules, ["samples"]);
    }

    #[test]
    fn macros_attributes_and_texts_are_told_and_documentation_is_not() {
        let mentions =
            of("/// says \"this\"\n#[ignore = \"why\"]\nfn f() { todo!(\"later\"); a != b }");
        let what: Vec<What> = mentions.into_iter().map(|mention| mention.what).collect();
        assert!(what.contains(&What::Attribute("ignore=\"why\"".to_owned())));
        assert!(what.contains(&What::Macro("todo".to_owned())));
        assert!(what.contains(&What::Text("later".to_owned())));
        assert!(what.contains(&What::Path("a".to_owned())));
        assert!(!what.contains(&What::Text("this".to_owned())));
    }

    #[test]
    fn lines_are_counted_from_one() {
        assert_eq!(of("\n\nx::y();")[0].line, 3);
    }

    #[test]
    fn sleeps_are_measured() {
        let sleeps = |text: &str| -> Vec<u64> {
            let whats = of(text).into_iter().map(|mention| mention.what);
            let sleeps = whats.filter_map(|what| match what {
                What::Sleep(millis) => Some(millis),
                _ => None,
            });
            sleeps.collect()
        };
        assert_eq!(
            sleeps("tokio::time::sleep(Duration::from_secs(90)).await"),
            [90_000]
        );
        assert_eq!(sleeps("sleep(Duration::from_millis(1_500))"), [1_500]);
        assert_eq!(
            sleeps("thread::sleep(2 * std::time::Duration::from_secs_f64(1.5))"),
            [1_000]
        );
        assert!(sleeps("sleep(wait)").is_empty());
        let paused =
            "#[tokio::test(start_paused = true)] async fn f() { sleep(Duration::from_secs(9)) }";
        assert!(sleeps(paused).is_empty());
    }
}
