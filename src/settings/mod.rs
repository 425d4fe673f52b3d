//! Every broker, topic and group key, one row each.
