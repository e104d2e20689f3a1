// database/sql with lib/pq: Go's own interface to databases.
//
//	go get github.com/lib/pq github.com/pgvector/pgvector-go
package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/lib/pq"
	"github.com/pgvector/pgvector-go"
)

func main() {
	db := must(sql.Open("postgres", os.Getenv("DATABASE_URL")+"?sslmode=disable"))
	defer db.Close()
	must(db.Exec("CREATE EXTENSION IF NOT EXISTS vector"))
	must(db.Exec(`CREATE TABLE items (id bigint PRIMARY KEY, category text, embedding vector(3),
		half halfvec(3), sparse sparsevec(3), bits bit(6))`))

	// insert one
	must(db.Exec("INSERT INTO items VALUES ($1, $2, $3, $4, $5, $6)",
		1, "a", vector(0, 2, 5), half(0, 2, 5), sparse(0, 2, 5), "001000"))

	// many: COPY, which is a statement of a transaction here
	tx := must(db.Begin())
	bulk := must(tx.Prepare(pq.CopyIn("items",
		"id", "category", "embedding", "half", "sparse", "bits")))
	must(bulk.Exec(2, "a", vector(0, 0, 1), half(0, 0, 1), sparse(0, 0, 1), "111111"))
	must(bulk.Exec(3, "b", vector(6, 0, 2), half(6, 0, 2), sparse(6, 0, 2), "110000"))
	must(bulk.Exec(4, "b", vector(2, 0, 0), half(2, 0, 0), sparse(2, 0, 0), "000110"))
	must(bulk.Exec(5, "c", nil, nil, nil, nil))
	must(bulk.Exec())
	check(bulk.Close())
	check(tx.Commit())

	// read all types back
	var (
		v    pgvector.Vector
		h    pgvector.HalfVector
		s    pgvector.SparseVector
		bits string
		null sql.Null[pgvector.Vector]
	)
	check(db.QueryRow("SELECT embedding, half, sparse, bits FROM items WHERE id = 3").
		Scan(&v, &h, &s, &bits))
	equal(v, vector(6, 0, 2))
	equal(h, half(6, 0, 2))
	equal(s, sparse(6, 0, 2))
	equal(bits, "110000")
	check(db.QueryRow("SELECT embedding FROM items WHERE id = 5").Scan(&null))
	equal(null.Valid, false)
	must(db.Exec("DELETE FROM items WHERE id = 5"))

	// nearest by each distance
	query := vector(0, 2, 1)
	l2, innerProduct, cosine, l1 := []int64{2, 4, 1, 3}, []int64{1, 3, 2, 4}, []int64{1, 2, 3, 4},
		[]int64{2, 1, 4, 3}
	hamming, jaccard := []int64{3, 1, 2, 4}, []int64{3, 2, 1, 4}
	equal(ids(db, "SELECT id FROM items ORDER BY embedding <-> $1 LIMIT 5", query), l2)
	equal(ids(db, "SELECT id FROM items ORDER BY embedding <#> $1 LIMIT 5", query), innerProduct)
	equal(ids(db, "SELECT id FROM items ORDER BY embedding <=> $1 LIMIT 5", query), cosine)
	equal(ids(db, "SELECT id FROM items ORDER BY embedding <+> $1 LIMIT 5", query), l1)
	equal(ids(db, "SELECT id FROM items ORDER BY half <=> $1 LIMIT 5", half(0, 2, 1)), cosine)
	equal(ids(db, "SELECT id FROM items ORDER BY sparse <+> $1 LIMIT 5", sparse(0, 2, 1)), l1)
	equal(ids(db, "SELECT id FROM items ORDER BY bits <~> $1 LIMIT 5", "111000"), hamming)
	equal(ids(db, "SELECT id FROM items ORDER BY bits <%> $1 LIMIT 5", "111000"), jaccard)

	// the distance itself, filters
	var distance, similarity float64
	check(db.QueryRow("SELECT embedding <-> $1, 1 - (embedding <=> $1) FROM items WHERE id = 4",
		query).Scan(&distance, &similarity))
	equal([]float64{distance, similarity}, []float64{3, 0})
	equal(ids(db, "SELECT id FROM items WHERE category = $2 ORDER BY embedding <-> $1", query, "b"),
		[]int64{4, 3})
	equal(ids(db, "SELECT id FROM items WHERE embedding <-> $1 < 3.5 ORDER BY id", query),
		[]int64{2, 4})
	equal(ids(db, "SELECT id FROM items WHERE embedding = ANY($1) ORDER BY id",
		pq.Array([]pgvector.Vector{vector(0, 0, 1), vector(6, 0, 2)})), []int64{2, 3})

	// upsert
	upsert := must(db.Prepare(`INSERT INTO items (id, embedding) VALUES ($1, $2)
		ON CONFLICT (id) DO UPDATE SET embedding = EXCLUDED.embedding RETURNING embedding`))
	check(upsert.QueryRow(4, vector(9, 9, 9)).Scan(&v))
	equal(v, vector(9, 9, 9))
	check(upsert.QueryRow(4, vector(2, 0, 0)).Scan(&v))

	// aggregates
	var average, sum pgvector.Vector
	check(db.QueryRow("SELECT avg(embedding), sum(embedding) FROM items").Scan(&average, &sum))
	equal(average, vector(2, 0.5, 2))
	equal(sum, vector(8, 2, 8))

	// indexes, with options
	must(db.Exec(`CREATE INDEX by_l2 ON items USING hnsw (embedding vector_l2_ops)
		WITH (m = 8, ef_construction = 32)`))
	must(db.Exec(`CREATE INDEX by_cosine ON items USING ivfflat (embedding vector_cosine_ops)
		WITH (lists = 1)`))

	// settings for one transaction; this table is so small that the planner has to be told
	tx = must(db.Begin())
	must(tx.Exec("SET LOCAL hnsw.ef_search = 100"))
	must(tx.Exec("SET LOCAL ivfflat.probes = 1"))
	must(tx.Exec("SET LOCAL enable_seqscan = off"))
	for _, index := range []struct {
		name, operator string
		want           []int64
	}{{"by_l2", "<->", l2}, {"by_cosine", "<=>", cosine}} {
		nearest := "SELECT id FROM items ORDER BY embedding " + index.operator + " $1 LIMIT 4"
		var limit, scan string
		rows := must(tx.Query("EXPLAIN "+nearest, query))
		rows.Next()
		check(rows.Scan(&limit))
		rows.Next()
		check(rows.Scan(&scan))
		check(rows.Close())
		equal(strings.Contains(scan, "Index Scan using "+index.name+" "), true)
		equal(ids(tx, nearest, query), index.want)
	}
	check(tx.Commit())

	// a vector of the wrong length is refused
	_, err := db.Exec("INSERT INTO items (id, embedding) VALUES (9, $1)", vector(1, 2))
	var refused *pq.Error
	equal(errors.As(err, &refused), true)
	equal(refused.Code, pq.ErrorCode("22000"))
}

type querier interface {
	Query(query string, args ...any) (*sql.Rows, error)
}

func ids(db querier, query string, args ...any) (ids []int64) {
	rows := must(db.Query(query, args...))
	for rows.Next() {
		var id int64
		check(rows.Scan(&id))
		ids = append(ids, id)
	}
	check(rows.Err())
	return ids
}

func vector(values ...float32) pgvector.Vector       { return pgvector.NewVector(values) }
func half(values ...float32) pgvector.HalfVector     { return pgvector.NewHalfVector(values) }
func sparse(values ...float32) pgvector.SparseVector { return pgvector.NewSparseVector(values) }

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
