//! franz-go, sarama and kafka-go each take the steps of a Go program; two of them again as they speak to Apache Kafka 2.1.

use std::process::Command;

use crate::clients::check;
use crate::need;
use crate::support::go::exercise;
use crate::support::turn;

#[test]
fn franz_go_sees_what_it_sees_of_apache_kafka() {
    steps("franz-go");
}

#[test]
fn franz_go_in_old_versions_sees_what_it_sees_of_apache_kafka() {
    steps("franz-go-2.1");
}

#[test]
fn sarama_sees_what_it_sees_of_apache_kafka() {
    steps("sarama");
}

#[test]
fn sarama_in_old_versions_sees_what_it_sees_of_apache_kafka() {
    steps("sarama-2.1");
}

#[test]
fn kafka_go_sees_what_it_sees_of_apache_kafka() {
    steps("kafka-go");
}

fn steps(client: &str) {
    let _turn = turn();
    let program = need!(exercise());
    check(client, |broker, prefix| {
        let mut command = Command::new(&program);
        command.args([client, &broker.bootstrap, prefix]);
        command
    });
}
