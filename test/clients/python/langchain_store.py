"""LangChain's vector stores in PostgreSQL: PGVectorStore, and PGVector, which came before it.

    pip install langchain-postgres

PGVectorStore has a table for every store, with metadata in columns of their own or in JSON.
PGVector has one table for all collections, and their metadata in JSONB. Both create the
extension.
"""
import asyncio
import math
import os

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_postgres import Column, PGEngine, PGVector, PGVectorStore
from langchain_postgres.v2.hybrid_search_config import HybridSearchConfig
from langchain_postgres.v2.indexes import (
    DistanceStrategy, HNSWIndex, HNSWQueryOptions, IVFFlatIndex, IVFFlatQueryOptions)
from sqlalchemy import create_engine, text


class Fruits(Embeddings):
    """Stands for a model."""
    vectors = {"apple": [2, 1, 0], "plum": [1, 5, 0], "grape": [3, 4, 1], "lemon": [0, 0, 4],
               "fruit": [1, 1, 0]}

    def embed_documents(self, texts):
        return [self.vectors[text] for text in texts]

    def embed_query(self, text):
        return self.vectors[text]


IDS = [f"00000000-0000-0000-0000-00000000000{i}" for i in range(1, 5)]
DOCUMENTS = [Document("apple", metadata={"color": "red", "price": 3}, id=IDS[0]),
             Document("plum", metadata={"color": "blue", "price": 2}, id=IDS[1]),
             Document("grape", metadata={"color": "blue", "price": 5}, id=IDS[2]),
             Document("lemon", metadata={"color": "yellow", "price": 1}, id=IDS[3])]
URL = os.environ["DATABASE_URL"]
engine = create_engine(URL.replace("postgresql:", "postgresql+psycopg:"))


def contents(documents):
    return [document.page_content for document in documents]


def search_and_delete(store):
    """What both stores answer in the same way, by cosine distance."""
    assert store.add_documents(DOCUMENTS) == IDS
    assert contents(store.similarity_search("fruit", k=3)) == ["grape", "apple", "plum"]
    assert contents(store.similarity_search_by_vector([0, 1, 4], k=1)) == ["lemon"]
    (document, distance), = store.similarity_search_with_score("fruit", k=1)
    assert (document.id, document.metadata) == (IDS[2], {"color": "blue", "price": 5})
    assert math.isclose(distance, 1 - 7 / math.sqrt(52), abs_tol=1e-12)
    (document, relevance), = store.similarity_search_with_relevance_scores("fruit", k=1)
    assert math.isclose(relevance, 7 / math.sqrt(52), abs_tol=1e-12)
    assert contents(store.get_by_ids([IDS[0]])) == ["apple"]

    # filters
    for condition, expected in [
            ({"color": "blue"}, ["grape", "plum"]),
            ({"color": {"$in": ["red", "yellow"]}}, ["apple", "lemon"]),
            ({"price": {"$lt": 3}}, ["plum", "lemon"]),
            ({"$or": [{"price": {"$gte": 5}}, {"color": {"$eq": "red"}}]}, ["grape", "apple"])]:
        assert contents(store.similarity_search("fruit", filter=condition)) == expected

    # near the query and far from each other
    assert contents(store.max_marginal_relevance_search(
        "fruit", k=2, lambda_mult=0.1)) == ["grape", "lemon"]
    retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 2, "lambda_mult": 0.9})
    assert contents(retriever.invoke("fruit")) == ["grape", "apple"]

    # a document of the same id is an update
    store.add_documents([Document("apple", metadata={"color": "green", "price": 3}, id=IDS[0])])
    documents = store.similarity_search("apple", k=4)
    assert len(documents) == 4 and documents[0].metadata == {"color": "green", "price": 3}
    store.delete([IDS[2]])
    assert contents(store.similarity_search("fruit", k=3)) == ["apple", "plum", "lemon"]
    store.add_documents(DOCUMENTS[2:3])


