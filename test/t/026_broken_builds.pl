# Builds that are cut off, by cancelling, by ending their session and by a crash, leave
# nothing: no index, file, temporary file, shared memory or process.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = new_node('broken', conf => q{
	autovacuum = off
	restart_after_crash = on
	# its files can be counted
	dynamic_shared_memory_type = mmap
	max_parallel_maintenance_workers = 2
	min_parallel_table_scan_size = 0
	jit = off
});
my $tmp = $PostgreSQL::Test::Utils::tmp_check;
my %methods = (
	hnsw => 'hnsw (v vector_l2_ops)',
	ivf => 'ivf (v vector_l2_ops)',
	ivfflat => 'ivfflat (v vector_l2_ops) WITH (lists = 300)');
# table, memory, helpers: the graph, or what is sorted, fits or not
my @settings = ([ 'items', '128MB', 2 ], [ 'items', '128MB', 0 ], [ 'few', '1MB', 2 ], [ 'few', '1MB', 0 ]);

$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION nanovec;
	SELECT setseed(0.3);
	CREATE TABLE items (v vector(64)) WITH (parallel_workers = 2);
	INSERT INTO items SELECT array_agg(random())::vector FROM generate_series(1, 12000) i, generate_series(1, 64) GROUP BY i;
	CREATE TABLE few (v vector(64)) WITH (parallel_workers = 2);
	INSERT INTO few SELECT * FROM items LIMIT 2500;
	VACUUM ANALYZE items, few;
	CHECKPOINT});
my ($database) = glob($node->data_dir . '/base/' . $node->safe_psql('postgres',
	q{SELECT oid FROM pg_database WHERE datname = 'postgres'}));
my $shared_before = shared_files();

# Files of relations that no catalog knows
sub orphans
{
	my %known = map { $_ => 1 } split /\n/,
	  $node->safe_psql('postgres', 'SELECT pg_relation_filenode(oid) FROM pg_class WHERE pg_relation_filenode(oid) IS NOT NULL');

	# files of dropped relations stay empty until a checkpoint
	$node->safe_psql('postgres', 'CHECKPOINT');
	return grep { m{/(\d+)[^/]*$} && !$known{$1} && -s $_ } glob("$database/[0-9]*");
}

sub shared_files { return scalar(() = glob($node->data_dir . '/pg_dynshmem/mmap*')) }
sub temporary_files { return scalar(() = glob($node->data_dir . '/base/pgsql_tmp/*')) }

sub processes
{
	return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity
		WHERE backend_type = 'parallel worker' OR query ~ '^CREATE INDEX'});
}

# What is there a moment after a build was cut off.
sub leftovers
{
	for (my $end = time + 10; processes() ne '0' && time < $end; sleep(0.05)) { }
	return join(', ', grep { !/^0 / }
		processes() . ' processes',
		$node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname = 'cut'}) . ' indexes',
		scalar(orphans()) . ' files', (shared_files() - $shared_before) . ' shared files', temporary_files() . ' temporary files');
}

sub build_sql
{
	my ($method, $table, $memory, $workers) = @_;

	return "SET client_min_messages = error; SET maintenance_work_mem = '$memory';
		SET max_parallel_maintenance_workers = $workers; CREATE INDEX cut ON $table USING $methods{$method};\n";
}

foreach my $method (sort keys %methods)
{
	my ($cut, $uncut) = (0, 0);

	foreach (@settings)
	{
		my ($table, $memory, $workers) = @$_;
		my $sql = build_sql($method, @$_);
		my $now = 'SELECT extract(epoch FROM clock_timestamp()) * 1000;';
		my ($start, $end) = split /\n/, $node->safe_psql('postgres', "LOAD 'nanovec'; $now $sql $now DROP INDEX cut");

		foreach my $part (0.15, 0.5, 0.9)
		{
			my $err;

			$node->psql('postgres', sprintf('SET statement_timeout = %d; %s', 1 + $part * ($end - $start), $sql), stderr => \$err);
			if ($err =~ /due to statement timeout/) { $cut++ } else { $uncut++ }
			# it may have been quicker this time
			$node->safe_psql('postgres', 'DROP INDEX IF EXISTS cut') if $err eq '';
			is(leftovers(), '', "cancelled after $part of its time: $method of $table in $memory with $workers workers");
		}
	}
	cmp_ok($cut, '>', $uncut, "most builds of $method were cut off: $cut, and $uncut not");
}

# Ended, or killed, when the pages are written and WAL is about to be.  A crash leaves the
# file of an index that nobody knows, as any index of PostgreSQL does; the rest is gone when
# the server is up again.
foreach my $method (sort keys %methods)
{
	foreach my $signal (qw(TERM KILL))
	{
		my $name = "$tmp/${method}_$signal";
		my $at_point = hold_lock($node, TEST_POINT);

		append_to_file("$name.sql", "SET nanovec.test_point = 'build_written';\n" . build_sql($method, @{ $settings[0] }));
		my $build = start_psql($node, "$name.sql", "$name.out", "$name.err");
		my $pid = wait_for_test_point($node, 60) or die 'nobody waits';
		kill($signal, $pid);
		$build->finish;
		release_lock($at_point) if $signal eq 'TERM';
		wait_until_up($node) if $signal eq 'KILL';
		like(leftovers(), $signal eq 'KILL' ? qr/^1 files$/ : qr/^$/, "what SIG$signal leaves of $method");
		unlink orphans();
	}
	is($node->safe_psql('postgres', build_sql($method, @{ $settings[0] }) . q{SELECT * FROM nanovec_index_check('cut');
		SELECT value FROM nanovec_index_info('cut') WHERE property = 'rows'; DROP INDEX cut}), 12000, "and $method is built again");
}
unlike(slurp_file($node->logfile), qr/PANIC|TRAP/, 'nothing else crashed');
$node->stop;
done_testing();
