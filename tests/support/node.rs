//! Where the node clients are: `npm` installs them into the cache that `.ci/run` fills, as
//! `tests/interop/clients/node/package-lock.json` says.

use std::path::Path;
use std::process::Command;

use super::clients::{cache, missing};

/// Node with the packages that the programs of `tests/interop/clients/node` require.
#[derive(Clone, Copy)]
pub struct Node;

impl Node {
    pub fn find() -> Option<Node> {
        let loads = "require('kafkajs'); require('@confluentinc/kafka-javascript')";
        let both = Node.command().args(["-e", loads]).output();
        if both.is_ok_and(|output| output.status.success()) { Some(Node) } else { missing("node with its clients") }
    }

    /// A program of JavaScript.
    pub fn program(self, file: &Path) -> Command {
        let mut command = self.command();
        command.arg(file);
        command
    }

    fn command(self) -> Command {
        let mut command = Command::new("node");
        command.env("NODE_PATH", cache().join("node/node_modules"));
        command
    }
}
