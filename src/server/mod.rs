//! Listeners, connections, and how answers reach sockets.
