# A standby answers as its primary while the primary is written to, and goes on
# when it is promoted; recovery to a point in the middle of writes, or of a
# build, gives sound indexes.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

# Transactions of the load hold this lock in share mode.
use constant LOAD => 4712;

my $tmp = $PostgreSQL::Test::Utils::tmp_check;
my $primary = new_node('primary', allows_streaming => 1, has_archiving => 1);
$primary->append_conf('postgresql.conf', q{
	autovacuum = off
	log_statement = none
	max_wal_size = 1GB
	max_parallel_workers_per_gather = 0
	jit = off
});
$primary->start;
make_tables($primary, q{
	CREATE SEQUENCE ids START 10001;
	INSERT INTO items SELECT i, 0, a_vector(i, 0) FROM generate_series(1, 1200) i;
	INSERT INTO longs SELECT i, 0, long_vector(i, 0) FROM generate_series(1, 100) i;
});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
# searches do not have to give way to replay
$standby->append_conf('postgresql.conf', q{
	hot_standby_feedback = on
	wal_receiver_status_interval = 1s
	max_standby_streaming_delay = -1
	archive_mode = off
});
$standby->start;

# ---- the load ----

my $next_id = q{(SELECT nextval('ids')::int AS i)};
my $some_item = 'id = (SELECT id FROM items ORDER BY hashint4(id + :q) LIMIT 1)';
my $some_long = 'id = (SELECT id FROM longs ORDER BY hashint4(id + :q) LIMIT 1)';
# [how often, what a transaction does]
my %load = (
	insert => [ 10, q{INSERT INTO items SELECT i, 0, a_vector(i, 0)
		FROM (SELECT nextval('ids')::int AS i FROM generate_series(1, 3)) s; COMMIT} ],
	insert_long => [ 2, "INSERT INTO longs SELECT i, 0, long_vector(i, 0) FROM $next_id s; COMMIT" ],
	update => [ 5, "UPDATE items SET version = version + 1, embedding = a_vector(id, version + 1)
		WHERE $some_item; COMMIT" ],
	delete => [ 15, "DELETE FROM items WHERE $some_item; COMMIT" ],
	delete_long => [ 1, "DELETE FROM longs WHERE $some_long; COMMIT" ],
	aborted => [ 2, "INSERT INTO items SELECT i, -1, a_vector(i, 0) FROM $next_id s; ROLLBACK" ]);
$_->[1] = 'BEGIN; SELECT pg_advisory_xact_lock_shared(' . LOAD . "); $_->[1];" foreach values %load;

# table, function that makes its vectors, operator
my @searches = ([ 'items', 'a_vector', '<->' ], [ 'items', 'a_vector', '<#>' ],
	[ 'longs', 'long_vector', '<=>' ], [ 'longs', 'long_vector', '<->' ]);
my $search = "SET enable_seqscan = off;\n" . join("\n", map {
	my ($table, $function, $operator) = @$_;
	"SELECT 1 / (count(*) > 0 AND count(DISTINCT id) = count(*) AND min(version) >= 0)::int FROM"
	  . " (SELECT id, version FROM $table ORDER BY embedding $operator $function(:q, 0) LIMIT 30) s;"
} @searches);

# Run scripts [weight, SQL] in the background, so many a second.
sub start_load
{
	my ($node, $clients, $rate, %scripts) = @_;
	my %load = (out => '', err => '');
	my @files;

	foreach my $name (sort keys %scripts)
	{
		my $file = "$tmp/" . $node->name . "_$name.sql";

		append_to_file($file, "\\set q random(1, 100000)\n$scripts{$name}[1]\n");
		push @files, '-f', "$file\@$scripts{$name}[0]";
	}
	$load{run} = IPC::Run::start(
		[ 'pgbench', '-n', '-c', $clients, '-R', $rate, '-T', 3000, @files, $node->connstr('postgres') ],
		'<', '/dev/null', '>', \$load{out}, '2>', \$load{err});
	return \%load;
}

sub stop_load
{
	my ($load, $what) = @_;

	# pgbench says what it did, and that it was interrupted
	$load->{run}->signal('TERM');
	$load->{run}->finish;
	unlike($load->{err}, qr/error|aborted/i, "no errors: $what") or diag $load->{err};
	return;
}

# ---- comparisons ----

my $answers = 'SET enable_seqscan = off; SET hnsw.ef_search = 60; SET hnsw.iterative_scan = relaxed_order;'
  . join('', map {
	my ($table, $function, $operator) = @$_;
	"WITH queries AS MATERIALIZED (SELECT q, $function(q, -3) AS v FROM generate_series(1, 20) q)
	SELECT q, '$table $operator', (SELECT array_agg((id, version, d)) FROM
		(SELECT id, version, embedding $operator v AS d FROM $table ORDER BY 3 LIMIT 20) n)
	FROM queries;
	SELECT count(*), md5(string_agg(id || ' ' || version, ',')) FROM
		(SELECT id, version FROM $table ORDER BY embedding $operator $function(7, -3)) s;"
  } @searches);

# Nobody writes now.
sub compare
{
	my ($what) = @_;
	my $lsn = $primary->lsn('insert');

	$primary->wait_for_catchup($standby, 'replay', $lsn);
	my $expected = $primary->safe_psql('postgres', $answers);
	my $answered = $standby->safe_psql('postgres', $answers);
	ok($answered eq $expected, "the standby answers as the primary: $what") or diag "$answered\nis not\n$expected";
	return;
}

# ---- the standby, while the primary writes ----

my $load = start_load($primary, 3, 100, %load);
my $searches = start_load($standby, 1, 20, search => [ 1, $search ]);

# A backend does something of which it does the rest when everyone has looked:
# [test point, SQL before, SQL up to the point, whether others can write meanwhile]
foreach (
	[ 'insert_written', '', 'INSERT INTO items VALUES (1000001, 0, a_vector(1000001, 0))', 0 ],
	[ 'insert_more_written', '', 'INSERT INTO longs VALUES (1000001, 0, long_vector(1000001, 0))', 0 ],
	(map { [ $_, 'DELETE FROM items WHERE id % 5 = 0; DELETE FROM longs WHERE id % 5 = 1', 'VACUUM items; VACUUM longs', 1 ] }
	  qw(vacuum_rows_dropped vacuum_marked vacuum_repaired vacuum_page_freed)),
	[ 'build_logged', '', 'CREATE INDEX CONCURRENTLY items_more ON items USING hnsw (embedding vector_cosine_ops)', 1 ])
{
	my ($point, $before, $sql, $write) = @$_;

	$primary->safe_psql('postgres', $before);
	my $at_point = hold_lock($primary, TEST_POINT);
	my $quiet = hold_lock($primary, LOAD);
	append_to_file("$tmp/$point.sql", "SET nanovec.test_point = '$point';\n$sql;\n");
	my $victim = start_psql($primary, "$tmp/$point.sql", "$tmp/$point.out", "$tmp/$point.err");
	ok(wait_for_test_point($primary, 60), "somebody waits at $point");
	compare("at $point");
	if ($write)
	{
		release_lock($quiet);
		sleep(0.5);
		$quiet = hold_lock($primary, LOAD);
		compare("at $point, after others wrote");
	}
	release_lock($at_point);
	release_lock($quiet);
	$victim->finish;
	is(slurp_file("$tmp/$point.err"), '', "and goes on: $point");
}
my $quiet = hold_lock($primary, LOAD);
compare('after all of it');
is(join("\n", scan_problems($standby)), '', 'the standby finds every row');
is(join("\n", grep { !/cannot be reached/ } index_problems($primary)), '', 'the indexes are sound');
release_lock($quiet);
# REINDEX CONCURRENTLY does not wait for a standby's searches before it drops the old index
stop_load($searches, 'searches on the standby');

# ---- points to recover to ----

# A number of bytes of WAL from the start, and back
sub number_of { my ($x, $y) = split m{/}, $_[0]; return hex($x) * 2**32 + hex($y) }
sub lsn_of { return sprintf('%X/%X', $_[0] / 2**32, $_[0] % 2**32) }

my @targets;

# The middle of what a build logs.  Nobody else writes while it does, and the
# index has many more pages than this.
use constant SOME_PAGES => 40 * 8192;

foreach (
	[ 'an hnsw build', 'CREATE INDEX longs_late ON longs
		USING hnsw (embedding vector_l1_ops) WITH (storage = float4)' ],
	[ 'an ivf build', 'CREATE INDEX longs_late ON longs USING ivfflat (embedding vector_ip_ops)' ],
	[ 'a concurrent build', 'CREATE INDEX CONCURRENTLY longs_late ON longs
		USING hnsw (embedding vector_l1_ops) WITH (storage = float4)' ],
	[ 'a concurrent rebuild', 'REINDEX INDEX CONCURRENTLY longs_flat' ])
{
	my ($what, $sql) = @$_;
	# first: a transaction of the load that waits for the build would keep this one
	my $quiet = hold_lock($primary, LOAD);
	my $at_point = hold_lock($primary, TEST_POINT);
	my $file = "$tmp/late_" . @targets;

	# few of these vectors are different, which a build of ivf says
	append_to_file("$file.sql", "SET nanovec.test_point = 'build_written'; SET client_min_messages = warning;\n$sql;\n");
	my $build = start_psql($primary, "$file.sql", "$file.out", "$file.err");
	ok(wait_for_test_point($primary, 60), "$what has written its pages");
	my $target = number_of($primary->lsn('insert')) + SOME_PAGES;
	release_lock($at_point);
	$primary->poll_query_until('postgres', "SELECT pg_current_wal_insert_lsn() > '" . lsn_of($target) . "'")
	  or die 'the index is too small';
	release_lock($quiet);
	$build->finish;
	is(slurp_file("$file.err"), '', "$what ends well");
	push @targets, [ "the middle of $what", lsn_of($target) ];
	$primary->safe_psql('postgres', 'DROP INDEX IF EXISTS longs_late');
	sleep(0.5);
	push @targets, [ 'the middle of the load', $primary->lsn('insert') ] if @targets == 1;
}
sleep(0.5);

# ---- the primary is lost, and the standby promoted, in the middle of the load ----

archive_all($primary);
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
kill_server($primary);
$load->{run}->finish;
$standby->promote;

# What must be so of a server that was a copy
sub goes_on
{
	my ($node, $what) = @_;
	# inserts that were cut off may have left nodes that nothing leads to
	is(join("\n", grep { !/cannot be reached/ } index_problems($node)), '', "$what: the indexes are sound");
	is(join("\n", scan_problems($node)), '', "$what: they find every row");
	$node->safe_psql('postgres', q{
		DELETE FROM items WHERE id % 3 = 0;
		DELETE FROM longs WHERE id % 3 = 0;
		VACUUM items, longs;
		INSERT INTO items SELECT i, 0, a_vector(i, 0) FROM generate_series(2000001, 2000300) i;
		INSERT INTO longs SELECT i, 0, long_vector(i, 0) FROM generate_series(2000001, 2000020) i;
		UPDATE items SET version = version + 1, embedding = a_vector(id, version + 1) WHERE id % 7 = 0;
		VACUUM items, longs;
	});
	is(join("\n", index_problems($node)), '', "$what: sound after writes and vacuum");
	is(join("\n", scan_problems($node)), '', "$what: every row is found after writes and vacuum");
	cmp_ok(recall($node, '<->'), '>', 0.95, "$what: recall of hnsw");
	cmp_ok(recall($node, '<#>'), '==', 1, "$what: all lists of ivf give the exact answer");
	unlike(slurp_file($node->logfile), qr/PANIC|inconsistent page|\(PID \d+\) was terminated/, "$what: nothing crashed");
	$node->stop;
	return;
}

goes_on($standby, 'the promoted standby');

# ---- recovery to a point in time ----

foreach (@targets)
{
	my ($what, $lsn) = @$_;
	my $node = PostgreSQL::Test::Cluster->new('at_' . $lsn =~ tr{/}{_}r);

	$node->init_from_backup($primary, 'base', has_restoring => 1, standby => 0);
	$node->append_conf('postgresql.conf', qq{
		archive_mode = off
		recovery_target_lsn = '$lsn'
		recovery_target_action = promote
	});
	$node->start;
	$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die "no recovery to $what";
	like(slurp_file($node->logfile), qr/recovery stopping (before|after) WAL location/, "recovered to $what");
	# the one that is built concurrently is there before it is valid
	is($node->safe_psql('postgres', q{
			SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
			WHERE relname ~ '_late|_ccnew'}),
		$what =~ /concurrent build/ ? 'longs_late|f' : $what =~ /rebuild/ ? 'longs_flat_ccnew|f' : '',
		"the index that was being built: $what");
	$node->safe_psql('postgres', "DROP INDEX IF EXISTS $_") foreach qw(longs_late longs_flat_ccnew);
	$node->safe_psql('postgres', 'CREATE INDEX longs_late ON longs USING hnsw (embedding vector_l1_ops)');
	goes_on($node, $what);
	$node->clean_node;
}
done_testing();
