//! How values of other crates stand in the words that servers and programs exchange.
//!
//! What this decides: their form in serde's data model. What it does not: which bytes those become; a transport chooses.

/// An epoch as its number.
pub(crate) mod epoch {
    use pollux_wire::Epoch;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(epoch: &Epoch, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(epoch.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Epoch, D::Error> {
        u64::deserialize(from).map(Epoch)
    }
}

/// An epoch that may be missing.
pub(crate) mod epoch_or_none {
    use pollux_wire::Epoch;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(epoch: &Option<Epoch>, out: S) -> Result<S::Ok, S::Error> {
        epoch.map(|epoch| epoch.0).serialize(out)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Epoch>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Epoch))
    }
}

/// A server with an epoch, or none.
pub(crate) mod server_and_epoch {
    use crate::name::ServerName;
    use pollux_wire::Epoch;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        pair: &Option<(ServerName, Epoch)>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        pair.as_ref().map(|(name, epoch)| (name, epoch.0)).serialize(out)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<(ServerName, Epoch)>, D::Error> {
        Ok(Option::<(ServerName, u64)>::deserialize(from)?.map(|(name, epoch)| (name, Epoch(epoch))))
    }
}

/// Anything that is printed and read back as text.
pub(crate) mod text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no such name")))
    }
}
