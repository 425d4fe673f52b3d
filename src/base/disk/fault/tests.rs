//! What the simulated disk promises to the tests that trust it.

use std::io::IoSlice;
use std::path::Path;

use super::*;
use crate::base::disk::is_no_space;

const FOLDER: &str = "/data";

fn disk() -> FaultDisk {
    FaultDisk::new().with_folder(Path::new(FOLDER))
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new(FOLDER).join(name)
}

fn write(file: &Arc<dyn DiskFile>, position: u64, bytes: &[u8]) -> io::Result<()> {
    let (left, right) = bytes.split_at(bytes.len() / 3);
    file.write_all_at(&[IoSlice::new(left), IoSlice::new(right)], position)
}

/// A file whose name and content are durable.
fn durable_file(disk: &FaultDisk, name: &str, bytes: &[u8]) -> Arc<dyn DiskFile> {
    let file = disk.open(&path(name), Open::CreateNew).unwrap();
    write(&file, 0, bytes).unwrap();
    file.sync().unwrap();
    disk.sync_folder(Path::new(FOLDER)).unwrap();
    file
}

fn names(disk: &FaultDisk) -> Vec<String> {
    disk.list(Path::new(FOLDER)).unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn it_behaves_as_the_real_file_system_while_nothing_fails() {
    let folder = tempfile::tempdir().unwrap();
    let simulated = FaultDisk::new().with_folder(folder.path());
    simulated.set_read_max(Some(1000));
    let both: [Arc<dyn Disk>; 2] = [simulated.shared(), super::super::RealDisk::shared()];
    let mut dice = Dice::new(7);
    for step in 0..2000 {
        let name = folder.path().join(format!("f{}", dice.below(4)));
        let other = folder.path().join(format!("f{}", dice.below(4)));
        let (choice, how, position) = (dice.below(8), dice.below(5), dice.below(20_000) as u64);
        let bytes = vec![dice.throw() as u8; dice.below(9000)];
        let answers = both.each_ref().map(|disk| {
            let how = [Open::Read, Open::Write, Open::Create, Open::CreateNew, Open::Truncate][how];
            let outcome: io::Result<Vec<u8>> = match choice {
                0 | 1 => disk.open(&name, Open::Create).and_then(|f| write(&f, position, &bytes)).map(|()| vec![]),
                2 => disk.open(&name, Open::Write).and_then(|f| f.set_length(position)).map(|()| vec![]),
                3 => disk.open(&name, how).map(|_| vec![]),
                4 => disk.rename(&name, &other).map(|()| vec![]),
                5 => disk.remove_file(&name).map(|()| vec![]),
                6 => disk.open(&name, Open::Read).and_then(|f| f.sync()).map(|()| vec![]),
                _ => disk.replace(&name, &bytes).map(|()| vec![]),
            };
            let mut listed = disk.list(folder.path()).unwrap();
            listed.sort_by(|a, b| a.name.cmp(&b.name));
            (outcome.map_err(|error| error.kind()), disk.read(&name).ok(), disk.length(&name).unwrap(), listed)
        });
        assert!(answers[0] == answers[1], "step {step}: choice {choice} on {name:?}");
    }
}

#[test]
fn what_was_not_synced_is_gone_after_a_harsh_crash_and_there_after_a_kill() {
    let disk = disk();
    let file = durable_file(&disk, "log", b"durable");
    write(&file, 7, b" and not").unwrap();
    disk.open(&path("new"), Open::CreateNew).unwrap().sync().unwrap();
    let harsh = disk.crash(&Cut::HARSH, 0);
    assert_eq!(harsh.read(&path("log")).unwrap(), b"durable");
    assert_eq!(names(&harsh), ["log"], "a synced file without a synced folder has no name");
    let kill = disk.crash(&Cut::KILL, 0);
    assert_eq!(kill.read(&path("log")).unwrap(), b"durable and not");
    assert_eq!(names(&kill), ["log", "new"]);
}

#[test]
fn a_synced_rename_keeps_old_or_new_and_an_unsynced_file_comes_empty() {
    let disk = disk();
    durable_file(&disk, "checkpoint", b"old");
    let beside = disk.open(&path("beside"), Open::CreateNew).unwrap();
    write(&beside, 0, b"new").unwrap();
    disk.rename(&path("beside"), &path("checkpoint")).unwrap();
    let names_only = Cut { writes: Kept::Nothing, names: Kept::Everything, tear_bytes: None };
    assert_eq!(disk.crash(&names_only, 0).read(&path("checkpoint")).unwrap(), b"", "renamed without a sync");
    assert_eq!(disk.crash(&Cut::HARSH, 0).read(&path("checkpoint")).unwrap(), b"old");
    beside.sync().unwrap();
    for seed in 0..32 {
        let cut = Cut { writes: Kept::Subset, names: Kept::Subset, tear_bytes: Some(512) };
        let content = disk.crash(&cut, seed).read(&path("checkpoint")).unwrap();
        assert!(content == b"old" || content == b"new", "{content:?}");
    }
}

#[test]
fn replace_leaves_the_old_or_the_new_content_at_every_operation() {
    let disk = disk();
    durable_file(&disk, "checkpoint", b"old");
    disk.keep_history();
    disk.replace(&path("checkpoint"), b"new").unwrap();
    let mut states = 0;
    for operation in disk.history() {
        let then = disk.before(operation);
        for (seed, cut) in (0..).zip(then.cuts(8)) {
            let content = then.crash(&cut, seed).read(&path("checkpoint")).unwrap();
            assert!(content == b"old" || content == b"new", "{cut:?} before operation {operation}: {content:?}");
            states += 1;
        }
    }
    assert!(states > 40, "{states}");
    assert_eq!(disk.crash(&Cut::HARSH, 0).read(&path("checkpoint")).unwrap(), b"new");
}

#[test]
fn torn_writes_keep_whole_sectors_and_length_is_apart_from_data() {
    let disk = disk();
    let file = durable_file(&disk, "log", &[1; 512]);
    write(&file, 512, &[2; 4 * 512]).unwrap();
    let (mut holes, mut lengths) = (0, std::collections::BTreeSet::new());
    for seed in 0..200 {
        let cut = Cut { writes: Kept::Subset, names: Kept::Everything, tear_bytes: Some(512) };
        let content = disk.crash(&cut, seed).read(&path("log")).unwrap();
        lengths.insert(content.len());
        assert!(content[..512].iter().all(|byte| *byte == 1), "durable data stays");
        for sector in content[512..].chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "half a sector");
            holes += usize::from(sector[0] == 0);
        }
    }
    assert!(holes > 50, "{holes}");
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [512, 5 * 512]);
}

