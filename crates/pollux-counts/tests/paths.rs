//! A path that does not do what it is about would count nothing, and its number would stay well below any limit.

use pollux_counts::paths::PATHS;

#[test]
fn every_path_runs() {
    for path in &PATHS {
        (path.run)(32).unwrap_or_else(|error| panic!("{}: {error}", path.name));
    }
}
