"""LlamaIndex: its vector store in PostgreSQL.

    pip install llama-index-vector-stores-postgres

It creates the extension, the table and the HNSW index, and searches by cosine distance.
"""
import asyncio
import math
import os

from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import (
    FilterCondition, FilterOperator, MetadataFilter, MetadataFilters, VectorStoreQuery)
from llama_index.core.vector_stores.types import VectorStoreQueryMode
from llama_index.vector_stores.postgres import PGVectorStore
from sqlalchemy import create_engine, text

URL = os.environ["DATABASE_URL"]
VECTORS = {"apple": [2, 1, 0], "plum": [1, 5, 0], "grape": [3, 4, 1], "lemon": [0, 0, 4],
           "fruit": [1, 1, 0]}


class Fruits(BaseEmbedding):
    """Stands for a model."""

    def _get_text_embedding(self, text):
        return VECTORS[text]

    def _get_query_embedding(self, query):
        return VECTORS[query]

    async def _aget_query_embedding(self, query):
        return VECTORS[query]


def node(name, color, price, document):
    return TextNode(id_=name, text=name, embedding=VECTORS[name],
                    metadata={"color": color, "price": price},
                    relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)})


def new_store(name, **options):
    return PGVectorStore.from_params(
        connection_string=URL.replace("postgresql:", "postgresql+psycopg2:"),
        async_connection_string=URL.replace("postgresql:", "postgresql+asyncpg:"),
        table_name=name, embed_dim=3, use_jsonb=True, **options)


def search(store, name="fruit", top_k=4, filters=None, mode=VectorStoreQueryMode.DEFAULT,
           **options):
    query = VectorStoreQuery(query_embedding=VECTORS[name], query_str=name,
                             similarity_top_k=top_k, filters=filters, mode=mode)
    return store.query(query, **options).ids


def where(*conditions, condition=FilterCondition.AND):
    return MetadataFilters(condition=condition, filters=[
        MetadataFilter(key=key, operator=operator, value=value)
        for key, operator, value in conditions])


def plan(table):
    with create_engine(URL.replace("postgresql:", "postgresql+psycopg:")).begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        return str(connection.scalars(text(f"""
            EXPLAIN SELECT node_id, embedding <=> '[1,1,0]' AS distance
            FROM {table} ORDER BY distance ASC LIMIT 4
        """)).all())


HNSW = {"hnsw_m": 16, "hnsw_ef_construction": 64, "hnsw_ef_search": 100,
        "hnsw_dist_method": "vector_cosine_ops"}
NODES = [node("apple", "red", 3, "orchard"), node("plum", "blue", 2, "orchard"),
         node("grape", "blue", 5, "vineyard"), node("lemon", "yellow", 1, "south")]

store = new_store("fruits", hnsw_kwargs=dict(HNSW))
assert store.add(NODES) == ["apple", "plum", "grape", "lemon"]
assert search(store) == ["grape", "apple", "plum", "lemon"]
assert "data_fruits_embedding_idx" in plan("data_fruits")
result = store.query(VectorStoreQuery(query_embedding=[1, 1, 0], similarity_top_k=1))
assert math.isclose(result.similarities[0], 7 / math.sqrt(52))
assert result.nodes[0].text == "grape" and result.nodes[0].metadata["color"] == "blue"
assert [node.embedding for node in store.get_nodes(["plum"])] == [[1, 5, 0]]

# filters
EQ, IN, LT, GTE = FilterOperator.EQ, FilterOperator.IN, FilterOperator.LT, FilterOperator.GTE
assert search(store, filters=where(("color", EQ, "blue"))) == ["grape", "plum"]
assert search(store, filters=where(("color", IN, ["red", "yellow"]))) == ["apple", "lemon"]
assert search(store, filters=where(("color", EQ, "blue"), ("price", LT, 3))) == ["plum"]
assert search(store, filters=where(("color", EQ, "red"), ("price", GTE, 5),
                                   condition=FilterCondition.OR)) == ["grape", "apple"]

# near the query and far from each other
assert search(store, top_k=2, mode=VectorStoreQueryMode.MMR, mmr_threshold=0.1) == [
    "grape", "lemon"]

# delete by node, by filter, and all of a document
store.delete_nodes(["lemon"])
assert search(store) == ["grape", "apple", "plum"]
store.delete_nodes(filters=where(("color", EQ, "blue"), ("price", LT, 3)))
assert search(store) == ["grape", "apple"]
store.delete("vineyard")
assert search(store) == ["apple"]
store.clear()
assert search(store) == []

# through an index of LlamaIndex, which asks the model for the embeddings
store = new_store("halves", hnsw_kwargs={**HNSW, "hnsw_dist_method": "halfvec_cosine_ops"},
                  use_halfvec=True)
index = VectorStoreIndex([TextNode(id_=name, text=name) for name in ("apple", "plum", "grape")],
                         storage_context=StorageContext.from_defaults(vector_store=store),
                         embed_model=Fruits())
found = index.as_retriever(similarity_top_k=2).retrieve("fruit")
assert [node.node_id for node in found] == ["grape", "apple"]
assert "data_halves_embedding_idx" in plan("data_halves")
index.delete_nodes(["grape"])
found = index.as_retriever(similarity_top_k=2).retrieve("fruit")
assert [node.node_id for node in found] == ["apple", "plum"]

# by vectors and by words at once: the nearest, then those that have the word
store = new_store("hybrid", hybrid_search=True)
store.add(NODES)
assert search(store, mode=VectorStoreQueryMode.SPARSE, name="plum") == ["plum"]
result = store.query(VectorStoreQuery(
    query_embedding=VECTORS["fruit"], query_str="plum", similarity_top_k=2, sparse_top_k=2,
    mode=VectorStoreQueryMode.HYBRID))
assert result.ids == ["grape", "apple", "plum"]


async def search_with_asyncio():
    store = new_store("later", hnsw_kwargs=dict(HNSW))
    await store.async_add(NODES)
    query = VectorStoreQuery(query_embedding=[1, 1, 0], similarity_top_k=2)
    assert (await store.aquery(query)).ids == ["grape", "apple"]
    await store.adelete("vineyard")
    assert (await store.aquery(query)).ids == ["apple", "plum"]
    await store.close()

asyncio.run(search_with_asyncio())

# an IVFFlat index is for SQL to create; the number of probes goes with a query
store = new_store("lists")
store.add(NODES)
with create_engine(URL.replace("postgresql:", "postgresql+psycopg:")).begin() as connection:
    connection.execute(text("""
        CREATE INDEX by_lists ON data_lists USING ivfflat (embedding vector_cosine_ops)
        WITH (lists = 2)
    """))
assert "by_lists" in plan("data_lists")
assert search(store, ivfflat_probes=2) == ["grape", "apple", "plum", "lemon"]
