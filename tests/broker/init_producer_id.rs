//! InitProducerId: ids that are never given out twice.

use std::collections::HashSet;

use klamm::wire::messages::init_producer_id::InitProducerIdRequest;

use crate::rig::{self, Client, Rig, client, until};

fn id(client: &mut Client) -> i64 {
    let response = client.call(&InitProducerIdRequest::default(), 4);
    assert_eq!((response.error_code.0, response.producer_epoch), (0, 0));
    response.producer_id
}

#[test]
fn every_version_gives_an_id_with_epoch_0() {
    let mut client = client();
    let mut seen = HashSet::new();
    for version in 0..=5 {
        let response = until("an id", || {
            let response = client.call(&InitProducerIdRequest::default(), version);
            // Kafka fetches its first block behind a first refusal.
            (response.error_code.0 != 14).then_some(response)
        });
        assert_eq!((response.error_code.0, response.producer_epoch), (0, 0), "version {version}");
        assert!(response.producer_id >= 0 && seen.insert(response.producer_id));
    }
}

#[test]
fn a_producer_that_names_its_id_gets_a_new_one() {
    let mut client = client();
    let first = until("an id", || {
        let response = client.call(&InitProducerIdRequest::default(), 5);
        (response.error_code.0 == 0).then_some(response.producer_id)
    });
    let request = InitProducerIdRequest { producer_id: first, producer_epoch: 3, ..Default::default() };
    let response = client.call(&request, 5);
    assert_eq!((response.error_code.0, response.producer_epoch), (0, 0));
    assert_ne!(response.producer_id, first);
}

#[test]
fn an_empty_transactional_id_is_an_invalid_request() {
    let mut client = client();
    for version in [0, 2, 5] {
        let request = InitProducerIdRequest {
            transactional_id: Some(String::new()),
            transaction_timeout_ms: 1000,
            ..Default::default()
        };
        let response = client.call(&request, version);
        assert_eq!((response.error_code.0, response.producer_id, response.producer_epoch), (42, -1, -1));
    }
}

#[test]
fn a_transactional_id_is_refused_until_there_are_transactions() {
    if rig::is_reference() {
        return;
    }
    let request = InitProducerIdRequest {
        transactional_id: Some("tx".into()),
        transaction_timeout_ms: 1000,
        ..Default::default()
    };
    let response = client().call(&request, 5);
    assert_eq!((response.error_code.0, response.producer_id), (53, -1));
}

#[test]
fn no_id_is_given_twice_not_even_over_restarts() {
    let mut rig = Rig::with(&[]);
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let mut client = rig.client();
        for _ in 0..50 {
            let id = id(&mut client);
            assert!(seen.insert(id), "{id} was given twice");
        }
        rig.restart();
    }
}

#[test]
fn ids_go_on_past_a_block() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    let mut seen = HashSet::new();
    // A block has 1000. And once a connection forgot what it had read when its queue of answers had been full.
    let sent: Vec<_> = (0..2500).map(|_| client.send(&InitProducerIdRequest::default(), 1)).collect();
    for correlation in sent {
        let response = client.receive::<InitProducerIdRequest>(correlation, 1);
        assert_eq!(response.error_code.0, 0);
        assert!(seen.insert(response.producer_id));
    }
}

#[test]
fn clients_that_ask_at_once_get_different_ids() {
    let rig = Rig::with(&[]);
    let ids: Vec<i64> = std::thread::scope(|scope| {
        let ask = || {
            let mut client = rig.client();
            (0..300).map(|_| id(&mut client)).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("ids")).collect()
    });
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
}
