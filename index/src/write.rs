//! Writing: operations of the log into full text and vectors, durable and visible when it returns.
//!
//! Vectors are on disk before the full-text commit that names their rows, and the commit carries the log's position: a crash
//! between the two leaves rows that nobody names, and the log is applied again from where the commit says.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use tantivy::{IndexWriter, Searcher, TantivyDocument, Term};

use crate::arm::{self, Arm, Fresh};
use crate::embed::Counts;
use crate::passage::{Op, Passage, Seq};
use crate::second::Second;
use crate::vectors::Gone;
use crate::{FORMAT, Index, Payload, guarded};

impl Index {
    /// Applies operations in order and stores that the log is applied up to `upto`. Applying the same again changes nothing.
    /// All of it is searchable when this returns, and none of it when this fails.
    pub fn apply(&self, ops: &[Op], upto: Seq) -> Result<()> {
        let mut held = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let done = guarded(|| self.write(&mut held, ops, upto));
        if done.is_err() {
            // A writer that failed once is not trusted with the next batch; what it had not committed is dropped with it.
            *held = None;
        }
        done
    }

    /// Empties the index and applies a whole log, in batches. A crash on the way leaves an index that knows how far it came.
    pub fn rebuild(&self, ops: impl Iterator<Item = (Op, Seq)>) -> Result<()> {
        {
            let mut held = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let writer = self.writer_in(&mut held)?;
            // Rows begin at nothing again, so what is known of them is forgotten first.
            let _quiet = self.second.as_ref().map(Second::forget).transpose()?;
            writer.delete_all_documents()?;
            let arm = Arm::create(self.place(), 0, &Counts::none())?;
            self.commit(writer, Seq(0), 0, 0, Some(arm))?;
        }
        let mut batch = Vec::new();
        let mut reached = Seq(0);
        for (op, seq) in ops {
            // Operations of one event belong together: half of them applied would count as all.
            if seq > reached && batch.len() >= 2_000 {
                self.apply(&batch, reached)?;
                batch.clear();
            }
            reached = reached.max(seq);
            batch.push(op);
        }
        self.apply(&batch, reached)
    }

