//! AlterReplicaLogDirs: there is one directory.

use klamm::wire::messages::alter_replica_log_dirs::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use klamm::wire::messages::describe_log_dirs::DescribeLogDirsRequest;

use crate::rig::{client, fresh};

#[test]
fn every_version_knows_the_one_directory() {
    let mut client = client();
    let topic = fresh("dirs");
    client.create(&topic, 1, &[]);
    let dir = client.call(&DescribeLogDirsRequest { topics: Some(vec![]) }, 4).results.remove(0).log_dir;
    let never = fresh("never");
    for version in 1..=2 {
        for (path, name, index, code) in [
            (dir.as_str(), &topic, 0, 0),
            (&dir, &topic, 7, 3),
            (&dir, &never, 0, 3),
            ("/nowhere", &topic, 0, 57),
            ("", &never, 0, 57),
        ] {
            let topics = vec![AlterReplicaLogDirTopic { name: name.clone(), partitions: vec![index] }];
            let request =
                AlterReplicaLogDirsRequest { dirs: vec![AlterReplicaLogDir { path: path.to_owned(), topics }] };
            let answer = client.call(&request, version);
            let row = &answer.results[0];
            assert_eq!((row.topic_name.as_str(), row.partitions[0].partition_index), (name.as_str(), index));
            assert_eq!(row.partitions[0].error_code.0, code, "{path} {name} {index}");
        }
    }
}
