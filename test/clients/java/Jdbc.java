// JDBC: PostgreSQL's driver for Java, with the types of pgvector-java.
//
//     org.postgresql:postgresql, com.pgvector:pgvector (from Maven Central)
//
// registerTypes tells the driver about the types, on each connection and after the extension is
// created.  vector, sparsevec and bit are then sent in binary form, and received so once the driver
// has prepared the statement on the server; halfvec travels as text.

import com.pgvector.PGbit;
import com.pgvector.PGhalfvec;
import com.pgvector.PGsparsevec;
import com.pgvector.PGvector;
import java.io.StringReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.postgresql.PGConnection;

public class Jdbc {
    static Connection connection;

    public static void main(String[] args) throws Exception {
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT")
                + "/" + System.getenv("PGDATABASE");
        connection = DriverManager.getConnection(url, System.getenv("PGUSER"),
                System.getenv("PGPASSWORD"));
        execute("CREATE EXTENSION IF NOT EXISTS vector");
        PGvector.registerTypes(connection);
        PGbit.registerType(connection);
        execute("CREATE TABLE items (id bigint PRIMARY KEY, category text, embedding vector(3),"
                + " half halfvec(3), sparse sparsevec(3), bits bit(6))");

        write();
        read();
        search();
        indexes();
        connection.close();
    }

    static void write() throws Exception {
        // insert one
        try (PreparedStatement insert = prepare("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)",
                1, "a", vector(0, 2, 5), half(0, 2, 5), sparse(0, 2, 5), new PGbit("001000"))) {
            insert.executeUpdate();
        }

        // many: a batch
        try (PreparedStatement insert = prepare("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)")) {
            set(insert, 2, "a", vector(0, 0, 1), half(0, 0, 1), sparse(0, 0, 1),
                    new PGbit("111111"));
            insert.addBatch();
            set(insert, 5, "c", null, null, null, null);
            insert.addBatch();
            insert.executeBatch();
        }

        // very many: COPY
        String lines = "3\tb\t" + vector(6, 0, 2) + "\t" + half(6, 0, 2) + "\t" + sparse(6, 0, 2)
                + "\t110000\n"
                + "4\tb\t" + vector(2, 0, 0) + "\t" + half(2, 0, 0) + "\t" + sparse(2, 0, 0)
                + "\t000110\n";
        long copied = connection.unwrap(PGConnection.class).getCopyAPI()
                .copyIn("COPY items FROM STDIN", new StringReader(lines));
        equal(copied, 2L);

        // upsert
        String upsert = "INSERT INTO items (id, embedding) VALUES (?, ?) ON CONFLICT (id)"
                + " DO UPDATE SET embedding = EXCLUDED.embedding RETURNING embedding";
        equal(value(upsert, 4, vector(9, 9, 9)), vector(9, 9, 9));
        equal(value(upsert, 4, vector(2, 0, 0)), vector(2, 0, 0));
    }

    static void read() throws SQLException {
        // often enough that the driver goes over to a prepared statement and the binary form
        String query = "SELECT embedding, half, sparse, bits FROM items WHERE embedding = ?";
        try (PreparedStatement select = prepare(query, vector(6, 0, 2))) {
            for (int i = 0; i < 10; i++) {
                ResultSet row = select.executeQuery();
                row.next();
                equal(row.getObject(1), vector(6, 0, 2));
                equal(((PGhalfvec) row.getObject(2)).toArray(), new float[] {6, 0, 2});
                equal(((PGsparsevec) row.getObject(3)).toArray(), new float[] {6, 0, 2});
                equal(row.getObject(4, PGbit.class), new PGbit("110000"));
            }
        }
        equal(value("SELECT embedding FROM items WHERE id = 5"), null);
        execute("DELETE FROM items WHERE id = 5");

        // aggregates
        equal(value("SELECT avg(embedding) FROM items"), vector(2, 0.5f, 2));
        equal(value("SELECT sum(embedding) FROM items"), vector(8, 2, 8));
        PGhalfvec average = (PGhalfvec) value("SELECT avg(half) FROM items");
        equal(average.toArray(), new float[] {2, 0.5f, 2});
    }

    static final PGvector QUERY = vector(0, 2, 1);
    static final PGbit BITS = new PGbit(new boolean[] {true, true, true, false, false, false});
    static final List<Long> L2 = List.of(2L, 4L, 1L, 3L);
    static final List<Long> INNER_PRODUCT = List.of(1L, 3L, 2L, 4L);
    static final List<Long> COSINE = List.of(1L, 2L, 3L, 4L);
    static final List<Long> L1 = List.of(2L, 1L, 4L, 3L);
    static final List<Long> HAMMING = List.of(3L, 1L, 2L, 4L);
    static final List<Long> JACCARD = List.of(3L, 2L, 1L, 4L);

