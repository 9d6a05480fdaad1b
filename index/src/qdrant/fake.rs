//! A Qdrant of our own for tests: the server stubs of `qdrant-client`, a map behind them, and a real socket on this machine.
//!
//! It knows what daybrief asks for and refuses everything else, loudly.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use qdrant_client::qdrant as q;
use qdrant_client::qdrant::collections_server::{Collections, CollectionsServer};
use qdrant_client::qdrant::points_server::{Points, PointsServer};
use tonic::{Request, Response, Status};

/// A collection: points by id, with what they carry.
type Collection = BTreeMap<u64, (Vec<f32>, HashMap<String, q::Value>)>;

#[derive(Clone, Default)]
pub(crate) struct Fake {
    pub collections: Arc<Mutex<BTreeMap<String, Collection>>>,
    pub indexed: Arc<Mutex<Vec<String>>>,
}

/// A running server; dropping it is the server going down.
pub(crate) struct Running {
    pub url: String,
    pub fake: Fake,
    _runtime: tokio::runtime::Runtime,
}

impl Fake {
    /// Serves on a port of this machine, a free one when `port` is 0.
    pub fn serve(self, port: u16) -> Running {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let server = tonic::transport::Server::builder()
            .add_service(CollectionsServer::new(self.clone()))
            .add_service(PointsServer::new(self.clone()));
        runtime.spawn(async move { server.serve(address).await.unwrap() });
        while std::net::TcpStream::connect(address).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Running {
            url: format!("http://{address}"),
            fake: self,
            _runtime: runtime,
        }
    }

    fn collections_create(
        &self,
        request: q::CreateCollection,
    ) -> Result<q::CollectionOperationResponse, Status> {
        assert!(
            request.quantization_config.is_some(),
            "vectors are kept in eight bits"
        );
        self.collections
            .lock()
            .unwrap()
            .insert(request.collection_name, Collection::new());
        Ok(q::CollectionOperationResponse {
            result: true,
            time: 0.0,
        })
    }

    fn collections_delete(
        &self,
        request: q::DeleteCollection,
    ) -> Result<q::CollectionOperationResponse, Status> {
        self.collections
            .lock()
            .unwrap()
            .remove(&request.collection_name);
        Ok(q::CollectionOperationResponse {
            result: true,
            time: 0.0,
        })
    }

    fn collections_collection_exists(
        &self,
        request: q::CollectionExistsRequest,
    ) -> Result<q::CollectionExistsResponse, Status> {
        let exists = self
            .collections
            .lock()
            .unwrap()
            .contains_key(&request.collection_name);
        Ok(q::CollectionExistsResponse {
            result: Some(q::CollectionExists { exists }),
            time: 0.0,
        })
    }

    fn points_create_field_index(
        &self,
        request: q::CreateFieldIndexCollection,
    ) -> Result<q::PointsOperationResponse, Status> {
        self.indexed.lock().unwrap().push(request.field_name);
        Ok(q::PointsOperationResponse::default())
    }

    fn points_upsert(
        &self,
        request: q::UpsertPoints,
    ) -> Result<q::PointsOperationResponse, Status> {
        assert_eq!(request.wait, Some(true), "an upsert is waited for");
        let mut collections = self.collections.lock().unwrap();
        let collection = collections
            .get_mut(&request.collection_name)
            .ok_or_else(|| Status::not_found("no such collection"))?;
        for point in request.points {
            collection.insert(number(point.id), (floats(point.vectors), point.payload));
        }
        Ok(q::PointsOperationResponse::default())
    }

    fn points_delete(
        &self,
        request: q::DeletePoints,
    ) -> Result<q::PointsOperationResponse, Status> {
        let mut collections = self.collections.lock().unwrap();
        let collection = collections
            .get_mut(&request.collection_name)
            .ok_or_else(|| Status::not_found("no such collection"))?;
        let Some(q::points_selector::PointsSelectorOneOf::Filter(filter)) =
            request.points.and_then(|p| p.points_selector_one_of)
        else {
            return Err(Status::unimplemented("delete by anything but a filter"));
        };
        assert_eq!(request.wait, Some(true), "a deletion is waited for");
        assert!(
            !filter.must.is_empty(),
            "a filter without conditions deletes everything"
        );
        collection.retain(|_, (_, payload)| !filter.must.iter().all(|c| holds(c, payload)));
        Ok(q::PointsOperationResponse::default())
    }

