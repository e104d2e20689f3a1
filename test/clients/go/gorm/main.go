// GORM: the object-relational mapper for Go.
//
//	go get gorm.io/gorm gorm.io/driver/postgres github.com/pgvector/pgvector-go
//
// The type and the index of a column are in its tag; AutoMigrate creates both. A comma within an
// index option is written as \\, there.
package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pgvector/pgvector-go"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

type Item struct {
	ID        int64
	Category  string
	Embedding *pgvector.Vector `gorm:"type:vector(3);index:by_l2,type:hnsw,expression:embedding vector_l2_ops,option:WITH (m = 8\\, ef_construction = 32)"`
}

// ItemV2 is the same table some releases later.
type ItemV2 struct {
	Item
	Half   *pgvector.HalfVector   `gorm:"type:halfvec(3);index:by_cosine,type:ivfflat,expression:half halfvec_cosine_ops,option:WITH (lists = 1)"`
	Sparse *pgvector.SparseVector `gorm:"type:sparsevec(3);index:by_l1,type:hnsw,expression:sparse sparsevec_l1_ops"`
	Bits   string                 `gorm:"type:bit(6);index:by_hamming,type:hnsw,expression:bits bit_hamming_ops"`
}

func (ItemV2) TableName() string { return "items" }

func main() {
	db := open()
	check(db.Exec("CREATE EXTENSION IF NOT EXISTS vector").Error)
	check(db.AutoMigrate(&Item{}))
	equal(db.Migrator().HasIndex(&Item{}, "by_l2"), true)

	// insert one, insert many
	check(db.Create(&Item{ID: 1, Category: "a", Embedding: vector(0, 2, 5)}).Error)
	items := []Item{
		{ID: 2, Category: "a", Embedding: vector(0, 0, 1)},
		{ID: 3, Category: "b", Embedding: vector(6, 0, 2)},
		{ID: 4, Category: "b", Embedding: vector(2, 0, 0)},
		{ID: 5, Category: "c"},
	}
	check(db.CreateInBatches(items, 2).Error)

	var item Item
	check(db.First(&item, 3).Error)
	equal(item, items[1])
	var empty Item
	check(db.First(&empty, 5).Error)
	equal(empty.Embedding == nil, true)
	check(db.Delete(&Item{}, 5).Error)

	// migrate: new columns, more indexes; the second time there is nothing left to do.
	// This is another process in real life: pgx keeps statements that know the old columns.
	db = open()
	check(db.AutoMigrate(&ItemV2{}))
	check(db.AutoMigrate(&ItemV2{}))
	for _, index := range []string{"by_l2", "by_cosine", "by_l1", "by_hamming"} {
		equal(db.Migrator().HasIndex(&ItemV2{}, index), true)
	}

	// update
	for id, bits := range map[int64]string{1: "001000", 2: "111111", 3: "110000", 4: "000110"} {
		var v2 ItemV2
		check(db.First(&v2, id).Error)
		v2.Half = half(v2.Embedding.Slice()...)
		v2.Sparse = sparse(v2.Embedding.Slice()...)
		v2.Bits = bits
		check(db.Save(&v2).Error)
	}
	var v2 ItemV2
	check(db.First(&v2, 3).Error)
	equal(v2, ItemV2{Item{3, "b", vector(6, 0, 2)}, half(6, 0, 2), sparse(6, 0, 2), "110000"})

	// upsert
	check(db.Clauses(clause.OnConflict{UpdateAll: true}).
		Create(&Item{ID: 4, Category: "b", Embedding: vector(9, 9, 9)}).Error)
	check(db.Model(&Item{}).Where("embedding = ?", vector(9, 9, 9)).
		Update("embedding", vector(2, 0, 0)).Error)

	// nearest by each distance
	query := vector(0, 2, 1)
	l2, innerProduct, cosine, l1 := []int64{2, 4, 1, 3}, []int64{1, 3, 2, 4}, []int64{1, 2, 3, 4},
		[]int64{2, 1, 4, 3}
	hamming, jaccard := []int64{3, 1, 2, 4}, []int64{3, 2, 1, 4}
	equal(nearest(db, "embedding <-> ?", query), l2)
	equal(nearest(db, "embedding <#> ?", query), innerProduct)
	equal(nearest(db, "embedding <=> ?", query), cosine)
	equal(nearest(db, "embedding <+> ?", query), l1)
	equal(nearest(db, "half <-> ?", half(0, 2, 1)), l2)
	equal(nearest(db, "half <=> ?", half(0, 2, 1)), cosine)
	equal(nearest(db, "sparse <#> ?", sparse(0, 2, 1)), innerProduct)
	equal(nearest(db, "sparse <+> ?", sparse(0, 2, 1)), l1)
	equal(nearest(db, "bits <~> ?", "111000"), hamming)
	equal(nearest(db, "bits <%> ?", "111000"), jaccard)

	// filters
	equal(nearest(db.Where("category = ?", "b"), "embedding <-> ?", query), []int64{4, 3})
	equal(nearest(db.Where("embedding <-> ? < ?", query, 3.5), "embedding <-> ?", query),
		[]int64{2, 4})
	equal(nearest(db.Where("id <> 1"), "embedding <-> (?)",
		db.Model(&Item{}).Select("embedding").Where("id = 1")), []int64{2, 4, 3})

	// the distance itself
	var found struct {
		Item
		L2, InnerProduct, L1 float64
	}
	check(db.Table("items").Where("id = 4").Select(`*, embedding <-> ? AS l2,
		(embedding <#> ?) * -1 AS inner_product, embedding <+> ? AS l1`, query, query, query).
		Take(&found).Error)
	equal([]float64{found.L2, found.InnerProduct, found.L1}, []float64{3, 0, 5})
	equal(found.Embedding, vector(2, 0, 0))

	// aggregates
	var average, sum pgvector.Vector
	check(db.Model(&Item{}).Select("avg(embedding), sum(embedding)").Row().Scan(&average, &sum))
	equal(average, *vector(2, 0.5, 2))
	equal(sum, *vector(8, 2, 8))

	// settings for one transaction; this table is so small that the planner has to be told
	check(db.Transaction(func(tx *gorm.DB) error {
		for _, setting := range []string{"hnsw.ef_search = 100", "ivfflat.probes = 1",
			"enable_seqscan = off"} {
			check(tx.Exec("SET LOCAL " + setting).Error)
		}
		uses(tx, "by_l2", "embedding <-> ?", query, l2)
		uses(tx, "by_cosine", "half <=> ?", half(0, 2, 1), cosine)
		uses(tx, "by_l1", "sparse <+> ?", sparse(0, 2, 1), l1)
		uses(tx, "by_hamming", "bits <~> ?", "111000", hamming)
		return nil
	}))

	// a vector of the wrong length is refused
	quiet := db.Session(&gorm.Session{Logger: db.Logger.LogMode(1)})
	var refused *pgconn.PgError
	equal(errors.As(quiet.Create(&Item{Embedding: vector(1, 2)}).Error, &refused), true)
	equal(refused.Code, "22000")
}

