//! How the pieces of answers reach a socket: bytes with vectored sends, regions of files with sendfile.
//!
//! The only place that knows a socket and a file region at once (decision D3). Small regions are read and sent with the bytes
//! around them: one call, one segment. A region that is not in the page cache is first brought there by a few threads of low
//! priority, and some of what lies behind it, so that a reader far behind the tail never holds up the runtime.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::shares::Shares;
use crate::base::disk::Residency;
use crate::base::limits;
use crate::base::region::FileRegion;
use crate::wire::Chunk;

/// Regions up to this size are read into memory and sent together with the bytes around them.
const READ_UP_TO_BYTES: usize = 32 * 1024;

/// The most that one sendfile call is asked for: other connections of the worker get their turn in between.
const PIECE_BYTES: usize = 1024 * 1024;

/// Slices given to one vectored send.
const SLICES_MAX: usize = 32;

/// What every accepted connection gets: answers leave at once, a peer that vanished is noticed.
pub fn prepare(stream: &TcpStream) {
    // A peer that is gone already is noticed by the first read.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_keepalive(stream, true);
    #[cfg(target_os = "linux")]
    {
        // A machine that vanished is noticed in two or three minutes, not in the two hours that are the system's default.
        let _ = rustix::net::sockopt::set_tcp_keepidle(stream, Duration::from_secs(90));
        let _ = rustix::net::sockopt::set_tcp_keepintvl(stream, Duration::from_secs(15));
        let _ = rustix::net::sockopt::set_tcp_keepcnt(stream, 4);
        let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(limits::UNSENT_BYTES);
    }
}

/// Sends some of the chunks in front and takes what was sent out of them. Cancelling it leaves the rest in `chunks`.
///
/// # Errors
/// Those of the socket, and those of reading a region: the peer then has half an answer, so the connection must close.
pub async fn send_some(stream: &TcpStream, chunks: &mut VecDeque<Chunk>, shares: &Shares) -> io::Result<()> {
    match chunks.front_mut() {
        None => {}
        Some(Chunk::Region(region)) if region.length > READ_UP_TO_BYTES => {
            let count = send_piece(stream, region, shares).await?;
            take_sent(chunks, count);
        }
        Some(_) => send_small(stream, chunks, shares).await?,
    }
    Ok(())
}

/// Takes the first `count` bytes out.
fn take_sent(chunks: &mut VecDeque<Chunk>, mut count: usize) {
    while let Some(chunk) = chunks.front_mut() {
        let left = match chunk {
            Chunk::Bytes(bytes) => {
                let taken = count.min(bytes.len());
                bytes.advance(taken);
                count -= taken;
                bytes.len()
            }
            Chunk::Region(region) => {
                let taken = count.min(region.length);
                region.position += taken as u64;
                region.length -= taken;
                count -= taken;
                region.length
            }
        };
        if left > 0 {
            return;
        }
        chunks.pop_front();
    }
}

/// Sends the bytes and the small regions in front, as many as one call takes. What was read of regions is not kept while the peer
/// takes nothing: thousands that never read would hold it.
async fn send_small(stream: &TcpStream, chunks: &mut VecDeque<Chunk>, shares: &Shares) -> io::Result<()> {
    tokio::task::coop::consume_budget().await;
    loop {
        let read = read_small_regions(chunks, shares).await?;
        let sent = {
            let mut read = read.iter();
            let mut slices = Vec::with_capacity(chunks.len().min(SLICES_MAX));
            for chunk in chunks.iter().take(SLICES_MAX) {
                match chunk {
                    Chunk::Bytes(bytes) => slices.push(IoSlice::new(bytes)),
                    Chunk::Region(_) => match read.next() {
                        Some(bytes) => slices.push(IoSlice::new(bytes)),
                        None => break,
                    },
                }
            }
            let more = slices.len() < chunks.len();
            stream.try_io(Interest::WRITABLE, || send_slices(stream, &slices, more))
        };
        match sent {
            Ok(count) => {
                take_sent(chunks, count);
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        drop(read);
        stream.writable().await?;
    }
}

/// Reads the small regions among the first chunks, up to a large one or to enough bytes.
async fn read_small_regions(chunks: &VecDeque<Chunk>, shares: &Shares) -> io::Result<Vec<Bytes>> {
    let (mut read, mut total) = (Vec::new(), 0);
    for chunk in chunks.iter().take(SLICES_MAX) {
        if let Chunk::Region(region) = chunk {
            total += region.length;
            if region.length > READ_UP_TO_BYTES || total > limits::REGIONS_READ_BYTES_MAX {
                break;
            }
            read.push(read_region(region, shares).await?);
        }
    }
    Ok(read)
}

async fn read_region(region: &FileRegion, shares: &Shares) -> io::Result<Bytes> {
    let mut buffer = vec![0; region.length];
    match region.file.read_cached(&mut buffer, region.position) {
        Ok(count) if count == region.length => return Ok(buffer.into()),
        _ => {}
    }
    let region = region.clone();
    shares.read_cold(move || region.read().map(Bytes::from)).await
}

fn send_slices(stream: &TcpStream, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    let mut control = rustix::net::SendAncillaryBuffer::default();
    Ok(rustix::net::sendmsg(stream, slices, &mut control, flags(more))?)
}

#[cfg(target_os = "linux")]
fn flags(more: bool) -> rustix::net::SendFlags {
    use rustix::net::SendFlags;
    SendFlags::NOSIGNAL | if more { SendFlags::MORE } else { SendFlags::empty() }
}

#[cfg(not(target_os = "linux"))]
fn flags(_more: bool) -> rustix::net::SendFlags {
    rustix::net::SendFlags::empty()
}

/// Sends the first piece of a region and says how much of it went.
async fn send_piece(stream: &TcpStream, region: &FileRegion, shares: &Shares) -> io::Result<usize> {
    // A thousand peers that fetch at once and read nothing have their sockets filled one after the other.
    stream.writable().await?;
    let length = region.length.min(PIECE_BYTES);
    if region.file.residency(region.position, length) == Residency::Cold {
        let (file, position) = (Arc::clone(&region.file), region.position);
        shares.read_cold(move || file.warm(position, length, length * limits::COLD_READ_AHEAD)).await?;
    }
    let _turn = if region.length > PIECE_BYTES { shares.turn().await } else { None };
    #[cfg(target_os = "linux")]
    if let Some(file) = region.file.system() {
        let sent = stream.try_io(Interest::WRITABLE, || {
            let mut position = region.position;
            Ok(rustix::fs::sendfile(stream, file, Some(&mut position), length)?)
        });
        return match sent {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            // Nothing yet: it is asked again once there is room.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        };
    }
    let piece = FileRegion { length: length.min(256 * 1024), ..region.clone() };
    let bytes = read_region(&piece, shares).await?;
    stream.async_io(Interest::WRITABLE, || send_slices(stream, &[IoSlice::new(&bytes)], false)).await
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// It was megabytes for each that did not read: a thousand of them took what all sockets of the machine may.
    #[tokio::test]
    async fn the_system_holds_little_for_a_peer_that_does_not_read() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let _peer = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("accepted");
        prepare(&stream);
        let socket = socket2::SockRef::from(&stream);
        assert_eq!(socket.tcp_notsent_lowat().expect("Linux knows it"), limits::UNSENT_BYTES);
    }
}
