//! Files that are neither a process nor `$RECEIVE`: Linux files and terminals.

use crate::runtime::Runtime;
use crate::transfer::OpenRequest;
use pollux_wire::FileError;

impl Runtime {
    /// Opens a file of another kind. The number that it gets is [`crate::transfer::wanted_number`], it is entered with
    /// [`Runtime::enter`].
    pub(crate) fn open_other(
        &mut self,
        _request: &OpenRequest,
        _name: &str,
    ) -> Result<(i16, FileError), FileError> {
        Err(FileError::NOT_FOUND)
    }
}
