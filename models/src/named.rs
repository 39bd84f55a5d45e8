//! Enums whose variants have a name on the command line and in JSON.

/// Adds `ALL`, `name`, `Display`, `FromStr` and serde by name to an enum of plain variants.
macro_rules! named {
    ($kind:ident, $what:literal, { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $kind {
            /// All of them, in the order of help texts.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the command line and in JSON.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $kind {
            type Err = $crate::ModelError;

            fn from_str(given: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|one| one.name() == given).ok_or_else(|| $crate::ModelError::Unknown {
                    what: $what,
                    given: given.to_owned(),
                    known: vec![$($name.to_owned()),+],
                })
            }
        }

        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let name = String::deserialize(from)?;
                name.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use named;
