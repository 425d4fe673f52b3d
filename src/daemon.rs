//! The order things start and stop in. Read it top to bottom; a stop is the same list upwards.
//!
//! Start: lock the data directory, look at it, take the clean-stop mark away, metadata, logs, jobs, listeners.
//! Stop: stop accepting, finish what was asked, jobs, logs, checkpoints, clean-stop mark, unlock.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::api::fetch::sessions::FetchSessions;
use crate::api::heavy::Heavy;
use crate::api::{Advertised, Broker, Complaints, Limits};
use crate::base::clock::{Clock, SystemClock};
use crate::base::disk::{self, Disk, Lock, RealDisk};
use crate::base::metrics::Metrics;
use crate::base::reserve::Reserve;
use crate::base::{limits, random};
use crate::config::exit::Exit;
use crate::coordinator::Groups;
use crate::jobs::{self, Owners};
use crate::log::{checkpoint, open_files};
use crate::meta::identity::{self, IdentityError};
use crate::meta::options::SNAPSHOT_AFTER_BYTES;
use crate::meta::{BootOptions, Endpoint, MetaError, Store};
use crate::server::listener::{Admission, Bounds, ConnectionBounds, Listener, accept_loop};
use crate::settings::{self, Bind, Settings};
use crate::topics::{Opened, Registry, RegistryOptions, TopicError};

