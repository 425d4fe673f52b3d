//! The few requests the load generator sends and the ceiling broker answers, encoded by hand.
//!
//! One version of each, so that the generator costs nothing to speak of and needs no module of the broker it
//! measures: CreateTopics 7, Metadata 12, Produce 13, Fetch 17, all in the flexible encoding (KIP-482).

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use crate::Fallible;

pub const PRODUCE: i16 = 0;
pub const FETCH: i16 = 1;
pub const LIST_OFFSETS: i16 = 2;
pub const METADATA: i16 = 3;
pub const API_VERSIONS: i16 = 18;
pub const CREATE_TOPICS: i16 = 19;
pub const INIT_PRODUCER_ID: i16 = 22;

/// A topic id as it stands in requests.
pub type TopicId = [u8; 16];

/// Appends Kafka's primitives to a buffer.
#[derive(Default)]
pub struct Encoder {
    pub bytes: Vec<u8>,
}

impl Encoder {
    /// A request frame whose size is filled in by `finish`.
    pub fn request(key: i16, version: i16, correlation: i32) -> Encoder {
        let mut to = Encoder { bytes: vec![0; 4] };
        to.i16(key).i16(version).i32(correlation).i16(5).raw(b"bench").tags();
        to
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub fn i8(&mut self, value: i8) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub fn i16(&mut self, value: i16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub fn i32(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// An unsigned varint.
    pub fn uvarint(&mut self, mut value: usize) -> &mut Self {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
        self
    }

    /// The length of a compact array, string or bytes field that is not null.
    pub fn length(&mut self, length: usize) -> &mut Self {
        self.uvarint(length + 1)
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.length(text.len()).raw(text.as_bytes())
    }

    /// A null in the compact encoding.
    pub fn null(&mut self) -> &mut Self {
        self.uvarint(0)
    }

    /// No tagged fields.
    pub fn tags(&mut self) -> &mut Self {
        self.uvarint(0)
    }

    /// Fills in the size before the frame that starts at `at`, of which `more` bytes follow outside this buffer.
    pub fn close(&mut self, at: usize, more: usize) {
        let size = (self.bytes.len() - at - 4 + more) as u32;
        self.bytes[at..at + 4].copy_from_slice(&size.to_be_bytes());
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.close(0, 0);
        self.bytes
    }
}

/// Reads Kafka's primitives; every method fails at the end of the bytes.
pub struct Decoder<'a> {
    pub rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub fn new(rest: &'a [u8]) -> Decoder<'a> {
        Decoder { rest }
    }

    pub fn take(&mut self, length: usize) -> Fallible<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(length).ok_or("the message ends early")?;
        self.rest = tail;
        Ok(head)
    }

    pub fn array<const N: usize>(&mut self) -> Fallible<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    pub fn i8(&mut self) -> Fallible<i8> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub fn i16(&mut self) -> Fallible<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub fn i32(&mut self) -> Fallible<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Fallible<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub fn uvarint(&mut self) -> Fallible<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.array::<1>()?[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a varint is too long".into())
    }

    /// The length of a compact field; null counts as empty.
    pub fn length(&mut self) -> Fallible<usize> {
        Ok(self.uvarint()?.saturating_sub(1))
    }

    pub fn text(&mut self) -> Fallible<&'a str> {
        let length = self.length()?;
        Ok(std::str::from_utf8(self.take(length)?)?)
    }

    pub fn tags(&mut self) -> Fallible<()> {
        for _ in 0..self.uvarint()? {
            self.uvarint()?;
            let length = self.uvarint()?;
            self.take(length)?;
        }
        Ok(())
    }
}

/// Where a request has its correlation id, with the size counted.
const CORRELATION_AT: usize = 8;
/// Where a request of `produce` has its partition: behind the header, acks, timeout and topic.
const PARTITION_AT: usize = 20 + 7 + 18;

/// One Produce request around one batch.
pub fn produce(topic: &TopicId, partition: i32, acks: i16, correlation: i32, batch: &[u8]) -> Vec<u8> {
    let mut to = Encoder::request(PRODUCE, 13, correlation);
    to.null().i16(acks).i32(30_000).length(1).raw(topic).length(1);
    debug_assert_eq!(to.bytes.len(), PARTITION_AT, "`address` writes elsewhere");
    to.i32(partition).length(batch.len()).raw(batch).tags().tags().tags();
    to.finish()
}

/// Gives a request of `produce` another correlation id and partition.
pub fn address(request: &mut [u8], correlation: i32, partition: i32) {
    for (at, value) in [(CORRELATION_AT, correlation), (PARTITION_AT, partition)] {
        request[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
}

/// What is to be fetched of one partition.
pub struct Fetch {
    pub topic: TopicId,
    pub partition: i32,
    pub offset: i64,
    pub max_wait_ms: i32,
    pub max_bytes: i32,
}

/// One Fetch request without a session, for at least one byte.
pub fn fetch(fetch: &Fetch) -> Vec<u8> {
    let mut to = Encoder::request(FETCH, 17, 0);
    to.i32(fetch.max_wait_ms).i32(1).i32(fetch.max_bytes).i8(0).i32(0).i32(-1);
    to.length(1).raw(&fetch.topic).length(1).i32(fetch.partition).i32(-1).i64(fetch.offset).i32(-1).i64(-1);
    to.i32(fetch.max_bytes).tags().tags().length(0).text("").tags();
    to.finish()
}

/// The base offset of a Produce response (without its size), or its error.
pub fn produced(response: &[u8]) -> Fallible<i64> {
    let mut from = Decoder::new(response);
    from.i32()?;
    from.tags()?;
    if from.length()? != 1 {
        return Err("a produce response without its topic".into());
    }
    from.take(16)?;
    from.length()?;
    from.i32()?;
    match from.i16()? {
        0 => from.i64(),
        error => Err(format!("produce answered error {error}").into()),
    }
}

/// The records of a Fetch response (without its size), or its error.
pub fn fetched(response: &[u8]) -> Fallible<&[u8]> {
    let mut from = Decoder::new(response);
    from.i32()?;
    from.tags()?;
    from.i32()?;
    let error = from.i16()?;
    from.i32()?;
    if error != 0 || from.length()? != 1 {
        return Err(format!("fetch answered error {error}").into());
    }
    from.take(16)?;
    from.length()?;
    Ok(fetched_partition(&mut from)?.1)
}

/// The next partition of a Fetch response: its index and records, or its error.
pub fn fetched_partition<'a>(from: &mut Decoder<'a>) -> Fallible<(usize, &'a [u8])> {
    let index = from.i32()?;
    let error = from.i16()?;
    if error != 0 {
        return Err(format!("fetch answered error {error} for partition {index}").into());
    }
    from.take(24)?;
    for _ in 0..from.length()? {
        from.take(16)?;
        from.tags()?;
    }
    from.i32()?;
    let length = from.length()?;
    let records = from.take(length)?;
    from.tags()?;
    Ok((usize::try_from(index)?, records))
}

/// A blocking connection that sends one request at a time.
pub struct Connection {
    pub stream: TcpStream,
}

impl Connection {
    pub fn open(port: u16) -> Fallible<Connection> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream })
    }

    /// Sends `request` and reads the response, without its size, into `response`, whose memory it keeps.
    pub fn call<'a>(&mut self, request: &[u8], response: &'a mut Vec<u8>) -> Fallible<&'a [u8]> {
        self.stream.write_all(request)?;
        self.receive(response)
    }

    /// Reads one response.
    pub fn receive<'a>(&mut self, response: &'a mut Vec<u8>) -> Fallible<&'a [u8]> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let size = u32::from_be_bytes(size) as usize;
        if size > 256 << 20 {
            return Err("a response of more than 256 MiB".into());
        }
        if response.len() < size {
            response.resize(size, 0);
        }
        let response = &mut response[..size];
        self.stream.read_exact(response)?;
        Ok(response)
    }

    /// The same, but looks for the answer again and again without sleeping: waking a sleeper is charged to the broker, as often
    /// as pieces of a large answer arrive, and costs a virtual machine more than the data.
    pub fn call_awake<'a>(&mut self, request: &[u8], response: &'a mut Vec<u8>) -> Fallible<&'a [u8]> {
        self.stream.write_all(request)?;
        self.stream.set_nonblocking(true)?;
        let mut size = [0; 4];
        self.read_awake(&mut size)?;
        let size = u32::from_be_bytes(size) as usize;
        if response.len() < size {
            response.resize(size, 0);
        }
        self.read_awake(&mut response[..size])?;
        self.stream.set_nonblocking(false)?;
        Ok(&response[..size])
    }

    fn read_awake(&mut self, mut to: &mut [u8]) -> Fallible<()> {
        while !to.is_empty() {
            match self.stream.read(to) {
                Ok(0) => return Err("the broker has closed the connection".into()),
                Ok(count) => to = &mut to[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// How many brokers Metadata names; above zero means ready.
    pub fn brokers(&mut self) -> Fallible<usize> {
        let mut to = Encoder::request(METADATA, 12, 0);
        to.length(0).i8(0).i8(0).tags();
        let mut response = Vec::new();
        let mut from = Decoder::new(self.call(&to.finish(), &mut response)?);
        from.i32()?;
        from.tags()?;
        from.i32()?;
        from.length()
    }

    /// Creates a topic and waits until every partition has a leader.
    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Fallible<TopicId> {
        let mut to = Encoder::request(CREATE_TOPICS, 7, 0);
        to.length(1).text(name).i32(partitions).i16(1).length(0).length(configs.len());
        for (key, value) in configs {
            to.text(key).text(value).tags();
        }
        to.tags().i32(120_000).i8(0).tags();
        let mut response = Vec::new();
        let mut from = Decoder::new(self.call(&to.finish(), &mut response)?);
        from.i32()?;
        from.tags()?;
        from.i32()?;
        from.length()?;
        from.text()?;
        from.take(16)?;
        let error = from.i16()?;
        if error != 0 {
            return Err(format!("topic {name} is not created: error {error}").into());
        }
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            if let Some(id) = self.topic_with_leaders(name, partitions)?
                && self.partitions_led(name, partitions)? == partitions
            {
                return Ok(id);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("topic {name} has no leaders after two minutes").into())
    }

    /// How many partitions answer ListOffsets: Kafka names a leader before the leader knows.
    pub fn partitions_led(&mut self, name: &str, partitions: i32) -> Fallible<i32> {
        let mut to = Encoder::request(LIST_OFFSETS, 7, 0);
        to.i32(-1).i8(0).length(1).text(name).length(partitions as usize);
        for index in 0..partitions {
            to.i32(index).i32(-1).i64(-1).tags();
        }
        to.tags().tags();
        let mut response = Vec::new();
        let mut from = Decoder::new(self.call(&to.finish(), &mut response)?);
        from.i32()?;
        from.tags()?;
        from.i32()?;
        from.length()?;
        from.text()?;
        let mut led = 0;
        for _ in 0..from.length()? {
            from.i32()?;
            led += i32::from(from.i16()? == 0);
            from.take(20)?;
            from.tags()?;
        }
        Ok(led)
    }

    fn topic_with_leaders(&mut self, name: &str, partitions: i32) -> Fallible<Option<TopicId>> {
        let mut to = Encoder::request(METADATA, 12, 0);
        to.length(1).raw(&[0; 16]).text(name).tags().i8(0).i8(0).tags();
        let mut response = Vec::new();
        let mut from = Decoder::new(self.call(&to.finish(), &mut response)?);
        from.i32()?;
        from.tags()?;
        from.i32()?;
        for _ in 0..from.length()? {
            from.i32()?;
            from.text()?;
            from.i32()?;
            from.text()?;
            from.tags()?;
        }
        from.text()?;
        from.i32()?;
        from.length()?;
        let error = from.i16()?;
        from.text()?;
        let id = from.array()?;
        from.i8()?;
        let mut led = 0;
        for _ in 0..from.length()? {
            let error = from.i16()?;
            from.i32()?;
            let leader = from.i32()?;
            from.i32()?;
            for _ in 0..3 {
                let nodes = from.length()?;
                from.take(4 * nodes)?;
            }
            from.tags()?;
            led += i32::from(error == 0 && leader >= 0);
        }
        Ok((error == 0 && led == partitions).then_some(id))
    }
}
