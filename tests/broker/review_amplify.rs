//! Small requests that ask for the same large answer again and again.

use klamm::wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm::wire::messages::describe_producers::{DescribeProducersRequest, DescribeProducersTopic};

use crate::rig::{Rig, batch};

/// 100,000 times the configuration of the broker would be gigabytes.
#[test]
fn a_resource_named_often_is_described_once() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    let node = DescribeConfigsResource { resource_type: 4, resource_name: "1".to_owned(), configuration_keys: None };
    let request = DescribeConfigsRequest { resources: vec![node; 100_000], ..Default::default() };
    let results = client.call(&request, 4).results;
    assert_eq!(results.len(), 1);
    assert!(results[0].configs.len() > 100, "{}", results[0].configs.len());
}

#[test]
fn a_partition_named_often_is_described_once() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    client.append("t", 0, batch(&["v"]));
    let topic = DescribeProducersTopic { name: "t".to_owned(), partition_indexes: vec![0; 1000] };
    let response = client.call(&DescribeProducersRequest { topics: vec![topic.clone(), topic] }, 0);
    let rows: usize = response.topics.iter().map(|topic| topic.partitions.len()).sum();
    assert_eq!(rows, 1);
}
