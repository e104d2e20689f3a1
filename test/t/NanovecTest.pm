# What the TAP tests share.

package NanovecTest;

use strict;
use warnings;

use Exporter 'import';
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

our @EXPORT = qw(new_node start_node source_file build_helper surface_of catalog_of installs_anywhere
  make_tables index_problems scan_problems recall start_psql hold_lock release_lock TEST_POINT
  wait_for_test_point kill_server wait_until_up archive_all hnsw_layout);

# The key of the lock that backends wait for at a test point: src/nv_testpoint.h
use constant TEST_POINT => 4711;

# A server that was not started yet.  Options are those of PostgreSQL::Test::Cluster->new
# and init, and conf (lines of postgresql.conf).  Whatever is replayed of its WAL, by itself
# after a crash or by others, is compared with what it logged.
sub new_node
{
	my ($name, %options) = @_;
	my $conf = delete $options{conf} // '';
	my $node = PostgreSQL::Test::Cluster->new($name, %options);

	$node->init(%options);
	$node->append_conf('postgresql.conf',
		"fsync = off\nwal_consistency_checking = 'all'\n$conf\n");
	return $node;
}

# A running server with nanovec in its database postgres; further option:
# extension (default: nanovec).
sub start_node
{
	my ($name, %options) = @_;
	my $extension = delete $options{extension} // 'nanovec';
	my $node = new_node($name, %options);

	$node->start;
	$node->safe_psql('postgres', "CREATE EXTENSION $extension");
	return $node;
}

# What objects the extension in a database has, and all that catalogs say of
# them: see test/compat.
sub surface_of
{
	my ($node, $database) = @_;
	return split /\n/, $node->safe_psql($database, slurp_file(source_file('test/compat/surface.sql')));
}

sub catalog_of
{
	my ($node, $database) = @_;
	return split /\n/, $node->safe_psql($database, slurp_file(source_file('test/compat/catalog.sql')));
}

# Three tests: the extension may be put into any schema, where its operator
# classes are valid, and moved, and any user with CREATE on a database may install it.
sub installs_anywhere
{
	my ($node, $extension) = @_;

	$node->safe_psql('postgres', qq{
		CREATE DATABASE elsewhere;
		\\c elsewhere
		CREATE SCHEMA extensions;
		CREATE EXTENSION $extension SCHEMA extensions;
		CREATE TABLE t (v extensions.vector(3));
		CREATE INDEX ON t USING hnsw (v extensions.vector_l2_ops);
		INSERT INTO t VALUES ('[1,2,3]');
	});
	is($node->safe_psql('elsewhere', q{SET client_min_messages = warning;
		SELECT count(*) > 10, bool_and(amvalidate(c.oid)) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
		WHERE amname IN ('hnsw', 'ivf', 'ivfflat')}),
		't|t', 'operator classes are valid in a schema that is not searched');
	$node->safe_psql('elsewhere', qq{
		ALTER EXTENSION $extension SET SCHEMA public;
	});
	is($node->safe_psql('elsewhere', q{SET enable_seqscan = off; SELECT v <-> '[1,2,3]' FROM t ORDER BY v <-> '[1,2,3]'}),
		'0', 'works from another schema, and moved');
	$node->safe_psql('postgres', q{
		CREATE ROLE plain LOGIN;
		CREATE DATABASE plains OWNER plain;
	});
	is($node->safe_psql('plains', qq{
		CREATE EXTENSION $extension;
		SELECT '[3,4]'::vector <-> '[0,0]';
	}, extra_params => [ '-U', 'plain' ]), '5', 'trusted: no superuser needed');
	return;
}

# A file of the source tree.
sub source_file
{
	my ($name) = @_;
	return "$ENV{NANOVEC_SRC}/$name";
}

# Compile NAME.c (relative to test/lib), which uses libpq; returns the program's path.
sub build_helper
{
	my ($name, @flags) = @_;
	my $program = "$PostgreSQL::Test::Utils::tmp_check/" . basename($name);
	my ($incdir, $libdir) = map { my $x = `$ENV{NANOVEC_PG_CONFIG} --$_`; chomp $x; $x }
	  qw(includedir libdir);

	system_or_bail('gcc', '-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', "-I$incdir",
		source_file("test/lib/$name.c"), '-o', $program, "-L$libdir", '-lpq', @flags);
	return $program;
}

