//! `kafka-dump-log` reads every file that a broker leaves, and has nothing to complain about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::left::{ROLLED, clean, killed, origin, plan};
use crate::need;
use crate::support::clients::{Java, kcat};
use crate::support::process::run;
use crate::support::{copy_folder, turn};

const DUMP: &str = "org.apache.kafka.tools.DumpLogSegments";
const METADATA: &str = "__cluster_metadata-0";
/// What `--offsets-decoder` shows of the groups of `moving/Groups.java`: an offset, a classic group, a group of the consumer
/// protocol with its members and their assignments, and tombstones.
const RECORDS_OF_GROUPS: [&str; 9] = [
    r#"key: {"type":"1","data":{"group":"moved-classic","topic":"moved","partition":0}} payload: {"version""#,
    r#""metadata":"call 0""#,
    r#"key: {"type":"2","data":{"group":"moved-classic-static"}} payload: {"version""#,
    r#"key: {"type":"3","data":{"groupId":"moved-consumer"}} payload: {"version""#,
    r#"key: {"type":"5","data":{"groupId":"moved-consumer-static","memberId""#,
    r#"key: {"type":"6","data":{"groupId":"moved-consumer"}} payload: {"version""#,
    r#"key: {"type":"7","data":{"groupId":"moved-consumer-static","memberId""#,
    r#"key: {"type":"8","data":{"groupId":"moved-consumer-static","memberId""#,
    r#"key: {"type":"2","data":{"group":"moved-gone"}} payload: <DELETE>"#,
];

#[test]
fn the_dump_tool_reads_what_a_clean_stop_left() {
    let _turn = turn();
    let (java, kcat) = (need!(Java::find()), need!(kcat()));
    check(java, &clean(java, kcat).join("data"));
}

/// Indexes are made ready for use again by the start after the kill, so that is what the tool is shown.
#[test]
fn the_dump_tool_reads_what_a_restart_after_kill_9_left() {
    let _turn = turn();
    let (java, kcat) = (need!(Java::find()), need!(kcat()));
    let folder = tempfile::tempdir().expect("make a folder");
    copy_folder(&killed(java, kcat).join("data"), &folder.path().join("data"));
    plan(origin(), folder.path()).start().stop();
    check(java, &folder.path().join("data"));
}

#[test]
fn the_offset_index_has_an_entry_for_every_4_kib() {
    let _turn = turn();
    let (java, kcat) = (need!(Java::find()), need!(kcat()));
    let data = clean(java, kcat).join("data");
    for partition in [0, 1] {
        let segments = of_kind(&files(&data.join(format!("{ROLLED}-{partition}"))), "log");
        assert!(segments.len() > 1, "{ROLLED} has several segments: {segments:?}");
        segments.iter().for_each(|segment| check_index(segment));
    }
}

fn check(java: Java, data: &Path) {
    let files = files(data);
    let (metadata, topics): (Vec<PathBuf>, Vec<PathBuf>) =
        files.into_iter().partition(|file| file.parent().is_some_and(|folder| folder.ends_with(METADATA)));
    let logs = dump(java, &of_kind(&topics, "log"), &["--deep-iteration"]);
    assert_eq!(logs.matches(" isvalid: ").count(), logs.matches(" isvalid: true").count(), "batches with a good CRC");
    assert!(logs.matches(" isvalid: true").count() > 1000, "there were batches to read");
    let indexes = [of_kind(&topics, "index"), of_kind(&topics, "timeindex")].concat();
    let sane = dump(java, &indexes, &["--index-sanity-check"]);
    // an offset index has no entry before the first 4 KiB
    let empty = indexes.iter().filter(|file| file.extension().is_some_and(|e| e == "index") && is_empty(file)).count();
    let passed = sane.lines().filter(|line| line.ends_with("passed sanity check.")).count();
    assert_eq!((passed, sane.matches(" is empty.").count()), (indexes.len() - empty, empty), "{sane}");
    dump(java, &indexes, &["--verify-index-only"]);
    let snapshots = of_kind(&topics, "snapshot");
    let producers = dump(java, &snapshots, &[]);
    assert!(producers.contains("producerId: "), "a producer snapshot holds producers:\n{producers}");
    let of_groups: Vec<PathBuf> = of_kind(&topics, "log").into_iter().filter(|file| is_of_groups(file)).collect();
    let remembered = dump(java, &of_groups, &["--offsets-decoder"]);
    for kind in RECORDS_OF_GROUPS {
        assert!(remembered.contains(kind), "the logs of groups hold {kind}");
    }
    let records = dump(java, &of_kind(&metadata, "log"), &["--cluster-metadata-decoder"]);
    for kind in ["FEATURE_LEVEL_RECORD", "REGISTER_BROKER_RECORD", "TOPIC_RECORD", "PARTITION_RECORD", "CONFIG_RECORD"]
    {
        assert!(records.contains(kind), "the metadata log holds a {kind}");
    }
    for file in of_kind(&metadata, "checkpoint").iter().filter(|file| !file.ends_with("leader-epoch-checkpoint")) {
        dump(java, std::slice::from_ref(file), &["--cluster-metadata-decoder"]);
    }
}

