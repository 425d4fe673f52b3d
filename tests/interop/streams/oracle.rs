//! What the application (`Shop.java`) is fed, and what its output topics must hold when it has read all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

pub const CUSTOMERS: u64 = 40;
const WORDS: u64 = 300;

/// Keys with values, in the order of their offsets.
pub type Records = Vec<(String, String)>;
type Pairs = BTreeSet<(String, String)>;

/// How often the application may have worked on a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Times {
    Once,
    AtLeastOnce,
}

/// What has been fed so far; texts are lines of key, tab, value.
#[derive(Default)]
pub struct Fed {
    random: u64,
    lines: u64,
    words: BTreeMap<String, u64>,
    /// Customers by order.
    orders: BTreeMap<String, String>,
}

impl Fed {
    /// The customers with their names.
    pub fn customers() -> String {
        (0..CUSTOMERS).map(|number| format!("customer{number}\tname{number}\n")).collect()
    }

    /// More lines of words; the same in each run.
    pub fn lines(&mut self, count: u64) -> String {
        let mut text = String::new();
        for _ in 0..count {
            self.lines += 1;
            write!(text, "{}\t", self.lines).expect("format");
            let length = 2 + self.random(6);
            for at in 0..length {
                let word = format!("word{}", self.random(WORDS));
                write!(text, "{}{word}", if at == 0 { "" } else { " " }).expect("format");
                *self.words.entry(word).or_default() += 1;
            }
            text.push('\n');
        }
        text
    }

    /// More orders, and a payment of each.
    pub fn orders_and_payments(&mut self, count: u64) -> (String, String) {
        let (mut orders, mut payments) = (String::new(), String::new());
        for _ in 0..count {
            let order = format!("o{:05}", self.orders.len());
            let customer = format!("customer{}", self.random(CUSTOMERS));
            writeln!(orders, "{order}\t{customer}").expect("format");
            writeln!(payments, "{order}\t{}", amount(&order)).expect("format");
            self.orders.insert(order, customer);
        }
        (orders, payments)
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    /// What is wrong with the records of an output topic.
    pub fn faults(&self, topic: &str, records: &Records, times: Times) -> Vec<String> {
        let mut faults = match topic {
            "counted" => self.counted_faults(records, times),
            "joined" => faults(&self.joined(), &last(records).into_iter().collect()),
            "enriched" => faults(&self.enriched(), &all(records)),
            "paid" => faults(&self.paid(), &all(records)),
            _ => panic!("{topic} is none of the outputs"),
        };
        if times == Times::Once && matches!(topic, "enriched" | "paid") && records.len() != self.orders.len() {
            faults.push(format!("{} records of {} orders", records.len(), self.orders.len()));
        }
        faults.iter().map(|fault| format!("{topic}: {fault}")).collect()
    }

    /// A record that is worked on again counts again.
    fn counted_faults(&self, records: &Records, times: Times) -> Vec<String> {
        let counted = last(records);
        let mut faults = Vec::new();
        for (word, count) in &self.words {
            let got = counted.get(word).and_then(|got| got.parse::<u64>().ok());
            if got.is_none_or(|got| if times == Times::Once { got != *count } else { got < *count }) {
                faults.push(format!("{word} was there {count} times, counted {got:?}"));
            }
        }
        faults.extend(counted.keys().filter(|word| !self.words.contains_key(*word)).map(|word| format!("{word}?")));
        faults
    }

    fn joined(&self) -> Pairs {
        let mut joined = BTreeMap::new();
        for (order, customer) in &self.orders {
            let all: &mut String = joined.entry(customer.clone()).or_insert_with(|| format!("{}:", name(customer)));
            write!(all, " {order}").expect("format");
        }
        joined.into_iter().collect()
    }

    fn enriched(&self) -> Pairs {
        let one = |(order, customer): (&String, &String)| (customer.clone(), format!("{order} of {}", name(customer)));
        self.orders.iter().map(one).collect()
    }

    fn paid(&self) -> Pairs {
        let one = |(order, customer): (&String, &String)| (order.clone(), format!("{customer} pays {}", amount(order)));
        self.orders.iter().map(one).collect()
    }
}

fn name(customer: &str) -> String {
    customer.replace("customer", "name")
}

fn amount(order: &str) -> String {
    order.replace('o', "7")
}

/// The last value of each key.
fn last(records: &Records) -> BTreeMap<String, String> {
    records.iter().cloned().collect()
}

fn all(records: &Records) -> Pairs {
    records.iter().cloned().collect()
}

/// What only one side has.
fn faults(wanted: &Pairs, got: &Pairs) -> Vec<String> {
    let missing = wanted.difference(got).map(|one| format!("{one:?} is not there"));
    missing.chain(got.difference(wanted).map(|one| format!("{one:?} is there"))).collect()
}

/// A judge that cannot object proves nothing.
#[test]
fn the_oracle_objects_to_a_word_lost_a_word_too_many_and_an_order_lost() {
    let mut fed = Fed::default();
    fed.lines(100);
    fed.orders_and_payments(50);
    let counted: Records = fed.words.iter().map(|(word, count)| (word.clone(), count.to_string())).collect();
    let check = |topic: &str, records: &Records, times, good: bool| {
        assert_eq!(fed.faults(topic, records, times).is_empty(), good, "{topic} {times:?}");
    };
    check("counted", &counted, Times::Once, true);
    let mut more = counted.clone();
    more.push((counted[0].0.clone(), "1000".to_owned()));
    check("counted", &more, Times::AtLeastOnce, true);
    check("counted", &more, Times::Once, false);
    more.push((counted[0].0.clone(), "0".to_owned()));
    check("counted", &more, Times::AtLeastOnce, false);
    check("counted", &counted[1..].to_vec(), Times::AtLeastOnce, false);
    let mut paid: Records = fed.paid().into_iter().collect();
    check("paid", &paid, Times::Once, true);
    paid.push(paid[0].clone());
    check("paid", &paid, Times::Once, false);
    check("paid", &paid, Times::AtLeastOnce, true);
    check("paid", &paid[2..49].to_vec(), Times::AtLeastOnce, false);
    let joined: Records = fed.joined().into_iter().collect();
    check("joined", &joined, Times::AtLeastOnce, true);
    check("joined", &joined[1..].to_vec(), Times::AtLeastOnce, false);
}
