# SIGKILL for the whole server, or for one backend, while rows are written,
# vacuumed, indexed and searched for; then everything is as the clients left it.
#
# NANOVEC_CRASH_ROUNDS, NANOVEC_CRASH_SEED: how many crashes, and which.
#
# Every second crash happens while a backend waits at a test point.  A client
# has ids of its own and notes each transaction that it knows to be committed,
# so that what the table must hold is known, but for the one transaction that
# was under way, which may have been committed or not.

use strict;
use warnings;

use List::Util qw(min shuffle);
use NanovecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use constant {
	PAGE => 8192,
	SECTOR => 512,
	CLIENTS => 3,
	ROWS => 400,    # of a client, about
	# rounds from a base backup to the recovery from it
	BACKUP_ROUNDS => 30
};

my $rounds = $ENV{NANOVEC_CRASH_ROUNDS} // 30;
my $seed = $ENV{NANOVEC_CRASH_SEED} // time() % 1_000_000;
my $tmp = $PostgreSQL::Test::Utils::tmp_check;
my $node = new_node('crash', allows_streaming => 1, has_archiving => 1);

$seed = int($seed);
srand($seed);
note "seed $seed";
# few buffers, so that pages are written at any time
$node->append_conf('postgresql.conf', q{
	autovacuum = off
	restart_after_crash = on
	log_statement = none
	shared_buffers = 2MB
	max_wal_size = 64MB
	maintenance_work_mem = 1MB
	max_parallel_workers_per_gather = 0
	min_parallel_table_scan_size = 0
	jit = off
});
$node->start;
make_tables($node, '');
# long enough that an ivf index has codes of them
$node->safe_psql('postgres', q{
	CREATE FUNCTION young_vector(i int, version int) RETURNS vector LANGUAGE sql IMMUTABLE AS
		$$ SELECT v || v || v || v FROM a_vector(i, version) v $$;
	-- many vectors a row: some of them twice, and one that all rows have
	CREATE FUNCTION many_vector(i int, version int) RETURNS vector[] LANGUAGE sql IMMUTABLE AS
		$$ SELECT array_agg(a_vector(i + n % 4, version)) || a_vector(40, 0) FROM generate_series(1, 1 + i % 7) n $$;
	CREATE TABLE many (id int PRIMARY KEY, version int, embedding vector(16)[]);
	CREATE INDEX many_hnsw ON many USING hnsw (embedding vector_maxsim_ops, version) WITH (m = 8, ef_construction = 32)});

# ---- what the clients do ----

# what makes the vectors of a table
my %function = (items => 'a_vector', longs => 'long_vector', young => 'young_vector', many => 'many_vector');

# what a client's ids are, by "table id": the version of the row.  And its next id.
my @rows = map { {} } 0 .. CLIENTS;
my @next_id = map { $_ * 10_000_000 + 1 } 0 .. CLIENTS;

# A transaction is its SQL and what it does to the rows: [key => version or undef] ...
sub inserted
{
	my ($table, $id, $version) = @_;

	return "INSERT INTO $table VALUES ($id, $version, $function{$table}($id, $version));\n";
}

# Insert n rows of a client; each tenth goes into the table of long vectors, too, and
# another tenth into that of many vectors a row.
sub insert_rows
{
	my ($client, $n, $version, @tables) = @_;
	my ($sql, @changes) = ('');

	foreach (1 .. $n)
	{
		my $id = $next_id[$client]++;

		foreach my $table (@tables ? @tables : $id % 10 == 0 ? qw(items longs) : $id % 10 == 5 ? qw(items many) : 'items')
		{
			$sql .= inserted($table, $id, $version);
			push @changes, [ "$table $id" => $version ];
		}
	}
	return { sql => $sql, changes => \@changes };
}

sub change_rows
{
	my ($live, $n, $delete) = @_;
	my @keys = keys %$live;
	my ($sql, @changes) = ('');

	foreach (1 .. $n)
	{
		my $key = $keys[ rand(@keys) ];
		my ($table, $id) = split / /, $key;
		my $version = $live->{$key} + 1;

		next if grep { $_->[0] eq $key } @changes;
		$sql .= $delete ? "DELETE FROM $table WHERE id = $id;\n" :
		  "UPDATE $table SET version = $version, embedding = $function{$table}($id, $version) WHERE id = $id;\n";
		push @changes, [ $key => $delete ? undef : $version ];
	}
	return { sql => $sql, changes => \@changes };
}

