//! Embedded hybrid search for conversations and tickets.
