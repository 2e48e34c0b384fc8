//! What the command line says.

use super::engine::Known;

/// Processor seconds of each target without an option.
const SECONDS: u64 = 60;

/// The options.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// Only these; none: all.
    pub(super) targets: Vec<String>,
    seconds: Option<u64>,
    cpu_seconds_total: Option<u64>,
    group_seconds: Option<u64>,
    /// Engines at the same time.
    pub(super) jobs: usize,
    /// Merges into the corpora of the tree.
    pub(super) keep: bool,
    /// Lists the targets and runs nothing.
    pub(super) list: bool,
    /// JSON on standard output, and nothing else.
    pub(super) json: bool,
}

impl Options {
    pub(super) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            targets: Vec::new(),
            seconds: None,
            cpu_seconds_total: None,
            group_seconds: None,
            jobs: 1,
            keep: false,
            list: false,
            json: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().copied().ok_or_else(|| format!("{word} needs a value"));
            let number =
                |text: &str| text.parse::<u64>().map_err(|_| format!("{word} {text}: not a whole number"));
            match *word {
                "--seconds" => options.seconds = Some(number(value()?)?),
                "--cpu-hours" => options.cpu_seconds_total = Some(seconds_of_hours(word, value()?)?),
                "--group-hours" => options.group_seconds = Some(seconds_of_hours(word, value()?)?),
                "--jobs" => options.jobs = number(value()?)?.clamp(1, 256) as usize,
                "--keep" => options.keep = true,
                "--list" => options.list = true,
                "--json" => options.json = true,
                other if other.starts_with('-') => return Err(format!("unknown option {other}")),
                target => options.targets.push(target.to_owned()),
            }
        }
        let times = [options.seconds, options.cpu_seconds_total, options.group_seconds];
        if times.iter().flatten().count() > 1 {
            return Err("--seconds, --cpu-hours and --group-hours say the same; give one of them".to_owned());
        }
        Ok(options)
    }

    /// Processor microseconds of each of so many targets, of a group that has had so many in earlier runs.
    pub(super) fn share_us(&self, chosen: usize, chosen_of_group: usize, group_had_us: u64) -> u64 {
        match (self.group_seconds, self.cpu_seconds_total) {
            (Some(seconds), _) => {
                (seconds * 1_000_000).saturating_sub(group_had_us).div_ceil(chosen_of_group.max(1) as u64)
            }
            (None, Some(total)) => total.div_ceil(chosen.max(1) as u64) * 1_000_000,
            (None, None) => self.seconds.unwrap_or(SECONDS) * 1_000_000,
        }
    }
}

fn seconds_of_hours(option: &str, text: &str) -> Result<u64, String> {
    let hours: f64 = text.parse().map_err(|_| format!("{option} {text}: not a number"))?;
    if !(0.0..=100_000.0).contains(&hours) {
        return Err(format!("{option} {text}: not from 0 to 100000"));
    }
    Ok((hours * 3600.0) as u64)
}

/// Prints the targets.
pub(super) fn print_list(targets: &[Known], json: bool) {
    if json {
        let list: Vec<_> = targets
            .iter()
            .map(|target| serde_json::json!({ "name": target.name, "group": target.group, "input_bytes_max": target.input_bytes_max, "of": target.of }))
            .collect();
        println!("{:#}", serde_json::Value::from(list));
        return;
    }
    for target in targets {
        println!("{:<20} {:<14} {}", target.name, target.group, target.of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A share that is read wrongly makes a night's run end after a minute, or never.
    #[test]
    fn shares() {
        let share = |words: &[&str], targets| {
            Options::parse(words).map(|options| options.share_us(targets, 2, 1_000_000))
        };
        assert_eq!(share(&[], 3), Ok(60_000_000));
        assert_eq!(share(&["--seconds", "5", "ring"], 1), Ok(5_000_000));
        assert_eq!(share(&["--cpu-hours", "0.5"], 60), Ok(30_000_000));
        assert_eq!(share(&["--seconds", "0", "--keep"], 60), Ok(0));
        assert_eq!(share(&["--group-hours", "0.001"], 60), Ok(1_000_000));
        assert_eq!(share(&["--group-hours", "0.0001"], 60), Ok(0), "it has had that already");
        for wrong in [
            &["--seconds"][..],
            &["--seconds", "x"],
            &["--cpu-hours", "-1"],
            &["--fast"],
            &["--seconds", "1", "--cpu-hours", "1"],
        ] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
