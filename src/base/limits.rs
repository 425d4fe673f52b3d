//! Every hard bound of the house: value, unit, reason. A bound that Kafka lets its operator choose is in `settings`.

use std::time::Duration;

/// Elements of one array in a request. Kafka 4.4 refuses more before allocating.
pub const ARRAY_ELEMENTS_MAX: usize = 1_000_000;

/// Tagged fields of one struct. Kafka 4.4 refuses more.
pub const TAGGED_FIELDS_MAX: usize = 10_000;

/// First buffer of a connection, and the step in which a frame's buffer grows: an announced length costs nothing.
pub const READ_STEP_BYTES: usize = 64 * 1024;

/// Largest buffer that a connection reads into before it knows how long the frame is: a producer of 1 MB batches fills it
/// again and again, and its batches are not moved.
pub const READ_STEP_BYTES_MAX: usize = 1024 * 1024 + READ_STEP_BYTES;

/// Resources that one DescribeConfigs answers: each is some ten kilobytes of memory for a dozen bytes of request.
pub const DESCRIBED_RESOURCES_MAX: usize = 10_000;

/// What a connection reads into before it has brought a whole request: thousands that never do hold no more.
pub const FIRST_READ_BYTES: usize = 4 * 1024;

/// Bytes that the system holds for a peer that it has not sent yet. Without a bound it is megabytes for each that does not read, and
/// the memory of all sockets is what a thousand of them take: then everybody's packets are dropped.
pub const UNSENT_BYTES: u32 = 256 * 1024;

/// The bytes of a record batch's header (magic 2).
pub const BATCH_HEADER_BYTES: usize = 61;

/// Window of a stream that is decompressed to be validated. Memory of one validation is a small multiple of it.
pub const DECOMPRESSION_WINDOW_BYTES: usize = 64 * 1024;

/// All records of one compressed batch, decompressed: a second of work at most. A batch of the default largest size may be packed
/// 256 to 1, more than what is not constant ever is.
pub const BATCH_DECOMPRESSED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a produce request's compressed batches may come to while they are judged in place. Past it the request goes to the threads
/// for heavy work: a millisecond of work, and no honest batch of so few bytes comes to more.
pub const DECOMPRESSED_IN_PLACE_BYTES_MAX: usize = 1024 * 1024;

/// Compressed bytes of a produce request that are judged in place; more go to the threads for heavy work.
pub const COMPRESSED_IN_PLACE_BYTES_MAX: usize = 128 * 1024;

/// A produce request that is judged in place; larger ones go to the threads for heavy work. A producer's largest is 1 MB if
/// nobody changed it.
pub const PRODUCE_IN_PLACE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Any other request that is executed in place. A few thousand names, and some milliseconds of work.
pub const REQUEST_IN_PLACE_BYTES_MAX: usize = 64 * 1024;

/// Requests of one connection that are executed before others get their turn: some fifty microseconds.
pub const REQUESTS_IN_A_ROW: u32 = 32;

/// The same of requests that take longer; the clock is looked at after so many.
pub const TIME_IN_A_ROW: Duration = Duration::from_micros(500);
pub const REQUESTS_BETWEEN_LOOKS: u32 = 4;

/// Topics that one Metadata makes; the rest is unknown as yet, and the client asks again. Each is a folder and a sync.
pub const TOPICS_MADE_BY_METADATA_MAX: usize = 100;

/// Bytes that a frame must bring in `klamm.request.progress.ms`, unless it is whole by then.
pub const FRAME_PROGRESS_BYTES: u64 = 4096;

/// While others wait for memory, a connection must fill this part of what it holds in each quarter of a second, and so many bytes
/// at least.
pub const FRAME_PROGRESS_WHEN_SHORT: usize = 128;
pub const FRAME_PROGRESS_WHEN_SHORT_BYTES: usize = 4 * 1024;

/// Small regions of files that are read and sent at once with the bytes around them. Nothing of it is kept if the peer takes none.
pub const REGIONS_READ_BYTES_MAX: usize = 128 * 1024;

/// Largest zstd window accepted: 2^23 = 8 MiB, the most that a decoder must support (RFC 8878).
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// A zstd context up to this size is kept by its thread for the next batch: one of a client's default level has a window of 2 MiB.
pub const ZSTD_CONTEXT_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The most that snappy can expand: a copy element of three bytes stands for at most 64. A block that claims more is a lie.
pub const SNAPPY_RATIO_MAX: usize = 22;

/// Faulty records of one batch that an answer names. The rest of a refused batch is refused without a line of its own.
pub const RECORD_ERRORS_MAX: usize = 1000;