    fn points_query(&self, request: q::QueryPoints) -> Result<q::QueryResponse, Status> {
        use q::query::Variant;
        let Some(Variant::Nearest(q::VectorInput {
            variant: Some(q::vector_input::Variant::Dense(asked)),
        })) = request.query.and_then(|q| q.variant)
        else {
            return Err(Status::unimplemented("a query that is no dense vector"));
        };
        let filter = request.filter.unwrap_or_default();
        let collections = self.collections.lock().unwrap();
        let collection = collections
            .get(&request.collection_name)
            .ok_or_else(|| Status::not_found("no such collection"))?;
        let mut result: Vec<q::ScoredPoint> = collection
            .iter()
            .filter(|(_, (_, payload))| filter.must.iter().all(|c| holds(c, payload)))
            .map(|(id, (vector, _))| q::ScoredPoint {
                id: Some((*id).into()),
                score: vector.iter().zip(&asked.data).map(|(a, b)| a * b).sum(),
                ..q::ScoredPoint::default()
            })
            .collect();
        result.sort_by(|a, b| b.score.total_cmp(&a.score));
        result.truncate(request.limit.unwrap_or(10) as usize);
        Ok(q::QueryResponse {
            result,
            ..q::QueryResponse::default()
        })
    }
}

fn number(id: Option<q::PointId>) -> u64 {
    match id.and_then(|id| id.point_id_options) {
        Some(q::point_id::PointIdOptions::Num(number)) => number,
        other => panic!("a point has the id {other:?}"),
    }
}

#[allow(deprecated)]
fn floats(vectors: Option<q::Vectors>) -> Vec<f32> {
    match vectors.and_then(|v| v.vectors_options) {
        Some(q::vectors::VectorsOptions::Vector(vector)) => match vector.vector {
            Some(q::vector::Vector::Dense(dense)) => dense.data,
            _ => vector.data,
        },
        other => panic!("a point has the vectors {other:?}"),
    }
}

fn holds(condition: &q::Condition, payload: &HashMap<String, q::Value>) -> bool {
    use q::r#match::MatchValue;
    use q::value::Kind;
    let Some(q::condition::ConditionOneOf::Field(field)) = &condition.condition_one_of else {
        panic!("a condition that is none on a field: {condition:?}");
    };
    let value = payload.get(&field.key).and_then(|v| v.kind.clone());
    if let Some(range) = &field.range {
        let Some(Kind::IntegerValue(value)) = value else {
            return false;
        };
        let value = value as f64;
        return range.gte.is_none_or(|from| value >= from) && range.lt.is_none_or(|to| value < to);
    }
    match (
        field.r#match.as_ref().and_then(|m| m.match_value.as_ref()),
        value,
    ) {
        (Some(MatchValue::Integers(any)), Some(Kind::IntegerValue(value))) => {
            any.integers.contains(&value)
        }
        (Some(MatchValue::Keywords(any)), Some(Kind::StringValue(value))) => {
            any.strings.contains(&value)
        }
        (Some(_), None) => false,
        other => panic!("a match that is not known: {other:?}"),
    }
}

