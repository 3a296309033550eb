//! Filters that work, filters that fail, and filters that would never end.

use std::time::Duration;

use serde_json::{Value, json};

use super::meter::Ended;
use super::{JqError, Limits, transform};

/// More time than anything here takes, on a busy machine too: what ends is ended by the work it does.
const PATIENCE: Duration = Duration::from_mins(10);

fn run(input: &Value, filter: &str) -> Result<Value, JqError> {
    transform(input, filter, &Limits::default())
}

#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "reads better in a hundred calls"
)]
fn yields(input: Value, filter: &str, expected: Value) {
    assert_eq!(run(&input, filter), Ok(expected), "{input} | {filter}");
}

#[test]
fn one_output_is_itself_and_several_are_an_array() {
    yields(json!({"a": [1, 2]}), ".a[0]", json!(1));
    yields(json!({"a": [1, 2]}), ".a[]", json!([1, 2]));
    yields(json!(null), "empty", json!([]));
    yields(json!([3]), ".", json!([3]));
}

#[test]
fn the_usual_filters_do_what_jq_does() {
    let people =
        json!([{"n": "Ada", "y": 1815}, {"n": "Alan", "y": 1912}, {"n": "Grace", "y": 1906}]);
    yields(
        people.clone(),
        "map(.n) | join(\", \")",
        json!("Ada, Alan, Grace"),
    );
    yields(people.clone(), "sort_by(.y) | .[-1].n", json!("Alan"));
    yields(people.clone(), "map(select(.y > 1900)) | length", json!(2));
    yields(
        people.clone(),
        "group_by(.y > 1900) | map(length)",
        json!([1, 2]),
    );
    yields(
        people.clone(),
        "max_by(.y) | {name: .n, year: .y}",
        json!({"name": "Alan", "year": 1912}),
    );
    yields(people, "[.[] | .y] | add / length | floor", json!(1877));
    yields(
        json!({"a": 1, "b": 2}),
        "to_entries | map(\"\\(.key)=\\(.value)\") | join(\"&\")",
        json!("a=1&b=2"),
    );
    yields(
        json!({"a": {"b": 1}}),
        "del(.a.b) | .c = 3",
        json!({"a": {}, "c": 3}),
    );
    yields(json!([1, [2, [3]]]), "flatten", json!([1, 2, 3]));
    yields(
        json!([[1, 2], [3]]),
        "transpose",
        json!([[1, 3], [2, null]]),
    );
    yields(
        json!("a,b, c"),
        "split(\",\") | map(ltrimstr(\" \"))",
        json!(["a", "b", "c"]),
    );
    yields(
        json!({"a": [1, {"b": 2}]}),
        "[paths | join(\".\")?]",
        json!(["a", "a.0", "a.1", "a.1.b"]),
    );
    yields(
        json!({"a": 1}),
        "with_entries(.value += 1)",
        json!({"a": 2}),
    );
    yields(json!([1, 2, 3]), "reduce .[] as $x (0; . + $x)", json!(6));
    yields(
        json!([1, 2, 3]),
        "[foreach .[] as $x (0; . + $x)]",
        json!([1, 3, 6]),
    );
    yields(
        json!([3, 1, 2]),
        "[limit(2; .[])], first, last, (map(tostring) | tojson)",
        json!([[3, 1], 3, 2, "[\"3\",\"1\",\"2\"]"]),
    );
    yields(
        json!([1, 2]),
        "contains([1]), inside([1, 2, 3]), any(. > 1), all(. > 1)",
        json!([true, true, true, false]),
    );
    yields(json!({"a": null}), ".a // \"none\"", json!("none"));
    yields(json!("x"), "try error(\"no\") catch .", json!("no"));
    yields(json!([1]), "[.[] as $x | $x * 2]", json!([2]));
    yields(
        json!([5, 6, 7]),
        ".[1:], .[:-1], .[-2:]",
        json!([[6, 7], [5, 6], [6, 7]]),
    );
    yields(
        json!("grüße"),
        "length, .[1:3], utf8bytelength",
        json!([5, "rü", 7]),
    );
    yields(
        json!([0, 1]),
        "[.[] | if . == 0 then \"zero\" elif . == 1 then \"one\" else \"many\" end]",
        json!(["zero", "one"]),
    );
    yields(json!(["a\"b", 1, null]), "@csv", json!("\"a\"\"b\",1,"));
    yields(
        json!(["a\tb", 1]),
        "@tsv, @json, (.[0] | @base64), (\"a b\" | @uri)",
        json!(["a\\tb\t1", "[\"a\\tb\",1]", "YQli", "a%20b"]),
    );
    yields(
        json!({"b": 1, "a": 2}),
        "keys, (to_entries | from_entries), has(\"a\")",
        json!([["a", "b"], {"a": 2, "b": 1}, true]),
    );
    yields(
        json!(1_700_000_000),
        "todate, (\"2023-11-14T22:13:20Z\" | fromdate)",
        json!(["2023-11-14T22:13:20Z", 1_700_000_000]),
    );
    yields(
        json!({"a": [{"b": 1}, {"b": 2}]}),
        "[.a[].b] | unique, min, max",
        json!([[1, 2], 1, 2]),
    );
    yields(
        json!({"a": [1, 2, 3]}),
        ".a |= map(. * 10) | .a[1] = null",
        json!({"a": [10, null, 30]}),
    );
    yields(
        json!(null),
        ".a.b[2] = 1",
        json!({"a": {"b": [null, null, 1]}}),
    );
    yields(json!([1, 2, 3, 4]), ".[1:3] = [9]", json!([1, 9, 4]));
    yields(
        json!([1, [2]]),
        "walk(if type == \"number\" then . + 1 else . end)",
        json!([2, [3]]),
    );
    yields(
        json!([1, [2]]),
        "getpath([1, 0]), [leaf_paths]",
        json!([2, [[0], [1, 0]]]),
    );
}

