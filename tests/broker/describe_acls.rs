//! DescribeAcls: there is no authorizer, and that is said.

use klamm::wire::messages::describe_acls::DescribeAclsRequest;

use crate::rig::client;

#[test]
fn every_version_says_that_security_is_disabled() {
    let mut client = client();
    for version in 1..=3 {
        let request = DescribeAclsRequest {
            resource_type_filter: 1,
            resource_name_filter: None,
            pattern_type_filter: 1,
            principal_filter: None,
            host_filter: None,
            operation: 1,
            permission_type: 1,
        };
        let answer = client.call(&request, version);
        assert_eq!(answer.error_code.0, 54);
        assert_eq!(answer.error_message.as_deref(), Some("No Authorizer is configured on the broker"));
        assert!(answer.resources.is_empty());
    }
}
