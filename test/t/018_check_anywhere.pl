# nanovec_index_check() finds nothing wrong in a sound index that was made on
# another kind of CPU, whose sums of floats are added in another order; it keeps
# nobody waiting for a catalog, nor does the error about a metapage; and it works on
# a standby.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('anywhere', allows_streaming => 1);
my %disable = (
	everything => '',
	'no VNNI' => 'avx512vnni',
	'no AVX-512' => 'avx512f',
	'no SIMD' => 'avx512f,avx2,fma,neon');

$node->append_conf('postgresql.conf', "autovacuum = off\n");
$node->start;
# Vectors so long that nodes of hnsw have codes: steps of many lengths beside vectors of
# many, down to none; one in 25 rows is the same as another.
$node->safe_psql('postgres', q{
	CREATE EXTENSION nanovec;
	SELECT setseed(0.3);
	CREATE TABLE base AS
		SELECT i, CASE WHEN i % 25 = 0 THEN i / 100 ELSE i END AS x, array_agg(random()) AS a
		FROM generate_series(1, 300) i, generate_series(1, 133) GROUP BY i;
	CREATE TABLE kinds (kind text, v vector(133));
	INSERT INTO kinds SELECT k, (SELECT array_agg(
			CASE k WHEN 'offset' THEN 100 + e WHEN 'tiny' THEN e * 1e-22 WHEN 'huge' THEN (e - 0.5) * 1e18
				WHEN 'tight' THEN 7 + e * 1e-6 WHEN 'few' THEN (10 * e)::int ELSE e - 0.5 END)
		FROM unnest(b.a) e)::vector
	FROM base JOIN base b ON b.i = base.x + 1 AND base.i < 300,
		unnest(ARRAY['plain', 'offset', 'tiny', 'huge', 'tight', 'few']) k});

# [name, column's type, operator class, method and options]
my @indexes = (
	[ 'h_l2', 'vector(133)', 'vector_l2_ops', 'hnsw', 'm = 16' ],
	[ 'h_ip', 'vector(133)', 'vector_ip_ops', 'hnsw', 'm = 16' ],
	[ 'h_cos', 'vector(133)', 'vector_cosine_ops', 'hnsw', 'm = 16' ],
	[ 'h_f4', 'vector(133)', 'vector_l2_ops', 'hnsw', 'storage = float4' ],
	[ 'h_half', 'halfvec(133)', 'halfvec_ip_ops', 'hnsw', 'storage = float2' ],
	[ 'h_sq8', 'sq8vec(133)', 'sq8vec_l2_ops', 'hnsw', 'm = 16' ],
	[ 'i_l2', 'vector(133)', 'vector_l2_ops', 'ivf', 'lists = 9' ],
	[ 'i_ip', 'vector(133)', 'vector_ip_ops', 'ivf', 'lists = 9' ],
	[ 'i_cos', 'halfvec(133)', 'halfvec_cosine_ops', 'ivf', 'lists = 9' ]);

# Write some bytes into a file, at an offset.
sub overwrite
{
	my ($file, $offset, $bytes) = @_;

	open(my $fh, '+<:raw', $file) or die "$file: $!";
	sysseek($fh, $offset, 0);
	syswrite($fh, $bytes);
	close($fh);
	return;
}

sub restart_with
{
	my ($disabled) = @_;

	$node->stop;
	local $ENV{NANOVEC_DISABLE_CPU} = $disabled;
	$node->start;
	return;
}

my %made;
foreach my $cpu (sort keys %disable)
{
	my $number = keys %made;
	my $sql = "SET client_min_messages = warning;\n";

	restart_with($disable{$cpu});
	note "$cpu: " . $node->safe_psql('postgres',
		q{SELECT string_agg(DISTINCT variant, ' ') FROM nanovec_simd() WHERE kernel ~ 'f32|u8'});
	foreach (@indexes)
	{
		my ($name, $type, $class, $method, $options) = @$_;

		foreach my $kind (qw(plain offset tiny huge tight few))
		{
			# what does not fit is not what is tested here
			next if $type eq 'halfvec(133)' && $kind =~ /tiny|huge/;
			my $index = "${name}_${kind}_$number";

			# half of the rows are there before
			$sql .= "CREATE TABLE t_$index (v $type);
				INSERT INTO t_$index SELECT v FROM kinds WHERE kind = '$kind' LIMIT 150;
				CREATE INDEX $index ON t_$index USING $method (v $class) WITH ($options);
				INSERT INTO t_$index SELECT v FROM kinds WHERE kind = '$kind' OFFSET 150;\n";
			push @{ $made{$cpu} }, $index;
		}
	}
	$node->safe_psql('postgres', $sql);
}
foreach my $cpu (sort keys %disable)
{
	restart_with($disable{$cpu});
	foreach my $maker (sort keys %made)
	{
		is($node->safe_psql('postgres', join(' UNION ALL ', map {
						"SELECT * FROM (SELECT '$_', * FROM nanovec_index_check('$_') LIMIT 3) s"
					} @{ $made{$maker} })), '', "made with $maker, checked with $cpu");
	}
}
restart_with('');

# ---- catalogs ----

# A session that knows everything but the support functions of the operator class
# waits for their catalog, of which another has a lock.
sub until_waiting
{
	my ($for) = @_;

	return qq{DO \$\$ BEGIN
		WHILE NOT EXISTS (SELECT FROM pg_locks WHERE $for AND NOT granted) LOOP
			PERFORM pg_sleep(0.02);
		END LOOP;
	END \$\$;\n};
}

