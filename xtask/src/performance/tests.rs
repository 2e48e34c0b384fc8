//! A page that says something else than was measured is worse than none.

use super::*;

const SAMPLE: &str = include_str!("sample.json");
const PAGE: &str = "# Performance\n\nBy hand.\n\n<!-- results: written by cargo xtask performance -->\nold\n<!-- end of results -->\n\n## After\n";

fn written() -> (String, Vec<(String, String)>) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("performance.md"), PAGE).unwrap();
    fs::create_dir(directory.path().join("performance")).unwrap();
    fs::write(directory.path().join("performance/gone-ratio.svg"), "of a benchmark that is gone").unwrap();
    let rows = rows::read(SAMPLE).unwrap();
    let count = write_in(directory.path(), &rows, "a machine").unwrap();
    let mut plots: Vec<(String, String)> = fs::read_dir(directory.path().join("performance"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect();
    plots.sort();
    assert_eq!(plots.len(), count);
    (fs::read_to_string(directory.path().join("performance.md")).unwrap(), plots)
}

#[test]
fn the_page() {
    let (page, plots) = written();
    assert!(page.starts_with("# Performance\n\nBy hand.\n\n<!-- results: written by cargo xtask performance -->\n\nMeasured on: a machine.\n"));
    assert!(page.ends_with("\n\n<!-- end of results -->\n\n## After\n"));
    assert!(!page.contains("\nold\n"));
    assert!(page.contains("6 rows, 4 of them with a target: 1 met, 2 not met, 1 not judged"));
    let has = |line: &str| assert!(page.contains(line), "lacks {line}\n{page}");
    has("### roundtrip\n");
    has(
        "| 64 B \\| &lt;same&gt; | 15.0 us ±2 % | 15.0 / 30.0 | 11.0 | - | 14.0 us: raw &amp; socket | 14.0 / 28.0 | 12.0 | 1.07 | ratio at most 1.15 | met |\n",
    );
    has(
        "| 64 KiB, other | 45.0 us | 45.0 / 90.0 | - | - | 30.0 us: raw | 30.0 / 60.0 | - | 1.50 | ratio at most 1.15 | **not met** |\n",
    );
    has("| of JetStream | not measured: nats-server is missing | | | | | | | | | |\n");
    has(
        "| 64 requesters | 250.0 k requests/s | 200 / 900 | 3.00 | 5.00 | 70.0 k requests/s: Redis + WAIT | 800 / 5000 | 21.0 | 3.57 | ratio at least 3 | too noisy (20.0 %) |\n",
    );
    has("| 0 MiB | 250 us | 250 / 900 | - | - | - | - | - | - | at most 200 us | **not met** |\n");
    has("* half, private: with the library\n");
    let names: Vec<&str> = plots.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "footprint-in-mib.svg",
            "replicated-latency.svg",
            "replicated-ratio.svg",
            "roundtrip-latency.svg",
            "roundtrip-ratio.svg",
            "takeover-latency.svg"
        ]
    );
    for name in names {
        has(&format!("](performance/{name})"));
    }
}

// What is shown on any page: it must be well-formed, and its own.
#[test]
fn the_plots() {
    let (_, plots) = written();
    let plot = |wanted: &str| &plots.iter().find(|(name, _)| name == wanted).unwrap().1;
    for (name, svg) in &plots {
        assert!(svg.starts_with("<svg "), "{name}");
        for word in ["<script", "href", "font-face", "NaN", "inf"] {
            assert!(!svg.contains(word), "{name} has {word}");
        }
        assert!(svg.contains("font-family=\"sans-serif\""), "{name}");
    }
    let ratio = plot("roundtrip-ratio.svg");
    assert!(ratio.contains("64 B | &lt;same&gt; / raw &amp; socket"), "{ratio}");
    assert!(ratio.contains("1.50 (at most 1.15)"), "{ratio}");
    assert!(plot("takeover-latency.svg").contains("250 to 900 (p50 at most 200)"));
    // The same numbers give the same bytes, or each run would change the tree.
    assert_eq!(written().1, plots);
}

#[test]
fn files_of_other_forms_are_refused_with_a_word() {
    assert_eq!(rows::read("{}"), Err("not an array of rows".to_owned()));
    assert_eq!(rows::read("[{\"value\": 1}]"), Err("a row without a name".to_owned()));
    let row = &rows::read("--- cargo run\n[{\"name\": \"x\", \"new\": {}}]").unwrap()[0];
    assert_eq!((row.group(), row.label(), row.value), ("x", "x", None));
    assert_eq!(page::filled("no markers", &[], &[], "").err().unwrap().lines().count(), 1);
}