# SQL: functions that make vectors of 16 and of 2200 dimensions, the latter
# longer than a page.  One in 40 is the same as others.
sub vector_functions
{
	return q{
		CREATE FUNCTION a_vector(i int, version int) RETURNS vector LANGUAGE sql IMMUTABLE AS $$
			SELECT array_agg((hashint4(x * 16 + d) % 1000) / 1000.0 + (hashint4(d - x % 20 * 64) % 1000) / 300.0)::vector
			FROM generate_series(1, 16) d, (SELECT CASE WHEN i % 40 = 0 THEN i % 3 ELSE i + version * 7919 END AS x) s $$;
		CREATE FUNCTION long_vector(i int, version int) RETURNS vector LANGUAGE sql IMMUTABLE AS $$
			SELECT array_agg(x)::vector
			FROM (SELECT unnest(a_vector(i, version)::real[]) x FROM generate_series(1, 140) LIMIT 2200) s $$;
	};
}

# What the metapage of an hnsw index, a file, says of its nodes; and where their
# parts are, in bytes from their start: as hnsw_layout() in src/hnsw/hnsw_page.c.
sub hnsw_layout
{
	my ($path) = @_;
	my %layout;
	my $factors;

	@layout{qw(m bits slot_bytes per_page mean_pages node_tids entry)} = unpack('x12 v x12 v V v v v x2 V', substr(slurp_file($path), 24, 64));
	$factors = unpack('x56 C', substr(slurp_file($path), 24, 64));
	my $neighbors = 2 * $layout{m};
	my $add_bytes = $factors == 0 ? 2 : 1;
	my $factor_bytes = $factors == 2 ? 0 : $add_bytes;

	$layout{neighbors} = 40;
	$layout{tids} = $layout{neighbors} + 4 * $neighbors;
	$layout{add} = $layout{tids} + 6 * $layout{node_tids};
	$layout{factor} = $layout{add} + $neighbors * $add_bytes;
	$layout{codes} = $layout{factor} + $neighbors * $factor_bytes;
	return \%layout;
}

# Tables of such vectors, items and longs, filled by some SQL, and then their indexes.
sub make_tables
{
	my ($node, $fill) = @_;

	$node->safe_psql('postgres', 'CREATE EXTENSION nanovec;' . vector_functions() . qq{
		CREATE TABLE items (id int PRIMARY KEY, version int, embedding vector(16));
		CREATE TABLE longs (id int PRIMARY KEY, version int, embedding vector(2200));
		$fill
		CREATE INDEX items_hnsw ON items USING hnsw (embedding vector_l2_ops, version, id)
			WITH (m = 8, ef_construction = 64);
		CREATE INDEX items_ivf ON items USING ivf (embedding vector_ip_ops) WITH (lists = 4);
		CREATE INDEX longs_hnsw ON longs USING hnsw (embedding vector_cosine_ops)
			WITH (m = 4, ef_construction = 16, storage = float4);
		CREATE INDEX longs_flat ON longs USING ivfflat (embedding vector_l2_ops) WITH (lists = 2)});
	return;
}

# Of all valid indexes of nanovec: index, table, dimensions, operator
sub valid_indexes
{
	my ($node) = @_;

	return map { [ split /\|/ ] } split /\n/, $node->safe_psql('postgres', q{
		SELECT c.relname, i.indrelid::regclass, t.atttypmod, o.oprname
		FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid
			JOIN pg_attribute t ON t.attrelid = i.indrelid AND t.attnum = i.indkey[0]
			JOIN pg_opclass oc ON oc.oid = i.indclass[0]
			JOIN pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amoppurpose = 'o'
				AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
			JOIN pg_operator o ON o.oid = ao.amopopr
		WHERE a.amname IN ('hnsw', 'ivf', 'ivfflat') AND c.relkind = 'i' AND i.indisvalid
		ORDER BY 1});
}