#[test]
fn equal_seeds_give_equal_disks_and_a_crash_leaves_the_disk_alone() {
    let disk = disk();
    let file = durable_file(&disk, "log", &[1; 1000]);
    for index in 0..20 {
        write(&file, 1000 + index * 700, &[index as u8 + 2; 700]).unwrap();
    }
    let cut = Cut { writes: Kept::Subset, names: Kept::Subset, tear_bytes: Some(512) };
    let content = |seed| disk.crash(&cut, seed).read(&path("log")).unwrap();
    assert_eq!(content(3), content(3));
    assert_ne!(content(3), content(4));
    assert_eq!(disk.read(&path("log")).unwrap().len(), 15_000);
}

#[test]
fn a_failed_sync_loses_what_was_pending_for_good() {
    let disk = disk();
    let file = durable_file(&disk, "log", b"good");
    write(&file, 4, b" lost").unwrap();
    disk.fail_at(disk.operations(), Fault::Io);
    assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(5));
    file.sync().unwrap();
    assert_eq!(disk.read(&path("log")).unwrap(), b"good lost", "reads see the page cache");
    assert_eq!(disk.crash(&Cut::KILL, 0).read(&path("log")).unwrap(), b"good");
}

#[test]
fn the_operation_asked_for_fails_once() {
    let disk = disk();
    let file = durable_file(&disk, "log", b"");
    disk.fail_at(disk.operations() + 1, Fault::NoSpace);
    write(&file, 0, b"1111").unwrap();
    assert!(is_no_space(&write(&file, 4, b"2222").unwrap_err()));
    assert_eq!(disk.read(&path("log")).unwrap(), b"111122", "half of it arrived");
    write(&file, 4, b"3333").unwrap();
}

