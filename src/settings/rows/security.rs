//! Broker keys of TLS, SASL and authorization.

use crate::settings::row::Kind::{Boolean, Class, Double, Int, List, Long, Password, Short, String};
use crate::settings::row::Preset::{Is, Null};
use crate::settings::row::Valid::{AtLeast, Between, OneOf, OneOfAnyCase};
use crate::settings::row::{Row, broker};
use crate::settings::rows::{NO_KERBEROS, ONE_NODE, SECURITY};

pub(super) static ROWS: &[Row] = &[
    broker("authorizer.class.name", String, Is("")).later(SECURITY),
    broker("connection.failed.authentication.delay.ms", Int, Is("100")).valid(AtLeast(0)).later(SECURITY),
    broker("connections.max.reauth.ms", Long, Is("0")).later(SECURITY),
    broker("delegation.token.expiry.check.interval.ms", Long, Is("3600000")).valid(AtLeast(1)).later(SECURITY),
    broker("delegation.token.expiry.time.ms", Long, Is("86400000")).valid(AtLeast(1)).later(SECURITY),
    broker("delegation.token.max.lifetime.ms", Long, Is("604800000")).valid(AtLeast(1)).later(SECURITY),
    broker("delegation.token.secret.key", Password, Null).later(SECURITY),
    broker(
        "principal.builder.class",
        Class,
        Is("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"),
    )
    .dynamic()
    .later(SECURITY),
    broker("sasl.client.callback.handler.class", Class, Null).later(SECURITY),
    broker("sasl.enabled.mechanisms", List, Is("GSSAPI")).dynamic().later(SECURITY),
    broker("sasl.jaas.config", Password, Null).dynamic().later(SECURITY),
    broker("sasl.kerberos.kinit.cmd", String, Is("/usr/bin/kinit")).dynamic().meaningless(NO_KERBEROS),
    broker("sasl.kerberos.min.time.before.relogin", Long, Is("60000")).dynamic().meaningless(NO_KERBEROS),
    broker("sasl.kerberos.principal.to.local.rules", List, Is("DEFAULT")).dynamic().meaningless(NO_KERBEROS),
    broker("sasl.kerberos.service.name", String, Null).dynamic().meaningless(NO_KERBEROS),
    broker("sasl.kerberos.ticket.renew.jitter", Double, Is("0.05")).dynamic().meaningless(NO_KERBEROS),
    broker("sasl.kerberos.ticket.renew.window.factor", Double, Is("0.8")).dynamic().meaningless(NO_KERBEROS),
    broker("sasl.login.callback.handler.class", Class, Null).later(SECURITY),
    broker("sasl.login.class", Class, Null).later(SECURITY),
    broker("sasl.login.connect.timeout.ms", Int, Null).later(SECURITY),
    broker("sasl.login.read.timeout.ms", Int, Null).later(SECURITY),
    broker("sasl.login.refresh.buffer.seconds", Short, Is("300")).dynamic().later(SECURITY),
    broker("sasl.login.refresh.min.period.seconds", Short, Is("60")).dynamic().later(SECURITY),
    broker("sasl.login.refresh.window.factor", Double, Is("0.8")).dynamic().later(SECURITY),
    broker("sasl.login.refresh.window.jitter", Double, Is("0.05")).dynamic().later(SECURITY),
    broker("sasl.login.retry.backoff.max.ms", Long, Is("10000")).later(SECURITY),
    broker("sasl.login.retry.backoff.ms", Long, Is("100")).later(SECURITY),
    broker("sasl.mechanism.controller.protocol", String, Is("GSSAPI")).later(SECURITY),
    broker("sasl.mechanism.inter.broker.protocol", String, Is("GSSAPI")).dynamic().later(SECURITY),
    broker("sasl.oauthbearer.allow.unverified.audience", Boolean, Is("false")).later(SECURITY),
    broker("sasl.oauthbearer.allow.unverified.issuer", Boolean, Is("false")).later(SECURITY),
    broker("sasl.oauthbearer.assertion.algorithm", String, Is("RS256"))
        .valid(OneOfAnyCase(&["ES256", "RS256"]))
        .later(SECURITY),
    broker("sasl.oauthbearer.assertion.claim.aud", String, Null).later(SECURITY),
    broker("sasl.oauthbearer.assertion.claim.exp.seconds", Int, Is("300")).valid(Between(0, 86_400)).later(SECURITY),
    broker("sasl.oauthbearer.assertion.claim.iss", String, Null).later(SECURITY),
    broker("sasl.oauthbearer.assertion.claim.jti.include", Boolean, Is("false")).later(SECURITY),
    broker("sasl.oauthbearer.assertion.claim.nbf.seconds", Int, Is("60")).valid(Between(0, 3_600)).later(SECURITY),
    broker("sasl.oauthbearer.assertion.claim.sub", String, Null).later(SECURITY),
    broker("sasl.oauthbearer.assertion.file", String, Null).later(SECURITY),
    broker("sasl.oauthbearer.assertion.private.key.file", String, Null).later(SECURITY),
    broker("sasl.oauthbearer.assertion.private.key.passphrase", Password, Null).later(SECURITY),
    broker("sasl.oauthbearer.assertion.template.file", String, Null).later(SECURITY),
    broker("sasl.oauthbearer.client.credentials.client.id", String, Null).later(SECURITY),
    broker("sasl.oauthbearer.client.credentials.client.secret", Password, Null).later(SECURITY),
    broker("sasl.oauthbearer.clock.skew.seconds", Int, Is("30")).later(SECURITY),
    broker("sasl.oauthbearer.expected.audience", List, Is("")).later(SECURITY),
    broker("sasl.oauthbearer.expected.issuer", String, Null).later(SECURITY),
    broker("sasl.oauthbearer.jwks.endpoint.refresh.ms", Long, Is("3600000")).later(SECURITY),
    broker("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long, Is("10000")).later(SECURITY),
    broker("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long, Is("100")).later(SECURITY),
    broker("sasl.oauthbearer.jwks.endpoint.url", String, Null).later(SECURITY),
    broker(
        "sasl.oauthbearer.jwt.retriever.class",
        Class,
        Is("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"),
    )
    .later(SECURITY),
    broker(
        "sasl.oauthbearer.jwt.validator.class",
        Class,
        Is("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"),
    )
    .later(SECURITY),
    broker("sasl.oauthbearer.scope", String, Null).later(SECURITY),
    broker("sasl.oauthbearer.scope.claim.name", String, Is("scope")).later(SECURITY),
    broker("sasl.oauthbearer.sub.claim.name", String, Is("sub")).later(SECURITY),
    broker("sasl.oauthbearer.token.endpoint.url", String, Null).later(SECURITY),
    broker("sasl.server.callback.handler.class", Class, Null).later(SECURITY),
    broker("sasl.server.max.receive.size", Int, Is("524288")).later(SECURITY),
    broker("security.inter.broker.protocol", String, Is("PLAINTEXT"))
        .valid(OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]))
        .meaningless(ONE_NODE),
    broker("security.providers", String, Null).later(SECURITY),
    broker("ssl.allow.dn.changes", Boolean, Is("false")).later(SECURITY),
    broker("ssl.allow.san.changes", Boolean, Is("false")).later(SECURITY),
    broker("ssl.cipher.suites", List, Is("")).dynamic().later(SECURITY),
    broker("ssl.client.auth", String, Is("none"))
        .dynamic()
        .valid(OneOf(&["required", "requested", "none"]))
        .later(SECURITY),
    broker("ssl.enabled.protocols", List, Is("TLSv1.2,TLSv1.3")).dynamic().later(SECURITY),
    broker("ssl.endpoint.identification.algorithm", String, Is("https")).dynamic().later(SECURITY),
    broker("ssl.engine.factory.class", Class, Null).dynamic().later(SECURITY),
    broker("ssl.key.password", Password, Null).dynamic().later(SECURITY),
    broker("ssl.keymanager.algorithm", String, Is("SunX509")).dynamic().later(SECURITY),
    broker("ssl.keystore.certificate.chain", Password, Null).dynamic().later(SECURITY),
    broker("ssl.keystore.key", Password, Null).dynamic().later(SECURITY),
    broker("ssl.keystore.location", String, Null).dynamic().later(SECURITY),
    broker("ssl.keystore.password", Password, Null).dynamic().later(SECURITY),
    broker("ssl.keystore.type", String, Is("JKS")).dynamic().later(SECURITY),
    broker("ssl.principal.mapping.rules", String, Is("DEFAULT")).later(SECURITY),
    broker("ssl.protocol", String, Is("TLSv1.3")).dynamic().later(SECURITY),
    broker("ssl.provider", String, Null).dynamic().later(SECURITY),
    broker("ssl.secure.random.implementation", String, Null).dynamic().later(SECURITY),
    broker("ssl.trustmanager.algorithm", String, Is("PKIX")).dynamic().later(SECURITY),
    broker("ssl.truststore.certificates", Password, Null).dynamic().later(SECURITY),
    broker("ssl.truststore.location", String, Null).dynamic().later(SECURITY),
    broker("ssl.truststore.password", Password, Null).dynamic().later(SECURITY),
    broker("ssl.truststore.type", String, Is("JKS")).dynamic().later(SECURITY),
];