/// Connections that wait in the kernel to be accepted.
const BACKLOG: u32 = 4096;

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Directory(#[from] IdentityError),
    #[error(transparent)]
    Metadata(MetaError),
    #[error(transparent)]
    Logs(#[from] TopicError),
    #[error("listener {name}: cannot bind {address}: {source}")]
    Address { name: String, address: String, source: io::Error },
    #[error("{doing} {}: {source}", .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl From<MetaError> for StartError {
    fn from(error: MetaError) -> StartError {
        match error {
            MetaError::Identity(error) => StartError::Directory(error),
            other => StartError::Metadata(other),
        }
    }
}

impl StartError {
    fn exit(&self) -> Exit {
        match self {
            StartError::Directory(_) | StartError::Metadata(MetaError::Damaged { .. }) => Exit::DataDirectory,
            StartError::Metadata(_) => Exit::Metadata,
            StartError::Address { .. } => Exit::Address,
            StartError::Logs(_) | StartError::Io { .. } => Exit::Failed,
        }
    }
}

/// A running broker.
pub struct Daemon {
    addresses: Vec<SocketAddr>,
    broker: Arc<Broker>,
    stop: watch::Sender<bool>,
    alive: mpsc::Receiver<()>,
    accepting: JoinSet<()>,
    jobs: JoinSet<()>,
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    /// Logs closed at once: a close waits for the disk, and the disk merges what waits together.
    closing_threads: usize,
    _lock: Lock,
}

impl Daemon {
    /// Starts a broker and returns when it serves. Opens logs on the calling thread.
    ///
    /// # Errors
    /// As `StartError` says. Nothing was written to a directory that is refused.
    pub async fn start(settings: Settings) -> Result<Daemon, StartError> {
        let clock = SystemClock::shared();
        let disk = RealDisk::shared();
        let settings = Arc::new(settings);
        let metrics = Arc::new(Metrics::default());
        let directory = settings.data_dir();
        let open_files_max = disk::raise_open_files();
        open_files::set_limit(open_files_max);

        let lock = identity::lock(disk.as_ref(), &directory, &expected(&settings))?;
        let sockets = bind_all(&settings)?;

        let reserve = Arc::new(Reserve::of(Arc::clone(&disk), &directory));
        reserve.make_room();
        let is_clean = checkpoint::has_clean_shutdown(disk.as_ref(), &directory)
            .map_err(at("read the clean-stop mark in", &directory))?;
        let store = open_metadata(&disk, &directory, &settings, &clock, &sockets, is_clean)?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).max(2);
        let sync_threads = usize::try_from(settings.int("durability.sync.threads")).unwrap_or(limits::SYNC_THREADS);
        let options = RegistryOptions {
            disk: Arc::clone(&disk),
            data_dir: directory.clone(),
            store: Arc::new(store),
            settings: Arc::clone(&settings),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
            random: Box::new(random::bytes),
            reserve: Arc::clone(&reserve),
            sync_threads,
        };
        // A recovery waits for the disk more than it reads, and the disk merges what waits together.
        let opening_threads =
            if is_clean { threads } else { threads.max(recovery_threads(sync_threads, open_files_max)) };
        let (registry, opened) = Registry::open(options, is_clean, opening_threads)?;
        say_opened(&opened, is_clean);
        let groups = Arc::new(Groups::new(Arc::clone(&registry), Arc::clone(&settings), Arc::clone(&clock)));
        let owners = Owners { registry, groups };
        let mut jobs = jobs::start(&owners, &settings);

        let broker = Arc::new(broker(&settings, owners, clock, metrics, &sockets));
        let (stop, stopping) = watch::channel(false);
        let (alive_sender, alive) = mpsc::channel(1);
        let admission = Admission::new(&bounds(&settings, open_files_max), connection_bounds(&broker.registry));
        let changes = broker.registry.config_changes();
        jobs.spawn(follow_bounds(Arc::clone(&broker.registry), changes, Arc::clone(&admission)));
        let mut accepting = JoinSet::new();
        let mut addresses = Vec::new();
        for bound in sockets {
            addresses.push(bound.address);
            let socket =
                bound.socket.listen(BACKLOG).map_err(|source| bound_error(&bound.name, bound.address, source))?;
            let listener = Listener { name: bound.name, socket };
            let (broker, admission) = (Arc::clone(&broker), Arc::clone(&admission));
            accepting.spawn(accept_loop(listener, broker, admission, stopping.clone(), alive_sender.clone()));
        }
        tokio::task::spawn_blocking(move || reserve.fill());
        let closing_threads = sync_threads.max(threads);
        Ok(Daemon { addresses, broker, stop, alive, accepting, jobs, disk, directory, closing_threads, _lock: lock })
    }

    /// The bound addresses, in the order of the listeners.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Stops cleanly: what was asked is answered, everything is durable, the mark says so. False if the mark could not be
    /// written: the next start then recovers.
    pub async fn stop(mut self) -> bool {
        self.broker.stopping.store(true, Ordering::Relaxed);
        self.stop.send_replace(true);
        let registry = Arc::clone(&self.broker.registry);
        self.broker.groups.end();
        registry.wake_all();
        while self.accepting.join_next().await.is_some() {}
        // Every connection holds a sender: the channel closes with the last of them. Those that parked meanwhile are woken.
        while tokio::time::timeout(Duration::from_millis(20), self.alive.recv()).await.is_err() {
            registry.wake_all();
        }
        self.jobs.shutdown().await;
        let broker_epoch = registry.store().broker_epoch();
        let (disk, directory, threads) = (self.disk, self.directory, self.closing_threads);
        let closing = tokio::task::spawn_blocking(move || {
            registry.reserve().make_room();
            let closed = registry.close(threads);
            let metadata = registry.store().close_clean();
            if let Err(error) = &metadata {
                tracing::error!(%error, "close metadata");
            }
            closed && metadata.is_ok() && mark_clean(disk.as_ref(), &directory, broker_epoch)
        });
        closing.await.unwrap_or(false)
    }
}

/// As many logs are recovered at once as are synced at once, if the files that each has open meanwhile may be.
fn recovery_threads(sync_threads: usize, open_files_max: u64) -> usize {
    sync_threads.min(usize::try_from(open_files_max / limits::FILES_OF_A_RECOVERY).unwrap_or(usize::MAX))
}