#[tonic::async_trait]
impl Collections for Fake {
    async fn get(
        &self,
        _: Request<q::GetCollectionInfoRequest>,
    ) -> Result<Response<q::GetCollectionInfoResponse>, Status> {
        Err(Status::unimplemented("get"))
    }
    async fn list(
        &self,
        _: Request<q::ListCollectionsRequest>,
    ) -> Result<Response<q::ListCollectionsResponse>, Status> {
        Err(Status::unimplemented("list"))
    }
    async fn create(
        &self,
        request: Request<q::CreateCollection>,
    ) -> Result<Response<q::CollectionOperationResponse>, Status> {
        self.collections_create(request.into_inner())
            .map(Response::new)
    }
    async fn update(
        &self,
        _: Request<q::UpdateCollection>,
    ) -> Result<Response<q::CollectionOperationResponse>, Status> {
        Err(Status::unimplemented("update"))
    }
    async fn delete(
        &self,
        request: Request<q::DeleteCollection>,
    ) -> Result<Response<q::CollectionOperationResponse>, Status> {
        self.collections_delete(request.into_inner())
            .map(Response::new)
    }
    async fn update_aliases(
        &self,
        _: Request<q::ChangeAliases>,
    ) -> Result<Response<q::CollectionOperationResponse>, Status> {
        Err(Status::unimplemented("update_aliases"))
    }
    async fn list_collection_aliases(
        &self,
        _: Request<q::ListCollectionAliasesRequest>,
    ) -> Result<Response<q::ListAliasesResponse>, Status> {
        Err(Status::unimplemented("list_collection_aliases"))
    }
    async fn list_aliases(
        &self,
        _: Request<q::ListAliasesRequest>,
    ) -> Result<Response<q::ListAliasesResponse>, Status> {
        Err(Status::unimplemented("list_aliases"))
    }
    async fn collection_cluster_info(
        &self,
        _: Request<q::CollectionClusterInfoRequest>,
    ) -> Result<Response<q::CollectionClusterInfoResponse>, Status> {
        Err(Status::unimplemented("collection_cluster_info"))
    }
    async fn collection_exists(
        &self,
        request: Request<q::CollectionExistsRequest>,
    ) -> Result<Response<q::CollectionExistsResponse>, Status> {
        self.collections_collection_exists(request.into_inner())
            .map(Response::new)
    }
    async fn update_collection_cluster_setup(
        &self,
        _: Request<q::UpdateCollectionClusterSetupRequest>,
    ) -> Result<Response<q::UpdateCollectionClusterSetupResponse>, Status> {
        Err(Status::unimplemented("update_collection_cluster_setup"))
    }
    async fn create_shard_key(
        &self,
        _: Request<q::CreateShardKeyRequest>,
    ) -> Result<Response<q::CreateShardKeyResponse>, Status> {
        Err(Status::unimplemented("create_shard_key"))
    }
    async fn delete_shard_key(
        &self,
        _: Request<q::DeleteShardKeyRequest>,
    ) -> Result<Response<q::DeleteShardKeyResponse>, Status> {
        Err(Status::unimplemented("delete_shard_key"))
    }
    async fn list_shard_keys(
        &self,
        _: Request<q::ListShardKeysRequest>,
    ) -> Result<Response<q::ListShardKeysResponse>, Status> {
        Err(Status::unimplemented("list_shard_keys"))
    }
}

