//! What is known of the last message read (Guardian Procedure Calls, `FILE_GETRECEIVEINFO_`).

use crate::args;
use crate::entry::put;
use crate::memory::{self, handle_words};
use crate::receive::queue::{Information, Sender};
use crate::runtime;
use pollux_wire::FileError;

/// The last message. Error 16 while `$RECEIVE` is not open, 26 before the first read.
fn last() -> Result<Information, FileError> {
    runtime::with(|runtime| {
        runtime.files.get(0)?;
        runtime.server.queue.last().cloned().ok_or(FileError::NOTHING_OUTSTANDING)
    })
}

pub(crate) fn FILE_GETRECEIVEINFO_(args: args::FILE_GETRECEIVEINFO_) -> Result<(), FileError> {
    let words = short_form(&last()?);
    memory::put_words(args.receive_info.unwrap_or(std::ptr::null_mut()), &words);
    no_dialog(args.dialog_info);
    Ok(())
}

pub(crate) fn FILE_GETRECEIVEINFOL_(args: args::FILE_GETRECEIVEINFOL_) -> Result<(), FileError> {
    let words = long_form(&last()?);
    memory::put_words(args.receive_info.unwrap_or(std::ptr::null_mut()), &words);
    no_dialog(args.dialog_info);
    Ok(())
}

pub(crate) fn RECEIVEINFO(args: args::RECEIVEINFO) -> Result<(), FileError> {
    let last = last()?;
    if let Some(to) = args.process_id {
        memory::put_words(to, &old_process_id(&last.sender));
    }
    let word = |to: Option<*mut i16>, value| memory::put_word(to.unwrap_or(std::ptr::null_mut()), value);
    word(args.message_tag, last.tag);
    put(args.sync_id, i64::from(last.sender.sync as i32));
    word(args.filenum, last.sender.file_number);
    put(args.read_count, i64::from(last.reply_bytes_max.min(u32::from(u16::MAX))));
    word(args.iotype, last.io_type);
    Ok(())
}

pub(crate) fn LASTRECEIVE(args: args::LASTRECEIVE) -> Result<(), FileError> {
    let last = last()?;
    if let Some(to) = args.process_id {
        memory::put_words(to, &old_process_id(&last.sender));
    }
    memory::put_word(args.message_tag.unwrap_or(std::ptr::null_mut()), last.tag);
    Ok(())
}

fn no_dialog(to: Option<*mut i16>) {
    memory::put_word(to.unwrap_or(std::ptr::null_mut()), 0);
}

/// The 17 words of `FILE_GETRECEIVEINFO_`.
fn short_form(last: &Information) -> [i16; 17] {
    let mut words = [0; 17];
    words[0] = last.io_type;
    words[1] = last.reply_bytes_max.min(u32::from(u16::MAX)) as i16;
    words[2] = last.tag;
    words[3] = last.sender.file_number;
    put_long(&mut words[4..6], last.sender.sync);
    words[6..16].copy_from_slice(&handle_words(last.sender.phandle));
    words[16] = last.sender.label;
    words
}

/// The 19 words of `FILE_GETRECEIVEINFOL_`.
fn long_form(last: &Information) -> [i16; 19] {
    let mut words = [0; 19];
    words[0] = last.io_type;
    words[1] = last.sender.file_number;
    words[2] = last.tag;
    words[3] = last.sender.label;
    put_long(&mut words[4..6], last.reply_bytes_max);
    put_long(&mut words[6..8], last.sender.sync);
    words[8..18].copy_from_slice(&handle_words(last.sender.phandle));
    words
}

/// 32 bits over two words, in the order of the host.
fn put_long(to: &mut [i16], value: u32) {
    for (word, bytes) in to.iter_mut().zip(value.to_ne_bytes().chunks_exact(2)) {
        *word = i16::from_ne_bytes([bytes[0], bytes[1]]);
    }
}

/// The old form of a process id: three words with the name, or with what tells an unnamed process from others, then CPU and
/// pin; zeros for the system. A pin above 254 is 255.
fn old_process_id(sender: &Sender) -> [i16; 4] {
    let Some(phandle) = sender.phandle else { return [0; 4] };
    let mut words = [0; 4];
    match &sender.name {
        Some(name) => {
            let padded = format!("{:<6}", name.as_str());
            for (word, bytes) in words.iter_mut().zip(padded.as_bytes().chunks_exact(2)) {
                *word = i16::from_ne_bytes([bytes[0], bytes[1]]);
            }
        }
        None => {
            for (at, word) in words.iter_mut().take(3).enumerate() {
                *word = (phandle.sequence >> (16 * (2 - at))) as i16;
            }
        }
    }
    words[3] = (u16::from(phandle.cpu.get()) << 8 | phandle.pin.0.min(255)) as i16;
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollux_wire::{CpuNumber, Phandle, Pin, ProcessName};

    fn information() -> Information {
        let phandle = Phandle {
            named: true,
            cpu: CpuNumber::new(2).unwrap(),
            pin: Pin(300),
            node: 1,
            incarnation: 0,
            sequence: 0x0001_0002_0003,
        };
        let sender = Sender {
            phandle: Some(phandle),
            name: Some(ProcessName::new("$REQ").unwrap()),
            file_number: 4,
            sync: 0x0001_0002,
            label: 9,
            priority: 0,
        };
        Information { io_type: 3, reply_bytes_max: 70_000, tag: 1, sender }
    }

    // Programs index these words by hand.
    #[test]
    fn the_words_are_where_the_manual_has_them() {
        let last = information();
        let words = short_form(&last);
        assert_eq!([words[0], words[1], words[2], words[3]], [3, -1, 1, 4]);
        assert_eq!(
            (words[4] as u16, words[5] as u16),
            if cfg!(target_endian = "little") { (2, 1) } else { (1, 2) }
        );
        assert_eq!(words[6..16], handle_words(last.sender.phandle));
        assert_eq!(words[16], 9);
        let words = long_form(&last);
        assert_eq!([words[0], words[1], words[2], words[3]], [3, 4, 1, 9]);
        let bytes: Vec<u8> = words[4..6].iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(u32::from_ne_bytes(bytes.try_into().unwrap()), 70_000);
        assert_eq!(words[8..18], handle_words(last.sender.phandle));
    }

    #[test]
    fn the_old_process_id_has_name_cpu_and_pin() {
        let mut last = information();
        let words = old_process_id(&last.sender);
        let name: Vec<u8> = words[..3].iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!((name.as_slice(), words[3]), (b"$REQ  ".as_slice(), 0x02ff));
        last.sender.name = None;
        assert_eq!(old_process_id(&last.sender), [1, 2, 3, 0x02ff]);
        assert_eq!(old_process_id(&Sender::SYSTEM), [0; 4]);
    }
}
