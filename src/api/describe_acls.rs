//! DescribeAcls (key 29), versions 1-3.
//!
//! Behavior: nobody is authorized here, so there are no rules to tell: SECURITY_DISABLED, as Kafka answers without an authorizer.
//! Entries that a Kafka directory brought are kept and not told.
//!
//! Reference: Kafka `AclApis.handleDescribeAcls`.

use super::{Call, Outcome};
use crate::wire::ErrorCode;
use crate::wire::messages::describe_acls::{DescribeAclsRequest, DescribeAclsResponse};

pub fn handle(_: Call<'_>, _: DescribeAclsRequest, (): ()) -> Outcome<DescribeAclsResponse> {
    Outcome::Now(DescribeAclsResponse {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("No Authorizer is configured on the broker".to_owned()),
        ..Default::default()
    })
}
