# The extension under pgvector's name.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('alias', extension => 'vector', conf => q{
	log_min_messages = debug1
	max_worker_processes = 8
});
my $dump = "$PostgreSQL::Test::Utils::tmp_check/alias.dump";

# ---- what it has ----

my %ours = map { $_ => 1 } surface_of($node, 'postgres');
my @theirs = split /\n/, slurp_file(source_file('test/compat/pgvector-surface.txt'));
my @missing = grep { !$ours{$_} } @theirs;

cmp_ok(scalar @theirs, '>', 150, 'the list of pgvector objects is there');
is_deeply(\@missing, [], 'none is missing');

$node->safe_psql('postgres', 'CREATE DATABASE own');
$node->safe_psql('own', 'CREATE EXTENSION nanovec');
is_deeply([ surface_of($node, 'postgres') ], [ surface_of($node, 'own') ], 'it has the objects of nanovec');

# ---- defaults ----

my %default = (postgres => 'off', own => 'strict_order');

foreach my $database (sort keys %default)
{
	is($node->safe_psql($database, q{SELECT '[1]'::vector IS NULL; SHOW hnsw.iterative_scan}),
		"f\n$default{$database}", "hnsw.iterative_scan in $database");
}

# ---- one library to a session ----

foreach my $second (qw(nanovec vector))
{
	my ($first, $database) = $second eq 'nanovec' ? ('vector', 'postgres') : ('nanovec', 'own');
	my ($out, $err);

	$node->psql($database, "\\set VERBOSITY verbose\nSELECT '[1]'::vector;\nLOAD '$second'",
		on_error_stop => 0, stdout => \$out, stderr => \$err);
	like($err, qr/ERROR:  55000: library "$second" cannot be loaded beside another one/,
		"$second is not loaded beside $first");
	is($out, '[1]', 'and the session goes on');
	unlike($err, qr/server closed/, 'without a crash');
}
# access methods are in no schema
my $err;
$node->psql('postgres', 'CREATE SCHEMA other; CREATE EXTENSION nanovec SCHEMA other', stderr => \$err);
like($err, qr/access method "\w+" already exists/, 'nor are both in one database');

# ---- parallel builds ----

$node->safe_psql('postgres', q{
	CREATE TABLE items (id int PRIMARY KEY, v vector(16)) WITH (parallel_workers = 2);
	INSERT INTO items SELECT i, (SELECT array_agg((hashint4(i * 16 + d) % 1000) / 1000.0 ORDER BY d)::vector
		FROM generate_series(1, 16) d) FROM generate_series(1, 5000) i;
	ANALYZE items;
});
foreach my $build ([ 'hnsw', 'm = 8' ], [ 'ivfflat', 'lists = 20' ], [ 'ivf', 'lists = 20' ])
{
	my ($method, $options) = @$build;
	my $start = -s $node->logfile;

	$node->safe_psql('postgres', qq{
		SET max_parallel_maintenance_workers = 2;
		CREATE INDEX items_$method ON items USING $method (v vector_l2_ops) WITH ($options)});
	my $log = slurp_file($node->logfile, $start);
	my $workers = () = $log =~ /starting background worker process "parallel worker for PID/g;

	cmp_ok($workers, '>=', 1, "$method: workers build, too");
	unlike($log, qr/ERROR|FATAL/, "$method: they load the right library");
	is($node->safe_psql('postgres', qq{
		SELECT problem FROM nanovec_index_check('items_$method');
		SET enable_seqscan = off;
		SET hnsw.ef_search = 200;
		SET ivfflat.probes = 20;
		SELECT string_agg(id::text, ' ') FROM
			(SELECT id FROM items ORDER BY v <-> (SELECT v FROM items WHERE id = 17) LIMIT 5) s}),
		$node->safe_psql('postgres', q{
		SELECT string_agg(id::text, ' ') FROM
			(SELECT id FROM items ORDER BY (v <-> (SELECT v FROM items WHERE id = 17)) + 0 LIMIT 5) s}),
		"$method: a sound index that answers as it should");
	$node->safe_psql('postgres', "DROP INDEX items_$method") if $method ne 'hnsw';
}

# ---- schemas and users ----

installs_anywhere($node, 'vector');

# ---- dump and restore ----

my $answer = q{SELECT md5(string_agg(format('%s %s', id, v), ',' ORDER BY id)) FROM items;
	SET enable_seqscan = off; SELECT * FROM nearest};

$node->safe_psql('postgres', q{
	CREATE VIEW nearest AS SELECT id FROM items ORDER BY v <-> array_fill(0.5, ARRAY[16])::vector(16) LIMIT 7});
command_ok([ 'pg_dump', '-Fc', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'pg_restore', '-e', '-d', $node->connstr('restored'), $dump ], 'restore');
is($node->safe_psql('restored', 'SELECT extname FROM pg_extension ORDER BY 1'), "plpgsql\nvector",
	'what is restored has the extension under the same name');
is($node->safe_psql('restored', $answer), $node->safe_psql('postgres', $answer), 'and gives the same answers');

$node->stop;
done_testing();
