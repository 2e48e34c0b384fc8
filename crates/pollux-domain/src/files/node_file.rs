//! `sna_node.cfg`: a server's own node records, below a header. Never copied to other servers.

use super::record::{Faults, Record, parse_records, seal, unseal};
use crate::configuration::Node;

/// The kind of the header record.
const KIND: &str = "define_node_config_file";

/// The content of the node file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFile {
    /// Grows by one with each change.
    pub revision: u64,
    /// This server's nodes.
    pub nodes: Vec<Node>,
}

impl NodeFile {
    /// The text of the file.
    pub fn print(&self) -> String {
        let mut rest = format!("revision = {}\n\n", self.revision);
        for node in &self.nodes {
            super::print_record(&mut rest, &node.record());
        }
        seal(KIND, &rest)
    }

    /// Reads the text of the file.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let rest = unseal(KIND, text, false)?;
        let mut faults = Faults::default();
        let records = parse_records(&format!("[{KIND}]\n\n\n{rest}"), &mut faults);
        let (head, nodes) =
            records.split_first().map_or((Record::new(KIND), &[][..]), |(h, n)| (h.clone(), n));
        head.check_fields(&["revision"], &[], &mut faults);
        let revision = head.parsed("revision", "a number", &mut faults).unwrap_or(0);
        let nodes = nodes.iter().filter_map(|record| Node::read(record, &mut faults)).collect();
        faults.or(Self { revision, nodes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::ServerName;
    use pollux_wire::NodeName;

    #[test]
    fn what_is_printed_is_read_back() {
        let node =
            Node { name: NodeName::new("\\A").unwrap(), server: ServerName::new("alpha").unwrap(), cpus: 2 };
        let file = NodeFile { revision: 4, nodes: vec![node] };
        assert_eq!(NodeFile::parse(&file.print()), Ok(file.clone()));
        assert!(NodeFile::parse(&file.print().replace("cpus = 2", "cpus = 3")).is_err());
    }
}
