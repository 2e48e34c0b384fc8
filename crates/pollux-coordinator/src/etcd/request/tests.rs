//! What is sent, and what is made of the answer.

use super::*;

fn key(n: usize) -> Key {
    Key::new(format!("k/{n:03}")).unwrap()
}

fn sent(transaction: &Transaction, existence: &Existence, victims: usize) -> CommitRequest {
    let names: Vec<Vec<u8>> = (0..victims).map(|n| format!("victim {n}").into_bytes()).collect();
    let trimmed = names.iter().map(Vec::as_slice).collect();
    let companions = Companions { writer: 1, number: 1, trimmed };
    transaction.check().unwrap();
    commit(&Keys::new("p"), b"identity", transaction, existence, &companions)
}

#[test]
fn every_transaction_that_is_allowed_fits_into_etcd() {
    // A commit within our limits would be refused by etcd's.
    for compares in 0..=TRANSACTION_OPERATIONS_MAX {
        let mut transaction = Transaction::new();
        for n in 0..compares {
            transaction = transaction.absent(key(n));
        }
        for first in [0, compares] {
            for deletes in [false, true] {
                let mut transaction = transaction.clone();
                let mut existence = Existence::implied(&transaction);
                for n in first..first + TRANSACTION_OPERATIONS_MAX - compares {
                    transaction = match deletes {
                        true => transaction.delete(key(n)),
                        false => transaction.put(key(n), "v"),
                    };
                }
                for key in existence.clone().unknown(&transaction) {
                    existence.learn(key, true);
                }
                let CommitRequest { request, .. } = sent(&transaction, &existence, trimmed_max(&transaction));
                for count in [request.compare.len(), request.success.len(), request.failure.len()] {
                    assert!(count <= ETCD_OPERATIONS_MAX, "{compares} compares, deletes {deletes}");
                }
            }
        }
    }
}

#[test]
fn every_read_asks_for_a_range() {
    // etcd would answer from a member that is behind: a name that is owned would look free (S7, S10).
    let question = Transaction::new().absent(key(1));
    let nothing = Transaction::new();
    let gone = Transaction::new().absent(key(1)).delete(key(1));
    for transaction in [&question, &nothing, &gone] {
        let sent = sent(transaction, &Existence::implied(transaction), 1);
        assert!(sent.logged.is_none(), "it changes nothing");
        assert!(matches!(&sent.request.success[..], [one] if matches!(one.request, Some(Request::Range(_)))));
    }
}

#[test]
fn every_write_compares_the_identity_of_its_store() {
    // After a loss of etcd's data epochs would begin again, below those that are in use (S11).
    let transaction = Transaction::new().put(key(1), "v");
    let sent = sent(&transaction, &Existence::default(), 0);
    let compared: Vec<&[u8]> = sent.request.compare.iter().map(|compare| compare.key.as_slice()).collect();
    assert_eq!(compared, [b"p/store"]);
    let answer = TxnResponse {
        header: Some(crate::etcd::messages::ResponseHeader { revision: 5 }),
        succeeded: false,
        responses: vec![crate::etcd::messages::ResponseOp { range: Some(RangeResponse::default()) }],
    };
    let refused = commit_answer(&sent, &transaction, b"identity", &answer);
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
}

#[test]
fn a_transaction_too_large_to_be_sent_twice_leaves_its_changes_out_of_the_log() {
    // Its request would be larger than etcd takes.
    let mut transaction = Transaction::new();
    for n in 0..63 {
        transaction = transaction.put(key(n), vec![1; crate::VALUE_BYTES_MAX]);
    }
    let sent = sent(&transaction, &Existence::default(), 0);
    assert_eq!(sent.logged, Some(LogSize { changes: 63, bytes: 0 }));
    assert!(prost::Message::encoded_len(&sent.request) < 1536 * 1024);
}
