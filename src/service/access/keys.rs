//! Keys: named, each with what it allows.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::service::store::{Scope, Session};

/// The shortest key that other machines may show: what is shorter can be guessed.
const SHORTEST: usize = 16;

/// Why keys are refused. No message holds one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// An entry is not understood.
    #[error("LLMLAB_API_KEYS: entry {0} is not NAME:SCOPE:KEY, where SCOPE is read or run")]
    Entry(usize),
    /// Two keys have one name.
    #[error("LLMLAB_API_KEYS: the name `{0}` is there twice")]
    Name(String),
    /// A key is too short for other machines.
    #[error("the key `{0}` has fewer than {SHORTEST} characters, which is enough on loopback only (--host)")]
    Short(String),
    /// Other machines would be served without a key.
    #[error("--host {0} serves other machines: set LLMLAB_API_KEYS, or API_KEY, to keys that they must show")]
    Missing(String),
}

struct Key {
    session: Session,
    digest: [u8; 32],
    length: usize,
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Key").field(&self.session).finish()
    }
}

/// The keys that are known.
#[derive(Debug)]
pub struct Keys {
    keys: Vec<Key>,
    /// Whether the only key was made up at the start.
    generated: bool,
}

impl Keys {
    /// The keys of a list `NAME:SCOPE:KEY,…` and of a single one, which may do all.
    ///
    /// # Errors
    /// When the list is not understood.
    pub fn new(list: Option<&str>, single: Option<&str>) -> Result<Self, KeysError> {
        let mut keys: Vec<Key> = single.map(|key| Key::new("default", Scope::Run, key)).into_iter().collect();
        for (number, entry) in
            (1..).zip(list.unwrap_or_default().split(',').filter(|entry| !entry.is_empty()))
        {
            let mut parts = entry.trim().splitn(3, ':');
            let (name, scope, key) = (parts.next(), parts.next().and_then(Scope::of), parts.next());
            let (Some(name), Some(scope), Some(key)) = (name, scope, key.filter(|key| !key.is_empty()))
            else {
                return Err(KeysError::Entry(number));
            };
            if name.is_empty() {
                return Err(KeysError::Entry(number));
            }
            if keys.iter().any(|known| known.session.key_name == name) {
                return Err(KeysError::Name(name.into()));
            }
            keys.push(Key::new(name, scope, key));
        }
        Ok(Self { keys, generated: false })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether the only key was made up at the start.
    pub fn is_generated(&self) -> bool {
        self.generated
    }

    /// A key that is made up now, for this machine alone, and the text of it.
    pub fn generate() -> (Self, String) {
        let text = secret();
        (Self { keys: vec![Key::new("generated", Scope::Run, &text)], generated: true }, text)
    }

    /// Refuses keys that are not enough for other machines.
    ///
    /// # Errors
    /// When there is none, or one that can be guessed.
    pub fn check_for(&self, host: &str) -> Result<(), KeysError> {
        if self.is_empty() {
            return Err(KeysError::Missing(host.into()));
        }
        let short = self.keys.iter().find(|key| key.length < SHORTEST);
        short.map_or(Ok(()), |key| Err(KeysError::Short(key.session.key_name.clone())))
    }

    /// Whose key a text is. It takes as long whichever it is, and whether it is any.
    pub fn holder(&self, shown: &[u8]) -> Option<&Session> {
        let digest = Sha256::digest(shown);
        let mut found = u32::MAX;
        for (index, key) in (0_u32..).zip(&self.keys) {
            let is_it: Choice = key.digest.ct_eq(digest.as_slice());
            found.conditional_assign(&index, is_it);
        }
        Some(&self.keys.get(found as usize)?.session)
    }

    /// What tells a key from another one of its name, in the database; nobody learns the key from it.
    pub(in crate::service) fn mark(&self, key_name: &str) -> Option<String> {
        let key = self.keys.iter().find(|key| key.session.key_name == key_name)?;
        Some(Sha256::digest(key.digest).iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The holder of a key that was shown once, if it is one still.
    pub(in crate::service) fn still(&self, key_name: &str, key_mark: &str) -> Option<&Session> {
        let key = self.keys.iter().find(|key| key.session.key_name == key_name)?;
        (self.mark(key_name).as_deref() == Some(key_mark)).then_some(&key.session)
    }

    /// What may be done by whoever is on this machine, where no key was configured.
    pub fn everybody(&self) -> Option<&Session> {
        self.generated.then(|| self.keys.first()).flatten().map(|key| &key.session)
    }
}

impl Key {
    fn new(name: &str, scope: Scope, key: &str) -> Self {
        let session = Session { key_name: name.into(), scope };
        Self { session, digest: Sha256::digest(key.as_bytes()).into(), length: key.chars().count() }
    }
}

/// 32 random bytes in hexadecimal digits.
pub(super) fn secret() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_name_and_scope_and_no_other_text_is_one() {
        let keys = Keys::new(Some("grafana:read:aaaa:b,ci:run:cccc"), Some("1234")).unwrap();
        let scope =
            |text: &str| keys.holder(text.as_bytes()).map(|session| (&*session.key_name, session.scope));
        assert_eq!(scope("aaaa:b"), Some(("grafana", Scope::Read)));
        assert_eq!(scope("cccc"), Some(("ci", Scope::Run)));
        assert_eq!(scope("1234"), Some(("default", Scope::Run)));
        for wrong in ["", "aaaa", "123", "12345"] {
            assert_eq!(scope(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_message_and_no_debug_text_holds_a_key() {
        for list in ["a:warp:hush", "a:read", "a:read:hush,a:run:hush", ":read:hush"] {
            let text = Keys::new(Some(list), None).unwrap_err().to_string();
            assert!(text.contains("LLMLAB_API_KEYS") && !text.contains("hush"), "{text}");
        }
        let keys = Keys::new(Some("a:read:hush"), None).unwrap();
        assert!(!format!("{keys:?}").contains("hush"));
        let refusal = keys.check_for("0.0.0.0").unwrap_err().to_string();
        assert!(refusal.contains("`a`") && !refusal.contains("hush"), "{refusal}");
    }

    #[test]
    fn other_machines_need_a_key_that_cannot_be_guessed() {
        assert!(matches!(Keys::new(None, None).unwrap().check_for("0.0.0.0"), Err(KeysError::Missing(_))));
        assert!(matches!(Keys::new(None, Some("1234")).unwrap().check_for("::"), Err(KeysError::Short(_))));
        let (generated, text) = Keys::generate();
        generated.check_for("::").unwrap();
        assert_eq!(generated.holder(text.as_bytes()), generated.everybody());
    }
}
