//! What a status message means for the processes that a program keeps track of: `OPENER_LOST_` and `CHILD_LOST_`
//! (Guardian Procedure Calls).
//!
//! All is decided from the message and the handles, as a program holds them; nobody is asked.

use super::handle::same_instance;
use super::words::{handle_at, int32_at, word_at};
use pollux_wire::Phandle;

/// Who a status message says is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// -2, -100: all processes of a CPU.
    Cpu {
        /// Node of the CPU; none: the reader's.
        node: Option<u32>,
        /// Number of the CPU, which need not be one that Pollux has.
        cpu: i16,
    },
    /// -8: all processes of the CPUs of a node that are not in the mask (CPU 0 is the highest bit).
    Cpus {
        /// The node.
        node: u32,
        /// The CPUs that are up.
        up: u16,
    },
    /// -110: all processes of a node.
    Node {
        /// The node.
        node: u32,
    },
    /// -101: one process.
    Process {
        /// Which; none if the message has a null handle.
        phandle: Option<Phandle>,
    },
}

/// The answer to "what does this message say is gone".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It says that something is gone.
    Loss(Loss),
    /// It is about something else.
    Nothing,
    /// It is shorter than a message of its number.
    TooShort,
}

/// What a message says is gone.
pub(crate) fn loss_of(message: &[u8]) -> Told {
    let Some(number) = word_at(message, 0) else { return Told::TooShort };
    let node = |at| int32_at(message, at).map(|node| node as u32);
    let loss = match number {
        -2 => word_at(message, 1).map(|cpu| Loss::Cpu { node: None, cpu }),
        -8 => word_at(message, 1).zip(word_at(message, 2)).map(|(node_and_count, up)| Loss::Cpus {
            node: u32::from(node_and_count as u16 >> 8),
            up: up as u16,
        }),
        -100 => node(1).zip(word_at(message, 3)).map(|(node, cpu)| Loss::Cpu { node: Some(node), cpu }),
        -101 => handle_at(message, 1).map(|phandle| Loss::Process { phandle }),
        -110 => node(4).map(|node| Loss::Node { node }),
        _ => return Told::Nothing,
    };
    loss.map_or(Told::TooShort, Told::Loss)
}

impl Loss {
    /// True if a process was where all are gone. `own` is the node of the reader.
    fn takes_place_of(self, process: Phandle, own: u32) -> bool {
        match self {
            Self::Cpu { node, cpu } => {
                process.node == node.unwrap_or(own) && i16::from(process.cpu.get()) == cpu
            }
            Self::Cpus { node, up } => process.node == node && up & 0x8000 >> process.cpu.get() == 0,
            Self::Node { node } => process.node == node,
            Self::Process { .. } => false,
        }
    }

    /// `CHILD_LOST_`: true if the child is gone. `caller` is the reader: its own backup is lost with its CPU, while
    /// another named process may live on in its other half.
    pub(crate) fn is_loss_of(self, child: Phandle, caller: Phandle) -> bool {
        match self {
            Self::Process { phandle: Some(ended) } if child.named => same_instance(child, ended),
            Self::Process { phandle } => phandle == Some(child),
            Self::Node { .. } => self.takes_place_of(child, caller.node),
            Self::Cpu { .. } | Self::Cpus { .. } => {
                let by_its_cpu = !child.named || same_instance(child, caller);
                by_its_cpu && self.takes_place_of(child, caller.node)
            }
        }
    }
}

/// What became of an entry of an opener table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryLoss {
    /// 4: the backup opener.
    Backup,
    /// 5: the primary; the backup stands in its place.
    Primary,
    /// 6: all there was; the entry is free.
    Free,
}

impl EntryLoss {
    /// What `OPENER_LOST_` returns.
    pub(crate) fn code(self) -> i16 {
        match self {
            Self::Backup => 4,
            Self::Primary => 5,
            Self::Free => 6,
        }
    }
}