    fn writer_in<'a>(&self, held: &'a mut Option<IndexWriter>) -> Result<&'a mut IndexWriter> {
        if self.home.as_ref().is_some_and(|home| home.lock.is_none()) {
            bail!("the index was opened for reading");
        }
        if held.is_none() {
            let bytes = self.options.writer_bytes.max(15 << 20);
            *held = Some(self.lexical.index.writer_with_num_threads(1, bytes)?);
        }
        held.as_mut().context("there is no writer")
    }

    fn write(&self, held: &mut Option<IndexWriter>, ops: &[Op], upto: Seq) -> Result<()> {
        let writer = self.writer_in(held)?;
        let fields = self.lexical.fields;
        let searcher = self.lexical.reader.searcher();
        let remote = self.arm().is_some_and(|arm| arm.store.is_remote());
        let mut gone: Vec<Gone> = Vec::new();
        let mut delete = |field, name: &'static str, value: &str| {
            if remote {
                gone.push(Gone {
                    field: name,
                    value: value.to_string(),
                });
            }
            writer.delete_term(Term::from_field_text(field, value));
        };
        let first = self.rows.load(Ordering::Acquire);
        let mut row = first;
        let mut fresh: HashSet<&str> = HashSet::new();
        let mut put: Vec<&Passage> = Vec::new();
        for op in ops {
            match op {
                Op::Put(passage) => {
                    // A deletion costs a look into every segment, and most passages are new.
                    if !fresh.insert(&passage.id)
                        || self.lexical.knows(&searcher, fields.id, &passage.id)?
                    {
                        delete(fields.id, "passage", &passage.id);
                    }
                    writer.add_document(self.lexical.document(passage, row))?;
                    put.push(passage);
                    row += 1;
                }
                Op::DeletePassage(id) => delete(fields.id, "passage", id),
                Op::DeleteEvent(event) => delete(fields.event, "event", event),
                Op::DeleteThread(thread) => delete(fields.thread, "thread", thread),
            }
        }
        if !self.options.vectors {
            return self.commit(writer, upto, row, 0, None);
        }
        let pieces = arm::in_two(&put, |passage| arm::pieces_of(passage));
        let fresh = (first..).zip(put).zip(pieces);
        let fresh: Vec<Fresh<'_>> = fresh
            .map(|((row, passage), pieces)| Fresh {
                row,
                pieces,
                passage: Cow::Borrowed(passage),
            })
            .collect();
        let (stored, arm) = self.embed(&searcher, first, row, fresh, &gone)?;
        self.commit(writer, upto, row, stored, arm)
    }

    /// Stores the vectors of new passages and returns up to which row they are stored, with the arm that is to take over.
    fn embed(
        &self,
        searcher: &Searcher,
        first: u64,
        rows: u64,
        mut fresh: Vec<Fresh<'_>>,
        gone: &[Gone],
    ) -> Result<(u64, Option<Arm>)> {
        let current = self.arm();
        let generation = arm::generation_of(rows);
        let result = match &current {
            Some(arm) if arm.generation >= generation => {
                // What a server missed while it was down comes first.
                let stored = self.stored.load(Ordering::Acquire).min(first);
                if stored < first {
                    let mut missed = self.read_back(searcher, stored)?;
                    missed.append(&mut fresh);
                    fresh = missed;
                }
                arm.store
                    .delete(gone)
                    .and_then(|()| arm.put(&fresh))
                    .map(|()| None)
            }
            _ => self.next_arm(searcher, rows, fresh).map(Some),
        };
        match result {
            Ok(arm) => Ok((rows, arm)),
            Err(error) if current.as_ref().is_some_and(|arm| arm.store.is_remote()) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "Qdrant did not take the vectors; they are sent again later"
                );
                Ok((self.stored.load(Ordering::Acquire).min(first), None))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the committed passages from a row on, in the order of rows, without their texts.
    fn read_back(&self, searcher: &Searcher, from: u64) -> Result<Vec<Fresh<'static>>> {
        let addresses = self.rows_from(searcher, from)?;
        let read = arm::in_two(&addresses, |(row, address)| -> Result<Fresh<'static>> {
            let mut passage = self.lexical.passage(searcher, *address)?;
            let pieces = arm::pieces_of(&passage);
            for text in [&mut passage.text, &mut passage.title, &mut passage.context] {
                *text = String::new();
            }
            Ok(Fresh {
                row: *row,
                pieces,
                passage: Cow::Owned(passage),
            })
        });
        read.into_iter().collect()
    }

    /// Returns an arm of the generation that so many rows ask for, with all passages in it.
    fn next_arm(&self, searcher: &Searcher, rows: u64, fresh: Vec<Fresh<'_>>) -> Result<Arm> {
        let mut all: Vec<Fresh<'_>> = self.read_back(searcher, 0)?;
        all.extend(fresh);
        let generation = arm::generation_of(rows);
        let mut counts = Counts::none();
        if generation > 0 {
            all.iter_mut()
                .take(1 << generation)
                .for_each(|f| counts.add(&mut f.pieces.all));
        }
        let arm = Arm::create(self.place(), generation, &counts)?;
        arm.put(&all)?;
        Ok(arm)
    }

    /// Makes all vectors again from the stored texts.
    pub(crate) fn embed_again(&self) -> Result<()> {
        let mut held = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = self.rows.load(Ordering::Acquire);
        let arm = self.next_arm(&self.lexical.reader.searcher(), rows, Vec::new())?;
        let writer = self.writer_in(&mut held)?;
        self.commit(writer, self.applied(), rows, rows, Some(arm))
    }

    fn commit(
        &self,
        writer: &mut IndexWriter<TantivyDocument>,
        upto: Seq,
        rows: u64,
        stored: u64,
        arm: Option<Arm>,
    ) -> Result<()> {
        let generation = arm
            .as_ref()
            .map_or_else(|| self.generation(), |arm| arm.generation);
        let payload = Payload {
            format: FORMAT,
            log: self.log.clone(),
            applied: upto,
            rows,
            stored,
            generation,
        };
        let mut prepared = writer.prepare_commit()?;
        prepared.set_payload(&serde_json::to_string(&payload)?);
        prepared.commit()?;
        // A search between these lines sees the old passages, which the new vectors hold too.
        if let Some(arm) = arm {
            let old = self.arm();
            self.set_arm(arm);
            if let Some(dir) = self.dir() {
                arm::remove_others(dir, generation);
            }
            old.into_iter()
                .filter(|old| old.generation != generation)
                .for_each(|old| old.store.discard());
        }
        self.lexical.reader.reload()?;
        self.rows.store(rows, Ordering::Release);
        self.stored.store(stored, Ordering::Release);
        self.applied.store(upto.0, Ordering::Release);
        Ok(())
    }
}
