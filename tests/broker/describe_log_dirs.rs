//! DescribeLogDirs: the data directory and what lies in it.

use klamm::wire::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResult};

use crate::rig::{self, Client, Rig, batch, client, fresh};

fn ask(client: &mut Client, topics: Option<Vec<DescribableLogDirTopic>>, version: i16) -> DescribeLogDirsResult {
    let mut response = client.call(&DescribeLogDirsRequest { topics }, version);
    assert_eq!((response.error_code.0, response.results.len()), (0, 1));
    response.results.remove(0)
}

fn topic(name: &str, partitions: &[i32]) -> DescribableLogDirTopic {
    DescribableLogDirTopic { topic: name.to_owned(), partitions: partitions.to_vec() }
}

#[test]
fn every_version_tells_sizes() {
    let mut client = client();
    let name = fresh("dirs-versions");
    client.create(&name, 2, &[]);
    client.append(&name, 1, batch(&["a"]));
    let size = i64::try_from(batch(&["a"]).len()).expect("small");
    for version in 1..=5 {
        let found = ask(&mut client, Some(vec![topic(&name, &[0, 1])]), version);
        assert_eq!(found.error_code.0, 0);
        assert!(found.log_dir.starts_with('/'), "an absolute path: {}", found.log_dir);
        assert_eq!(found.topics.len(), 1);
        let mut rows: Vec<_> = found.topics[0]
            .partitions
            .iter()
            .map(|row| (row.partition_index, row.partition_size, row.offset_lag, row.is_future_key))
            .collect();
        rows.sort_unstable();
        assert_eq!(rows, [(0, 0, 0, false), (1, size, 0, false)], "version {version}");
        if version >= 4 {
            assert!(found.total_bytes > 0 && found.usable_bytes > 0 && found.usable_bytes <= found.total_bytes);
        } else {
            assert_eq!((found.total_bytes, found.usable_bytes), (-1, -1));
        }
        assert!(!found.is_cordoned);
    }
}

#[test]
fn null_means_all_topics() {
    let mut client = client();
    let names = [fresh("dirs-all"), fresh("dirs-all")];
    for name in &names {
        client.create(name, 1, &[]);
    }
    let found = ask(&mut client, None, 4);
    for name in &names {
        assert!(found.topics.iter().any(|topic| topic.name == *name), "{name}");
    }
}

#[test]
fn what_is_not_there_is_left_out() {
    let mut client = client();
    let name = fresh("dirs-some");
    client.create(&name, 2, &[]);
    let found = ask(&mut client, Some(vec![topic(&name, &[1, 9]), topic(&fresh("never"), &[0])]), 4);
    assert_eq!(found.topics.len(), 1);
    assert_eq!(found.topics[0].partitions.iter().map(|row| row.partition_index).collect::<Vec<_>>(), [1]);
    assert!(ask(&mut client, Some(vec![]), 4).topics.is_empty());
}

#[test]
fn the_folder_is_that_of_the_configuration() {
    let rig = Rig::with(&[]);
    let found = ask(&mut rig.client(), None, 5);
    assert_eq!(found.log_dir, rig.data().display().to_string());
    assert!(found.topics.is_empty());
    assert!(rig::files(&rig.data(), "meta.properties").len() == 1);
}