#[test]
fn numbers_stay_whole_where_they_are() {
    yields(
        json!(7),
        ". / 2, . % 2, -., . * 2, . - 10",
        json!([3.5, 1, -7, 14, -3]),
    );
    yields(
        json!(9_007_199_254_740_993_i64),
        ".",
        json!(9_007_199_254_740_993_i64),
    );
    yields(json!(i64::MAX), ". + 1 > .", json!(false));
    yields(
        json!(null),
        "nan, infinite, (nan | isnan), (1 / 4), (4 / 2)",
        json!([null, f64::MAX, true, 0.25, 2]),
    );
    yields(
        json!("12.5"),
        "tonumber, (\"7\" | tonumber)",
        json!([12.5, 7]),
    );
    yields(json!("ab"), ". * 2, . * 0", json!(["abab", null]));
    yields(json!([nan(), 1, 2]), "sort", json!([null, 1, 2]));
}

fn nan() -> Value {
    Value::Null
}

#[test]
fn regular_expressions_find_replace_and_split() {
    yields(
        json!("2024-05-06"),
        "capture(\"(?<y>\\\\d+)-(?<m>\\\\d+)\")",
        json!({"y": "2024", "m": "05"}),
    );
    yields(
        json!("a1b22"),
        "[scan(\"[0-9]+\")], gsub(\"[0-9]+\"; \"#\"), sub(\"[0-9]\"; \"\")",
        json!([["1", "22"], "a#b#", "ab22"]),
    );
    yields(
        json!("A, b"),
        "test(\"B\"; \"i\"), [splits(\", *\")]",
        json!([true, ["A", "b"]]),
    );
    yields(
        json!("éa"),
        "match(\"a\") | .offset, .length, .string",
        json!([1, 1, "a"]),
    );
    yields(json!("x"), "gsub(\"\"; \"-\")", json!("-x-"));
    assert!(run(&json!("x"), "test(\"(\")").is_err());
    assert!(run(&json!("x"), "test(\"a{1000}{1000}\")").is_err());
}

#[test]
fn mistakes_are_told_with_their_place() {
    let syntax = |filter: &str| run(&json!(null), filter).unwrap_err();
    assert!(
        matches!(syntax(".a |"), JqError::Syntax { position: 4, .. }),
        "{}",
        syntax(".a |")
    );
    assert!(matches!(
        syntax(". | nosuch"),
        JqError::Syntax { position: 4, .. }
    ));
    assert_eq!(
        syntax(". | nosuch").to_string(),
        "the filter is not valid at character 4: filter nosuch is unknown"
    );
    assert!(matches!(syntax(""), JqError::Syntax { .. }));
    assert!(matches!(syntax("\"abc"), JqError::Syntax { .. }));
    assert!(matches!(syntax("$__prog_args"), JqError::Syntax { .. }));
    let failed = run(&json!({"a": "x"}), ".a + 1").unwrap_err();
    assert_eq!(
        failed.to_string(),
        "the filter failed: cannot calculate x + 1"
    );
    assert_eq!(
        run(&json!(1), "error").unwrap_err().to_string(),
        "the filter failed: 1"
    );
    assert_eq!(
        run(&json!("long".repeat(1000)), ".a")
            .unwrap_err()
            .to_string(),
        "the filter failed: cannot index a string with a"
    );
}

