//! Listeners, connections, and how answers reach sockets. Knows frames and order; what a request means is `api`'s.

pub mod connection;
pub mod listener;
pub mod respond;
pub mod shares;