sub apply
{
	my ($live, $changes) = @_;

	foreach (@$changes)
	{
		my ($key, $version) = @$_;

		if (defined $version) { $live->{$key} = $version }
		else { delete $live->{$key} }
	}
	return;
}

# So many random transactions of a client.  What is rolled back has version -1.
sub random_transactions
{
	my ($client, $n) = @_;
	my %live = %{ $rows[$client] };
	my @transactions;

	foreach (1 .. $n)
	{
		my $many = keys %live;
		my $what = rand();
		my $transaction;

		if ($many < ROWS / 2 || $what < ($many < ROWS ? 0.4 : 0.15))
		{
			$transaction = insert_rows($client, $what < 0.02 ? 40 : 1 + int(rand(5)), 0);
		}
		elsif ($what < 0.6) { $transaction = change_rows(\%live, 1 + int(rand(3)), 0) }
		elsif ($what < 0.85) { $transaction = change_rows(\%live, 1 + int(rand($many > ROWS ? 8 : 3)), 1) }
		elsif ($what < 0.95) { $transaction = { %{ insert_rows($client, 3, -1) }, end => 'ROLLBACK' } }
		else { $transaction = { %{ change_rows(\%live, 3, rand() < 0.5) }, end => 'ROLLBACK' } }
		$transaction->{changes} = [] if ($transaction->{end} // '') eq 'ROLLBACK';
		apply(\%live, $transaction->{changes});
		push @transactions, $transaction;
	}
	return @transactions;
}

# A client that runs transactions, each of which it notes when it is done.
sub start_client
{
	my ($name, $before, @transactions) = @_;
	my %client = (name => $name, transactions => \@transactions,
		map { $_ => "$tmp/$name.$_" } qw(script out err));

	open(my $fh, '>', $client{script}) or die $!;
	print $fh $before;
	foreach my $i (0 .. $#transactions)
	{
		my $t = $transactions[$i];

		print $fh $t->{alone} // "BEGIN;\n$t->{sql}" . ($t->{end} // 'COMMIT') . ";\n";
		print $fh "\\echo done $i\n";
	}
	close($fh);
	$client{run} = start_psql($node, @client{qw(script out err)});
	return \%client;
}

# Maintenance and searches, over and over
sub alone
{
	return { alone => join('', map { "$_;\n" } @_) };
}

my @builds = (
	'CREATE INDEX CONCURRENTLY items_more ON items USING hnsw (embedding vector_cosine_ops) WITH (m = 4, ef_construction = 16);
	DROP INDEX items_more',
	'CREATE INDEX items_more ON items USING ivf (embedding vector_cosine_ops);
	DROP INDEX CONCURRENTLY items_more',
	'CREATE INDEX CONCURRENTLY longs_more ON longs USING ivf (embedding vector_ip_ops);
	DROP INDEX longs_more',
	map { ("REINDEX INDEX $_", "REINDEX INDEX CONCURRENTLY $_") } qw(items_hnsw items_ivf longs_hnsw longs_flat many_hnsw));

sub searches
{
	my $q = int(rand(1_000_000));

	return 'SET enable_seqscan = off',
	  map { qq{SELECT 1 / (count(DISTINCT id) = count(*) AND coalesce(min(version), 0) >= 0)::int FROM
		(SELECT id, version FROM $_->[0] ORDER BY embedding $_->[1] $function{$_->[0]}($q, 0) LIMIT 50) s} }
	  [ 'items', '<->' ], [ 'items', '<#>' ], [ 'longs', '<=>' ], [ 'longs', '<->' ], [ 'many', '@#' ];
}

# ---- test points ----

my $create_young = q{
	DROP TABLE IF EXISTS young;
	CREATE TABLE young (id int PRIMARY KEY, version int, embedding vector(64));
	CREATE INDEX young_hnsw ON young USING hnsw (embedding vector_l2_ops);
	CREATE INDEX young_ivf ON young USING ivf (embedding vector_ip_ops, version);
};

# What a backend does to come to a point, and what others must not do meanwhile.
# insert: rows, one to a transaction; young: into indexes that were empty;
# group: into a list whose first group is full; vacuum: after deletes; else SQL.
my @points = (
	[ insert_placed => 'insert' ], [ insert_written => 'insert' ], [ insert_written => 'young' ],
	[ insert_level_written => 'insert' ], [ insert_more_written => 'insert' ],
	[ insert_linked => 'insert' ], [ edge_chosen => 'insert' ], [ page_added => 'insert' ],
	[ page_added => 'young' ], [ ivf_group_added => 'young' ], [ ivf_group_added => 'group' ],
	[ ivf_group_began => 'group' ], [ ivf_records_written => 'insert' ],
	[ vacuum_rows_dropped => 'vacuum' ], [ vacuum_marked => 'vacuum' ], [ vacuum_repaired => 'vacuum' ],
	[ vacuum_frees => 'vacuum' ], [ vacuum_page_freed => 'vacuum' ], [ ivf_entries_moved => 'vacuum' ],
	[ page_added => 'REINDEX INDEX items_hnsw' ],
	[ build_written => 'REINDEX INDEX items_hnsw' ], [ build_logged => 'REINDEX INDEX CONCURRENTLY longs_hnsw' ],
	[ build_written => 'CREATE INDEX CONCURRENTLY items_more ON items USING ivf (embedding vector_cosine_ops)' ],
	[ build_logged => 'CREATE INDEX items_more ON items USING ivfflat (embedding vector_cosine_ops)' ]);

# The client that is to wait at a point
sub start_victim
{
	my ($point, $way) = @_;
	my $set = "SET nanovec.test_point = '$point';\n";
	my @tables = $way =~ /young|group/ ? ('young') : ();
	my @inserts;

	if (@tables)
	{
		delete $rows[0]{$_} foreach grep { /^young / } keys %{ $rows[0] };
		$node->safe_psql('postgres', $create_young);
	}
	$node->safe_psql('postgres', q{DROP INDEX young_ivf;
		CREATE INDEX young_ivf ON young USING ivf (embedding vector_ip_ops, version) WITH (lists = 1)}) if $way eq 'group';
	return start_client('victim', '', { alone => "$set$way;\n", changes => [] })
	  if $way =~ / /;
	if ($way eq 'vacuum')
	{
		my $insert = insert_rows(0, 60, 0);
		my @keys = map { $_->[0] } @{ $insert->{changes} };
		# what is there of this client from earlier rounds, too
		my @gone = grep { !/^young / && rand() < 0.8 } keys %{ $rows[0] }, @keys;
		my $delete = join('', map { my ($t, $id) = split / /; "DELETE FROM $t WHERE id = $id;\n" } @gone);

		return start_client('victim', '', $insert,
			{ sql => $delete, changes => [ map { [ $_ => undef ] } @gone ] },
			{ alone => "${set}VACUUM items;\nVACUUM longs;\nVACUUM many;\n" });
	}
	if ($way eq 'group')
	{
		push @inserts, insert_rows(0, 256, 0, 'young');
		push @inserts, { alone => $set };
	}
	# vacuum may have left places for many rows
	push @inserts, insert_rows(0, 1, 0, @tables) foreach 1 .. ($point eq 'page_added' ? 1000 : 100);
	return start_client('victim', $way eq 'group' ? '' : $set, @inserts);
}

# ---- crashes ----

# Kill one backend that does something; false when there was none.
sub kill_backend
{
	my ($pid) = @_;

	$pid //= $node->safe_psql('postgres', q{
		SELECT pid FROM pg_stat_activity
		WHERE backend_type IN ('client backend', 'parallel worker') AND pid <> pg_backend_pid()
			AND query NOT LIKE '%pg_sleep%'
		ORDER BY state = 'active' DESC, random() LIMIT 1});
	return $pid ne '' && kill('KILL', $pid) == 1;
}