my $locker = 'SELECT pg_advisory_lock(1);'
  . until_waiting("locktype = 'advisory'") . q{
	BEGIN;
	LOCK TABLE pg_proc IN ACCESS EXCLUSIVE MODE;
	SELECT pg_advisory_unlock(1);
} . until_waiting('relation = 1255') . q{
	SELECT 'page locks', count(*) FROM pg_locks WHERE locktype = 'page';
	COMMIT;
};
my $checker = q{
	SET plan_cache_mode = force_generic_plan;
	PREPARE c AS SELECT count(*) FROM nanovec_index_check('h_l2_plain_0'::regclass);
	EXPLAIN (COSTS off) EXECUTE c;
	EXPLAIN (COSTS off) SELECT FROM t_h_l2_plain_0 ORDER BY v <-> (SELECT v FROM kinds LIMIT 1);
	SELECT pg_advisory_lock_shared(1);
	EXECUTE c;
};
my $tmp = $PostgreSQL::Test::Utils::tmp_check;

# Run SQL in the background; what it prints goes to a file of that name
sub start_sql
{
	my ($name, $sql) = @_;

	append_to_file("$tmp/$name.sql", $sql);
	return start_psql($node, "$tmp/$name.sql", "$tmp/$name.out", "$tmp/$name.err");
}

my $lock_run = start_sql('locker', $locker);
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory'});
my $check_run = start_sql('checker', $checker);
$lock_run->finish;
$check_run->finish;
my ($locked, $checked) = map { slurp_file("$tmp/$_.out") } qw(locker checker);
like($locked, qr/^page locks\|0$/m, 'the check waits for a catalog without the lock that inserts wait for');
like($checked, qr/^0$/m, 'and then goes on');

# What names pgvector's index looks up a schema.  Statements that hold a page's lock
# cannot be cancelled.
$node->safe_psql('postgres', q{
	CREATE TABLE old (v vector(3));
	INSERT INTO old VALUES ('[1,2,3]');
	CREATE INDEX old_idx ON old USING hnsw (v vector_l2_ops)});
my $old = $node->data_dir . '/' . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('old_idx')});
$node->stop;
overwrite($old, 24, pack('V', 0xa953a953) . "\0" x (8192 - 28));
$node->start;
$lock_run = start_sql('schema_locker', 'SELECT pg_advisory_lock(1);' . until_waiting("locktype = 'advisory'") . q{
	BEGIN;
	LOCK TABLE pg_namespace IN ACCESS EXCLUSIVE MODE;
	SELECT pg_advisory_unlock(1);
} . until_waiting('relation = 2615') . q{
	SELECT pg_sleep(2);
	COMMIT;
});
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory'});
my $search_run = start_sql('searcher', q{
	SET enable_seqscan = off;
	EXPLAIN SELECT FROM t_h_l2_plain_0 ORDER BY v <-> (SELECT v FROM kinds LIMIT 1);
	SELECT FROM old WHERE false;
	SELECT pg_advisory_lock_shared(1);
	SET statement_timeout = '200ms';
	SELECT * FROM old ORDER BY v <-> '[1,2,3]';
});
$lock_run->finish;
$search_run->finish;
like(slurp_file("$tmp/searcher.err"), qr/canceling statement due to statement timeout/,
	'what waits for a schema to name in an error holds no page');
$node->psql('postgres', q{SET enable_seqscan = off; SELECT * FROM old ORDER BY v <-> '[1,2,3]'}, stderr => \my $told);
like($told, qr/index "old_idx" was made by pgvector.*REINDEX INDEX public\.old_idx/s, 'which is then told');
$node->safe_psql('postgres', 'DROP TABLE old');

# ---- a standby ----

$node->safe_psql('postgres', q{
	CREATE UNLOGGED TABLE fleeting (v vector(3));
	CREATE INDEX fleeting_idx ON fleeting USING hnsw (v vector_l2_ops)});
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));

my @sound = @{ $made{everything} };
my $all = join(' UNION ALL ', map { "SELECT '$_', * FROM nanovec_index_check('$_')" } @sound);
is($standby->safe_psql('postgres', $all), '', 'a standby checks its indexes');
my ($out, $err);
$standby->psql('postgres', q{SELECT * FROM nanovec_index_check('fleeting_idx')}, stderr => \$err);
like($err, qr/ERROR:  cannot access unlogged indexes during recovery/, 'but those that it does not have');
$standby->psql('postgres', q{SELECT * FROM nanovec_index_info('fleeting_idx')}, stderr => \$err);
like($err, qr/ERROR:  cannot access unlogged indexes during recovery/, 'nor tells of them');

# signs of the codes of a node
my $path = $standby->data_dir . '/' . $standby->safe_psql('postgres', q{SELECT pg_relation_filepath('h_l2_plain_0')});
$standby->stop;
my $layout = hnsw_layout($path);
cmp_ok($layout->{bits}, '>', 0, 'nodes have codes');
my $block = 1 + $layout->{mean_pages};
overwrite($path, 8192 * $block + 24 + $layout->{codes}, "\xaa\x55" x 20);
$standby->start;
$standby->psql('postgres', q{SELECT * FROM nanovec_index_check('h_l2_plain_0')}, stdout => \$out, stderr => \$err);
like($out, qr/^$block\|node 0 /, 'it finds damage');
is($err, '', 'and is sure of it while nothing is replayed');
my $writes = join('', map { "INSERT INTO kinds SELECT * FROM kinds LIMIT 1;\n" } 1 .. 5000);
my $write_run = start_sql('writer', $writes);
foreach (1 .. 200)
{
	$standby->psql('postgres', q{SELECT * FROM nanovec_index_check('h_l2_plain_0')}, stderr => \$err);
	last if $err =~ /replay went on during the check/;
}
$write_run->kill_kill;
like($err, qr/NOTICE:  replay went on during the check/, 'which it says when something is');

$standby->stop;
$node->stop;
done_testing();
