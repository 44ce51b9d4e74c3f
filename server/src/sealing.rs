//! Texts that lie in the database and are read with a key that is not there: AES-256-GCM under a key by HKDF, in base64, the nonce in front.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};

use crate::random;

pub(crate) struct SealingKey(LessSafeKey);

impl SealingKey {
    /// Of a secret, apart from all else that is made of the same for another purpose. `None` does not happen.
    pub(crate) fn derive(secret: &[u8], purpose: &[u8]) -> Option<Self> {
        let secret = Salt::new(HKDF_SHA256, &[]).extract(secret);
        let key = UnboundKey::from(secret.expand(&[purpose], &AES_256_GCM).ok()?);
        Some(Self(LessSafeKey::new(key)))
    }

    /// So that it is opened for the same `owner` alone. `None` where that cannot be, which does not happen with what fits into memory.
    pub(crate) fn seal(&self, owner: &[u8], plain: &[u8]) -> Option<String> {
        let nonce = *random::secret_bytes().first_chunk::<NONCE_LEN>()?;
        let mut sealed = plain.to_vec();
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner), &mut sealed).ok()?;
        Some(BASE64_STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// `None` where it was not sealed with this key for that owner.
    pub(crate) fn open(&self, owner: &[u8], sealed: &str) -> Option<Vec<u8>> {
        let mut sealed = BASE64_STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        self.0.open_in_place(nonce, Aad::from(owner), sealed).ok().map(|plain| plain.to_vec())
    }
}