#[test]
fn after_the_stop_nothing_works_and_nothing_changes() {
    let disk = disk();
    let file = durable_file(&disk, "log", b"x");
    disk.fail_at(disk.operations(), Fault::Stop);
    write(&file, 1, b"y").unwrap_err();
    file.sync().unwrap_err();
    disk.read(&path("log")).unwrap_err();
    disk.sync_folder(Path::new(FOLDER)).unwrap_err();
    assert_eq!(disk.crash(&Cut::KILL, 0).read(&path("log")).unwrap(), b"x");
}

#[test]
fn a_full_disk_takes_what_fits_and_more_when_there_is_room() {
    let disk = disk();
    let file = durable_file(&disk, "log", b"0123456789");
    disk.set_capacity(Some(15));
    assert!(is_no_space(&write(&file, 10, b"abcdefgh").unwrap_err()));
    assert_eq!(disk.read(&path("log")).unwrap(), b"0123456789abcde");
    assert_eq!(disk.space(Path::new(FOLDER)).unwrap(), Space { total: 15, free: 0 });
    write(&file, 0, b"overwriting needs no room"[..10].as_ref()).unwrap();
    file.set_length(10).unwrap();
    write(&file, 10, b"abc").unwrap();
}

#[test]
fn open_files_outlive_their_names() {
    let disk = disk();
    let file = durable_file(&disk, "log", b"still here");
    disk.rename(&path("log"), &path("log.deleted")).unwrap();
    disk.remove_file(&path("log.deleted")).unwrap();
    let mut buffer = [0; 10];
    file.read_exact_at(&mut buffer, 0).unwrap();
    assert_eq!(&buffer, b"still here");
    assert_eq!(names(&disk), [""; 0]);
    assert_eq!(names(&disk.crash(&Cut::HARSH, 0)), ["log"], "the removal was not synced");
}

#[test]
fn a_removed_folder_comes_back_whole_or_in_part_until_its_parent_is_synced() {
    let disk = disk();
    disk.create_folder(&path("topic-0")).unwrap();
    let inner = disk.open(&path("topic-0/log"), Open::CreateNew).unwrap();
    inner.sync().unwrap();
    disk.sync_folder(&path("topic-0")).unwrap();
    disk.sync_folder(Path::new(FOLDER)).unwrap();
    disk.remove_folder(&path("topic-0")).unwrap();
    assert_eq!(names(&disk.crash(&Cut::HARSH, 0)), ["topic-0"]);
    let inner_gone = Cut { names: Kept::Only(0), ..Cut::HARSH };
    assert_eq!(disk.crash(&inner_gone, 0).list(&path("topic-0")).unwrap(), []);
    disk.sync_folder(Path::new(FOLDER)).unwrap();
    assert_eq!(names(&disk.crash(&Cut::HARSH, 0)), [""; 0]);
}

#[test]
fn history_gives_the_disk_before_each_operation() {
    let disk = disk();
    let file = durable_file(&disk, "log", b"");
    disk.keep_history();
    let first = disk.operations();
    for index in 0..5u64 {
        write(&file, index, b"x").unwrap();
    }
    assert_eq!(disk.history(), first..first + 5);
    for index in 0..=5u64 {
        assert_eq!(disk.before(first + index).length(&path("log")).unwrap(), Some(index));
    }
}
