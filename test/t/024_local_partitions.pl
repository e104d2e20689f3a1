# A table of many partitions: an index on the parent is one on each, queries of one
# partition plan and read that one only, and queries of all merge the nearest of each.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

use constant PARTITIONS => 200;

my $node = start_node('partitions', conf => "max_parallel_workers_per_gather = 0\njit = off\n"
	. "max_locks_per_transaction = 256\n");

$node->safe_psql('postgres', q{
	CREATE FUNCTION a_vector(i int) RETURNS vector LANGUAGE sql IMMUTABLE AS $$
		SELECT array_agg((hashint4(i * 8 + d) % 1000) / 1000.0 + (hashint4(d - i % 20 * 64) % 1000) / 300.0)::vector
		FROM generate_series(1, 8) d $$;
	CREATE TABLE items (id int, tenant int, embedding vector(8)) PARTITION BY LIST (tenant);
	SELECT format('CREATE TABLE items_%s PARTITION OF items FOR VALUES IN (%1$s)', t)
	FROM generate_series(1, } . PARTITIONS . q{) t \gexec
	INSERT INTO items SELECT i, i % } . PARTITIONS . q{ + 1, a_vector(i) FROM generate_series(1, 20000) i;
	CREATE INDEX items_index ON items USING hnsw (embedding vector_l2_ops);
	ANALYZE items});

sub query { return $node->safe_psql('postgres', join(";\n", @_)) }

is(query(q{SELECT count(*), bool_and(indisvalid) FROM pg_partition_tree('items_index') JOIN pg_index ON indexrelid = relid
	WHERE isleaf}), PARTITIONS . '|t', 'an index for each partition');
query('CREATE TABLE items_more PARTITION OF items FOR VALUES IN (1000)');
is(query(q{SELECT count(*) FROM pg_partition_tree('items_index') WHERE isleaf}), PARTITIONS + 1, 'and for a new one');
query('ALTER TABLE items DETACH PARTITION items_more');
is(query(q{SELECT count(*) FROM pg_partition_tree('items_index') WHERE isleaf}), PARTITIONS, 'which leaves with it');
query('ALTER TABLE items ATTACH PARTITION items_more FOR VALUES IN (1000)');
is(query(q{SELECT count(*) FROM pg_partition_tree('items_index') WHERE isleaf}), PARTITIONS + 1, 'and comes back');

# The plan and the answers are taken where the tables are too small for the planner's taste
my $index = 'SET enable_seqscan = off; SET enable_sort = off';

sub scans_of
{
	my ($prepared, $where, $value) = @_;
	my $plan = $prepared
	  ? query($index, 'SET plan_cache_mode = force_generic_plan',
		"PREPARE p(vector, int) AS SELECT id FROM items WHERE $where ORDER BY embedding <-> \$1 LIMIT 10",
		"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE p(a_vector(-1), $value)")
	  : query($index, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM items WHERE "
		  . $where =~ s/\$2/$value/gr . ' ORDER BY embedding <-> a_vector(-1) LIMIT 10');
	my @scans = $plan =~ /Index Scan using \S+ on (\S+)/g;
	my @unused = $plan =~ /never executed/g;

	return (scalar(@scans) - @unused, $plan);
}

foreach my $prepared (0, 1)
{
	my $how = $prepared ? 'when it is executed' : 'by the planner';
	my ($one, $plan) = scans_of($prepared, 'tenant = $2', 7);

	is($one, 1, "one partition is searched, chosen $how") or diag $plan;
	is((scans_of($prepared, 'tenant BETWEEN $2 AND $2 + 9', 11))[0], 10, "ten partitions, chosen $how");
}
my ($all, $plan) = scans_of(0, 'true', 0);
is($all, PARTITIONS + 1, 'all partitions');
unlike($plan, qr/Sort \(/, 'are merged, not sorted');
# each gives its first row, and those rows that are among the ten
my $rows = 0;
$rows += $_ foreach $plan =~ /Index Scan using .*\(actual rows=(\d+)/g;
cmp_ok($rows, '<=', PARTITIONS + 11, 'and no more rows are read than that takes');

foreach my $where ('true', 'tenant = 7', 'tenant BETWEEN 11 AND 20')
{
	cmp_ok(query($index, "WITH queries AS MATERIALIZED (SELECT a_vector(100000 + i) AS q FROM generate_series(1, 5) i)
		SELECT round(count(*) / 50.0, 2) FROM queries,
			LATERAL (SELECT max(d) AS d FROM (SELECT (embedding <-> q) + 0 AS d FROM items WHERE $where ORDER BY 1 LIMIT 10) e) e,
			LATERAL (SELECT embedding <-> q AS d FROM items WHERE $where ORDER BY embedding <-> q LIMIT 10) a
		WHERE a.d <= e.d"), '>=', 0.97, "the nearest: $where");
}

# what a session keeps of the indexes that it has searched
sub memory_after
{
	return query($index, @_, q{SELECT round(sum(used_bytes) / 1024) FROM pg_backend_memory_contexts});
}
my $search = 'DO $$ BEGIN PERFORM id FROM items ORDER BY embedding <-> a_vector(-1) LIMIT 10; END $$';
my $once = memory_after($search);
my $often = memory_after(($search) x 5);
cmp_ok($often, '<', $once * 1.05 + 512, "memory does not grow with searches: $once kB after one, $often kB after five");
cmp_ok($once, '<', 60 * (PARTITIONS + 1) + 8192, 'and is little for each partition');

unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'no backend crashed');
$node->stop;
done_testing();