# What nanovec_index_check() says of all valid indexes, as "index: problem".
sub index_problems
{
	my ($node) = @_;
	my $sql = join(' UNION ALL ', map { "SELECT '$_->[0]: ' || problem FROM nanovec_index_check('$_->[0]')" }
		  valid_indexes($node));

	return $sql eq '' ? () : split /\n/, $node->safe_psql('postgres', $sql);
}

# How scans look for all there is
my $all_candidates = 'SET enable_seqscan = off; SET enable_sort = off; SET jit = off;
	SET hnsw.ef_search = 1000; SET hnsw.iterative_scan = relaxed_order;
	SET hnsw.max_scan_tuples = 1000000; SET hnsw.scan_mem_multiplier = 100;
	SET ivf.probes = 32768; SET ivfflat.probes = 32768;';

# Those of some rows that an index does not find although it is asked for their
# own vectors.  Edges of a graph go one way: from far away, a few rows among many
# that are the same may be out of reach.
sub not_found
{
	my ($node, $table, $operator, @ids) = @_;

	return grep {
		$node->safe_psql('postgres', qq{$all_candidates
			SELECT count(*) FROM (SELECT id FROM $table ORDER BY embedding $operator
				(SELECT embedding FROM $table WHERE id = $_)) s WHERE id = $_}) eq '0'
	} @ids;
}

# Search every valid index for all there is, and compare with what the table
# says.  Tables have columns id, version, embedding, and indexes of a table
# serve different operators.  Returns what is wrong.
sub scan_problems
{
	my ($node) = @_;
	my @indexes = valid_indexes($node);
	my @problems;
	# tables first, as they are
	my $sql = 'SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;'
	  . join('', map { "SELECT '$_ holds', id, version FROM $_;" } keys %{ { map { $_->[1] => 1 } @indexes } })
	  . "RESET ALL; $all_candidates";

	foreach (@indexes)
	{
		my ($index, $table, $dims, $operator) = @$_;
		my $query = '[' . join(',', (0.5) x $dims) . ']';
		my $order = "ORDER BY embedding $operator '" . ($operator eq '@#' ? qq({"$query"}) : $query) . "'";

		$sql .= "SELECT 'search $index'; EXPLAIN (COSTS off) SELECT FROM $table $order;"
		  . "SELECT '$index found', id, version FROM $table $order;";
	}
	my $out = $node->safe_psql('postgres', $sql);

	foreach (@indexes)
	{
		my ($index, $table, $dims, $operator) = @$_;
		my %there = $out =~ /^\Q$table\E holds\|(\d+)\|(-?\d+)$/mg;
		my %found = $out =~ /^\Q$index\E found\|(\d+)\|(-?\d+)$/mg;
		my $n = () = $out =~ /^\Q$index\E found\|/mg;
		my @missing = not_found($node, $table, $operator,
			grep { !defined $found{$_} } sort { $a <=> $b } keys %there);

		push @problems, "$index was not used" if $out !~ /^search \Q$index\E\nIndex Scan using \Q$index\E /m;
		push @problems, "$index: rows were found twice" if $n != keys %found;
		push @problems, map { "$index: found row $_, version $found{$_}, which is not there" }
		  grep { !defined $there{$_} || $there{$_} != $found{$_} } keys %found;
		push @problems, "$index: " . @missing . ' of ' . keys(%there) . " rows were not found: @missing" if @missing;
	}
	return @problems;
}

# The part of the 10 nearest of 20 vectors that an index of items finds.  They are
# in the same clusters as the rows.  ivf looks into 4 lists.
sub recall
{
	my ($node, $operator) = @_;

	return $node->safe_psql('postgres', qq{
		SET enable_seqscan = off; SET jit = off; SET hnsw.ef_search = 100; SET ivf.probes = 4;
		WITH queries AS MATERIALIZED (SELECT a_vector(q, 0) AS v FROM generate_series(5000001, 5000020) q)
		SELECT round(count(*) / 200.0, 3) FROM queries,
			LATERAL (SELECT embedding $operator v AS d FROM items ORDER BY 1 LIMIT 10) n,
			LATERAL (SELECT max(d) AS d FROM
				(SELECT (embedding $operator v) + 0 AS d FROM items ORDER BY 1 LIMIT 10) e) e
		WHERE n.d <= e.d});
}

