//! What the kernel's `/proc/PID/stat` tells of a process: pure reading of its text (`proc_pid_stat(5)`).

/// What a process has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    /// Processor time in the kernel's ticks.
    pub(crate) processor_ticks: u64,
    /// Page faults that needed the disk or not.
    pub(crate) page_faults: u64,
    /// Pages in memory.
    pub(crate) resident_pages: u64,
    /// True for a process that was stopped with a signal.
    pub(crate) suspended: bool,
}

/// Reads the text of the file; none if it is not of that form.
pub(crate) fn read_stat(text: &str) -> Option<Usage> {
    // The second field is the program's name in parentheses, which may itself hold blanks and parentheses.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
    let number = |place: usize| fields.get(place - 3)?.parse::<u64>().ok();
    Some(Usage {
        processor_ticks: number(14)? + number(15)?,
        page_faults: number(10)? + number(12)?,
        resident_pages: number(24)?,
        suspended: matches!(*fields.first()?, "T" | "t"),
    })
}

/// The line of `/proc/stat` for all processors or for one: ticks busy, idle, and in interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ProcessorTicks {
    /// Running programs and the kernel.
    pub(crate) busy: u64,
    /// Nothing to do.
    pub(crate) idle: u64,
    /// Interrupts.
    pub(crate) interrupt: u64,
}

/// Reads `/proc/stat`; `processor` none for all of them together.
pub(crate) fn read_processor(text: &str, processor: Option<u8>) -> Option<ProcessorTicks> {
    let label = processor.map_or("cpu".to_owned(), |number| format!("cpu{number}"));
    let line = text.lines().find(|line| line.split_ascii_whitespace().next() == Some(&label))?;
    let ticks: Vec<u64> =
        line.split_ascii_whitespace().skip(1).map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, idle, wait, interrupt, soft, ..] = ticks[..] else { return None };
    Some(ProcessorTicks { busy: user + nice + system, idle: idle + wait, interrupt: interrupt + soft })
}

#[cfg(test)]
mod tests {
    use super::*;

    // A program whose name holds a blank or a parenthesis must not shift the fields.
    #[test]
    fn a_stat_line() {
        let line = "77 (a) b (c) T 1 77 77 0 -1 4194304 10 0 2 0 30 12 0 0 20 0 1 0 100 9999 55 184467";
        let expected = Usage { processor_ticks: 42, page_faults: 12, resident_pages: 55, suspended: true };
        assert_eq!(read_stat(line), Some(expected));
        assert_eq!(read_stat("77 (a) S 1"), None);
        assert_eq!(read_stat(""), None);
    }

    #[test]
    fn processors() {
        let text = "cpu  10 1 5 100 7 2 3 0 0 0\ncpu0 4 0 2 50 3 1 1 0 0 0\nintr 5\n";
        assert_eq!(read_processor(text, None), Some(ProcessorTicks { busy: 16, idle: 107, interrupt: 5 }));
        assert_eq!(read_processor(text, Some(0)), Some(ProcessorTicks { busy: 6, idle: 53, interrupt: 2 }));
        assert_eq!(read_processor(text, Some(1)), None);
    }
}
