use std::time::Instant;
use archesai_tools::extract::*;
#[test]
fn dump() {
    let d = "/work/main/tests/data/";
    let mut files: Vec<String> = std::fs::read_dir(format!("{d}html")).unwrap().map(|e| format!("html/{}", e.unwrap().file_name().to_str().unwrap())).collect();
    files.extend(["fhs-3.0.pdf","constitution.docx","social-contract.txt","seattle-weather.csv"].map(String::from));
    std::fs::create_dir_all("/tmp/ex/html").unwrap();
    for f in files {
        let b = std::fs::read(format!("{d}{f}")).unwrap();
        let t = Instant::now();
        let x = extract(&b, "", &f, &Limits::default()).unwrap();
        println!("{f} {} bytes {:?} chars {} sections {}", b.len(), t.elapsed(), x.text.chars().count(), x.sections.len());
        let mut o = x.text.clone();
        o += "\n\n=====\n";
        for s in &x.sections { o += &format!("{s:?} -> {:?}\n", x.text.chars().skip(s.start).take(40).collect::<String>()); }
        std::fs::write(format!("/tmp/ex/{f}.out"), o).unwrap();
        let t = Instant::now();
        let c = archesai_tools::split::split(&x.text, 800, 100).unwrap();
        println!("   split {} in {:?}", c.len(), t.elapsed());
    }
}