fn mark_clean(disk: &dyn Disk, directory: &Path, broker_epoch: i64) -> bool {
    match checkpoint::write_clean_shutdown(disk, directory, broker_epoch) {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(%error, "write clean-stop mark");
            false
        }
    }
}

fn at<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StartError + 'a {
    move |source| StartError::Io { doing, path: path.to_owned(), source }
}

fn expected(settings: &Settings) -> identity::Expected {
    let named = ["node.id", "broker.id"].into_iter().any(|name| settings.is_set(name));
    identity::Expected {
        cluster_id: settings.optional_string("cluster.id").map(str::to_owned),
        node_id: named.then(|| settings.int("node.id")),
    }
}

/// A listener's address, bound and not yet listening: until the broker is ready, clients are refused and try again.
struct Bound {
    name: Arc<str>,
    socket: TcpSocket,
    address: SocketAddr,
    configured: settings::Listener,
}

fn bound_error(name: &str, address: impl ToString, source: io::Error) -> StartError {
    StartError::Address { name: name.to_owned(), address: address.to_string(), source }
}

fn bind_all(settings: &Settings) -> Result<Vec<Bound>, StartError> {
    let mut bound = Vec::new();
    for listener in settings.listeners() {
        bind(listener, &mut bound)?;
    }
    Ok(bound)
}

/// Binds one listener: one socket, or two for both loopbacks. The second takes the port of the first.
fn bind(listener: &settings::Listener, all: &mut Vec<Bound>) -> Result<(), StartError> {
    let name: Arc<str> = listener.name.as_str().into();
    let wrong = |source| bound_error(&listener.name, format!("{}:{}", listener.host, listener.port), source);
    let addresses = match listener.bind {
        Bind::Loopbacks => vec![(Ipv4Addr::LOCALHOST.into(), true), (Ipv6Addr::LOCALHOST.into(), false)],
        // One socket takes both where the machine has IPv6.
        Bind::Everywhere if listener.host != "0.0.0.0" && bind_one((Ipv6Addr::UNSPECIFIED, 0).into()).is_ok() => {
            vec![(Ipv6Addr::UNSPECIFIED.into(), true)]
        }
        Bind::Everywhere => vec![(Ipv4Addr::UNSPECIFIED.into(), true)],
        _ => resolve(&listener.host, listener.port).map_err(wrong)?.into_iter().map(|ip| (ip, true)).collect(),
    };
    let mut port = listener.port;
    for (ip, required) in addresses {
        match bind_one(SocketAddr::new(ip, port)) {
            Ok((socket, address)) => {
                port = address.port();
                all.push(Bound { name: Arc::clone(&name), socket, address, configured: listener.clone() });
            }
            Err(error) if required || error.kind() == io::ErrorKind::AddrInUse => return Err(wrong(error)),
            // A machine without IPv6.
            Err(_) => {}
        }
    }
    Ok(())
}

fn resolve(host: &str, port: u16) -> io::Result<Vec<std::net::IpAddr>> {
    let addresses = std::net::ToSocketAddrs::to_socket_addrs(&(host, port))?;
    let mut ips: Vec<_> = addresses.map(|address| address.ip()).collect();
    ips.dedup();
    Ok(ips)
}

