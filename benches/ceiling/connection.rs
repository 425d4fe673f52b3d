//! One connection of the ceiling broker: read what is there, execute it in order, write what is ready.

use std::os::fd::AsFd;

use bytes::BufMut;
use rustix::net::SendFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use super::Broker;
use super::answer::{self, Answer, Region};
use crate::Fallible;

const READ_BYTES: usize = 64 << 10;
const FRAME_BYTES_MAX: usize = 100 << 20;

/// Bytes received and not yet executed. A buffer that is empty and small is given back while nothing comes.
#[derive(Default)]
struct Input {
    buffer: Vec<u8>,
    start: usize,
}

pub async fn serve(mut stream: TcpStream, broker: &Broker) -> Fallible<()> {
    let mut input = Input::default();
    let mut output = Vec::new();
    loop {
        while let Some(frame) = input.frame()? {
            let frame = &input.buffer[frame];
            match answer::answer(broker, frame, &mut output)? {
                Answer::Complete => {}
                Answer::Region(region) => send_region(&mut stream, &mut output, &region).await?,
                Answer::Parked(mut parked) => {
                    flush(&mut stream, &mut output).await?;
                    loop {
                        parked.wait().await;
                        match answer::fetch_again(broker, &parked, &mut output)? {
                            Some(Answer::Region(region)) => {
                                break send_region(&mut stream, &mut output, &region).await?;
                            }
                            Some(_) => break,
                            None => {}
                        }
                    }
                }
            }
        }
        flush(&mut stream, &mut output).await?;
        let count = input.prepare()?;
        if input.buffer.is_empty() {
            // At once if there is something, without a call to the system.
            let there = tokio::select! {
                biased;
                ready = stream.readable() => ready.map(|()| true)?,
                () = std::future::ready(()) => false,
            };
            if !there {
                input.rest();
                stream.readable().await?;
            }
        }
        input.buffer.reserve_exact(count);
        if stream.read_buf(&mut (&mut input.buffer).limit(count)).await? == 0 {
            return Ok(());
        }
    }
}

impl Input {
    /// The next whole frame without its size, taken out.
    fn frame(&mut self) -> Fallible<Option<std::ops::Range<usize>>> {
        let Some(size) = self.size()? else { return Ok(None) };
        if self.buffer.len() - self.start < 4 + size {
            return Ok(None);
        }
        let frame = self.start + 4..self.start + 4 + size;
        self.start = frame.end;
        Ok(Some(frame))
    }

    fn size(&self) -> Fallible<Option<usize>> {
        let Some(size) = self.buffer[self.start..].first_chunk::<4>() else { return Ok(None) };
        let size = u32::from_be_bytes(*size) as usize;
        if size > FRAME_BYTES_MAX { Err("a frame over 100 MiB".into()) } else { Ok(Some(size)) }
    }

    /// Drops what has been executed. Returns how much to read: the rest of a large frame and no more, so that nothing behind
    /// it must be moved; else 64 KiB.
    fn prepare(&mut self) -> Fallible<usize> {
        let wanted = self.size()?.map_or(0, |size| (4 + size).saturating_sub(self.buffer.len() - self.start));
        self.buffer.drain(..self.start);
        self.start = 0;
        Ok(if wanted > READ_BYTES { wanted } else { READ_BYTES })
    }

    fn rest(&mut self) {
        if self.buffer.capacity() <= READ_BYTES {
            self.buffer = Vec::new();
        }
    }
}

async fn flush(stream: &mut TcpStream, output: &mut Vec<u8>) -> Fallible<()> {
    if !output.is_empty() {
        stream.write_all(output).await?;
        output.clear();
    }
    Ok(())
}

/// Sends what is in `output`, then the region by sendfile, then its tail.
async fn send_region(stream: &mut TcpStream, output: &mut Vec<u8>, region: &Region) -> Fallible<()> {
    let mut sent = 0;
    while sent < output.len() {
        sent += stream
            .async_io(Interest::WRITABLE, || Ok(rustix::net::send(stream.as_fd(), &output[sent..], SendFlags::MORE)?))
            .await?;
    }
    output.clear();
    let mut position = region.position;
    let end = position + region.length as u64;
    while position < end {
        let count = ((end - position) as usize).min(1 << 20);
        let sent = stream
            .async_io(Interest::WRITABLE, || {
                Ok(rustix::fs::sendfile(stream.as_fd(), &region.file, Some(&mut position), count)?)
            })
            .await?;
        if sent == 0 {
            return Err("the log file is shorter than its index".into());
        }
    }
    output.extend_from_slice(answer::FETCH_TAIL);
    flush(stream, output).await
}
