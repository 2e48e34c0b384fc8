//! How a program ends: which halves of its pair, and with which completion code (TNSC 3-31, 3-220; Guardian Programmer's
//! Guide, 27-7).
//!
//! | Who | What | Ends |
//! | --- | --- | --- |
//! | primary, or single | `exit(0)`, `terminate_program` with STOP | the pair, and nobody takes over |
//! | primary | another status, ABEND, a signal | itself; the backup takes over |
//! | backup | anything | itself |

use pollux_wire::control::StopReport;

/// Completion code of a normal end.
const NORMAL: i16 = 0;
/// Completion code of ABEND.
const ABENDED: i16 = 5;
/// Most bytes of a text.
pub(crate) const TEXT_BYTES_MAX: usize = 80;

/// What is told of an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// True if the other half ends too.
    pub(crate) both: bool,
    /// The rest.
    pub(crate) report: StopReport,
}

/// The end by `exit` or by returning from `main`: 0 is a normal end, a negative status an abnormal one, a positive status is
/// the completion code.
pub(crate) fn of_status(status: i32, is_backup: bool) -> Ending {
    let completion = match status {
        0 => NORMAL,
        status if status < 0 => ABENDED,
        status => i16::try_from(status).unwrap_or(i16::MAX),
    };
    // The shell's view of a status is a byte: what `exit` was given may have no sign left.
    Ending { both: status == 0 && !is_backup, report: report(completion, status != 0) }
}

/// The end by `terminate_program`.
pub(crate) fn of_terminate(abend: bool, completion: Option<i16>, is_backup: bool) -> Ending {
    let completion = completion.unwrap_or(if abend { ABENDED } else { NORMAL });
    Ending { both: !abend && !is_backup, report: report(completion, abend) }
}

fn report(completion: i16, abend: bool) -> StopReport {
    StopReport { completion, abend, information: 0, subsystem: Vec::new(), text: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A normal end of the primary must not start a takeover, an abnormal one must not stop the backup.
    #[test]
    fn who_ends_with_whom() {
        assert!(of_status(0, false).both);
        assert!(!of_status(0, true).both);
        assert!(!of_status(1, false).both);
        assert_eq!(of_status(3, false).report.completion, 3);
        let failed = of_status(-1, false);
        assert!(!failed.both && failed.report.abend);
        assert_eq!(failed.report.completion, 5);
        assert!(of_terminate(false, None, false).both);
        assert!(!of_terminate(true, None, false).both);
        assert_eq!(of_terminate(true, None, false).report.completion, 5);
        assert_eq!(of_terminate(false, Some(2), true), of_terminate(false, Some(2), true));
        assert!(!of_terminate(false, Some(2), true).both);
    }
}
