//! Procedures of the table that this library declines: error 2, a null stream, or nothing.

use crate::args;

macro_rules! declines {
    ($($name:ident: $result:ty = $value:expr;)*) => {$(
        pub(crate) fn $name(_: args::$name) -> $result {
            $value
        }
    )*};
}

declines! {
    PROCESS_CREATE_: i16 = 2;
    PROCESS_LAUNCH_: i16 = 2;
    PROCESS_STOP_: i16 = 2;
    STOP: i16 = -1;
    ABEND: i16 = -1;
    PROCESS_GETINFO_: i16 = 2;
    PROCESS_GETINFOLIST_: i16 = 2;
    PROCESS_GETPAIRINFO_: i16 = 2;
    PROCESS_SETINFO_: i16 = 2;
    PROCESS_SUSPEND_: i16 = 2;
    PROCESS_ACTIVATE_: i16 = 2;
    PROCESS_DELAY_: () = ();
    DELAY: () = ();
    DEBUG: () = ();
    HEADROOM_ENSURE_: i16 = 2;
    PROCESSHANDLE_GETMINE_: i16 = 2;
    PROCESSHANDLE_NULLIT_: i16 = 2;
    PROCESSHANDLE_COMPARE_: i16 = 2;
    PROCESSHANDLE_DECOMPOSE_: i16 = 2;
    PROCESSHANDLE_TO_FILENAME_: i16 = 2;
    PROCESSHANDLE_TO_STRING_: i16 = 2;
    FILENAME_TO_PROCESSHANDLE_: i16 = 2;
    PROCESSNAME_CREATE_: i16 = 2;
    NODENUMBER_TO_NODENAME_: i16 = 2;
    NODENAME_TO_NODENUMBER_: i16 = 2;
    MONITORCPUS: () = ();
    PROCESS_MONITOR_CPUS_: () = ();
    MONITORNET: () = ();
    PROCESS_MONITOR_NET_: () = ();
    MONITORNEW: () = ();
    PROCESSORSTATUS: i32 = -1;
    PROCESSOR_GETINFOLIST_: i16 = 2;
    OPENER_LOST_: i16 = 2;
    CHILD_LOST_: i16 = 2;
    SIGNALTIMEOUT: i16 = -1;
    CANCELTIMEOUT: i16 = -1;
    SIGNALPROCESSTIMEOUT: i16 = -1;
    CANCELPROCESSTIMEOUT: i16 = -1;
    TIMER_START_: i32 = -1;
    TIMER_STOP_: i32 = -1;
    JULIANTIMESTAMP: i64 = -1;
    CONVERTTIMESTAMP: i64 = -1;
    COMPUTETIMESTAMP: i64 = -1;
    INTERPRETTIMESTAMP: i32 = -1;
    MYPROCESSTIME: i64 = -1;
    STRING_UPSHIFT_: i16 = 2;
}
