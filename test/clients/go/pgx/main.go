// pgx: PostgreSQL's driver for Go, with vectors in binary form.
//
//	go get github.com/jackc/pgx/v5 github.com/pgvector/pgvector-go
//
// Each connection has to learn the types after the extension is created: a pool does it in
// AfterConnect, a single connection calls RegisterTypes itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pgvector/pgvector-go"
	pgxvector "github.com/pgvector/pgvector-go/pgx"
)

var ctx = context.Background()

func main() {
	// the extension first, then a pool whose connections know its types
	conn := must(pgx.Connect(ctx, os.Getenv("DATABASE_URL")))
	must(conn.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS vector"))
	check(conn.Close(ctx))

	config := must(pgxpool.ParseConfig(os.Getenv("DATABASE_URL")))
	config.AfterConnect = pgxvector.RegisterTypes
	db := must(pgxpool.NewWithConfig(ctx, config))
	defer db.Close()

	must(db.Exec(ctx, `CREATE TABLE items (
		id bigint PRIMARY KEY, category text, embedding vector(3),
		half halfvec(3), sparse sparsevec(3), bits bit(6))`))

	// insert one
	must(db.Exec(ctx, "INSERT INTO items VALUES ($1, $2, $3, $4, $5, $6)",
		1, "a", vector(0, 2, 5), half(0, 2, 5), sparse(0, 2, 5), bits(0b001000)))

	// many: COPY
	rows := [][]any{
		{2, "a", vector(0, 0, 1), half(0, 0, 1), sparse(0, 0, 1), bits(0b111111)},
		{3, "b", vector(6, 0, 2), half(6, 0, 2), sparse(6, 0, 2), bits(0b110000)},
		{4, "b", vector(2, 0, 0), half(2, 0, 0), sparse(2, 0, 0), bits(0b000110)},
		{5, "c", nil, nil, nil, nil},
	}
	copied := must(db.CopyFrom(ctx, pgx.Identifier{"items"},
		[]string{"id", "category", "embedding", "half", "sparse", "bits"}, pgx.CopyFromRows(rows)))
	equal(copied, int64(4))

	// read all types back
	var (
		v pgvector.Vector
		h pgvector.HalfVector
		s pgvector.SparseVector
		b pgtype.Bits
	)
	check(db.QueryRow(ctx, "SELECT embedding, half, sparse, bits FROM items WHERE id = 3").
		Scan(&v, &h, &s, &b))
	equal(v, vector(6, 0, 2))
	equal(h, half(6, 0, 2))
	equal(s, sparse(6, 0, 2))
	equal(b, bits(0b110000))

	var null *pgvector.Vector
	check(db.QueryRow(ctx, "SELECT embedding FROM items WHERE id = 5").Scan(&null))
	equal(null == nil, true)
	must(db.Exec(ctx, "DELETE FROM items WHERE id = 5"))

	// nearest by each distance
	ids := func(query string, args ...any) []int64 {
		return must(pgx.CollectRows(must(db.Query(ctx, query, args...)), pgx.RowTo[int64]))
	}
	query := vector(0, 2, 1)
	l2, innerProduct, cosine, l1 := []int64{2, 4, 1, 3}, []int64{1, 3, 2, 4}, []int64{1, 2, 3, 4},
		[]int64{2, 1, 4, 3}
	equal(ids("SELECT id FROM items ORDER BY embedding <-> $1 LIMIT 5", query), l2)
	equal(ids("SELECT id FROM items ORDER BY embedding <#> $1 LIMIT 5", query), innerProduct)
	equal(ids("SELECT id FROM items ORDER BY embedding <=> $1 LIMIT 5", query), cosine)
	equal(ids("SELECT id FROM items ORDER BY embedding <+> $1 LIMIT 5", query), l1)
	equal(ids("SELECT id FROM items ORDER BY half <-> $1 LIMIT 5", half(0, 2, 1)), l2)
	equal(ids("SELECT id FROM items ORDER BY half <=> $1 LIMIT 5", half(0, 2, 1)), cosine)
	equal(ids("SELECT id FROM items ORDER BY sparse <#> $1 LIMIT 5", sparse(0, 2, 1)), innerProduct)
	equal(ids("SELECT id FROM items ORDER BY sparse <+> $1 LIMIT 5", sparse(0, 2, 1)), l1)
	hamming, jaccard := []int64{3, 1, 2, 4}, []int64{3, 2, 1, 4}
	equal(ids("SELECT id FROM items ORDER BY bits <~> $1 LIMIT 5", bits(0b111000)), hamming)
	equal(ids("SELECT id FROM items ORDER BY bits <%> $1 LIMIT 5", bits(0b111000)), jaccard)

	// the distance itself; the inner product is negative so that ascending order is nearest first
	type result struct {
		ID                           int64
		L2, InnerProduct, Cosine, L1 float64
	}
	results := must(pgx.CollectRows(must(db.Query(ctx, `SELECT id, embedding <-> $1,
		(embedding <#> $1) * -1, 1 - (embedding <=> $1), embedding <+> $1
		FROM items WHERE id IN (3, 4) ORDER BY id`, query)), pgx.RowToStructByPos[result]))
	equal(results[1], result{4, 3, 0, 0, 5})
	equal(math.Abs(results[0].L2-math.Sqrt(41)) < 1e-9, true)
	equal(math.Abs(results[0].Cosine-2/math.Sqrt(200)) < 1e-9, true)

	// filters
	equal(ids("SELECT id FROM items WHERE category = $2 ORDER BY embedding <-> $1", query, "b"),
		[]int64{4, 3})
	equal(ids("SELECT id FROM items WHERE embedding <-> $1 < 3.5 ORDER BY id", query), []int64{2, 4})
	equal(ids(`SELECT id FROM items WHERE id <> 1
		ORDER BY embedding <-> (SELECT embedding FROM items WHERE id = 1)`), []int64{2, 4, 3})
	equal(ids("SELECT id FROM items WHERE embedding = ANY($1) ORDER BY id",
		[]pgvector.Vector{vector(0, 0, 1), vector(6, 0, 2)}), []int64{2, 3})

	// upsert, several statements in one round trip
	batch := &pgx.Batch{}
	upsert := `INSERT INTO items (id, embedding) VALUES ($1, $2)
		ON CONFLICT (id) DO UPDATE SET embedding = EXCLUDED.embedding`
	batch.Queue(upsert, 1, vector(9, 9, 9))
	batch.Queue("UPDATE items SET embedding = $1 WHERE embedding = $2",
		vector(0, 2, 5), vector(9, 9, 9))
	batch.Queue(upsert, 4, vector(2, 0, 0))
	check(db.SendBatch(ctx, batch).Close())

	// aggregates
	var average, sum pgvector.Vector
	var halfAverage pgvector.HalfVector
	check(db.QueryRow(ctx, "SELECT avg(embedding), sum(embedding), avg(half) FROM items").
		Scan(&average, &sum, &halfAverage))
	equal(average, vector(2, 0.5, 2))
	equal(sum, vector(8, 2, 8))
	equal(halfAverage, half(2, 0.5, 2))

	// indexes, with options
	for _, index := range []string{
		"by_l2 ON items USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 32)",
		"by_cosine ON items USING ivfflat (embedding vector_cosine_ops) WITH (lists = 1)",
		"by_half ON items USING hnsw (half halfvec_ip_ops)",
		"by_sparse ON items USING hnsw (sparse sparsevec_l1_ops)",
		"by_hamming ON items USING hnsw (bits bit_hamming_ops)",
		"by_jaccard ON items USING hnsw (bits bit_jaccard_ops)",
		// columns behind the vectors are to filter by
		"by_category ON items USING hnsw (embedding vector_ip_ops, category)",
	} {
		must(db.Exec(ctx, "CREATE INDEX "+index))
	}

	// settings for one transaction; this table is so small that the planner has to be told
	tx := must(db.Begin(ctx))
	for _, setting := range []string{"hnsw.ef_search = 100", "hnsw.iterative_scan = strict_order",
		"ivfflat.probes = 1", "enable_seqscan = off"} {
		must(tx.Exec(ctx, "SET LOCAL "+setting))
	}
	planHas := func(part, query string, args ...any) {
		plan := must(pgx.CollectRows(must(tx.Query(ctx, "EXPLAIN "+query, args...)), pgx.RowTo[string]))
		equal(strings.Contains(strings.Join(plan, "\n"), part), true)
	}
	uses := func(index, order string, arg any, want []int64) {
		query := "SELECT id FROM items ORDER BY " + order + " LIMIT 4"
		planHas("Index Scan using "+index+" ", query, arg)
		equal(must(pgx.CollectRows(must(tx.Query(ctx, query, arg)), pgx.RowTo[int64])), want)
	}
	uses("by_l2", "embedding <-> $1", query, l2)
	uses("by_cosine", "embedding <=> $1", query, cosine)
	uses("by_half", "half <#> $1", half(0, 2, 1), innerProduct)
	uses("by_sparse", "sparse <+> $1", sparse(0, 2, 1), l1)
	uses("by_hamming", "bits <~> $1", bits(0b111000), hamming)
	uses("by_jaccard", "bits <%> $1", bits(0b111000), jaccard)

	// the nearest of a category; the index knows which they are
	ofCategory := "SELECT id FROM items WHERE category = $2 ORDER BY embedding <#> $1 LIMIT 4"
	planHas("Index Scan using by_category ", ofCategory, query, "a")
	planHas("Index Cond: (category = ", ofCategory, query, "a")
	equal(must(pgx.CollectRows(must(tx.Query(ctx, ofCategory, query, "a")), pgx.RowTo[int64])),
		[]int64{1, 2})
	check(tx.Commit(ctx))

	// a vector of the wrong length is refused
	_, err := db.Exec(ctx, "INSERT INTO items (id, embedding) VALUES (9, $1)", vector(1, 2))
	var refused *pgconn.PgError
	equal(errors.As(err, &refused), true)
	equal(refused.Code, "22000")
}

func vector(values ...float32) pgvector.Vector       { return pgvector.NewVector(values) }
func half(values ...float32) pgvector.HalfVector     { return pgvector.NewHalfVector(values) }
func sparse(values ...float32) pgvector.SparseVector { return pgvector.NewSparseVector(values) }

// bits makes a bit(6) from the lower bits of a byte.
func bits(b byte) pgtype.Bits {
	return pgtype.Bits{Bytes: []byte{b << 2}, Len: 6, Valid: true}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func equal(got, want any) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Sprintf("got %v, expected %v", got, want))
	}
}
