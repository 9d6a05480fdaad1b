//! daybrief.
