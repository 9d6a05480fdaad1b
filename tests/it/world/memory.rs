//! A sink that remembers what it was given and fails as it is told to.

use std::sync::{Arc, Mutex};

use anyhow::{Result, bail};
use daybrief::model::{Briefing, Heard};
use daybrief::sinks::{ChatSink, Found, Message, NotTaken, Receipt};
use jiff::Timestamp;

/// What the sink does with the next messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// Takes them.
    #[default]
    Well,
    /// Cannot be reached.
    Down,
    /// Says that it does not take them.
    Refuses,
    /// Takes them, but the answer is lost.
    AnswerLost,
}

#[derive(Debug, Default)]
pub struct Remembered {
    pub mood: Mood,
    pub cannot_look: bool,
    /// Nothing pushes what its readers say.
    pub is_to_be_asked: bool,
    /// What its readers have said, all of them the same.
    pub heard: Heard,
    /// What was answered, by key.
    pub answers: Vec<String>,
    /// Key, moment and briefing of every message taken.
    pub sent: Vec<(String, Timestamp, Briefing)>,
}

/// A sink that remembers.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub Arc<Mutex<Remembered>>);

impl ChatSink for Memory {
    async fn send(&self, message: Message<'_>) -> Result<Receipt> {
        let mut remembered = self.0.lock().unwrap();
        if remembered.mood == Mood::Down {
            bail!("the sink is down");
        }
        if remembered.mood == Mood::Refuses {
            return Err(NotTaken("come back later".into()).into());
        }
        let sent = (
            message.key.to_owned(),
            message.now,
            message.briefing.clone(),
        );
        remembered.sent.push(sent);
        if remembered.mood == Mood::AnswerLost {
            bail!("connection reset after the request was sent");
        }
        Ok(Receipt(message.key.to_owned()))
    }

    async fn find(&self, key: &str) -> Result<Found> {
        let remembered = self.0.lock().unwrap();
        if remembered.mood == Mood::Down {
            bail!("the sink is down");
        }
        Ok(match remembered.sent.iter().any(|(sent, ..)| sent == key) {
            _ if remembered.cannot_look => Found::CannotTell,
            true => Found::Yes(Receipt(key.to_owned())),
            false => Found::No,
        })
    }

    async fn hear(&self, after: &str) -> Result<Heard> {
        let heard = self.0.lock().unwrap().heard.clone();
        Ok(if heard.upto == after {
            Heard::default()
        } else {
            heard
        })
    }

    fn is_to_be_asked(&self) -> bool {
        self.0.lock().unwrap().is_to_be_asked
    }

    async fn say(&self, key: &str, _: &str) -> Result<()> {
        self.0.lock().unwrap().answers.push(key.to_owned());
        Ok(())
    }
}
