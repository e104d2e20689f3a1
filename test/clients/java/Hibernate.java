// Hibernate ORM: the object-relational mapper for Java, with its vector module.
//
//     org.postgresql:postgresql, org.hibernate.orm:hibernate-core and
//     org.hibernate.orm:hibernate-vector (from Maven Central)
//
// HQL has functions for the distances. All of them become operators, which an index can serve,
// but for l1_distance, which stays a function.

import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.List;
import java.util.Objects;
import org.hibernate.JDBCException;
import org.hibernate.Session;
import org.hibernate.SessionFactory;
import org.hibernate.StatelessSession;
import org.hibernate.annotations.Array;
import org.hibernate.annotations.JdbcTypeCode;
import org.hibernate.cfg.Configuration;
import org.hibernate.type.SqlTypes;
import org.hibernate.vector.SparseFloatVector;

public class Hibernate {
    @Entity(name = "Item")
    @Table(name = "items")
    static class Item {
        @Id Long id;
        String category;
        @Array(length = 3) @JdbcTypeCode(SqlTypes.VECTOR) float[] embedding;

        Item() {}

        Item(long id, String category, float... embedding) {
            this.id = id;
            this.category = category;
            this.embedding = embedding;
        }
    }

    // the same table some releases later
    @Entity(name = "ItemV2")
    @Table(name = "items")
    static class ItemV2 {
        @Id Long id;
        String category;
        @Array(length = 3) @JdbcTypeCode(SqlTypes.VECTOR) float[] embedding;
        @Array(length = 3) @JdbcTypeCode(SqlTypes.VECTOR_FLOAT16) float[] half;
        @Array(length = 3) @JdbcTypeCode(SqlTypes.SPARSE_VECTOR_FLOAT32) SparseFloatVector sparse;
        @Array(length = 8) @JdbcTypeCode(SqlTypes.VECTOR_BINARY) byte[] bits;
    }

    static final String URL = "jdbc:postgresql://" + System.getenv("PGHOST") + ":"
            + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");

    public static void main(String[] args) throws Exception {
        try (Connection connection = DriverManager.getConnection(URL, System.getenv("PGUSER"),
                System.getenv("PGPASSWORD"))) {
            connection.createStatement().execute("CREATE EXTENSION IF NOT EXISTS vector");
        }
        try (SessionFactory factory = open("update", Item.class)) {
            factory.inTransaction(Hibernate::write);
            factory.inStatelessTransaction(Hibernate::writeMany);
        }
        try (SessionFactory factory = open("update", ItemV2.class)) {
            factory.inTransaction(Hibernate::change);
        }
        try (SessionFactory factory = open("validate", ItemV2.class)) {
            factory.inTransaction(Hibernate::read);
            factory.inTransaction(Hibernate::search);
            factory.inTransaction(Hibernate::indexes);
            factory.inTransaction(Hibernate::useIndexes);
            factory.inSession(Hibernate::refuse);
        }
    }

    // schema: what Hibernate does to the tables, "update" adds what is missing
    static SessionFactory open(String schema, Class<?> entity) {
        return new Configuration().addAnnotatedClass(entity)
                .setProperty("hibernate.connection.url", URL)
                .setProperty("hibernate.connection.username", System.getenv("PGUSER"))
                .setProperty("hibernate.connection.password", System.getenv("PGPASSWORD"))
                .setProperty("hibernate.hbm2ddl.auto", schema)
                .setProperty("hibernate.hbm2ddl.halt_on_error", "true")
                .setProperty("hibernate.jdbc.batch_size", "50")
                .buildSessionFactory();
    }

    static void write(Session session) {
        session.persist(new Item(1, "a", 0, 2, 5));
    }

    static void writeMany(StatelessSession session) {
        session.insertMultiple(List.of(new Item(2, "a", 0, 0, 1), new Item(3, "b", 6, 0, 2),
                new Item(4, "b", 9, 9, 9), new Item(5, "c", (float[]) null)));
        session.upsert(new Item(4, "b", 2, 0, 0));
    }

    // Hibernate 7.2 can't read a VECTOR_BINARY that is null, so this fills them by update
    static void change(Session session) {
        session.createMutationQuery("update ItemV2 set bits = :bits, half = :half where id = 5")
                .setParameter("bits", new byte[] {0}).setParameter("half", new float[] {9, 9, 9})
                .executeUpdate();
        session.createMutationQuery("insert into ItemV2 (id, half) values (5, :half)"
                + " on conflict (id) do update set half = excluded.half")
                .setParameter("half", new float[] {8, 8, 8}).executeUpdate();
        ItemV2 item = session.find(ItemV2.class, 5);
        equal(item.embedding, null);
        equal(item.half, new float[] {8, 8, 8});
        session.remove(item);

        int[] bits = {0b00100000, 0b11111111, 0b11000000, 0b00001111};
        for (long id = 1; id <= 4; id++) {
            session.createMutationQuery("update ItemV2 set bits = :bits where id = :id")
                    .setParameter("bits", new byte[] {(byte) bits[(int) id - 1]})
                    .setParameter("id", id).executeUpdate();
            item = session.find(ItemV2.class, id);
            item.half = item.embedding.clone();
            item.sparse = new SparseFloatVector(item.embedding);
        }
    }

    static void read(Session session) {
        ItemV2 item = session.find(ItemV2.class, 3);
        equal(item.embedding, new float[] {6, 0, 2});
        equal(item.half, new float[] {6, 0, 2});
        equal(item.sparse.toDenseVector(), new float[] {6, 0, 2});
        equal(item.bits, new byte[] {(byte) 0b11000000});
    }