fn bind_one(address: SocketAddr) -> io::Result<(TcpSocket, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

fn open_metadata(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    sockets: &[Bound],
    is_clean: bool,
) -> Result<Store, StartError> {
    let expected = expected(settings);
    let mut listeners: Vec<Endpoint> = Vec::new();
    for bound in sockets {
        if listeners.iter().any(|endpoint| endpoint.name == *bound.name) {
            continue;
        }
        let (host, port) = match &bound.configured.advertised {
            Some((host, port)) => (host.clone(), *port),
            None if bound.address.ip().is_unspecified() => ("localhost".to_owned(), bound.address.port()),
            None => (bound.configured.host.clone(), bound.address.port()),
        };
        let security_protocol = bound.configured.protocol.id();
        listeners.push(Endpoint { name: bound.name.to_string(), host, port, security_protocol });
    }
    let port = listeners.first().map_or(9093, |endpoint| endpoint.port.wrapping_add(1).max(1));
    let controller =
        Endpoint { name: "CONTROLLER".to_owned(), host: "localhost".to_owned(), port, security_protocol: 0 };
    let mut take_mark = || checkpoint::take_clean_shutdown(disk.as_ref(), directory).map(drop);
    let mut options = BootOptions {
        before_change: &mut take_mark,
        node_id: expected.node_id,
        cluster_id: expected.cluster_id,
        listeners,
        controller,
        rack: settings.optional_string("broker.rack").map(str::to_owned),
        is_clean,
        clock: Arc::clone(clock),
        random: &mut random::bytes,
        snapshot_after_bytes: u64::try_from(settings.long("metadata.log.max.record.bytes.between.snapshots"))
            .unwrap_or(SNAPSHOT_AFTER_BYTES),
    };
    Ok(Store::open_or_create(disk, directory, &mut options)?)
}

fn broker(
    settings: &Arc<Settings>,
    Owners { registry, groups }: Owners,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    sockets: &[Bound],
) -> Broker {
    let advertised: HashMap<Arc<str>, Advertised> = sockets
        .iter()
        .map(|bound| {
            let advertised = match &bound.configured.advertised {
                Some((host, port)) => Advertised::Configured { host: host.clone(), port: *port },
                None => Advertised::AsConnected,
            };
            (Arc::clone(&bound.name), advertised)
        })
        .collect();
    let size = |name: &str| usize::try_from(settings.long(name)).unwrap_or(usize::MAX);
    // A negative value means never.
    let time = |name: &str| {
        u64::try_from(settings.long(name)).map_or(Duration::from_secs(u64::from(u32::MAX)), Duration::from_millis)
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let seed = u32::from_be_bytes(random::bytes()[..4].try_into().unwrap_or_default());
    Broker {
        node_id: registry.store().node().id,
        cluster_id: registry.store().cluster_id().to_owned(),
        advertised,
        fetch_sessions: FetchSessions::new(size("max.incremental.fetch.session.cache.slots"), Arc::clone(&clock), seed),
        limits: Limits {
            request_bytes_max: size("socket.request.max.bytes"),
            connection_idle: time("connections.max.idle.ms"),
            request_progress: time("klamm.request.progress.ms"),
            send_stall: time("klamm.send.stall.ms"),
            replies_max: usize::try_from(settings.int("klamm.connection.queued.requests")).unwrap_or(1),
            reply_bytes_max: size("klamm.connection.queued.bytes"),
            partitions_per_page_max: size("max.request.partition.size.limit").max(1),
            fetch_bytes_max: size("fetch.max.bytes"),
        },
        stopping: false.into(),
        complaints: Complaints::new(Arc::clone(&clock)),
        heavy: Heavy::start("klamm-heavy", processors / 2),
        settings: Arc::clone(settings),
        groups,
        registry,
        clock,
        metrics,
    }
}

fn bounds(settings: &Settings, open_files_max: u64) -> Bounds {
    let request_bytes_max = usize::try_from(settings.long("socket.request.max.bytes")).unwrap_or(usize::MAX);
    Bounds {
        open_files: open_files_max,
        request_bytes: usize::try_from(settings.long("queued.max.request.bytes"))
            .ok()
            .map(|max| max.max(request_bytes_max)),
    }
}

fn connection_bounds(registry: &Registry) -> ConnectionBounds {
    let count = |name: &str| usize::try_from(registry.broker_number(name)).unwrap_or(usize::MAX);
    ConnectionBounds {
        connections: count("max.connections"),
        per_ip: count("max.connections.per.ip"),
        per_second: u32::try_from(registry.broker_number("max.connection.creation.rate")).unwrap_or(u32::MAX),
    }
}

/// Lets bounds that are changed at run time hold for the connections that come.
async fn follow_bounds(registry: Arc<Registry>, mut changes: watch::Receiver<u64>, admission: Arc<Admission>) {
    while changes.changed().await.is_ok() {
        admission.set_bounds(connection_bounds(&registry));
    }
}

fn say_opened(opened: &Opened, clean: bool) {
    if opened.partitions > 0 {
        let Opened { partitions, recovered, strays } = opened;
        tracing::info!(partitions, recovered, strays, clean, "logs opened");
    }
}

/// Runs the broker until a signal stops it.
pub fn run(settings: Settings) -> ExitCode {
    let clock = SystemClock::shared();
    let started = clock.monotonic();
    disk::make_room_for_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("klamm-worker")
        .max_blocking_threads(limits::BLOCKING_THREADS)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "start runtime");
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(async {
        let deadline = Duration::from_millis(u64::try_from(settings.long("klamm.shutdown.timeout.ms")).unwrap_or(0));
        let signals = signal(SignalKind::terminate()).and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
        let mut signals = match signals {
            Ok(signals) => signals,
            Err(error) => {
                tracing::error!(%error, "listen to signals");
                return Exit::Failed;
            }
        };
        let promise = promise(&settings);
        let daemon = match Daemon::start(settings).await {
            Ok(daemon) => daemon,
            Err(error) => {
                tracing::error!("{error}");
                return error.exit();
            }
        };
        say_started(&daemon, promise);
        let took = clock.monotonic().0.saturating_sub(started.0);
        tracing::info!("ready in {} ms", took.as_millis());
        serve_until_signal(daemon, &mut signals, deadline).await
    });
    runtime.shutdown_background();
    exit.into()
}

async fn serve_until_signal(mut daemon: Daemon, signals: &mut (Signal, Signal), deadline: Duration) -> Exit {
    let registry = Arc::clone(&daemon.broker.registry);
    tokio::select! {
        _ = signals.0.recv() => {}
        _ = signals.1.recv() => {}
        () = registry.metadata_failed() => {
            tracing::error!("the metadata log takes nothing any more: the broker ends; check the disk, then start again");
            return Exit::Metadata;
        }
        Some(Err(error)) = daemon.jobs.join_next() => {
            tracing::error!(%error, "a job ended: the broker ends");
            return Exit::Failed;
        }
    }
    drop(registry);
    tracing::info!("stopping");
    tokio::select! {
        clean = tokio::time::timeout(deadline, daemon.stop()) => match clean {
            Ok(true) => {
                tracing::info!("stopped cleanly");
                Exit::Clean
            }
            Ok(false) => Exit::Failed,
            Err(_) => {
                tracing::error!("not stopped within klamm.shutdown.timeout.ms: the next start recovers");
                Exit::StopTimedOut
            }
        },
        _ = signals.0.recv() => Exit::StopTimedOut,
        _ = signals.1.recv() => Exit::StopTimedOut,
    }
}

fn promise(settings: &Settings) -> &'static str {
    match settings.string("durability.mode") {
        "os" => "acks=all survives a crash of the broker, not of the machine",
        "interval" => "acks=all survives a crash of the broker; of the machine all but the last moments",
        _ => "acks=all survives power loss",
    }
}

fn say_started(daemon: &Daemon, promise: &str) {
    let listeners: Vec<_> = daemon.addresses.iter().map(ToString::to_string).collect();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        cluster_id = daemon.broker.cluster_id,
        node_id = daemon.broker.node_id,
        data_dir = %daemon.directory.display(),
        listeners = listeners.join(","),
        durability = promise,
        "klamm"
    );
    if daemon.addresses.iter().all(|address| address.ip().is_loopback()) {
        tracing::info!("only this machine can connect; --listen 0.0.0.0:9092 opens the broker to the network");
    }
}
