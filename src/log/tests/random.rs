//! Random operations against a plain model, on the machine's disk. A failure prints its seed.

use super::*;

#[derive(Clone, PartialEq, Debug)]
struct Batch {
    base: Offset,
    count: i64,
    producer: i64,
    transactional: bool,
    marker: bool,
}

#[derive(Default)]
struct Model {
    batches: Vec<Batch>,
    /// Next sequence of each producer, and the start of its open transaction.
    sequences: [i32; 3],
    open: [Option<Offset>; 3],
    aborted: Vec<(i64, Offset, Offset)>,
}

impl Model {
    fn end(&self) -> Offset {
        self.batches.last().map_or(Offset(0), |batch| batch.base.plus(batch.count))
    }

    fn last_stable(&self) -> Offset {
        self.open.iter().flatten().min().copied().unwrap_or(self.end())
    }
}

fn step(log: &mut Log, model: &mut Model, random: &mut Random) {
    let id = i64::try_from(random.below(3)).expect("small");
    let slot = usize::try_from(id).expect("small");
    let count = i64::try_from(1 + random.below(4)).expect("small");
    let base = model.end();
    let (batch, how, entry) = match random.below(10) {
        0..4 => {
            let plain = batch(NOW.0 + i64::try_from(random.below(900)).expect("small"), count, 40);
            (plain, written(), Batch { base, count, producer: -1, transactional: false, marker: false })
        }
        4..8 => {
            let transactional = model.open[slot].is_some() || random.below(2) == 0;
            let sequence = model.sequences[slot];
            model.sequences[slot] += i32::try_from(count).expect("small");
            if transactional {
                model.open[slot].get_or_insert(base);
            }
            let entry = Batch { base, count, producer: id, transactional, marker: false };
            (produced(id, 0, sequence, count, transactional), written(), entry)
        }
        _ => {
            if let Some(start) = model.open[slot].take() {
                model.aborted.push((id, start, base));
            }
            let entry = Batch { base, count: 1, producer: id, transactional: true, marker: true };
            (abort(id, 0), marker(), entry)
        }
    };
    let appended = log.append(&batch, &how).expect("appended");
    assert_eq!((appended.base_offset, appended.duplicate), (base, false));
    model.batches.push(entry);
}

fn compare(log: &Log, model: &Model, random: &mut Random) {
    let reader = log.reader();
    assert_eq!((log.end(), reader.high_watermark()), (model.end(), model.end()));
    assert_eq!(reader.last_stable_offset(), model.last_stable());
    let max_bytes = usize::try_from(1 + random.below(3000)).expect("small");
    let found: Vec<Batch> = read_all(reader, max_bytes)
        .iter()
        .map(|header| Batch {
            base: header.base_offset,
            count: i64::from(header.record_count),
            producer: header.producer_id.0,
            transactional: header.attributes.is_transactional(),
            marker: header.attributes.is_control(),
        })
        .collect();
    assert!(found == model.batches, "the batches are those appended");
    let from = Offset(i64::try_from(random.below(model.end().0.unsigned_abs() + 1)).expect("small"));
    let mut aborted: Vec<_> = reader.aborted(from, model.end()).expect("answered");
    aborted.sort_by_key(|entry| entry.last_offset);
    let aborted: Vec<_> = aborted.iter().map(|e| (e.producer_id.0, e.first_offset, e.last_offset)).collect();
    let expected: Vec<_> = model.aborted.iter().filter(|entry| entry.2 >= from).copied().collect();
    assert_eq!(aborted, expected);
    for view in log.producers() {
        let slot = usize::try_from(view.id.0).expect("small");
        assert_eq!(view.transaction_start, model.open[slot].unwrap_or(Offset(-1)));
    }
}

