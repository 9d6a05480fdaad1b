//! How often the replies found agree with replies people marked.
