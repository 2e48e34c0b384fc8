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
    __ns_start_backup: i64 = -1;
    __ns_fopen_special: *mut std::ffi::c_void = std::ptr::null_mut();
    __ns_fopen64_special: *mut std::ffi::c_void = std::ptr::null_mut();
    __ns_fget_file_open_state: i64 = -1;
    __ns_backup_fopen: *mut std::ffi::c_void = std::ptr::null_mut();
    __ns_backup_fopen64: *mut std::ffi::c_void = std::ptr::null_mut();
    __ns_fget_file_state: i64 = -1;
    __ns_fset_file_state: i64 = -1;
    terminate_program: () = ();
    fopen_guardian: *mut std::ffi::c_void = std::ptr::null_mut();
    get_startup_msg: i32 = -1;
    get_param_by_name: i32 = -1;
}
