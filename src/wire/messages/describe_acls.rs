//! DescribeAcls (key 29), versions 1-3: access control entries (KIP-140).
//!
//! Version notes
//! - v1: patterns of resources (KIP-290). v2: flexible. v3: user resources (KIP-373).
//!
//! Reference: Kafka `DescribeAclsRequest.json`, `DescribeAclsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// A filter.
    pub struct DescribeAclsRequest, flexible 2+ {
        [0+] resource_type_filter: i8,
        [0+] resource_name_filter: Option<String> = Some(String::new()),
        [1+] pattern_type_filter: i8 = 3,
        [0+] principal_filter: Option<String> = Some(String::new()),
        [0+] host_filter: Option<String> = Some(String::new()),
        [0+] operation: i8,
        [0+] permission_type: i8,
    }
}

crate::message! {
    /// The entries.
    pub struct DescribeAclsResponse, flexible 2+ {
        [0+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String> = Some(String::new()),
        [0+] resources: Vec<DescribeAclsResource>,
    }
    /// A resource and its entries.
    pub struct DescribeAclsResource {
        [0+] resource_type: i8,
        [0+] resource_name: String,
        [1+] pattern_type: i8 = 3,
        [0+] acls: Vec<AclDescription>,
    }
    /// An entry.
    pub struct AclDescription {
        [0+] principal: String,
        [0+] host: String,
        [0+] operation: i8,
        [0+] permission_type: i8,
    }
}

impl Request for DescribeAclsRequest {
    const KEY: ApiKey = ApiKey::DescribeAcls;
    type Response = DescribeAclsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