#[tonic::async_trait]
impl Points for Fake {
    async fn upsert(
        &self,
        request: Request<q::UpsertPoints>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        self.points_upsert(request.into_inner()).map(Response::new)
    }
    async fn delete(
        &self,
        request: Request<q::DeletePoints>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        self.points_delete(request.into_inner()).map(Response::new)
    }
    async fn get(&self, _: Request<q::GetPoints>) -> Result<Response<q::GetResponse>, Status> {
        Err(Status::unimplemented("get"))
    }
    async fn update_vectors(
        &self,
        _: Request<q::UpdatePointVectors>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        Err(Status::unimplemented("update_vectors"))
    }
    async fn delete_vectors(
        &self,
        _: Request<q::DeletePointVectors>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        Err(Status::unimplemented("delete_vectors"))
    }
    async fn set_payload(
        &self,
        _: Request<q::SetPayloadPoints>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        Err(Status::unimplemented("set_payload"))
    }
    async fn overwrite_payload(
        &self,
        _: Request<q::SetPayloadPoints>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        Err(Status::unimplemented("overwrite_payload"))
    }
    async fn delete_payload(
        &self,
        _: Request<q::DeletePayloadPoints>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        Err(Status::unimplemented("delete_payload"))
    }
    async fn clear_payload(
        &self,
        _: Request<q::ClearPayloadPoints>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        Err(Status::unimplemented("clear_payload"))
    }
    async fn create_field_index(
        &self,
        request: Request<q::CreateFieldIndexCollection>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        self.points_create_field_index(request.into_inner())
            .map(Response::new)
    }
    async fn delete_field_index(
        &self,
        _: Request<q::DeleteFieldIndexCollection>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        Err(Status::unimplemented("delete_field_index"))
    }
    async fn create_vector_name(
        &self,
        _: Request<q::CreateVectorNameRequest>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        Err(Status::unimplemented("create_vector_name"))
    }
    async fn delete_vector_name(
        &self,
        _: Request<q::DeleteVectorNameRequest>,
    ) -> Result<Response<q::PointsOperationResponse>, Status> {
        Err(Status::unimplemented("delete_vector_name"))
    }
    async fn search(
        &self,
        _: Request<q::SearchPoints>,
    ) -> Result<Response<q::SearchResponse>, Status> {
        Err(Status::unimplemented("search"))
    }
    async fn search_batch(
        &self,
        _: Request<q::SearchBatchPoints>,
    ) -> Result<Response<q::SearchBatchResponse>, Status> {
        Err(Status::unimplemented("search_batch"))
    }
    async fn search_groups(
        &self,
        _: Request<q::SearchPointGroups>,
    ) -> Result<Response<q::SearchGroupsResponse>, Status> {
        Err(Status::unimplemented("search_groups"))
    }
    async fn scroll(
        &self,
        _: Request<q::ScrollPoints>,
    ) -> Result<Response<q::ScrollResponse>, Status> {
        Err(Status::unimplemented("scroll"))
    }
    async fn recommend(
        &self,
        _: Request<q::RecommendPoints>,
    ) -> Result<Response<q::RecommendResponse>, Status> {
        Err(Status::unimplemented("recommend"))
    }
    async fn recommend_batch(
        &self,
        _: Request<q::RecommendBatchPoints>,
    ) -> Result<Response<q::RecommendBatchResponse>, Status> {
        Err(Status::unimplemented("recommend_batch"))
    }
    async fn recommend_groups(
        &self,
        _: Request<q::RecommendPointGroups>,
    ) -> Result<Response<q::RecommendGroupsResponse>, Status> {
        Err(Status::unimplemented("recommend_groups"))
    }
    async fn discover(
        &self,
        _: Request<q::DiscoverPoints>,
    ) -> Result<Response<q::DiscoverResponse>, Status> {
        Err(Status::unimplemented("discover"))
    }
    async fn discover_batch(
        &self,
        _: Request<q::DiscoverBatchPoints>,
    ) -> Result<Response<q::DiscoverBatchResponse>, Status> {
        Err(Status::unimplemented("discover_batch"))
    }
    async fn count(
        &self,
        _: Request<q::CountPoints>,
    ) -> Result<Response<q::CountResponse>, Status> {
        Err(Status::unimplemented("count"))
    }
    async fn update_batch(
        &self,
        _: Request<q::UpdateBatchPoints>,
    ) -> Result<Response<q::UpdateBatchResponse>, Status> {
        Err(Status::unimplemented("update_batch"))
    }
    async fn query(
        &self,
        request: Request<q::QueryPoints>,
    ) -> Result<Response<q::QueryResponse>, Status> {
        self.points_query(request.into_inner()).map(Response::new)
    }
    async fn query_batch(
        &self,
        _: Request<q::QueryBatchPoints>,
    ) -> Result<Response<q::QueryBatchResponse>, Status> {
        Err(Status::unimplemented("query_batch"))
    }
    async fn query_groups(
        &self,
        _: Request<q::QueryPointGroups>,
    ) -> Result<Response<q::QueryGroupsResponse>, Status> {
        Err(Status::unimplemented("query_groups"))
    }
    async fn facet(
        &self,
        _: Request<q::FacetCounts>,
    ) -> Result<Response<q::FacetResponse>, Status> {
        Err(Status::unimplemented("facet"))
    }
    async fn search_matrix_pairs(
        &self,
        _: Request<q::SearchMatrixPoints>,
    ) -> Result<Response<q::SearchMatrixPairsResponse>, Status> {
        Err(Status::unimplemented("search_matrix_pairs"))
    }
    async fn search_matrix_offsets(
        &self,
        _: Request<q::SearchMatrixPoints>,
    ) -> Result<Response<q::SearchMatrixOffsetsResponse>, Status> {
        Err(Status::unimplemented("search_matrix_offsets"))
    }
}