#[test]
fn nothing_reaches_out_of_the_filter() {
    for filter in [
        "env",
        "$ENV",
        "now",
        "input",
        "inputs",
        "halt",
        "halt_error",
        "debug",
        "stderr",
        "import \"a\" as a; 1",
        "include \"a\"; 1",
        "localtime",
        "input_filename",
        "limit(1; repeat(input))",
        "get_search_list",
        "$__loc__",
    ] {
        assert!(
            matches!(run(&json!(1), filter), Err(JqError::Syntax { .. })),
            "{filter}: {:?}",
            run(&json!(1), filter)
        );
    }
}

#[test]
fn endless_filters_end() {
    let limits = Limits {
        time: PATIENCE,
        steps: 500_000,
        memory_bytes: 64 << 20,
        value_bytes: 8 << 20,
        ..Limits::default()
    };
    for filter in [
        "range(infinite)",
        "[range(infinite)]",
        "repeat(.)",
        "[repeat(1)]",
        "last(repeat(1))",
        "def f: f; f",
        "def f: 1 + f; f",
        "def f: [f]; f",
        "def f: f | f; f",
        "def f: f, f; f",
        "def f: try f catch f; f",
        "def f: (error(1))? // f; f",
        "def f: {a: f}; f",
        "def f: if f then 1 else 2 end; f",
        "def f(g): f(f(g)); f(.)",
        "def f(g): g | f(g); f(.)",
        "def f: reduce f as $x (0; 1); f",
        "def f: label $x | f; f",
        "def f: path(f); f",
        "def f: f |= 1; f",
        "def f: . as $x | f | $x; f",
        "def f: . as [$a] | f; [1] | f",
        "def f: -f; f",
        "def f: f and f; f",
        "def f: f == f; f",
        "def f: \"\\(f)\"; f",
        "def f: .[f]; f",
        "def f: f // f; f",
        "while(true; .)",
        "until(false; .)",
        "[while(true; [.])]",
        "[recurse(.)]",
        "last(recurse([.]))",
        "reduce repeat(1) as $x (0; . + $x)",
        "reduce range(1e9) as $x (null; [.])",
        "reduce range(1e9) as $x (null; {a: .})",
        "reduce range(1e9) as $x (null; [.][0] = [.])",
        "reduce range(100) as $x (\"xx\"; . + .)",
        "reduce range(100) as $x ([1]; . + .)",
        "reduce range(100) as $x ([1]; [., .])",
        "reduce range(100) as $x ({}; {a: ., b: .})",
        "\"x\" * 1e12",
        "\"x\" * 1e300",
        "\"xxxxxxxxxx\" * 1e6 * 1e6",
        "[limit(1e12; repeat(1))]",
        ".[1e12] = 1",
        "null | .[1e18] = 1",
        "[] | .[1e9:] = [1] | .[1e12] = 1",
        "[range(1e9)] | length",
        "last(range(1e12))",
        "first(range(1e12) | select(. < 0))",
        "isempty(range(1e12) | select(. < 0) | error)",
        "label $out | repeat(1) | select(. == 2) | break $out",
        "any(repeat(1); . == 2)",
        "[splits(\"\")] | combinations(100)",
        "[range(100)] as $x | [$x, $x, $x, $x, $x, $x] | [combinations]",
        "path(repeat(.a))",
        "null | last(path(def r: .a | r; r))",
        "null | path(last(recurse(.a; true)))",
        "null | [limit(1000000; path(recurse(.a)))] | length",
        "null | last(limit(2000000; path(recurse(.a))))",
        "getpath([range(1e7)])",
        "setpath([range(1e7) | \"a\"]; 1)",
        "null | setpath([range(100000) | \"a\"]; 1)",
        "[range(1e7) | tostring] | join(\"-\") | explode | implode | explode",
        "[range(3000000)] | sort | group_by(.) | unique",
        "([range(1e6)] | tojson) as $t | [range(1000) | $t | fromjson] | length",
        "walk(repeat(1))",
        "[.. | repeat(1)]",
        "input_line_number? // repeat(1)",
        "limit(1e9; repeat(\"x\")) | select(false)",
        "ascii(repeat(1)) ? // repeat(1)",
        "def f(x): x | f(x | x); f(.)",
        "def a: b; def b: 1; def c: c; c",
        "reduce range(1e12) as $i (.; .)",
        "foreach range(1e12) as $i (.; .; empty)",
        "[range(20000)] as $x | [$x[] | select($x | index(-1))]",
        "([range(20000)] | tostring) as $x | [range(1e9) | $x == ($x + \"\")] | length",
        "[range(2000) | [range(2000)]] | length | until(false; . + 1)",
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" * 100000 | indices(\"aaaaaaaaaaaaaaaa\" * 50000) | until(false; .)",
        "@text \"\\(repeat(1))\" | empty",
        "to_entries? // repeat(1)",
        "limit(1e12; def f: 0 | f; f)",
        "def f(g): def h(k): f(k | k | g); h(g); f(.)",
        "def f(g): f(g); f(.)",
        "def e(g): def d: e(d | g); d; e(.)",
        "def f(g): path(f(g | g)); f(.)",
        "null | path(def f(g): f(g | g); f(.))",
        "null | (def f(g): f(g | g); f(.)) |= 1",
        "def d: def h(k): d; h(.); d",
    ] {
        let outcome = transform(&json!(null), filter, &limits);
        assert_ne!(outcome, Err(Ended::Time.into()), "{filter}");
    }
}

