//! A key and a certificate that it signs itself, for servers on loopback.
//!
//! Only what such a server needs of X.509 (RFC 5280) is here: one P-256 key,
//! the names `localhost`, `127.0.0.1` and `::1`.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// A certificate for loopback, and its key. The certificate is its own
/// authority: clients that trust it trust nothing else.
#[derive(Debug, Clone)]
pub struct SelfSigned {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// The system has no randomness to give. Nothing can be done about it.
#[derive(Debug, thiserror::Error)]
#[error("make a key for the certificate")]
pub struct KeyError;

impl SelfSigned {
    /// A new key and its certificate, valid from 2020 to 2049.
    ///
    /// # Errors
    /// [`KeyError`] without randomness.
    pub fn new() -> Result<Self, KeyError> {
        Self::make(false)
    }

    /// The same with a certificate that says of itself that it is an
    /// authority's, as `openssl req -x509` and many programs in Go make them.
    ///
    /// # Errors
    /// [`KeyError`] without randomness.
    pub fn authority() -> Result<Self, KeyError> {
        Self::make(true)
    }

    fn make(authority: bool) -> Result<Self, KeyError> {
        let rng = SystemRandom::new();
        let fail = |_| KeyError;
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).map_err(fail)?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &rng).map_err(|_| KeyError)?;
        let mut serial = [0; 15];
        ring::rand::SecureRandom::fill(&rng, &mut serial).map_err(fail)?;
        let body = to_be_signed(pair.public_key().as_ref(), &serial, authority);
        let signature = pair.sign(&rng, &body).map_err(fail)?;
        Ok(Self {
            certificate: sequence(&[
                &body,
                &sequence(&[ECDSA_WITH_SHA256]),
                &bit_string(signature.as_ref()),
            ]),
            key: key.as_ref().to_vec(),
        })
    }

    /// The certificate in PEM, as `caBundle` and kubeconfigs want it (in base64 again).
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(&self.certificate);
        let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = tail;
        }
        pem + "-----END CERTIFICATE-----\n"
    }

    /// A server's settings with this certificate, HTTP/1.1 only.
    ///
    /// # Errors
    /// When TLS finds fault with the key, which would be a mistake here.
    pub fn server_config(&self) -> Result<rustls::ServerConfig, rustls::Error> {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let certificate = CertificateDer::from(self.certificate.clone());
        let key = PrivatePkcs8KeyDer::from(self.key.clone());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.into())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Object identifiers in DER, tag and length included.
const ECDSA_WITH_SHA256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const EC_PUBLIC_KEY: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const PRIME256V1: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const COMMON_NAME: &[u8] = &[6, 3, 0x55, 4, 3];
const SUBJECT_ALT_NAME: &[u8] = &[6, 3, 0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[6, 3, 0x55, 0x1d, 19];
const EXTENDED_KEY_USAGE: &[u8] = &[6, 3, 0x55, 0x1d, 37];
const SERVER_AUTH: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];

fn to_be_signed(public_key: &[u8], serial: &[u8], authority: bool) -> Vec<u8> {
    // The leading 1 keeps the number positive and of one length.
    let serial = tagged(2, &[&[1], serial]);
    let name = sequence(&[&tagged(
        0x31,
        &[&sequence(&[COMMON_NAME, &tagged(0x0c, &[b"fixname"])])],
    )]);
    let validity = sequence(&[
        &tagged(0x17, &[b"200101000000Z"]),
        &tagged(0x17, &[b"491231235959Z"]),
    ]);
    let key = sequence(&[
        &sequence(&[EC_PUBLIC_KEY, PRIME256V1]),
        &bit_string(public_key),
    ]);
    let mut six = [0; 16];
    six[15] = 1;
    let names = sequence(&[
        &tagged(0x82, &[b"localhost"]),
        &tagged(0x87, &[&[127, 0, 0, 1]]),
        &tagged(0x87, &[&six]),
    ]);
    let basic = if authority {
        let is_one = sequence(&[&tagged(1, &[&[0xff]])]);
        sequence(&[
            BASIC_CONSTRAINTS,
            &tagged(1, &[&[0xff]]),
            &tagged(4, &[&is_one]),
        ])
    } else {
        Vec::new()
    };
    let extensions = sequence(&[
        &basic,
        &sequence(&[SUBJECT_ALT_NAME, &tagged(4, &[&names])]),
        &sequence(&[EXTENDED_KEY_USAGE, &tagged(4, &[&sequence(&[SERVER_AUTH])])]),
    ]);
    sequence(&[
        // Version 3.
        &tagged(0xa0, &[&tagged(2, &[&[2]])]),
        &serial,
        &sequence(&[ECDSA_WITH_SHA256]),
        &name,
        &validity,
        &name,
        &key,
        &tagged(0xa3, &[&extensions]),
    ])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tagged(0x30, parts)
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tagged(3, &[&[0], bytes])
}

/// A value of DER: tag, length, content.
fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let first = length
        .iter()
        .position(|b| *b != 0)
        .unwrap_or(length.len() - 1);
    let mut out = vec![tag];
    if content.len() < 0x80 {
        out.push(length[length.len() - 1]);
    } else {
        let bytes = u8::try_from(length.len() - first).expect("a length has eight bytes");
        out.push(0x80 | bytes);
        out.extend_from_slice(&length[first..]);
    }
    out.extend(content);
    out
}
