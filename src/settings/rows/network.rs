//! Broker keys of listeners, connections and requests.

use crate::settings::row::Kind::{Class, Int, List, Long, String};
use crate::settings::row::Preset::{Is, Null, Required};
use crate::settings::row::Valid::{AtLeast, FilledListOf};
use crate::settings::row::{Row, broker};
use crate::settings::rows::{ADDRESS_LIMITS, ONE_NODE, PURGATORY, QUEUES, QUOTAS, SECURITY, SOCKET_OPTIONS, THREADS};

pub(super) static ROWS: &[Row] = &[
    broker("advertised.listeners", List, Null)
        .valid(FilledListOf(&[]))
        .doc("What clients are told to connect to, by listener name. Not set: the address each client connected to."),
    broker("background.threads", Int, Is("10")).dynamic().valid(AtLeast(1)).meaningless(THREADS),
    broker("broker.id", Int, Is("-1")).doc("Older name of node.id; used when node.id is not set. -1: not set."),
    broker("broker.rack", String, Null).doc("Rack of this node, told to clients."),
    broker("client.quota.callback.class", Class, Null).later(QUOTAS),
    broker("connections.max.idle.ms", Long, Is("600000"))
        .doc("A connection is closed when nothing was read from it for so long."),
    broker("controller.quota.window.num", Int, Is("11")).valid(AtLeast(1)).later(QUOTAS),
    broker("controller.quota.window.size.seconds", Int, Is("1")).valid(AtLeast(1)).later(QUOTAS),
    broker("delete.records.purgatory.purge.interval.requests", Int, Is("1")).meaningless(PURGATORY),
    broker("early.start.listeners", List, Null).later(SECURITY),
    broker("fetch.purgatory.purge.interval.requests", Int, Is("1000")).meaningless(PURGATORY),
    broker("inter.broker.listener.name", String, Null)
        .doc("A listener name that has to exist; with one node nothing else follows from it."),
    broker("listener.security.protocol.map", String, Is("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"))
        .dynamic()
        .doc("The security protocol of each listener name: NAME:PROTOCOL, comma separated."),
    broker("listeners", List, Is("PLAINTEXT://:9092"))
        .dynamic()
        .valid(FilledListOf(&[]))
        .ours(Is("PLAINTEXT://localhost:9092"), "without authentication only this machine can connect; name a host to open it")
        .doc("Where clients connect: NAME://HOST:PORT, comma separated. localhost is both loopbacks, an empty host every interface, port 0 a free port."),
    broker("max.connection.creation.rate", Int, Is("2147483647"))
        .dynamic()
        .valid(AtLeast(0))
        .ours(Is("2000"), "a flood of new connections must not take the processor from those that are there")
        .doc("Connections accepted in a second; the others wait, up to a second's worth at once. 0 counts as 1."),
    broker("max.connections", Int, Is("2147483647"))
        .dynamic()
        .valid(AtLeast(0))
        .ours(Is("50000"), "bounded memory")
        .doc("Connections of the whole broker, and no more than three quarters of the files it may open. Those past it wait."),
    broker("max.connections.per.ip", Int, Is("2147483647"))
        .dynamic()
        .valid(AtLeast(0))
        .ours(Is("20000"), "one address must not take all connections")
        .doc("Connections from one address. Those past it are closed."),
    broker("max.connections.per.ip.overrides", String, Is(""))
        .dynamic().later(ADDRESS_LIMITS),
    broker("max.incremental.fetch.session.cache.slots", Int, Is("1000"))
        .valid(AtLeast(0))
        .doc("Fetch sessions that are remembered (KIP-227)."),
    broker("max.request.partition.size.limit", Int, Is("2000"))
        .valid(AtLeast(1))
        .doc("Partitions in one DescribeTopicPartitions response."),
    broker("node.id", Int, Required)
        .valid(AtLeast(0))
        .ours(Is("1"), "one node needs no setting")
        .doc("Identity of this node, in the metadata and to clients."),
    broker("num.io.threads", Int, Is("8")).dynamic().valid(AtLeast(1)).meaningless(THREADS),
    broker("num.network.threads", Int, Is("3")).dynamic().valid(AtLeast(1)).meaningless(THREADS),
    broker("producer.purgatory.purge.interval.requests", Int, Is("1000")).meaningless(PURGATORY),
    broker("queued.max.request.bytes", Long, Is("-1"))
        .ours(Is("268435456"), "bounded memory")
        .doc("Memory of the requests being received and executed, of those above 64 KiB; no less than socket.request.max.bytes. Past it connections are not read, but for one at a time. -1: without a bound."),
    broker("queued.max.requests", Int, Is("500")).valid(AtLeast(1)).meaningless(QUEUES),
    broker("quota.window.num", Int, Is("11")).valid(AtLeast(1)).later(QUOTAS),
    broker("quota.window.size.seconds", Int, Is("1")).valid(AtLeast(1)).later(QUOTAS),
    broker("request.timeout.ms", Int, Is("30000")).meaningless(ONE_NODE),
    broker("socket.connection.setup.timeout.max.ms", Long, Is("30000")).meaningless(ONE_NODE),
    broker("socket.connection.setup.timeout.ms", Long, Is("10000")).meaningless(ONE_NODE),
    broker("socket.listen.backlog.size", Int, Is("50"))
        .valid(AtLeast(1)).later(SOCKET_OPTIONS),
    broker("socket.receive.buffer.bytes", Int, Is("102400")).later(SOCKET_OPTIONS),
    broker("socket.request.max.bytes", Int, Is("104857600")).valid(AtLeast(1)).doc("Largest request that is read."),
    broker("socket.send.buffer.bytes", Int, Is("102400")).later(SOCKET_OPTIONS),
];
