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
	my $out = $node->safe_psql('postgres', "CREATE TABLE ${index}_before AS
			SELECT * FROM pg_statio_user_indexes WHERE indexrelname = '$index';\n"
		  . "$search;\n" x 20
		  . "SELECT pg_stat_force_next_flush();
		EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off, SUMMARY off) $search");
	my ($pages) = $out =~ /shared hit=(\d+)/;
	my $counted = $node->safe_psql('postgres', "SELECT a.idx_blks_hit + a.idx_blks_read - b.idx_blks_hit - b.idx_blks_read
		FROM pg_statio_user_indexes a, ${index}_before b WHERE a.indexrelname = '$index'");
	my $most = $node->safe_psql('postgres', "SELECT max(usagecount) FROM pg_buffercache
		WHERE relfilenode = pg_relation_filenode('$index')");

	# EXPLAIN counts the table's pages, too, a few more than LIMIT says
	cmp_ok($counted, '>=', 20 * ($pages - 15), "statistics count every page that a search of $index finds");
	is($most, 5, 'and pages that are often found have the highest usage count');
}
$node->stop;
done_testing();