    static void search() throws SQLException {
        // nearest by each distance
        equal(ids("SELECT id FROM items ORDER BY embedding <-> ? LIMIT 5", QUERY), L2);
        equal(ids("SELECT id FROM items ORDER BY embedding <#> ? LIMIT 5", QUERY), INNER_PRODUCT);
        equal(ids("SELECT id FROM items ORDER BY embedding <=> ? LIMIT 5", QUERY), COSINE);
        equal(ids("SELECT id FROM items ORDER BY embedding <+> ? LIMIT 5", QUERY), L1);
        equal(ids("SELECT id FROM items ORDER BY half <=> ? LIMIT 5", half(0, 2, 1)), COSINE);
        equal(ids("SELECT id FROM items ORDER BY sparse <-> ? LIMIT 5", sparse(0, 2, 1)), L2);
        equal(ids("SELECT id FROM items ORDER BY bits <~> ? LIMIT 5", BITS), HAMMING);
        equal(ids("SELECT id FROM items ORDER BY bits <%> ? LIMIT 5", BITS), JACCARD);

        // the distance itself; the inner product is negative so that the nearest comes first
        equal(value("SELECT embedding <-> ? FROM items WHERE id = 4", QUERY), 3.0);
        equal(value("SELECT (embedding <#> ?) * -1 FROM items WHERE id = 1", QUERY), 9.0);
        equal(value("SELECT 1 - (embedding <=> ?) FROM items WHERE id = 4", QUERY), 0.0);

        // filters
        equal(ids("SELECT id FROM items WHERE category = ? ORDER BY embedding <-> ?", "b", QUERY),
                List.of(4L, 3L));
        equal(ids("SELECT id FROM items WHERE embedding <-> ? < 3.5 ORDER BY id", QUERY),
                List.of(2L, 4L));
        equal(ids("SELECT id FROM items WHERE id <> 1"
                + " ORDER BY embedding <-> (SELECT embedding FROM items WHERE id = 1)"),
                List.of(2L, 4L, 3L));

        // a vector of the wrong length is refused
        try {
            value("SELECT id FROM items ORDER BY embedding <-> ?", vector(1, 2));
            throw new AssertionError("not refused");
        } catch (SQLException e) {
            equal(e.getSQLState(), "22000");
        }
    }

    static void indexes() throws SQLException {
        execute("CREATE INDEX by_l2 ON items USING hnsw (embedding vector_l2_ops)"
                + " WITH (m = 8, ef_construction = 32)");
        execute("CREATE INDEX by_cosine ON items USING ivfflat (embedding vector_cosine_ops)"
                + " WITH (lists = 1)");
        execute("CREATE INDEX by_half ON items USING hnsw (half halfvec_ip_ops)");
        execute("CREATE INDEX by_sparse ON items USING hnsw (sparse sparsevec_l1_ops)");
        execute("CREATE INDEX by_hamming ON items USING hnsw (bits bit_hamming_ops)");
        execute("CREATE INDEX by_jaccard ON items USING hnsw (bits bit_jaccard_ops)");

        // settings for one transaction; this table is so small that the planner has to be told
        connection.setAutoCommit(false);
        execute("SET LOCAL hnsw.ef_search = 100");
        execute("SET LOCAL ivfflat.probes = 1");
        execute("SET LOCAL enable_seqscan = off");
        uses("by_l2", "embedding <-> ?", QUERY, L2);
        uses("by_cosine", "embedding <=> ?", QUERY, COSINE);
        uses("by_half", "half <#> ?", half(0, 2, 1), INNER_PRODUCT);
        uses("by_sparse", "sparse <+> ?", sparse(0, 2, 1), L1);
        uses("by_hamming", "bits <~> ?", BITS, HAMMING);
        uses("by_jaccard", "bits <%> ?", BITS, JACCARD);
        connection.commit();
    }

    static void uses(String index, String order, Object argument, List<Long> want)
            throws SQLException {
        String query = "SELECT id FROM items ORDER BY " + order + " LIMIT 4";
        String plan = column("EXPLAIN " + query, argument).toString();
        equal(plan.contains("Index Scan using " + index + " "), true);
        equal(ids(query, argument), want);
    }

    static PGvector vector(float... values) {
        return new PGvector(values);
    }

    static PGhalfvec half(float... values) {
        return new PGhalfvec(values);
    }

    static PGsparsevec sparse(float... values) {
        return new PGsparsevec(values);
    }

    static void execute(String command) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(command);
        }
    }

    static PreparedStatement prepare(String query, Object... arguments) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(query);
        set(statement, arguments);
        return statement;
    }

    static void set(PreparedStatement statement, Object... arguments) throws SQLException {
        for (int i = 0; i < arguments.length; i++) {
            statement.setObject(i + 1, arguments[i]);
        }
    }

    static List<Object> column(String query, Object... arguments) throws SQLException {
        List<Object> column = new ArrayList<>();
        try (PreparedStatement statement = prepare(query, arguments);
                ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                column.add(rows.getObject(1));
            }
        }
        return column;
    }

    static List<Long> ids(String query, Object... arguments) throws SQLException {
        return column(query, arguments).stream().map(Long.class::cast).toList();
    }

    static Object value(String query, Object... arguments) throws SQLException {
        return column(query, arguments).get(0);
    }

    static void equal(Object got, Object want) {
        if (!Objects.deepEquals(got, want)) {
            throw new AssertionError("got " + got + ", expected " + want);
        }
    }
}