# Wait for a server that restarts after a crash.  Not poll_query_until(): the
# psql that is refused ends before it has read its input, and IPC::Run dies.
sub wait_until_up
{
	my ($node) = @_;

	for (1 .. 1800)
	{
		return if IPC::Run::run([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', 'SELECT 1' ],
			'<', '/dev/null', '>', '/dev/null', '2>', '/dev/null');
		sleep(0.1);
	}
	die 'the server does not come back';
}

# Have all WAL so far archived.  After a crash that may take some seconds, until
# the archiver runs again.
sub archive_all
{
	my ($node) = @_;
	my $last = $node->safe_psql('postgres', 'SELECT pg_walfile_name(pg_switch_wal())');

	$node->poll_query_until('postgres', "SELECT last_archived_wal >= '$last' FROM pg_stat_archiver")
	  or die 'the archive does not grow';
	return;
}

# Run psql with a script, in the background; what it prints goes to the two files.
sub start_psql
{
	my ($node, $script, $out, $err) = @_;

	return IPC::Run::start(
		[ 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d',
			$node->connstr('postgres'), '-f', $script ],
		'<', '/dev/null', '>', $out, '2>', $err, IPC::Run::timeout(600));
}

# Hold an advisory lock, such as TEST_POINT, until release_lock() or a crash; in
# a session that is idle, so that vacuum need not mind what it sees.
sub hold_lock
{
	my ($node, $key) = @_;
	my $input = "SELECT pg_advisory_lock($key);\n";
	my $session = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres') ],
		'<', \$input, '>', '/dev/null', '2>', '/dev/null');

	$session->pump while $input ne '';
	$node->poll_query_until('postgres', qq{
		SELECT count(*) > 0 FROM pg_locks
		WHERE locktype = 'advisory' AND objid = $key AND mode = 'ExclusiveLock' AND granted})
	  or die "lock $key cannot be had";
	return $session;
}

sub release_lock
{
	my ($session) = @_;

	# psql ends with its input
	$session->finish;
	return;
}

# The process that waits at a test point, or undef if there is none in some seconds.
sub wait_for_test_point
{
	my ($node, $seconds) = @_;

	for (my $end = time() + $seconds; time() <= $end; sleep(0.02))
	{
		my $pid = $node->safe_psql('postgres', q{
			SELECT pid FROM pg_locks
			WHERE locktype = 'advisory' AND objid = } . TEST_POINT . q{ AND NOT granted LIMIT 1});
		return $pid if $pid ne '';
	}
	return undef;
}

# State and parent of a process, from /proc; nothing if it is gone.
sub process_status
{
	my ($pid) = @_;

	open(my $fh, '<', "/proc/$pid/stat") or return;
	my $line = <$fh> // '';
	return $line =~ /\) (\S) (\d+) / ? ($1, $2) : ();
}

# SIGKILL for all processes of a server; returns when none is left.
sub kill_server
{
	my ($node) = @_;
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	my @processes = ($postmaster);

	# it starts no others while it is stopped
	kill('STOP', $postmaster);
	sleep(0.01) while ((process_status($postmaster))[0] // 'T') ne 'T';
	foreach (grep { m{/(\d+)/stat$} } glob('/proc/[0-9]*/stat'))
	{
		my ($pid) = m{/(\d+)/stat$};
		my ($state, $parent) = process_status($pid);

		push @processes, $pid if defined $parent && $parent == $postmaster;
	}
	kill('KILL', reverse @processes);
	$node->kill9;
	foreach my $pid (@processes)
	{
		my $state;

		sleep(0.01) while ($state = (process_status($pid))[0]) && $state ne 'Z';
	}
	# a zombie, until the machine's first process looks, would pass for a server
	unlink($node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock');
	return;
}

1;