fn replay_one_seed(seed: u64, steps: usize) {
    let bench = Bench::new(LogConfig { segment_bytes: 1500, index_interval_bytes: 200, ..LogConfig::default() });
    let mut random = Random(seed);
    let mut log = bench.create();
    let mut model = Model::default();
    let mut point = Offset(0);
    for _ in 0..steps {
        match random.below(40) {
            0 => log.roll(NOW).expect("rolled"),
            1..3 => {
                log.sync_now().expect("durable");
                point = log.recovery_point();
            }
            3 => {
                log.close().expect("closed");
                log = bench.open(true, log.recovery_point()).0;
                point = log.recovery_point();
                compare(&log, &model, &mut random);
            }
            4 => {
                drop(log);
                let (opened, report) = bench.open(false, point);
                assert_eq!((report.cut_at, report.corrupt_at), (None, None));
                log = opened;
                point = log.recovery_point();
                compare(&log, &model, &mut random);
            }
            _ => step(&mut log, &mut model, &mut random),
        }
    }
    compare(&log, &model, &mut random);
}

#[test]
fn any_sequence_of_appends_stops_and_kills_keeps_every_batch() {
    for seed in 1..=4 {
        println!("seed {seed}");
        replay_one_seed(seed, 250);
    }
}

/// Changes one file of a folder in some way; returns its name and where the change begins.
fn damage(bench: &Bench, random: &mut Random) -> (String, u64) {
    let files: Vec<_> = bench.files().into_iter().filter(|(name, _)| name != names::PARTITION_METADATA).collect();
    let pick = usize::try_from(random.below(files.len() as u64)).expect("small");
    let (name, mut bytes) = files[pick].clone();
    let at = usize::try_from(random.below(bytes.len() as u64 + 1)).expect("small");
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes[at..].fill(0),
        2 => bytes.resize(bytes.len() + 1 + at, 7),
        3 => bytes.splice(at..at, [1, 2, 3]).for_each(drop),
        _ if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        _ => bytes.clear(),
    }
    std::fs::write(bench.folder.join(&name), bytes).expect("damaged");
    (name, at as u64)
}

fn damage_one_seed(seed: u64) {
    let bench = Bench::new(LogConfig { segment_bytes: 1500, index_interval_bytes: 200, ..LogConfig::default() });
    let mut random = Random(seed);
    let mut log = bench.create();
    let mut model = Model::default();
    (0..60).for_each(|_| step(&mut log, &mut model, &mut random));
    log.close().expect("closed");
    drop(log);
    let (name, at) = damage(&bench, &mut random);
    let clean = random.below(3) == 0;
    let point = Offset(i64::try_from(random.below(model.end().0.unsigned_abs() + 1)).expect("small"));
    let (mut log, report) = bench.open(clean, point);
    let what = format!("{name} at {at}, clean {clean}, recovery point {point}, {report:?}");
    let is_log = name.ends_with(".log");
    assert!(is_log || (report.cut_at, report.corrupt_at) == (None, None), "{what}");
    assert!(report.cut_at.is_none_or(|cut| cut >= point), "{what}");
    if !is_log {
        assert_eq!(log.end(), model.end(), "{what}");
        assert!(read_all(log.reader(), 700).len() == model.batches.len(), "{what}");
    } else if !clean && point == Offset(0) {
        // Everything before the damaged byte is there, byte for byte.
        let base: i64 = name[..20].parse().expect("digits");
        for header in read_all(log.reader(), 700) {
            assert!(model.batches.iter().any(|batch| batch.base == header.base_offset), "{what}");
        }
        assert!(log.end() >= Offset(base), "{what}");
    } else {
        let mut from = Offset(0);
        while let Ok(slice) = log.reader().read(from, Upper::End, 700, true) {
            if slice.region.length == 0 || slice.region.read().is_err() {
                break;
            }
            from = slice.end;
        }
    }
    let _ = log.reader().offset_for_timestamp(NOW.0 + 400);
    let _ = log.reader().offset_of_max_timestamp();
    let _ = log.reader().aborted(Offset(0), log.end());
    if log.append(&batch(NOW.0, 1, 5), &written()).is_ok() && log.close().is_ok() {
        let end = log.end();
        drop(log);
        let (log, report) = bench.open(true, end);
        assert_eq!((log.end(), report.cut_at, report.corrupt_at), (end, None, None), "{what}");
    }
}

#[test]
fn a_damaged_file_never_panics_and_never_takes_more_than_it_must() {
    for seed in 1..=60 {
        println!("seed {seed}");
        damage_one_seed(seed);
    }
}