#[test]
fn deep_programs_do_no_harm() {
    let size = 16 << 10;
    let limits = Limits {
        time: PATIENCE,
        ..Limits::default()
    };
    let fill = |open: &str, inner: &str, close: &str| {
        let times = (size - inner.len()) / (open.len() + close.len());
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    for filter in [
        fill("(", "1", ")"),
        fill("[", "1", "]"),
        fill("{a:", "1", "}"),
        fill("-", "1", ""),
        fill("1+", "1", ""),
        fill("1|", "1", ""),
        fill("1,", "1", ""),
        fill("1//", "1", ""),
        fill("1 as $x|", "1", ""),
        fill("try ", "1", ""),
        fill("label $x|", "1", ""),
        fill("def f:", "1", ";1"),
        fill("def f:1;", "f", ""),
        fill("if 1 then ", "1", " end"),
        fill("reduce 1 as $x(", "1", ";1)"),
        fill("\"\\(", "1", ")\""),
        fill(".a", "", ""),
        fill(".[", "1", "]"),
        fill(".", "", "[0]"),
        fill("1?", "", ""),
        fill("map(", "1", ")"),
        fill(". as [", "$x", "]") + "|1",
        fill("f(", "1", ")"),
        fill("([", "", ""),
        fill("..", "", ""),
    ] {
        let outcome = transform(&json!(null), &filter, &limits);
        assert_ne!(outcome, Err(Ended::Time.into()), "{}", &filter[..20]);
    }
}

#[test]
fn ordinary_amounts_of_data_fit_into_the_limits() {
    let rows: Vec<Value> = (0..20_000)
        .map(|n| json!({"id": n, "name": format!("row {n}"), "tags": ["a", "b"]}))
        .collect();
    let input = json!({"rows": rows});
    let limits = Limits {
        time: PATIENCE,
        ..Limits::default()
    };
    let run = |filter: &str| transform(&input, filter, &limits);
    let filter = ".rows | map(select(.id % 2 == 0) | {id, label: (.name | ascii_upcase), n: (.tags | length)}) | length";
    assert_eq!(run(filter), Ok(json!(10_000)));
    assert_eq!(
        run("[.rows[].name] | join(\"\\n\") | length"),
        Ok(json!(188_889))
    );
    assert_eq!(
        run("reduce .rows[] as $r (\"\"; . + $r.name) | length"),
        Ok(json!(168_890))
    );
    assert_eq!(
        run("reduce .rows[] as $r ([]; . + [$r.id]) | length"),
        Ok(json!(20_000))
    );
    assert_eq!(
        run("reduce .rows[] as $r ({}; .[$r.name] = $r.id) | length"),
        Ok(json!(20_000))
    );
}

#[test]
fn outputs_are_bounded() {
    let limits = Limits {
        outputs: 3,
        output_bytes: 100,
        ..Limits::default()
    };
    assert_eq!(
        transform(&json!(null), "range(3)", &limits),
        Ok(json!([0, 1, 2]))
    );
    assert_eq!(
        transform(&json!(null), "range(4)", &limits),
        Err(JqError::Limit("makes too many outputs"))
    );
    assert_eq!(
        transform(&json!(null), "\"x\" * 99", &limits),
        Err(JqError::Limit("makes too large outputs"))
    );
    assert_eq!(
        transform(&json!(null), &" ".repeat(20_000), &limits),
        Err(JqError::Limit("is too long"))
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    #[test]
    fn random_filters_never_panic(filter in "[.a-f\\[\\]{}()|,;:0-9$\"\\\\@?/=+*<>! -]{0,60}") {
        let limits = Limits { steps: 100_000, ..Limits::default() };
        let _ = transform(&json!({"a": [1, "b", null]}), &filter, &limits);
    }
}