# PGVectorStore, with an engine of asyncpg
pg_engine = PGEngine.from_connection_string(URL.replace("postgresql:", "postgresql+asyncpg:"))
pg_engine.init_vectorstore_table("fruits", 3, metadata_columns=[
    Column("color", "text"), Column("price", "integer")])


def fruit_store(**options):
    return PGVectorStore.create_sync(pg_engine, Fruits(), "fruits",
                                     metadata_columns=["color", "price"], **options)


store = fruit_store()
search_and_delete(store)

# indexes, with settings of searches; 200 documents more, so that there is something to index
more = [f"fruit {i}" for i in range(200)]
store.add_embeddings(more, [[10, i, 10] for i in range(200)],
                     metadatas=[{"color": "black", "price": i} for i in range(200)])
for index, settings, strategy, expected in [
        (HNSWIndex(m=8, ef_construction=32, distance_strategy=DistanceStrategy.EUCLIDEAN),
         HNSWQueryOptions(ef_search=100), DistanceStrategy.EUCLIDEAN,
         ["apple", "grape", "plum", "lemon"]),
        (HNSWIndex(), HNSWQueryOptions(ef_search=100), DistanceStrategy.COSINE_DISTANCE,
         ["grape", "apple", "fruit 20", "fruit 21"]),
        (IVFFlatIndex(lists=5, distance_strategy=DistanceStrategy.INNER_PRODUCT),
         IVFFlatQueryOptions(probes=5), DistanceStrategy.INNER_PRODUCT,
         ["fruit 199", "fruit 198", "fruit 197", "fruit 196"])]:
    indexed = fruit_store(distance_strategy=strategy, index_query_options=settings)
    indexed.apply_vector_index(index, name="fruits_index")
    indexed.reindex("fruits_index")
    assert contents(indexed.similarity_search("fruit", k=4)) == expected
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.scalars(text(f"""
            EXPLAIN SELECT * FROM fruits ORDER BY embedding {strategy.operator} '[1,1,0]' LIMIT 4
        """))
        assert "fruits_index" in str(plan.all())
    indexed.drop_vector_index("fruits_index")

# by vectors and by words at once
hybrid = HybridSearchConfig(tsv_column="words")
pg_engine.init_vectorstore_table("hybrid", 3, hybrid_search_config=hybrid)
store = PGVectorStore.create_sync(pg_engine, Fruits(), "hybrid", hybrid_search_config=hybrid)
store.add_documents(DOCUMENTS)
words = HybridSearchConfig(tsv_column="words", fts_query="apple")
assert contents(store.similarity_search("fruit", k=2, hybrid_search_config=words)) == [
    "apple", "grape"]


# PGVector, with psycopg
def collection(name, **options):
    return PGVector(Fruits(), connection=engine, collection_name=name, **options)


search_and_delete(collection("fruits", embedding_length=3))
for strategy, expected in [("l2", ["apple", "grape", "plum", "lemon"]),
                           ("cosine", ["grape", "apple", "plum", "lemon"]),
                           ("inner", ["grape", "plum", "apple", "lemon"])]:
    store = collection("fruits", embedding_length=3, distance_strategy=strategy)
    assert contents(store.similarity_search("fruit", k=4)) == expected

# it makes no index: that is for SQL
with engine.begin() as connection:
    connection.execute(text("""
        CREATE INDEX by_cosine ON langchain_pg_embedding USING hnsw (embedding vector_cosine_ops)
    """))
store = collection("fruits", embedding_length=3)
assert contents(store.similarity_search("fruit", k=2)) == ["grape", "apple"]
store.delete_collection()


async def search_with_asyncio():
    store = PGVector(Fruits(), connection=str(engine.url.render_as_string(hide_password=False)),
                     collection_name="async", embedding_length=3, async_mode=True)
    # other ids: they are those of a table for all collections
    await store.aadd_texts(["apple", "plum"], ids=["1", "2"])
    assert contents(await store.asimilarity_search("fruit", k=1)) == ["apple"]
    assert contents(await store.amax_marginal_relevance_search("fruit", k=1)) == ["apple"]

asyncio.run(search_with_asyncio())
