# Parallel builds: they say how many workers they have, wait under names of
# their own, and go on in one process where shared memory is short.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = $PostgreSQL::Test::Utils::tmp_check;
my $disk = $ENV{NANOVEC_SMALL_DISK};
my %builds = (
	hnsw => 'hnsw (v vector_l2_ops)',
	ivf => 'ivf (v vector_l2_ops) WITH (lists = 100)',
	ivfflat => 'ivfflat (v vector_l2_ops) WITH (lists = 100)');

sub make_server
{
	my ($name, $conf) = @_;
	my $node = new_node($name, conf => "autovacuum = off\nmax_parallel_maintenance_workers = 2\n$conf");

	return $node;
}

sub fill
{
	my ($node) = @_;

	$node->safe_psql('postgres', q{
		CREATE EXTENSION nanovec;
		SELECT setseed(0.7);
		CREATE TABLE items (v vector(128)) WITH (parallel_workers = 2);
		INSERT INTO items SELECT array_agg(random())::vector
			FROM generate_series(1, 6000) i, generate_series(1, 128) GROUP BY i;
		CREATE TABLE few (LIKE items) WITH (parallel_workers = 2);
		INSERT INTO few SELECT * FROM items LIMIT 300});
	return;
}

my $node = make_server('workers', '');
my ($out, $err);

$node->start;
fill($node);
foreach my $name (sort keys %builds)
{
	$node->psql('postgres', "SET client_min_messages = debug1; CREATE INDEX ON few USING $builds{$name}", stderr => \$err);
	like($err, qr/DEBUG:  using [12] parallel workers/, "$name says how many workers it has");
	unlike($err, qr/shared memory/, "$name: there is enough shared memory");
}

# What all processes of builds wait for, until there is no build any more
append_to_file("$tmp/sample.sql", q{
	LOAD 'nanovec';
	CREATE TABLE waits (wait text);
	SELECT pg_advisory_lock(1);
	DO $$ BEGIN
		LOOP
			PERFORM pg_stat_clear_snapshot();
			EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'the builds');
			INSERT INTO waits SELECT wait_event_type || ' ' || wait_event FROM pg_stat_activity
				WHERE wait_event IS NOT NULL AND (application_name = 'the builds' OR backend_type = 'parallel worker');
			PERFORM pg_sleep(0.003);
		END LOOP;
	END $$;
});
append_to_file("$tmp/build.sql", "SET application_name = 'the builds';\n" . join('', map {
	# the graph fits into memory, or not
	my $memory = $_;
	map { "SET maintenance_work_mem = '$memory'; CREATE INDEX ON items USING $builds{$_};\n" } sort keys %builds
} qw(256MB 3MB)));
my $build = start_psql($node, "$tmp/build.sql", "$tmp/build.out", "$tmp/build.err");
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'the builds'});
my $sample = start_psql($node, "$tmp/sample.sql", "$tmp/sample.out", "$tmp/sample.err");
$build->finish;
$sample->finish;
is(slurp_file("$tmp/sample.err"), '', 'waits were looked at');
my $waits = $node->safe_psql('postgres', 'SELECT wait, count(*) FROM waits GROUP BY 1 ORDER BY 1');
note $waits;
like($waits, qr/^Extension (Extension|NanovecWorkers)\|/m, 'processes wait for each other under a name of our own');
unlike($waits, qr/ParallelHashJoin|ParallelCreateIndexScan|ParallelQueryDSA/, 'and not as something that PostgreSQL does');
$node->stop;

SKIP:
{
	skip 'it takes root to make a small file system', 9 unless $disk;
	my $small = make_server('small', "dynamic_shared_memory_type = mmap\nmin_parallel_table_scan_size = 0\n");
	my $place = $small->data_dir . '/pg_dynshmem';

	rmdir $place or die $!;
	mkdir "$disk/dynshmem", 0700 or die $!;
	symlink "$disk/dynshmem", $place or die $!;
	$small->start;
	fill($small);
	# for ivf, whose sample is what is large
	$small->safe_psql('postgres', 'INSERT INTO items SELECT v FROM items');
	foreach my $name (sort keys %builds)
	{
		foreach (['items', '256MB'], ['few', '8MB'])
		{
			my ($table, $memory) = @$_;

			$small->psql('postgres', "SET client_min_messages = debug1; SET maintenance_work_mem = '$memory';
				CREATE INDEX ${table}_$name ON $table USING $builds{$name}", stderr => \$err);
			like($err, $table eq 'few' ? qr/using [12] parallel workers/ :
				  qr/NOTICE:  there is too little shared memory for parallel workers/, "$name of $table");
			unlike($err, qr/ERROR/, "$name of $table: no error");
		}
		is($small->safe_psql('postgres', "SELECT * FROM nanovec_index_check('items_$name');
				SELECT value FROM nanovec_index_info('items_$name') WHERE property = 'rows'"),
			12000, "$name: it is all there");
	}
	$small->stop;
}
done_testing();
