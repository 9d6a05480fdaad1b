//! Qdrant behind `VectorStore`, for teams whose vectors outgrow one machine.
//!
//! A point's id is the passage's row; its payload repeats what can narrow a search. The full-text index still has the last word:
//! a point whose passage was deleted or moved to another audience is dropped when its row is looked up. A server that is down
//! costs the vectors' share of an answer, never the answer.

#[cfg(test)]
pub(crate) mod fake;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use qdrant_client::Qdrant;
use qdrant_client::qdrant::{
    Condition, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, DeletePointsBuilder,
    Distance, FieldType, Filter, PointId, PointStruct, QuantizationSearchParamsBuilder,
    QueryPointsBuilder, Range, ScalarQuantizationBuilder, SearchParamsBuilder, UpsertPointsBuilder,
    Value, VectorParamsBuilder, point_id::PointIdOptions,
};
use tantivy::DocAddress;

use crate::passage::{Passage, Query};
use crate::vectors::{Among, Gone, Point, VectorStore};

/// Where a Qdrant server is and which collection belongs to this index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QdrantPlace {
    /// The gRPC address, for instance `http://localhost:6334`.
    pub url: String,
    /// The collection's name; a generation of weights adds its number.
    pub collection: String,
    /// The key, when the server asks for one.
    pub api_key: Option<String>,
}

/// Qdrant asks for batches of bounded size; each is waited for before the next is sent, which is all the back-pressure needed.
const BATCH: usize = 256;

