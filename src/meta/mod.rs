//! What the broker must remember: topics, configs, features, as KRaft records in __cluster_metadata-0.
