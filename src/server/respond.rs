//! How the pieces of answers reach a socket: bytes with vectored sends, regions of files with sendfile.
//!
//! The only place that knows a socket and a file region at once (decision D3). Small regions are read and sent with the bytes
//! around them: one call, one segment. A region that is not in the page cache is first read on the blocking pool, so that a
//! reader far behind the tail never holds up the runtime.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::base::disk::Residency;
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
}

/// Sends some of the chunks in front and takes what was sent out of them. Cancelling it leaves the rest in `chunks`.
///
/// # Errors
/// Those of the socket, and those of reading a region: the peer then has half an answer, so the connection must close.
pub async fn send_some(stream: &TcpStream, chunks: &mut VecDeque<Chunk>) -> io::Result<()> {
    inline_small_regions(chunks).await?;
    match chunks.front_mut() {
        None => {}
        Some(Chunk::Bytes(_)) => send_bytes(stream, chunks).await?,
        Some(Chunk::Region(region)) => {
            let count = send_piece(stream, region).await?;
            region.position += count as u64;
            region.length -= count;
            if region.length == 0 {
                chunks.pop_front();
            }
        }
    }
    Ok(())
}

/// Turns small regions among the first chunks into bytes.
async fn inline_small_regions(chunks: &mut VecDeque<Chunk>) -> io::Result<()> {
    for chunk in chunks.iter_mut().take(SLICES_MAX) {
        match chunk {
            Chunk::Bytes(_) => {}
            Chunk::Region(region) if region.length <= READ_UP_TO_BYTES => {
                *chunk = Chunk::Bytes(read_region(region).await?);
            }
            Chunk::Region(_) => return Ok(()),
        }
    }
    Ok(())
}

async fn read_region(region: &FileRegion) -> io::Result<Bytes> {
    let mut buffer = vec![0; region.length];
    match region.file.read_cached(&mut buffer, region.position) {
        Ok(count) if count == region.length => return Ok(buffer.into()),
        _ => {}
    }
    let region = region.clone();
    blocking(move || region.read().map(Bytes::from)).await
}

/// Sends the bytes in front, as many as one call takes.
async fn send_bytes(stream: &TcpStream, chunks: &mut VecDeque<Chunk>) -> io::Result<()> {
    let mut count = {
        let mut slices = Vec::with_capacity(chunks.len().min(SLICES_MAX));
        let mut more = false;
        for chunk in chunks.iter() {
            match chunk {
                Chunk::Bytes(bytes) if slices.len() < SLICES_MAX => slices.push(IoSlice::new(bytes)),
                _ => {
                    more = true;
                    break;
                }
            }
        }
        stream.async_io(Interest::WRITABLE, || send_slices(stream, &slices, more)).await?
    };
    while let Some(Chunk::Bytes(bytes)) = chunks.front_mut() {
        let taken = count.min(bytes.len());
        bytes.advance(taken);
        count -= taken;
        if !bytes.is_empty() {
            break;
        }
        chunks.pop_front();
    }
    Ok(())
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
async fn send_piece(stream: &TcpStream, region: &FileRegion) -> io::Result<usize> {
    let length = region.length.min(PIECE_BYTES);
    if region.file.residency(region.position, length) == Residency::Cold {
        let piece = FileRegion { length, ..region.clone() };
        blocking(move || piece.file.warm(piece.position, piece.length)).await?;
    }
    #[cfg(target_os = "linux")]
    if let Some(file) = region.file.system() {
        let sent = stream
            .async_io(Interest::WRITABLE, || {
                let mut position = region.position;
                Ok(rustix::fs::sendfile(stream, file, Some(&mut position), length)?)
            })
            .await?;
        return if sent == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(sent) };
    }
    let piece = FileRegion { length: length.min(256 * 1024), ..region.clone() };
    let bytes = read_region(&piece).await?;
    stream.async_io(Interest::WRITABLE, || send_slices(stream, &[IoSlice::new(&bytes)], false)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