# Overwrite part of every page on disk that replay restores from an image of the
# whole page, before it changes it: as if it had been half written in the crash.
sub tear_pages
{
	my ($data) = $node->data_dir;
	my ($control) = run_command([ 'pg_controldata', $data ]);
	my ($redo) = $control =~ m{REDO location: +(\S+)};
	my ($wal) = run_command([ 'pg_waldump', '-p', "$data/pg_wal", '-s', $redo ]);
	my (%seen, $torn);

	while ($wal =~ m{blkref #\d+: rel (\d+)/(\d+)/(\d+) (fork \w+ )?blk (\d+)( FPW(?! for))?}g)
	{
		my ($db, $rel, $fork, $block, $image) = ($2, $3, $4, $5, $6);

		next if $db == 0 || $fork || $seen{"$rel $block"}++ || !$image;
		my $file = "$data/base/$db/$rel";
		next if !-e $file || -s $file < PAGE * ($block + 1);
		my $start = SECTOR * int(rand(PAGE / SECTOR));
		my $end = rand() < 0.5 ? PAGE : SECTOR;

		($start, $end) = ($end == PAGE ? ($start, PAGE) : (0, $start || SECTOR));
		open(my $fh, '+<:raw', $file) or die "$file: $!";
		sysseek($fh, PAGE * $block + $start, 0);
		syswrite($fh, join('', map { chr(int(rand(256))) } 1 .. SECTOR) x (($end - $start) / SECTOR));
		close($fh);
		$torn++;
	}
	return $torn // 0;
}

# ---- what must be true afterwards ----

my (%reached, %kills, @failures);
my ($torn, $committed, $unreachable) = (0, 0, 0);

sub failed
{
	my ($round, $what) = @_;

	push @failures, "seed $seed, round $round: $what";
	diag $failures[-1];
	return;
}

# The rows of a server's tables, as { "table id" => version }
sub rows_of
{
	my ($server) = @_;

	return $server->safe_psql('postgres', q{
		SELECT 'items ' || id, version FROM items UNION ALL SELECT 'longs ' || id, version FROM longs
		UNION ALL SELECT 'many ' || id, version FROM many
		UNION ALL SELECT 'young ' || id, version FROM young}) =~ /^(\w+ \d+)\|(-?\d+)$/mg;
}

sub same_rows
{
	my ($a, $b) = @_;

	return keys %$a == keys %$b && !grep { !defined $b->{$_} || $a->{$_} != $b->{$_} } keys %$a;
}

# What a client knows of its rows, against what there is.
sub check_client
{
	my ($round, $client, $run, $there) = @_;
	my $known = $rows[$client];
	my %found = map { $_ => $there->{$_} }
	  grep { /^\w+ (\d+)$/ && int($1 / 10_000_000) == $client } keys %$there;
	my @done = slurp_file($run->{out}) =~ /^done (\d+)$/mg;
	my @transactions = @{ $run->{transactions} };
	my $n = @done ? $done[-1] + 1 : 0;

	apply($known, $transactions[$_]{changes} // []) foreach 0 .. $n - 1;
	$committed += $n;
	if ($n < @transactions && !same_rows($known, \%found))
	{
		# the one that it has heard nothing of
		my %before = %$known;

		apply($known, $transactions[$n]{changes} // []);
		$rows[$client] = $known = \%before if !same_rows($known, \%found);
	}
	return if same_rows($known, \%found);
	failed($round, "client $client: after transaction $n there are not the rows that it committed: "
		  . join(', ', (grep { !defined $found{$_} || $known->{$_} != $found{$_} } sort keys %$known),
			map { "$_ should not be there" } grep { !exists $known->{$_} } sort keys %found));
	$rows[$client] = \%found;
	return;
}

sub check_recall
{
	my ($round, $server) = @_;
	my @recall = map { recall($server, $_) } ('<->', '<#>');

	note "round $round: recall @recall";
	failed($round, "recall $recall[0] of items_hnsw") if $recall[0] < 0.95;
	# of all lists
	failed($round, "recall $recall[1] of items_ivf") if $recall[1] < 1;
	return;
}

sub check_everything
{
	my ($round, $server) = @_;

	# an insert that the crash cut off may have left nodes that nothing leads to
	my @problems = index_problems($server);
	$unreachable += grep { /cannot be reached/ } @problems;
	failed($round, $_) foreach grep { !/cannot be reached/ } @problems;
	failed($round, $_) foreach scan_problems($server);
	check_recall($round, $server);
	$server->safe_psql('postgres', 'VACUUM items, longs, many, young');
	failed($round, "after vacuum: $_") foreach index_problems($server), scan_problems($server);
	return;
}

# ---- the rounds ----

my $backup;

# The server, up to now, from a base backup that was taken during an earlier round.
sub check_backup
{
	my ($round) = @_;
	my $copy = PostgreSQL::Test::Cluster->new("copy_$round");

	archive_all($node);
	$node->stop;
	$copy->init_from_backup($node, $backup, has_restoring => 1, standby => 0);
	$copy->append_conf('postgresql.conf', "archive_mode = off\n");
	$copy->start;
	$copy->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'the copy did not start';
	$node->start;
	my %there = rows_of($node);
	my %copied = rows_of($copy);
	if (!same_rows(\%there, \%copied))
	{
		my @missing = grep { !defined $copied{$_} } sort keys %there;
		my @more = grep { !defined $there{$_} } sort keys %copied;

		failed($round, 'the copy has other rows: ' . @missing . " are missing (@missing[0 .. min(9, $#missing)]), "
			  . @more . " should not be there (@more[0 .. min(9, $#more)])");
	}
	check_everything("$round, copy", $copy);
	unlike(slurp_file($copy->logfile), qr/PANIC|inconsistent page|\(PID \d+\) was terminated/, "the copy of round $round recovers");
	$copy->clean_node;
	system_or_bail('rm', '-rf', $node->backup_dir . "/$backup");
	unlink(glob($node->archive_dir . '/*'));
	$backup = undef;
	return;
}

$node->safe_psql('postgres', $create_young);
foreach my $client (1 .. CLIENTS)
{
	my $fill = insert_rows($client, ROWS, 0);

	$node->safe_psql('postgres', $fill->{sql});
	apply($rows[$client], $fill->{changes});
}
$node->safe_psql('postgres', "REINDEX INDEX $_") foreach qw(items_ivf longs_flat);
check_recall(0, $node);

foreach my $round (1 .. $rounds)
{
	my $log_start = -s $node->logfile;
	my $point = $round % 2 ? undef : $points[ ($round / 2 - 1) % @points ];
	my $exclusive = $point && $point->[1] !~ /insert|young|group/;
	my $how = int(($round - 1) / 2) % 2 ? 'backend' : 'server';
	my @others;
	my $holder;
	my $victim;
	my $pid;

	# others that would wait for the victim, or let it wait, leave it alone
	push @others, start_client('vacuum', '', map { alone('VACUUM items', 'VACUUM longs', 'VACUUM many', 'CHECKPOINT') } 1 .. 100) if !$exclusive;
	push @others, start_client('build', '', map { alone($_) } shuffle((@builds) x 10)) if !$point;
	push @others, start_client('search', '', map { alone(searches()) } 1 .. 100);
	my @clients = map { start_client("client$_", '', random_transactions($_, 300)) } 1 .. CLIENTS;
	if ($point)
	{
		$holder = hold_lock($node, TEST_POINT);
		$victim = start_victim(@$point);
		$pid = wait_for_test_point($node, 90);
		$reached{"@$point"} += defined $pid;
		failed($round, "nobody came to test point @$point: " . slurp_file($victim->{err})) if !defined $pid;
	}
	if (!defined $backup)
	{
		$backup = "backup_$round";
		$node->backup($backup) if !$point;
		$backup = undef if $point;
	}
	sleep(rand($point ? 0.2 : 0.8));
	$how = 'server' if $how eq 'backend' && !kill_backend($pid);
	kill_server($node) if $how eq 'server';
	$kills{ $how . ($point ? ' at a point' : '') }++;
	$_->{run}->finish foreach @clients, @others, $victim // ();
	release_lock($holder) if $holder;
	if ($how eq 'server')
	{
		$torn += tear_pages() if rand() < 0.5;
		$node->start;
	}
	wait_until_up($node);

	my $log = slurp_file($node->logfile, $log_start);
	failed($round, "in the log: $1")
	  if $log =~ /^(.*(?:PANIC|inconsistent page|TRAP|\(PID \d+\) was terminated by signal (?!9)).*)$/m;
	foreach my $run (@clients, @others, $victim // ())
	{
		my $err = slurp_file($run->{err});

		failed($round, "$run->{name}: $1") if $err =~ /^(.*ERROR:.*)$/m;
	}
	my %there = rows_of($node);
	check_client($round, $_, $clients[ $_ - 1 ], \%there) foreach 1 .. CLIENTS;
	check_client($round, 0, $victim, \%there) if $victim;
	check_everything("$round, " . ($point ? "@$point, " : '') . $how, $node);
	$node->safe_psql('postgres', "DROP INDEX IF EXISTS $_") foreach split /\n/, $node->safe_psql('postgres', q{
		SELECT indexrelid::regclass FROM pg_index
		WHERE NOT indisvalid OR indexrelid::regclass::text ~ '_more'});
	check_backup($round) if defined $backup && ($round % BACKUP_ROUNDS == 0 || $round == $rounds);
}

is(scalar(@failures), 0, "all is well after $rounds crashes");
cmp_ok($committed, '>', 5 * $rounds, 'the clients did something');
note "$committed transactions, $torn torn pages, $unreachable nodes out of reach after crashes; killed: ",
  join(', ', map { "$_ $kills{$_}" } sort keys %kills);
note "test points: ", join(', ', map { "$_ $reached{$_}" } sort keys %reached);
$node->stop;
done_testing();
