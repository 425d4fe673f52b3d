//! Corners of Fetch that other brokers got wrong.

use std::time::{Duration, Instant};

use klamm::wire::messages::fetch::FetchRequest;

use crate::rig::{BY_NAME, batch, client, fetch_request, fresh};

/// An epoch that is above all known ones has no end: the consumer is to reset, not to seek to offset -1.
#[test]
fn a_client_that_read_in_an_epoch_that_never_was_is_out_of_range() {
    let mut client = client();
    let topic = fresh("fetch-epoch");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a"]));
    let mut request = fetch_request(&topic, &[(0, 1)]);
    request.topics[0].partitions[0].last_fetched_epoch = 7;
    let row = client.call(&request, BY_NAME).responses.remove(0).partitions.remove(0);
    assert_eq!((row.error_code.0, row.high_watermark, row.diverging_epoch.epoch), (1, -1, -1));
}

/// A fetch that asks for more than it takes would otherwise wait out its time with a full answer in hand.
#[test]
fn min_bytes_above_max_bytes_means_max_bytes() {
    let mut client = client();
    let topic = fresh("fetch-min-max");
    client.create(&topic, 1, &[]);
    for _ in 0..3 {
        client.append(&topic, 0, batch(&["a"]));
    }
    let request =
        FetchRequest { max_wait_ms: 19_000, min_bytes: 1_000_000, max_bytes: 1, ..fetch_request(&topic, &[(0, 0)]) };
    let started = Instant::now();
    let row = client.call(&request, BY_NAME).responses.remove(0).partitions.remove(0);
    assert!(!row.records.is_empty() && started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

/// Kafka's rows: null where the log answered, empty where there is none.
#[test]
fn an_error_row_has_no_aborted_transactions() {
    let mut client = client();
    let topic = fresh("fetch-error-row");
    client.create(&topic, 1, &[]);
    for (partition, offset, is_null) in [(0, 99, true), (5, 0, false)] {
        for isolation_level in [0, 1] {
            let request = FetchRequest { isolation_level, ..fetch_request(&topic, &[(partition, offset)]) };
            let row = client.call(&request, BY_NAME).responses.remove(0).partitions.remove(0);
            assert_eq!(
                row.aborted_transactions,
                if is_null { None } else { Some(Vec::new()) },
                "partition {partition}"
            );
            assert_eq!((row.high_watermark, row.last_stable_offset, row.log_start_offset), (-1, -1, -1));
        }
    }
}