/// One collection.
pub(crate) struct Remote {
    client: Qdrant,
    collection: String,
    dims: usize,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Remote {
    pub fn new(place: &QdrantPlace, generation: u32, dims: usize) -> Result<Remote> {
        let mut config = Qdrant::from_url(&place.url)
            .skip_compatibility_check()
            .timeout(Duration::from_secs(20))
            .connect_timeout(Duration::from_secs(2));
        if let Some(key) = &place.api_key {
            config.set_api_key(key);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let client = {
            let _inside = runtime.enter();
            config
                .build()
                .context("the address of Qdrant cannot be used")?
        };
        Ok(Remote {
            client,
            collection: format!("{}-{generation}", place.collection),
            dims,
            runtime: Some(runtime),
        })
    }

    /// Waits for an answer on a thread of its own, because a caller may be inside another runtime.
    fn wait<T: Send>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let runtime = self.runtime.as_ref().context("Qdrant was let go")?;
        std::thread::scope(|scope| {
            scope
                .spawn(|| runtime.block_on(work))
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Makes the collection with its payload indexes, when it is not there yet.
    async fn prepare(&self) -> Result<()> {
        if self.client.collection_exists(&self.collection).await? {
            return Ok(());
        }
        let vectors = VectorParamsBuilder::new(self.dims as u64, Distance::Cosine).on_disk(true);
        let quantization = ScalarQuantizationBuilder::default()
            .quantile(0.99)
            .always_ram(true);
        let collection = CreateCollectionBuilder::new(&self.collection)
            .vectors_config(vectors)
            .quantization_config(quantization);
        self.client.create_collection(collection).await?;
        for (field, kind) in FIELDS {
            let index =
                CreateFieldIndexCollectionBuilder::new(&self.collection, field, kind).wait(true);
            self.client.create_field_index(index).await?;
        }
        Ok(())
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // A runtime must not be waited for inside another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

const FIELDS: [(&str, FieldType); 8] = [
    ("passage", FieldType::Keyword),
    ("event", FieldType::Keyword),
    ("thread", FieldType::Keyword),
    ("audience", FieldType::Integer),
    ("space", FieldType::Keyword),
    ("kind", FieldType::Keyword),
    ("connector", FieldType::Keyword),
    ("occurred", FieldType::Integer),
];

fn payload(passage: &Passage) -> HashMap<String, Value> {
    let mut payload: HashMap<String, Value> = HashMap::from([
        ("passage".into(), passage.id.clone().into()),
        ("event".into(), passage.event.clone().into()),
        ("thread".into(), passage.thread.clone().into()),
        ("audience".into(), (passage.audience.0 as i64).into()),
        (
            "occurred".into(),
            passage.occurred_at.as_microsecond().into(),
        ),
        (
            "kind".into(),
            crate::lexical::name_key(&passage.kind).into(),
        ),
        (
            "connector".into(),
            crate::lexical::name_key(&passage.connector).into(),
        ),
    ]);
    if let Some(space) = &passage.space {
        payload.insert("space".into(), crate::lexical::name_key(space).into());
    }
    payload
}

/// Returns the part of a query's filter that the server can apply; the rest is applied to what comes back.
fn filter(query: &Query) -> Filter {
    let audiences: Vec<i64> = query.readable.iter().map(|a| a.0 as i64).collect();
    let mut must = vec![Condition::matches("audience", audiences)];
    let lists = [
        ("space", &query.filter.spaces),
        ("kind", &query.filter.kinds),
        ("connector", &query.filter.connectors),
    ];
    for (field, names) in lists {
        if !names.is_empty() {
            must.push(Condition::matches(
                field,
                names
                    .iter()
                    .map(|n| crate::lexical::name_key(n))
                    .collect::<Vec<_>>(),
            ));
        }
    }
    if query.filter.after.is_some() || query.filter.before.is_some() {
        let range = Range {
            gte: query.filter.after.map(|t| t.as_microsecond() as f64),
            lt: query.filter.before.map(|t| t.as_microsecond() as f64),
            ..Range::default()
        };
        must.push(Condition::range("occurred", range));
    }
    Filter::must(must)
}

impl VectorStore for Remote {
    fn upsert(&self, points: &[Point<'_>]) -> Result<()> {
        self.wait(async {
            self.prepare().await?;
            for batch in points.chunks(BATCH) {
                let points = batch
                    .iter()
                    .map(|p| PointStruct::new(p.row, p.vector.clone(), payload(p.passage)))
                    .collect::<Vec<_>>();
                self.client
                    .upsert_points(UpsertPointsBuilder::new(&self.collection, points).wait(true))
                    .await?;
            }
            Ok(())
        })
    }

    fn delete(&self, gone: &[Gone]) -> Result<()> {
        if gone.is_empty() {
            return Ok(());
        }
        self.wait(async {
            // Nothing can be missing from a collection that is not there.
            if !self.client.collection_exists(&self.collection).await? {
                return Ok(());
            }
            for field in ["passage", "event", "thread"] {
                let values: Vec<String> = gone
                    .iter()
                    .filter(|g| g.field == field)
                    .map(|g| g.value.clone())
                    .collect();
                for batch in values.chunks(BATCH) {
                    let named = Condition::matches(field, batch.to_vec());
                    let request = DeletePointsBuilder::new(&self.collection)
                        .points(Filter::must([named]))
                        .wait(true);
                    self.client.delete_points(request).await?;
                }
            }
            Ok(())
        })
    }

    fn nearest(
        &self,
        vector: &[f32],
        among: &Among<'_>,
        limit: usize,
    ) -> Result<Vec<(DocAddress, f32)>> {
        // Some of what comes back may be gone or filtered by what only the full-text index knows.
        let here = &among.query.filter;
        let unknown_there = [&here.authors, &here.statuses, &here.assignees]
            .iter()
            .any(|names| !names.is_empty())
            || !among.query.phrases.is_empty()
            || !among.query.excluded.is_empty();
        let wanted = limit * if unknown_there { 10 } else { 2 };
        let rescore = QuantizationSearchParamsBuilder::default()
            .rescore(true)
            .oversampling(2.0);
        let request = QueryPointsBuilder::new(&self.collection)
            .query(vector.to_vec())
            .limit(wanted as u64)
            .filter(filter(among.query))
            .with_payload(false)
            .params(
                SearchParamsBuilder::default()
                    .quantization(rescore)
                    .exact(among.query.exact),
            );
        let found = self.wait(async { Ok(self.client.query(request).await?.result) })?;
        let row = |id: Option<PointId>| match id.and_then(|id| id.point_id_options) {
            Some(PointIdOptions::Num(row)) => Some(row),
            _ => None,
        };
        let known = found
            .into_iter()
            .filter_map(|p| Some(((among.locate)(row(p.id)?)?, p.score)));
        Ok(known.take(limit).collect())
    }

    fn cosines(&self, _vector: &[f32], _rows: &[u64]) -> Option<Vec<f32>> {
        None
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn discard(&self) {
        let dropped =
            self.wait(async { Ok(self.client.delete_collection(&self.collection).await?) });
        if let Err(error) = dropped {
            tracing::warn!(
                error = format!("{error:#}"),
                "An old collection in Qdrant could not be removed"
            );
        }
    }
}
