# Pages that a backend finds by itself again count as found: in statistics, and
# for the clock that chooses which page is evicted.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('buffers');

$node->append_conf('postgresql.conf', "autovacuum = off\nenable_seqscan = off\njit = off\n");
$node->restart;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_buffercache;
	SELECT setseed(0.2);
	CREATE TABLE items (v vector(32));
	INSERT INTO items SELECT array_agg(random())::vector
		FROM generate_series(1, 3000) i, generate_series(1, 32) GROUP BY i;
	CREATE INDEX items_hnsw ON items USING hnsw (v vector_l2_ops);
	CREATE INDEX items_ivf ON items USING ivf (v vector_ip_ops) WITH (lists = 20)});

foreach (['items_hnsw', '<->'], ['items_ivf', '<#>'])
{
	my ($index, $operator) = @$_;
	my $search = "SELECT FROM items ORDER BY v $operator array_fill(0.3, ARRAY[32])::vector LIMIT 10";

	# all buffers cold
	$node->restart;
	# pages of the index, and of the table, which EXPLAIN counts together
	my $blocks = "SELECT i.idx_blks_hit + i.idx_blks_read + t.heap_blks_hit + t.heap_blks_read AS blocks
		FROM pg_statio_user_indexes i JOIN pg_statio_user_tables t USING (relid) WHERE indexrelname = '$index'";
	my $out = $node->safe_psql('postgres', "CREATE TABLE ${index}_before AS $blocks;\n"
		  . "$search;\n" x 20
		  . "SELECT pg_stat_force_next_flush();
		EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off, SUMMARY off) $search");
	my ($pages) = $out =~ /shared hit=(\d+)/;
	my $counted = $node->safe_psql('postgres', "SELECT a.blocks - b.blocks FROM ($blocks) a, ${index}_before b");
	my $most = $node->safe_psql('postgres', "SELECT max(usagecount) FROM pg_buffercache
		WHERE relfilenode = pg_relation_filenode('$index')");

	cmp_ok($counted, '>=', 20 * $pages, "statistics count every page that a search of $index finds");
	is($most, 5, 'and pages that are often found have the highest usage count');
}
$node->stop;
done_testing();
