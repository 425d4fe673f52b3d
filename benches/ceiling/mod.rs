//! The ceiling: a bare broker that does only what must be done, to be compared with.
//!
//! Real Kafka frames, a checksum, a lock, one vectored write a batch, a sparse index, sendfile, long polls. No features, no
//! durability, no limits; never to be used for anything but this comparison. The generator and newer librdkafka and Java clients
//! can talk to it.

mod answer;
mod connection;
mod log;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::net::TcpListener;

use crate::Fallible;
use crate::wire::TopicId;
use log::Partition;

/// What every connection shares.
struct Broker {
    folder: PathBuf,
    port: u16,
    by_name: Mutex<HashMap<String, Arc<Topic>>>,
    by_id: RwLock<HashMap<TopicId, Arc<Topic>>>,
}

struct Topic {
    id: TopicId,
    partitions: Vec<Arc<Partition>>,
}

/// Serves until the process is killed.
pub fn run(folder: PathBuf, port: u16) -> Fallible<()> {
    std::fs::create_dir_all(&folder)?;
    let broker = Arc::new(Broker { folder, port, by_name: Mutex::default(), by_id: RwLock::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let broker = Arc::clone(&broker);
            tokio::spawn(async move {
                // A peer that has gone already is no reason to stop.
                let _ = stream.set_nodelay(true);
                if let Err(error) = connection::serve(stream, &broker).await {
                    eprintln!("ceiling: connection closed: {error}");
                }
            });
        }
    })
}

impl Broker {
    fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.lock().get(name).cloned()
    }

    fn topic_by_id(&self, id: &TopicId) -> Option<Arc<Topic>> {
        self.by_id.read().get(id).cloned()
    }

    /// The topic of that name, created if there is none.
    fn create(&self, name: &str, partitions: usize) -> Fallible<Arc<Topic>> {
        let mut by_name = self.by_name.lock();
        if let Some(topic) = by_name.get(name) {
            return Ok(Arc::clone(topic));
        }
        let mut id = [0; 16];
        id[8..].copy_from_slice(&(by_name.len() as u64 + 1).to_be_bytes());
        let partitions = (0..partitions)
            .map(|index| Partition::create(&self.folder.join(format!("{name}-{index}.log"))).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let topic = Arc::new(Topic { id, partitions });
        by_name.insert(name.to_owned(), Arc::clone(&topic));
        self.by_id.write().insert(id, Arc::clone(&topic));
        Ok(topic)
    }
}