    static final float[] QUERY = {0, 2, 1};
    static final byte[] BITS = {(byte) 0b11100000};
    static final List<Long> L2 = List.of(2L, 4L, 1L, 3L);
    static final List<Long> INNER_PRODUCT = List.of(1L, 3L, 2L, 4L);
    static final List<Long> COSINE = List.of(1L, 2L, 3L, 4L);
    static final List<Long> L1 = List.of(2L, 1L, 4L, 3L);
    static final List<Long> HAMMING = List.of(3L, 1L, 2L, 4L);
    static final List<Long> JACCARD = List.of(3L, 2L, 1L, 4L);

    static void search(Session session) {
        // nearest by each distance
        equal(nearest(session, "l2_distance(embedding, :q)", QUERY), L2);
        equal(nearest(session, "negative_inner_product(embedding, :q)", QUERY), INNER_PRODUCT);
        equal(nearest(session, "cosine_distance(embedding, :q)", QUERY), COSINE);
        equal(nearest(session, "l1_distance(embedding, :q)", QUERY), L1);
        equal(nearest(session, "cosine_distance(half, :q)", QUERY), COSINE);
        equal(nearest(session, "l2_distance(sparse, :q)", new SparseFloatVector(QUERY)), L2);
        equal(nearest(session, "hamming_distance(bits, :q)", BITS), HAMMING);
        equal(nearest(session, "jaccard_distance(bits, :q)", BITS), JACCARD);

        // the distance itself, and other functions
        equal(session.createSelectionQuery("select l2_distance(embedding, :q),"
                + " inner_product(embedding, :q), l1_distance(embedding, :q),"
                + " vector_dims(embedding), vector_norm(embedding)"
                + " from ItemV2 where id = 4", Object[].class).setParameter("q", QUERY)
                .getSingleResult(), new Object[] {3.0, 0.0, 5.0, 3, 2.0});
        equal(session.createSelectionQuery("select l2_norm(half), l2_normalize(embedding),"
                + " subvector(embedding, 1, 2), binary_quantize(embedding)"
                + " from ItemV2 where id = 4", Object[].class).getSingleResult(),
                new Object[] {2.0, new float[] {1, 0, 0}, new float[] {2, 0},
                        new byte[] {(byte) 0b10000000}});

        // filters
        equal(session.createSelectionQuery("select id from ItemV2 where category = 'b'"
                + " order by l2_distance(embedding, :q)", Long.class).setParameter("q", QUERY)
                .list(), List.of(4L, 3L));
        equal(session.createSelectionQuery("select id from ItemV2"
                + " where l2_distance(embedding, :q) < 3.5 order by id", Long.class)
                .setParameter("q", QUERY).list(), List.of(2L, 4L));
        equal(session.createSelectionQuery("select i.id from ItemV2 i, ItemV2 j"
                + " where j.id = 1 and i.id <> 1 order by l2_distance(i.embedding, j.embedding)",
                Long.class).list(), List.of(2L, 4L, 3L));

        // aggregates
        equal(session.createSelectionQuery("select avg(embedding) from ItemV2", float[].class)
                .getSingleResult(), new float[] {2, 0.5f, 2});
        equal(session.createSelectionQuery("select sum(embedding) from ItemV2", float[].class)
                .getSingleResult(), new float[] {8, 2, 8});
    }

    static void indexes(Session session) {
        for (String index : List.of(
                "by_l2 on items using hnsw (embedding vector_l2_ops) with (m = 8)",
                "by_cosine on items using ivfflat (embedding vector_cosine_ops) with (lists = 1)",
                "by_half on items using hnsw (half halfvec_ip_ops)",
                "by_sparse on items using hnsw (sparse sparsevec_l2_ops)",
                "by_hamming on items using hnsw (bits bit_hamming_ops)")) {
            session.createNativeMutationQuery("create index " + index).executeUpdate();
        }
    }

    static void useIndexes(Session session) {
        // settings for one transaction; this table is so small that the planner has to be told
        for (String setting : List.of("hnsw.ef_search = 100", "ivfflat.probes = 1",
                "enable_seqscan = off")) {
            session.createNativeMutationQuery("set local " + setting).executeUpdate();
        }
        equal(nearest(session, "l2_distance(embedding, :q)", QUERY), L2);
        equal(nearest(session, "cosine_distance(embedding, :q)", QUERY), COSINE);
        equal(nearest(session, "negative_inner_product(half, :q)", QUERY), INNER_PRODUCT);
        equal(nearest(session, "l2_distance(sparse, :q)", new SparseFloatVector(QUERY)), L2);
        equal(nearest(session, "hamming_distance(bits, :q)", BITS), HAMMING);

        String plan = session.createNativeQuery("explain select id from items"
                + " order by embedding <=> cast(:q as vector) limit 4", String.class)
                .setParameter("q", "[0,2,1]").list().toString();
        equal(plan.contains("Index Scan using by_cosine "), true);
    }

    static void refuse(Session session) {
        try {
            nearest(session, "l2_distance(embedding, :q)", new float[] {1, 2});
            throw new AssertionError("not refused");
        } catch (JDBCException e) {
            equal(e.getSQLState(), "22000");
        }
    }

    static List<Long> nearest(Session session, String distance, Object argument) {
        String query = "select id from ItemV2 order by " + distance;
        return session.createSelectionQuery(query, Long.class).setParameter("q", argument)
                .setMaxResults(4).list();
    }

    static void equal(Object got, Object want) {
        if (!Objects.deepEquals(got, want)) {
            throw new AssertionError("got " + got + ", expected " + want);
        }
    }
}
