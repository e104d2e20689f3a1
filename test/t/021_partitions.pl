# Builds by partitions: the same index whatever the number of processes, the old way
# where memory is short, and an end when the user wants it.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('partitions', conf => "autovacuum = off\nmax_parallel_maintenance_workers = 2\n" .
	"max_worker_processes = 8\nmin_parallel_table_scan_size = 0\nmaintenance_work_mem = 256MB");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION nanovec;
	SELECT setseed(0.3);
	-- without structure; tight clusters far apart; and few dimensions, which are stored as floats
	CREATE TABLE plain (v vector(48)) WITH (parallel_workers = 2);
	INSERT INTO plain SELECT array_agg(random())::vector
		FROM generate_series(1, 12000) i, generate_series(1, 48) GROUP BY i;
	CREATE TABLE clusters (v vector(32)) WITH (parallel_workers = 2);
	CREATE TABLE centers AS SELECT i, array_agg(random() * 100) AS c
		FROM generate_series(1, 60) i, generate_series(1, 32) GROUP BY i;
	INSERT INTO clusters SELECT (SELECT array_agg(x + random() / 100)::vector FROM unnest(c) x)
		FROM centers, generate_series(1, 100) j WHERE i + j > 0;
	CREATE TABLE places (v vector(3)) WITH (parallel_workers = 2);
	INSERT INTO places SELECT ARRAY[random(), random(), random()]::vector FROM generate_series(1, 10000);
	-- and many rows of each vector
	CREATE TABLE copies (v vector(32)) WITH (parallel_workers = 2);
	INSERT INTO copies SELECT v FROM (SELECT v FROM clusters LIMIT 300) c, generate_series(1, 25) i ORDER BY md5(v::text || i)});

# What is in an index, but for LSNs and checksums
sub pages
{
	my ($index) = @_;

	$node->safe_psql('postgres', 'CHECKPOINT');
	return $node->safe_psql('postgres', qq{
		SELECT md5(string_agg(md5(pg_read_binary_file(pg_relation_filepath('$index'), 8192 * b + 10, 8182)), '' ORDER BY b))
		FROM generate_series(0, pg_relation_size('$index') / 8192 - 1) b});
}

sub build
{
	my ($table, $workers, $more) = @_;

	$node->safe_psql('postgres', qq{
		DROP INDEX IF EXISTS ${table}_i;
		SET max_parallel_maintenance_workers = $workers;
		$more;
		CREATE INDEX ${table}_i ON $table USING hnsw (v vector_l2_ops)});
	return;
}

# Of 50 rows, how many of the 10 nearest an index finds
sub recall
{
	my ($table) = @_;

	return $node->safe_psql('postgres', qq{
		CREATE TEMP TABLE q AS SELECT ctid AS at, v FROM $table ORDER BY md5(v::text) LIMIT 50;
		CREATE TEMP TABLE exact AS SELECT at, (SELECT max(d) FROM
			(SELECT t.v <-> q.v AS d FROM $table t ORDER BY 1 LIMIT 10) s) AS far FROM q;
		SET enable_seqscan = off; SET enable_sort = off;
		SELECT avg((SELECT count(*) FROM (SELECT t.v <-> q.v AS d FROM $table t ORDER BY t.v <-> q.v LIMIT 10) s
			WHERE d <= far) / 10.0) FROM q JOIN exact USING (at)});
}

foreach my $table (qw(plain clusters places copies))
{
	my %pages;

	# which of two workers is faster, and so has the lower slots, is another thing each time
	foreach my $workers (0, 1, 2, 2, 2)
	{
		build($table, $workers, 'SET parallel_leader_participation = off');
		$pages{pages("${table}_i")} = $workers;
		is($node->safe_psql('postgres', "SELECT count(*) FROM nanovec_index_check('${table}_i')"), '0',
			"$table, $workers workers: nothing is wrong");
	}
	is(scalar(keys %pages), 1, "$table: the same index with 0, 1 and 2 workers");
	cmp_ok(recall($table), '>=', 0.95, "$table: rows are found");
}

# Nodes have no codes in memory, so that 1,200 bytes a row are enough; but lists of the nearest
# take room that there is not with 11 MB, and searches need less
my ($out, $err);
my $before = pages('plain_i');
build('plain', 1, q{SET maintenance_work_mem = '16MB'});
is(pages('plain_i'), $before, 'with little memory the same graph is made');
build('plain', 1, q{SET maintenance_work_mem = '11MB'});
isnt(pages('plain_i'), $before, 'with less memory another graph is made');
cmp_ok(recall('plain'), '>=', 0.95, 'as good a one');
$node->psql('postgres', q{DROP INDEX plain_i; SET maintenance_work_mem = '4MB';
	CREATE INDEX plain_i ON plain USING hnsw (v vector_l2_ops)}, stderr => \$err);
like($err, qr/no longer fits into maintenance_work_mem/, 'with still less, a part is inserted');
is($node->safe_psql('postgres', "SELECT count(*) FROM nanovec_index_check('plain_i')"), '0',
	'nothing is wrong then');

# A build is given up at once
$node->psql('postgres', q{DROP INDEX plain_i;
	INSERT INTO plain SELECT v FROM plain, generate_series(1, 4);
	UPDATE plain SET v = v + (SELECT array_agg(random())::vector FROM generate_series(1, 48) WHERE v IS NOT NULL)});
foreach my $workers (0, 2)
{
	foreach my $timeout (300, 1000)
	{
		$node->psql('postgres', qq{SET max_parallel_maintenance_workers = $workers;
			SET statement_timeout = $timeout; CREATE INDEX plain_i ON plain USING hnsw (v vector_l2_ops)},
			stderr => \$err);
		like($err, qr/canceling statement due to statement timeout/, "$workers workers, canceled after $timeout ms");
	}
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'}),
		'0', 'no worker is left');
}

$node->stop;
done_testing();