/// What the tool says of some files, none of it a complaint.
fn dump(java: Java, files: &[PathBuf], options: &[&str]) -> String {
    assert!(!files.is_empty(), "no files for {options:?}");
    let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let done = run(java.tool(DUMP).args(options).args(["--files", &list.join(",")]), Duration::from_secs(120));
    let said = done.both();
    let mut lines = said.lines().peekable();
    let complaints = ["ismatch", "Non-consecutive", "xception", "ERROR", "nvalid", "orrupt", "not found", "rror"];
    while let Some(line) = lines.next() {
        // with --deep-iteration the tool takes every segment that does not begin at 0 for a gap after -1
        let of_the_tool = line.starts_with("Non-consecutive")
            && lines.peek().is_some_and(|next| next.trim_start().starts_with("-1 is followed by"));
        if of_the_tool {
            continue;
        }
        let complaint = complaints.iter().find(|word| line.contains(**word) && !line.contains("payload"));
        assert_eq!(complaint, None, "kafka-dump-log {options:?} says: {line}");
    }
    done.out()
}

/// All files below a folder, sorted; deleted topics' are left out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("list a folder") {
        let path = entry.expect("list a folder").path();
        if path.is_dir() {
            if !path.to_string_lossy().ends_with("-delete") {
                found.extend(files(&path));
            }
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn is_empty(file: &Path) -> bool {
    file.metadata().expect("length of a file").len() == 0
}

fn is_of_groups(segment: &Path) -> bool {
    segment.to_string_lossy().contains("/__consumer_offsets-") && !is_empty(segment)
}

fn of_kind(files: &[PathBuf], extension: &str) -> Vec<PathBuf> {
    files.iter().filter(|file| file.extension().is_some_and(|e| e == extension)).cloned().collect()
}

/// Every entry names the last offset and the position of a batch, and lies more than 4 KiB after the one before it, but
/// not further than two batches more; so does the end of the segment.
fn check_index(segment: &Path) {
    let base: i64 = segment.file_stem().and_then(|name| name.to_str()?.parse().ok()).expect("a segment's name");
    let (batches, longest, end) = batches(&std::fs::read(segment).expect("read a segment"));
    let index = std::fs::read(segment.with_extension("index")).expect("read an index");
    let word = |bytes: &[u8]| i64::from(i32::from_be_bytes(bytes.try_into().expect("four bytes")));
    let mut before = 0;
    assert!(!index.is_empty() && index.len().is_multiple_of(8), "{segment:?}: an index of {} bytes", index.len());
    for entry in index.chunks(8) {
        let (offset, position) = (base + word(&entry[..4]), word(&entry[4..]));
        assert_eq!(batches.get(&position), Some(&offset), "{segment:?}: entry {offset} at {position}");
        let gap = position - before;
        assert!((4096 < gap + longest) && gap <= 4096 + 2 * longest, "{segment:?}: {gap} bytes before {position}");
        before = position;
    }
    assert!(end - before <= 4096 + 2 * longest, "{segment:?}: {} bytes after the last entry", end - before);
}

/// The last offset of each batch by its position, the length of the longest batch, and of them all.
fn batches(bytes: &[u8]) -> (BTreeMap<i64, i64>, i64, i64) {
    let at = |position: usize, count: usize| bytes.get(position..position + count).expect("a whole batch header");
    let (mut found, mut longest, mut position) = (BTreeMap::new(), 0, 0);
    while position < bytes.len() {
        let base = i64::from_be_bytes(at(position, 8).try_into().expect("eight bytes"));
        let length = 12 + i32::from_be_bytes(at(position + 8, 4).try_into().expect("four bytes"));
        let last = i32::from_be_bytes(at(position + 23, 4).try_into().expect("four bytes"));
        found.insert(i64::try_from(position).expect("a position"), base + i64::from(last));
        longest = longest.max(i64::from(length));
        position += usize::try_from(length).expect("a length");
    }
    (found, longest, i64::try_from(position).expect("a position"))
}