/// `OPENER_LOST_` for one entry: the primary and the backup opener, null if there is none, as they are and as they are to
/// be.
pub(crate) fn lose_opener(
    loss: Loss,
    own: u32,
    primary: &mut Option<Phandle>,
    backup: &mut Option<Phandle>,
) -> Option<EntryLoss> {
    let gone = |opener: &Option<Phandle>| opener.is_some_and(|opener| loss.takes_place_of(opener, own));
    match (gone(primary), gone(backup)) {
        (false, false) => None,
        (false, true) => {
            *backup = None;
            Some(if primary.is_some() { EntryLoss::Backup } else { EntryLoss::Free })
        }
        (true, false) => {
            *primary = backup.take();
            Some(if primary.is_some() { EntryLoss::Primary } else { EntryLoss::Free })
        }
        (true, true) => {
            (*primary, *backup) = (None, None);
            Some(EntryLoss::Free)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::handle::for_test;
    use super::super::words::Words;
    use super::*;

    const OWN: u32 = 3;

    fn message(number: i16, fill: impl Fn(&mut Words)) -> Vec<u8> {
        let mut words = Words::message(number);
        fill(&mut words);
        words.into_bytes()
    }

    fn loss(message: &[u8]) -> Loss {
        match loss_of(message) {
            Told::Loss(loss) => loss,
            other => panic!("{other:?}"),
        }
    }

    fn cpu_down(cpu: i16) -> Loss {
        loss(&message(-2, |words| words.word(cpu)))
    }

    fn ended(phandle: Phandle) -> Loss {
        loss(&message(-101, |words| words.handle(Some(phandle))))
    }

    // A server that keeps an opener which is gone, or forgets one that lives, gives a later request to nobody.
    #[test]
    fn messages_say_what_is_gone() {
        let remote = message(-100, |words| {
            words.int32(9);
            words.word(2);
        });
        assert_eq!(loss_of(&remote), Told::Loss(Loss::Cpu { node: Some(9), cpu: 2 }));
        assert_eq!(loss_of(&remote[..6]), Told::TooShort);
        let node = message(-110, |words| {
            words.reserved(3);
            words.int32(9);
        });
        assert_eq!(loss_of(&node), Told::Loss(Loss::Node { node: 9 }));
        let old = message(-8, |words| {
            words.word(9 << 8 | 2);
            words.unsigned(0x8000);
        });
        assert_eq!(loss_of(&old), Told::Loss(Loss::Cpus { node: 9, up: 0x8000 }));
        assert_eq!(loss_of(&message(-104, |_| ())), Told::Nothing);
        assert_eq!(loss_of(&[]), Told::TooShort);
    }

    #[test]
    fn openers_on_a_cpu() {
        let [a, b] = [for_test(true, 1, 2, 50), for_test(true, 2, 9, 50)];
        let lose = |loss, mut primary, mut backup| {
            let code = lose_opener(loss, OWN, &mut primary, &mut backup).map(EntryLoss::code);
            (code, primary, backup)
        };
        assert_eq!(lose(cpu_down(2), Some(a), Some(b)), (Some(4), Some(a), None));
        assert_eq!(lose(cpu_down(1), Some(a), Some(b)), (Some(5), Some(b), None));
        assert_eq!(lose(cpu_down(1), Some(a), None), (Some(6), None, None));
        assert_eq!(lose(Loss::Node { node: OWN }, Some(a), Some(b)), (Some(6), None, None));
        assert_eq!(lose(cpu_down(4), Some(a), Some(b)), (None, Some(a), Some(b)));
        assert_eq!(lose(Loss::Cpu { node: Some(9), cpu: 1 }, Some(a), Some(b)).0, None);
        assert_eq!(lose(cpu_down(0), None, None), (None, None, None));
    }

    #[test]
    fn children() {
        let caller = for_test(true, 1, 2, 50);
        let backup = for_test(true, 2, 9, 50);
        let named = for_test(true, 2, 10, 60);
        let unnamed = for_test(false, 2, 11, 70);
        assert!(cpu_down(2).is_loss_of(backup, caller));
        assert!(!cpu_down(2).is_loss_of(named, caller), "its other half may live");
        assert!(cpu_down(2).is_loss_of(unnamed, caller));
        assert!(!cpu_down(1).is_loss_of(unnamed, caller));
        assert!(ended(for_test(true, 5, 1, 60)).is_loss_of(named, caller), "matched by its instance");
        assert!(ended(unnamed).is_loss_of(unnamed, caller));
        assert!(!ended(for_test(false, 2, 11, 71)).is_loss_of(unnamed, caller));
        assert!(!Loss::Process { phandle: None }.is_loss_of(named, caller));
        assert!(Loss::Node { node: OWN }.is_loss_of(named, caller));
    }
}
