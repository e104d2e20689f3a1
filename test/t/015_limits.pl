# Limits: memory of builds and scans, the longest rows, and how soon a command
# stops.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

# Memory that a command may take beyond its limit; and how long it may go on, in ms
use constant MOST_BEYOND => 1.05;
use constant MOST_LATENCY => 100;

my $node = start_node('limits');
my $log_start = -s $node->logfile;

# shared memory of parallel workers as files, whose size can be seen
$node->append_conf('postgresql.conf', qq{
	autovacuum = off
	shared_buffers = 128MB
	max_wal_size = 2GB
	dynamic_shared_memory_type = mmap
	min_parallel_table_scan_size = 0
	jit = off
});
$node->restart;

# ---- a session whose processes can be watched ----

my ($in, $out, $err, $session, $pid);

# What a process has when it starts, in kB; so much of a worker's memory is not
# the command's.
my $fresh;

sub session_start
{
	($in, $out, $err) = ('', '', '');
	$session = IPC::Run::start([ 'psql', '-X', '-q', '-At', '-d', $node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(3600));
	$pid = session_run('SELECT pg_backend_pid()');
	$fresh = private_memory($pid);
}

sub session_send
{
	my ($sql) = @_;

	($out, $err) = ('', '');
	$in .= "$sql;\n\\echo end of output\n\\warn end of errors\n";
	$session->pump_nb;
}

sub session_done
{
	$session->pump_nb;
	return $out =~ /end of output/ && $err =~ /end of errors/;
}

sub session_run
{
	my ($sql) = @_;

	session_send($sql);
	$session->pump until session_done();
	return $out =~ s/\n?end of output\n//r;
}

sub session_end
{
	$in .= "\\q\n";
	$session->finish;
}

# The session's process and its parallel workers
sub processes
{
	my @pids = ($pid);

	foreach my $file (glob '/proc/[0-9]*/cmdline')
	{
		open(my $fh, '<', $file) or next;
		my $line = <$fh> // '';
		push @pids, $file =~ /(\d+)/ if $line =~ /parallel worker for PID $pid\b/;
	}
	return @pids;
}

# Private memory of a process, in kB
sub private_memory
{
	my ($process) = @_;

	open(my $fh, '<', "/proc/$process/status") or return 0;
	while (<$fh>)
	{
		return $1 if /^RssAnon:\s+(\d+) kB/;
	}
	return 0;
}

# Memory of the session, its workers, and what they share, in kB
sub memory
{
	my ($leader, @workers) = processes();
	my $sum = private_memory($leader);

	foreach my $worker (@workers)
	{
		my $own = private_memory($worker) - $fresh;
		$sum += $own if $own > 0;
	}
	foreach my $file (glob $node->data_dir . '/pg_dynshmem/*')
	{
		$sum += (stat $file)[12] / 2 if -e $file;
	}
	return $sum;
}

# Run a command and return the most memory that it took, in kB.
sub peak_of
{
	my ($sql) = @_;
	my $before = memory();
	my $peak = 0;

	session_send($sql);
	until (session_done())
	{
		my $now = memory();

		$peak = $now if $now > $peak;
		sleep 0.001;
	}
	BAIL_OUT("$sql: $err") if $err =~ /ERROR/;
	return $peak - $before;
}

# ---- memory of builds ----

$node->safe_psql('postgres', q{
	CREATE FUNCTION a_vector(i int, dims int) RETURNS vector LANGUAGE sql IMMUTABLE AS
		$$ SELECT array_agg((hashint4(i * 1000 + d) % 1000) / 1000.0)::vector FROM generate_series(1, dims) d $$;
	CREATE TABLE wide (id int, v vector(128));
	INSERT INTO wide SELECT i, a_vector(i, 128) FROM generate_series(1, 18000) i;
	CREATE TABLE few (LIKE wide);
	INSERT INTO few SELECT * FROM wide LIMIT 300;
	VACUUM ANALYZE wide, few});

my $memory = 16;
my %builds = (
	'hnsw' => 'hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 20)',
	'hnsw, long vectors' => 'hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 20, storage = float4)',
	'ivf' => 'ivf (v vector_l2_ops) WITH (lists = 300)',
	'ivfflat' => 'ivfflat (v vector_l2_ops) WITH (lists = 60)');

foreach my $workers (0, 2)
{
	foreach my $name (sort keys %builds)
	{
		# malloc keeps what an earlier build has freed
		session_start();
		session_run("SET maintenance_work_mem = '${memory}MB'; SET max_parallel_maintenance_workers = $workers;
			SET client_min_messages = warning");
		# what a session and the library take by themselves
		session_run("CREATE INDEX first ON few USING $builds{$name}; DROP INDEX first; SELECT count(v <-> v) FROM wide");
		my $peak = peak_of("CREATE INDEX built ON wide USING $builds{$name}");
		my $used = sprintf('%.1f of %d MB', $peak / 1024, $memory);

		note "build of $name, $workers workers: $used";
		cmp_ok($peak, '<=', $memory * 1024 * MOST_BEYOND,
			"a build stays within maintenance_work_mem: $name, $workers workers, $used");
		session_run('DROP INDEX built');
		session_end();
	}
}

# ---- memory of scans ----

# A filter that refuses every row, and looks at the memory of the scan meanwhile
$node->safe_psql('postgres', q{
	CREATE FUNCTION refuse(id int) RETURNS boolean LANGUAGE plpgsql VOLATILE COST 1 AS $$
	BEGIN
		IF id % 50 = 0 THEN
			PERFORM set_config('test.peak', greatest(current_setting('test.peak')::bigint,
				(SELECT sum(total_bytes) FROM pg_backend_memory_contexts
				 WHERE name IN ('hnsw scan', 'ivf scan')))::text, false);
		END IF;
		PERFORM set_config('test.seen', (current_setting('test.seen')::int + 1)::text, false);
		RETURN false;
	END $$});
$node->safe_psql('postgres', 'CREATE INDEX wide_x ON wide USING hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 20)');
my %scans = (
	hnsw => 'SET hnsw.max_scan_tuples = 1000000; SET hnsw.scan_mem_multiplier',
	ivf => 'SET ivf.max_probes = 100000; SET test.multiplier',
);
foreach my $method (sort keys %scans)
{
	$node->safe_psql('postgres', 'DROP INDEX wide_x; CREATE INDEX wide_x ON wide USING ivf (v vector_l2_ops) WITH (lists = 100)')
	  if $method eq 'ivf';
	foreach my $order ('strict_order', 'relaxed_order')
	{
		# work_mem in kB, and how many times that
		foreach ([ 256, 1 ], [ 256, 4 ], [ 1024, 1 ])
		{
			my ($work_mem, $times) = @$_;

			next if $method eq 'ivf' && $times > 1;
			session_start();
			session_run("SET work_mem = '${work_mem}kB'; SET enable_seqscan = off; $scans{$method} = $times;
				SET $method.iterative_scan = $order");
			my $search = q{SELECT id FROM wide WHERE refuse(id) ORDER BY v <-> a_vector(3, 128) LIMIT 10};
			like(session_run("EXPLAIN $search"), qr/Index Scan using wide_x/, 'the index is searched')
			  if $times == 1;
			# what the session takes for its plans and the like
			session_run("SET test.peak = 0; SET test.seen = 0; SET $method.iterative_scan = off; $search;
				SET $method.iterative_scan = $order; SET test.peak = 0; SET test.seen = 0");
			my $peak = peak_of($search);
			my ($contexts, $seen) = split /\|/, session_run(
				q{SELECT current_setting('test.peak'), current_setting('test.seen')});
			my $what = "$method, $order, $times * $work_mem kB";

			note sprintf('%s: %d rows; %d kB in memory contexts, %d kB more of the process', $what, $seen,
				$contexts / 1024, $peak);
			cmp_ok($contexts, '<=', $work_mem * 1024 * $times, "a scan stays within work_mem: $what");
			# the process has a few things of its own: where pages were last, 256 kB
			cmp_ok($peak, '<=', $work_mem * $times + 512, "and so does the process");
			cmp_ok($seen, '>', 300, "and the scan goes on until then: $what");
			session_end();
		}
	}
}
$node->safe_psql('postgres', 'DROP INDEX wide_x');

# ---- how soon a command stops ----

# CPU time of some processes so far, in ms.  The machine may be busy with other
# things: what a command does after it was told to stop is its own.
sub cpu_time
{
	my ($times, @processes) = @_;

	foreach my $process (@processes)
	{
		open(my $fh, '<', "/proc/$process/schedstat") or next;
		my ($ns) = (<$fh> // '') =~ /^(\d+)/;
		$times->{$process} = $ns / 1e6 if defined $ns;
	}
}

# Cancel a command when it has run for some time.  Returns how long it went on,
# in ms, or undef when it was over.
sub stop_after
{
	my ($sql, $seconds) = @_;
	my (%before, %after, $longest, @processes);

	session_send($sql);
	my $start = time;
	sleep 0.001 until session_done() || time - $start >= $seconds;
	@processes = processes();
	cpu_time(\%before, @processes);
	kill 'INT', $pid;
	until (session_done())
	{
		cpu_time(\%after, @processes);
		sleep 0.001;
	}
	cpu_time(\%after, $pid);
	return undef unless $err =~ /canceling statement due to user request/;
	foreach my $process (grep { defined $before{$_} && defined $after{$_} } @processes)
	{
		my $ms = $after{$process} - $before{$process};
		$longest = $ms if !defined $longest || $ms > $longest;
	}
	return $longest;
}

$node->safe_psql('postgres', 'CREATE TABLE middle AS SELECT * FROM wide LIMIT 4000; VACUUM ANALYZE middle');
my $again = 'DELETE FROM middle WHERE ctid IN (SELECT ctid FROM middle ORDER BY random() LIMIT 300);
	INSERT INTO middle SELECT i, a_vector(i, 128) FROM generate_series(1, 300) AS i';
my $hnsw = 'CREATE INDEX built ON middle USING hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 30)';
my $ivf = 'CREATE INDEX built ON middle USING ivf (v vector_l2_ops) WITH (lists = 100)';
my @commands = (
	# what, preparation, command, once more
	[ 'build of hnsw', 'SET max_parallel_maintenance_workers = 0', $hnsw, 'DROP INDEX IF EXISTS built' ],
	[ 'parallel build of hnsw', 'SET max_parallel_maintenance_workers = 2', $hnsw, 'DROP INDEX IF EXISTS built' ],
	[ 'build of hnsw beyond memory', 'SET maintenance_work_mem = 1024', $hnsw, 'DROP INDEX IF EXISTS built' ],
	[ 'build of ivf', 'SET max_parallel_maintenance_workers = 0', $ivf, 'DROP INDEX IF EXISTS built' ],
	[ 'parallel build of ivf', 'SET max_parallel_maintenance_workers = 2', $ivf, 'DROP INDEX IF EXISTS built' ],
	[ 'nanovec_kmeans', '', "SELECT count(nanovec_kmeans('middle', 'v', 200, 60))", '' ],
	[ 'scan of hnsw', $hnsw, "SELECT id FROM middle WHERE id < 0 ORDER BY v <-> (SELECT v FROM wide WHERE id = 1)", '' ],
	[ 'nanovec_index_check of hnsw', '', "SELECT * FROM nanovec_index_check('built')", '' ],
	[ 'vacuum of hnsw', '', 'VACUUM middle', $again ],
	[ 'scan of ivf', "DROP INDEX built; $ivf", "SELECT id FROM middle WHERE id < 0 ORDER BY v <-> (SELECT v FROM wide WHERE id = 1)", '' ],
	# so quick that it takes many
	[ 'nanovec_index_check of ivf', '', "SELECT count(*) FROM generate_series(1, 40) AS i,
		nanovec_index_check(CASE WHEN i > 0 THEN 'built' END::regclass)", '' ],
	[ 'vacuum of ivf', '', 'VACUUM middle', $again ]);

session_start();
session_run("SET client_min_messages = error; SET maintenance_work_mem = '256MB'; SET enable_seqscan = off;
	SET hnsw.max_scan_tuples = 1000000; SET hnsw.scan_mem_multiplier = 1000; SET ivf.max_probes = 10000");
foreach (@commands)
{
	my ($what, $prepare, $command, $again) = @$_;
	my ($start, $whole, $hits, $worst) = (0, 0, 0, 0);

	session_run("$prepare; $again");
	$start = time;
	session_run($command);
	$whole = time - $start;
	BAIL_OUT("$what: $err") if $err =~ /ERROR/;
	foreach my $part (0.03, 0.2, 0.4, 0.6, 0.8)
	{
		session_run($again) if $again ne '';
		my $latency = stop_after($command, $whole * $part);

		next unless defined $latency;
		$hits++;
		$worst = $latency if $latency > $worst;
	}
	session_run('RESET maintenance_work_mem; SET maintenance_work_mem = \'256MB\'') if $what =~ /beyond/;
	session_run($again) if $again ne '';
	note sprintf('%s, %.0f ms: %d times, at most %.1f ms', $what, $whole * 1000, $hits, $worst);
	cmp_ok($worst, '<=', MOST_LATENCY, "$what stops at once when it is cancelled");
	cmp_ok($hits, '>', 0, "$what was cancelled");
}

# statement_timeout is heard while a scan of ivf looks into its lists: it has not
# read them all then.  The table has to be so large that this takes a while.
session_run('DROP INDEX built; INSERT INTO wide SELECT * FROM wide; INSERT INTO wide SELECT * FROM wide;
	INSERT INTO wide SELECT * FROM wide;
	CREATE INDEX built ON wide USING ivfflat (v vector_l2_ops) WITH (lists = 2); SET ivfflat.probes = 2');
my ($whole, $cut) = (1e9, 0);
foreach my $try (1 .. 10)
{
	# in ms; 0: none
	foreach my $timeout (0, 2)
	{
		my %cpu;

		session_run("SET statement_timeout = $timeout");
		cpu_time(\%cpu, $pid);
		my $before = $cpu{$pid};
		session_run('SELECT id FROM wide ORDER BY v <-> (SELECT v FROM middle LIMIT 1) LIMIT 1');
		my $timed_out = $err =~ /statement timeout/;
		cpu_time(\%cpu, $pid);
		my $took = $cpu{$pid} - $before;
		$whole = $took if !$timeout && $took < $whole;
		$cut = $took if $timed_out && $took > $cut;
		session_run('SET statement_timeout = 0');
	}
}
note sprintf('a search of %.1f ms with a timeout of 2 ms stopped after at most %.1f ms', $whole, $cut);
cmp_ok($cut, '<', $whole * 0.6, 'a timeout stops a search between two groups');
cmp_ok($cut, '>', 0, 'and there was one');
session_end();

# ---- the longest rows ----

$node->safe_psql('postgres', q{
	CREATE TABLE longest (id int, v vector(16000), h halfvec(16000));
	INSERT INTO longest SELECT i, v, v::halfvec FROM generate_series(1, 60) AS i, a_vector(i, 16000) AS v});
foreach (
	[ 'hnsw', 'v vector_l2_ops', '<->', '' ], [ 'hnsw', 'v vector_cosine_ops', '<=>', 'WITH (storage = float4)' ],
	[ 'hnsw', 'h halfvec_ip_ops', '<#>', 'WITH (storage = float2)' ],
	[ 'ivf', 'v vector_l2_ops', '<->', 'WITH (lists = 4)' ], [ 'ivf', 'h halfvec_cosine_ops', '<=>', 'WITH (lists = 4)' ],
	[ 'ivf', 'v vector_ip_ops', '<#>', 'WITH (lists = 4, quantizer = none)' ],
	[ 'ivfflat', 'v vector_l2_ops', '<->', 'WITH (lists = 4)' ])
{
	my ($method, $column, $operator, $options) = @$_;
	my ($name) = $column =~ /^(.)/;
	my $what = "16000 dimensions: $method ($column) $options";

	$node->safe_psql('postgres', qq{
		CREATE INDEX longest_x ON longest USING $method ($column) $options;
		INSERT INTO longest SELECT i, v, v::halfvec FROM generate_series(61, 75) AS i, a_vector(i, 16000) AS v;
		DELETE FROM longest WHERE id % 7 = 0});
	$node->safe_psql('postgres', 'VACUUM longest');
	is($node->safe_psql('postgres', "SELECT * FROM nanovec_index_check('longest_x')"), '', "$what: sound");
	is($node->safe_psql('postgres', qq{
		SET enable_seqscan = off; SET ivf.probes = 4; SET ivfflat.probes = 4; SET hnsw.ef_search = 100;
		SELECT count(*), count(DISTINCT n.id), bool_and(n.d >= n.before) FROM
			(SELECT id, d, lag(d, 1, d) OVER () AS before FROM (SELECT id, $name $operator (SELECT $name FROM longest
				WHERE id = 5) AS d FROM longest ORDER BY 2 LIMIT 100) AS s) AS n}),
		$node->safe_psql('postgres', q{SELECT count(*), count(*), true FROM longest}), "$what: every row, in order");
	$node->safe_psql('postgres', q{DROP INDEX longest_x; DELETE FROM longest WHERE id > 60;
		INSERT INTO longest SELECT i, v, v::halfvec FROM generate_series(7, 60, 7) AS i, a_vector(i, 16000) AS v});
}

unlike(slurp_file($node->logfile, $log_start), qr/terminated by signal|PANIC/, 'no backend crashed');
$node->stop;
done_testing();
