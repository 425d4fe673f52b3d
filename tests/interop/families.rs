//! Further client families take the program of `clients`: aiokafka, kafkajs and librdkafka under node.
//!
//! The newest librdkafka is that of confluent-kafka in `clients`, the oldest that of kcat.

use crate::clients::{check, exercise, programs};
use crate::need;
use crate::support::clients::python;
use crate::support::node::Node;
use crate::support::turn;

#[test]
fn aiokafka_sees_what_it_sees_of_apache_kafka() {
    let _turn = turn();
    let python = need!(python());
    check("aiokafka", |broker, prefix| exercise(&python, "aiokafka", broker, prefix));
}

#[test]
fn kafkajs_sees_what_it_sees_of_apache_kafka() {
    let _turn = turn();
    check_node("kafkajs", "kafkajs");
}

#[test]
fn librdkafka_under_node_sees_what_it_sees_of_apache_kafka() {
    let _turn = turn();
    check_node("confluent", "confluent-node");
}

fn check_node(client: &str, name: &str) {
    let node = need!(Node::find());
    check(name, |broker, prefix| {
        let mut command = node.program(&programs().join("node/exercise.js"));
        command.args([client, &broker.bootstrap, prefix]);
        command
    });
}
