//! The thin Linux shell of Pollux: everything that touches the kernel, and nothing that decides.
//!
//! Who is primary, what is checkpointed and when a takeover happens is decided in `pollux-core`. This
//! crate only moves bytes and descriptors ([`Channel`]), waits ([`Poller`], [`Doorbell`]), tells that a
//! process is dead ([`LifePage`], [`LifeWatch`]), starts and reaps processes ([`launch`], [`reap`]), keeps
//! connections beyond the death of a process ([`Guard`]) and asks the kernel where a TCP connection stands ([`stream_positions`]).
//!
//! Linux only. No async runtime, no threads but the watch threads of [`LifeWatch::on_death`], and no unsafe
//! code outside the one module `raw`. Every descriptor made here is close-on-exec.

#![deny(unsafe_code)]

mod calls;
mod channel;
pub mod clock;
mod doorbell;
mod files;
mod frame;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod guard;
mod life_page;
mod pass;
mod peer;
pub mod points;
mod poller;
mod present;
mod process;
mod raw;
mod ring;
mod signals;
mod socket;
mod tcp;

pub use calls::{
    CALL_PATH_BYTES_MAX, Call, CallGate, WaitingCall, copy_descriptor, gate_calls, read_memory, signal_group,
};
pub use channel::{Channel, DESCRIPTORS_WAITING_MAX, FILL_BYTES_MAX, Fill, Flush, socket_pair};
pub use doorbell::Doorbell;
pub use files::{connect_unix, listen_unix, private_directory};
pub use frame::{DESCRIPTORS_PER_FRAME_MAX, FRAME_HEADER_BYTES, Frame, FrameError};
pub use guard::{Guard, SAVED_PER_MESSAGE_MAX, Saved, take_saved};
pub use life_page::{CRASH_PAGES_MAX, LifePage, LifeWatch, Turn};
pub use pass::{pass_descriptor, take_passed_descriptor};
pub use peer::{PeerCredentials, peer_credentials};
pub use poller::{Event, Interest, Poller, Registry};
pub use present::make_code_present;
pub use process::{
    INHERITED_DESCRIPTORS_MAX, LAUNCH_MS_MAX, LAUNCHER_COMMAND, Launch, LaunchError, Launched, ProcessEvent,
    bind_to, launch, launcher_main, processors_allowed, reap, signal, take_inherited, wait_gone,
    wait_readable,
};
pub use ring::{Among, RING_DESCRIPTORS, RINGS_PER_PROCESS_MAX};
pub use rustix::process::{Pid, Signal};
pub use signals::{ChildSignals, StopSignals};
pub use socket::{at_urgent_mark, host_name, set_socket_option, socket_option};
pub use tcp::{
    StreamPositions, discard, is_receive_buffer_crowded, peek, peek_offset_supported, set_peek_offset,
    stream_positions, write, write_vectored,
};

/// Says a line on standard error. Where it cannot be written, on a full disk, nothing happens; `eprintln!` would panic, and end a half
/// of a pair for a word that nobody reads.
#[macro_export]
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}
