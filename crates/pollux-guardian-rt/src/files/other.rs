//! Files that are neither a process nor `$RECEIVE`: Linux files and terminals.

use crate::runtime::Runtime;
use crate::transfer::{OpenRequest, wanted_number};
use pollux_wire::FileError;

impl Runtime {
    /// Opens a file of another kind.
    pub(crate) fn open_other(
        &mut self,
        request: &OpenRequest,
        name: &str,
    ) -> Result<(i16, FileError), FileError> {
        let wanted = wanted_number(request);
        let number = self.open_linux(name, wanted, request.mode, request.backup.is_some())?;
        Ok((number, FileError::OK))
    }
}
