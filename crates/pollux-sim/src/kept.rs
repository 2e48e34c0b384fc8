//! What a campaign has counted, in a file that the next one goes on with.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// What the file holds; `None` without a file. The error says what to do.
pub fn load<T: DeserializeOwned>(file: Option<&Path>) -> Result<Option<T>, String> {
    let Some(file) = file.filter(|file| file.exists()) else { return Ok(None) };
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map(Some).map_err(|error| {
        format!("{}: no tally: {error}\n  next: name another file, or remove this one", file.display())
    })
}

/// Written beside and renamed, so that a campaign that is interrupted loses no earlier one.
pub fn save(counts: &impl Serialize, file: &Path) -> Result<(), String> {
    let text = serde_json::to_string_pretty(counts).map_err(|error| error.to_string())?;
    let beside = file.with_extension("new");
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, file))
        .map_err(|error| format!("cannot keep the counts in {}: {error}", file.display()))
}
