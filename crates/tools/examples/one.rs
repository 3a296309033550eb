//! Scratch.
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mut l = archesai_tools::jq::Limits { time: std::time::Duration::from_secs(60), ..Default::default() };
    if let Some(s) = a.get(2) { l.steps = s.parse().unwrap(); }
    let t = std::time::Instant::now();
    let r = archesai_tools::jq::transform(&serde_json::Value::Null, &a[1], &l);
    let m = std::fs::read_to_string("/proc/self/status").unwrap();
    let m: Vec<&str> = m.lines().filter(|l| l.starts_with("VmHWM")).collect();
    println!("{:?} {:?} {m:?} {}", t.elapsed(), r.as_ref().err(), a[1]);
}
