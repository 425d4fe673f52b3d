//! Record batches, magic 2: their header, their records, the codecs they are compressed with, what is allowed in, and how the
//! broker writes its own. No I/O, no clock, no topic: rules and time are handed in.
//!
//! References: Kafka `DefaultRecordBatch.java`, `DefaultRecord.java`, `LogValidator.java`.

pub mod batch;
pub mod builder;
pub mod compression;
pub mod control;
pub mod records;
pub mod validate;
pub mod varint;

#[cfg(test)]
mod tests;
