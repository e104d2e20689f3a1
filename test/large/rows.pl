# Many rows: NANOVEC_LARGE_ROWS of them (10 million) of NANOVEC_LARGE_DIMS dimensions (4),
# in indexes of both methods.  make check-large runs it.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $rows = $ENV{NANOVEC_LARGE_ROWS} || 10_000_000;
my $dims = $ENV{NANOVEC_LARGE_DIMS} || 4;
my $last = $rows;
my $node = start_node('large');
my $log_start = -s $node->logfile;

$node->append_conf('postgresql.conf', q{
	autovacuum = off
	shared_buffers = 512MB
	max_wal_size = 8GB
	maintenance_work_mem = 1GB
	jit = off
});
$node->restart;

# Run something, and say how long it took.
sub timed
{
	my ($what, $sql) = @_;
	my $start = time;
	my $result = $node->safe_psql('postgres', $sql);

	note sprintf('%s: %.0f s', $what, time - $start);
	return $result;
}

sub check_all
{
	my ($what) = @_;

	foreach my $index (qw(items_hnsw items_ivf))
	{
		is(timed("check of $index, $what", "SELECT * FROM nanovec_index_check('$index')"), '',
			"$index is sound $what");
		is($node->safe_psql('postgres', qq{SELECT value::bigint - (SELECT count(*) FROM items)
			FROM nanovec_index_info('$index') WHERE property = 'rows'}), 0, "and has every row $what");
	}
	foreach my $operator ('<->', '<=>')
	{
		# of the 10 nearest, those no farther than the true tenth
		cmp_ok($node->safe_psql('postgres', qq{
			SET enable_seqscan = off; SET hnsw.ef_search = 100;
			SELECT avg((n.d <= e.d * 1.000001)::int) FROM generate_series(1, 5) AS q,
				LATERAL (SELECT v $operator a_vector(-q) AS d FROM items ORDER BY 1 LIMIT 10) AS n,
				LATERAL (SELECT max(d) AS d FROM (SELECT (v $operator a_vector(-q)) + 0 AS d FROM items
					ORDER BY 1 LIMIT 10) AS s) AS e}), '>', 0.9, "recall of $operator $what");
	}
}

# uniform on purpose: no two rows are alike, and lists and nodes are as many as can be;
# beyond a few dimensions around a thousand places, or there would be no near neighbors
my $elements = join(', ', map {
	"hashint8extended(i, $_) % 1000003" . ($dims > 16 ? " + 3 * (hashint8extended(i % 1000, $_ + 500) % 1000003)" : '')
} 1 .. $dims);
$node->safe_psql('postgres', qq{
	CREATE FUNCTION a_vector(i bigint) RETURNS vector LANGUAGE sql IMMUTABLE AS
		\$\$ SELECT ARRAY[$elements]::real[]::vector \$\$;
	CREATE TABLE items (id bigint, v vector($dims))});
timed("$rows rows", "INSERT INTO items SELECT i, a_vector(i) FROM generate_series(1, $rows) AS i");
$node->safe_psql('postgres', 'VACUUM ANALYZE items');
timed('build of hnsw', 'CREATE INDEX items_hnsw ON items USING hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 32)');
timed('build of ivf', 'CREATE INDEX items_ivf ON items USING ivf (v vector_cosine_ops)');
check_all('after the build');

timed('delete of one row in 20', 'DELETE FROM items WHERE id % 20 = 0');
timed('vacuum', 'VACUUM items');
$last += 1000;
timed('1000 inserts', "INSERT INTO items SELECT i, a_vector(i) FROM generate_series($rows + 1, $last) AS i");
check_all('after vacuum and inserts');

unlike(slurp_file($node->logfile, $log_start), qr/terminated by signal|PANIC/, 'no backend crashed');
$node->stop;
done_testing();