/// Batches remembered for each producer and partition (KIP-98); a resend of one of them is recognised.
pub const PRODUCER_BATCHES_REMEMBERED: usize = 5;

/// Batch headers read backwards in search of an older resend before it is called out of order.
pub const PRODUCER_BACKWARD_SCAN_BATCHES: usize = 1024;

/// Open files that no connection takes: for segments to be rolled, read and synced amid a flood of connections. A quarter of
/// what the process may open, and this at most.
pub const FILES_RESERVED_MAX: u64 = 1024;

/// Threads that do nothing but sync files.
pub const SYNC_THREADS: usize = 16;

/// Rolled segments of one log whose indexes are written while its next syncs go on; with more of them the syncs wait.
pub const UNSEALED_SEGMENTS_MAX: usize = 16;

/// Threads for everything else that blocks: recovery, cold reads, deletes.
pub const BLOCKING_THREADS: usize = 4;

/// Threads of low priority that read for consumers what is not in memory, and so the most such reads at a time.
pub const COLD_READ_THREADS: usize = 4;

/// How many times as much is asked of the disk behind a cold read: a consumer that reads on finds it there.
pub const COLD_READ_AHEAD: usize = 3;

/// Open files that the system's table of them has places for from the start: 256 KiB of the system's memory.
pub const FILES_EXPECTED: u64 = 32 * 1024;

/// An append slower than this sends the next one of its log through `block_in_place`.
pub const APPEND_SLOW_MS: u64 = 5;

/// Sealed index files mapped at once. Bounds the map areas taken from the kernel's 65,530.
pub const MAPPED_INDEXES_MAX: usize = 4096;

/// Sealed segments that keep their file open and their two indexes loaded; fewer where few files may be open. Past it the longest kept one is closed.
pub const WARM_SEGMENTS_MAX: usize = 1024;

/// The parts of the files that the process may open which active and sealed segments may have open when nobody else needs them:
/// one file of so many. The rest is for connections, and for what is opened to be synced or written once.
pub const ACTIVE_FILES_OF_LIMIT: u64 = 2;
pub const WARM_FILES_OF_LIMIT: u64 = 8;

/// One log in so many files that the process may open is recovered at a time: each has three open meanwhile, and active segments
/// have theirs besides.
pub const FILES_OF_A_RECOVERY: u64 = 32;

/// Active segments with an open file in a process that did not say what it may open: tests.
pub const ACTIVE_FILES_DEFAULT: usize = 512;

/// Files of logs that are closed at once when the process may open no more.
pub const FILES_GIVEN_BACK: usize = 64;

/// Segments of one log that one pass of retention removes: its lock is held while their files are renamed.
pub const SEGMENTS_REMOVED_AT_ONCE: usize = 64;

/// Newest batches of an active segment whose positions are remembered, so that a reader at the tail needs no search.
pub const BATCHES_REMEMBERED_PER_SEGMENT: usize = 32;

/// A segment gets space ahead of its writes from this size on: small logs stay small.
pub const RESERVE_FROM_BYTES: u64 = 1024 * 1024;

/// Space reserved at once, twice as much by a sync. Lost at most once per log by a kill, until its segment is closed.
pub const RESERVE_STEP_BYTES: u64 = 16 * 1024 * 1024;

/// Room kept back on the disk for starts, stops and deletions while it is full: this part of the disk, and so many bytes at most.
/// A partition's part in a stop is five files of a block.
pub const RESERVE_OF_DISK: u64 = 64;
pub const RESERVE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Quarantine files of one segment; past it a start is refused rather than bytes lost.
pub const QUARANTINE_FILES_MAX: u32 = 1000;

const _: () = assert!(2 * WARM_SEGMENTS_MAX <= MAPPED_INDEXES_MAX);
/// Largest configuration file that is read; the longest useful one has some 30 KiB.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Groups that one partition of `__consumer_offsets` keeps in memory: what a client that invents group ids can take is bounded.
/// An honest broker has a few hundred in all.
pub const GROUPS_PER_PARTITION_MAX: usize = 20_000;

/// What one group's record, or one commit, may take in the log. Kafka's bound is `max.message.bytes`, 1 MiB; far beyond this one
/// an append would be refused by the log and disturb the other groups of the partition.
pub const GROUP_RECORDS_BYTES_MAX: usize = 16 << 20;

const _: () = assert!(BATCH_HEADER_BYTES < DECOMPRESSION_WINDOW_BYTES);
const _: () = assert!(READ_STEP_BYTES.is_power_of_two());
