//! What each request does. One file per API.
