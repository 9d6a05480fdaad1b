//! Names and ids: strings that cannot be mistaken for one another.

use std::fmt;
use std::sync::Arc;

/// Makes a newtype over a shared string.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a string.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }
            /// Returns the bare text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

/// Makes an id that means something only within its connector.
macro_rules! scoped_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// The connector that knows this id.
            pub connector: ConnectorId,
            /// The source's own id.
            pub id: Arc<str>,
        }

        impl $name {
            /// Joins a connector and the source's own id.
            pub fn new(connector: &ConnectorId, id: impl Into<Arc<str>>) -> Self {
                Self { connector: connector.clone(), id: id.into() }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", self.connector, self.id)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", self.connector, self.id)
            }
        }
    };
}

name_type!(/// The name of a connector's table in the config.
    ConnectorId);
name_type!(/// The name of a member's table in the config.
    MemberId);
name_type!(/// The name of a team's table in the config.
    TeamId);
scoped_id!(/// One event of one source.
    EventId);
scoped_id!(/// One thread of one source.
    ThreadId);
scoped_id!(/// One place with members: a channel, a list, a project.
    SpaceId);
scoped_id!(/// One account at one source: a Slack user id, a mail address, a tracker login.
    Handle);