func open() *gorm.DB {
	db, err := gorm.Open(postgres.Open(os.Getenv("DATABASE_URL")), &gorm.Config{})
	check(err)
	return db
}

func nearest(db *gorm.DB, distance string, arg any) (ids []int64) {
	order := clause.OrderBy{Expression: clause.Expr{SQL: distance, Vars: []any{arg}}}
	check(db.Model(&Item{}).Clauses(order).Limit(5).Pluck("id", &ids).Error)
	return ids
}

func uses(tx *gorm.DB, index, distance string, arg any, want []int64) {
	var plan []string
	check(tx.Raw("EXPLAIN SELECT id FROM items ORDER BY "+distance+" LIMIT 5", arg).Scan(&plan).Error)
	equal(strings.Contains(strings.Join(plan, "\n"), "Index Scan using "+index+" "), true)
	equal(nearest(tx, distance, arg), want)
}

func vector(values ...float32) *pgvector.Vector {
	v := pgvector.NewVector(values)
	return &v
}

func half(values ...float32) *pgvector.HalfVector {
	v := pgvector.NewHalfVector(values)
	return &v
}

func sparse(values ...float32) *pgvector.SparseVector {
	v := pgvector.NewSparseVector(values)
	return &v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(got, want any) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Sprintf("got %v, expected %v", got, want))
	}
}
