//! Java clients of the years before take the steps of the newest one.

use crate::clients::{check, programs};
use crate::need;
use crate::support::clients::Java;
use crate::support::turn;

#[test]
fn a_java_client_3_9_sees_what_it_sees_of_apache_kafka() {
    steps("java-3.9", "3.9.2");
}

#[test]
fn a_java_client_2_8_sees_what_it_sees_of_apache_kafka() {
    steps("java-2.8", "2.8.2");
}

/// The oldest that Apache Kafka 4 still serves (KIP-896).
#[test]
fn a_java_client_2_1_sees_what_it_sees_of_apache_kafka() {
    steps("java-2.1", "2.1.1");
}

fn steps(client: &str, version: &str) {
    let _turn = turn();
    let java = need!(Java::with_client(version));
    check(client, |broker, prefix| {
        let mut command = java.program_on(version, &programs().join("Exercise.java"));
        command.args([&broker.bootstrap, prefix]);
        command
    });
}
