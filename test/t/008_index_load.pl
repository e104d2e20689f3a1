# Inserts, updates, deletes, searches, vacuum and builds at once.
#
# NANOVEC_LOAD_SECONDS says how long.  With NANOVEC_LOAD_CLIENTS=n (make soak),
# n clients write and n others read, and autovacuum runs all the time.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{NANOVEC_LOAD_SECONDS} // 8;
my $clients = $ENV{NANOVEC_LOAD_CLIENTS};
my $node = start_node('load');
my $log_start = -s $node->logfile;

$node->append_conf('postgresql.conf', !$clients ? "autovacuum = off\n" : q{
	autovacuum_naptime = 1s
	autovacuum_max_workers = 3
	autovacuum_vacuum_threshold = 20
	autovacuum_vacuum_scale_factor = 0.001
	autovacuum_vacuum_insert_threshold = 100
	autovacuum_vacuum_insert_scale_factor = 0.001
	autovacuum_vacuum_cost_delay = 0
	max_connections = 200
});
$node->restart;
$node->safe_psql('postgres', q{
	CREATE FUNCTION a_vector(i int) RETURNS vector LANGUAGE sql IMMUTABLE AS
		$$ SELECT array_agg((hashint4(i * 64 + d) % 1000) / 1000.0 + (hashint4(d - i % 20 * 64) % 1000) / 300.0)::vector
		   FROM generate_series(1, 24) d $$;
	CREATE TABLE items (id int PRIMARY KEY, embedding vector(24));
	CREATE SEQUENCE ids START 5001;
	INSERT INTO items SELECT i, a_vector(i) FROM generate_series(1, 3000) i;
	CREATE INDEX items_x ON items USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 32);
	CREATE INDEX inner_x ON items USING hnsw (embedding vector_ip_ops) WITH (m = 4, ef_construction = 16) WHERE id >= 0;
	CREATE INDEX listed_x ON items USING ivf (embedding vector_ip_ops) WITH (lists = 12);
	CREATE INDEX flat_x ON items USING ivfflat (embedding vector_cosine_ops) WITH (lists = 5);
});

# The whole of a region goes now and then, so that inserts meet dead nodes only.
my %scripts = (
	insert => q{INSERT INTO items SELECT i, a_vector(i) FROM (SELECT nextval('ids')::int AS i) s;},
	duplicate => q{INSERT INTO items SELECT nextval('ids'), embedding FROM items ORDER BY id DESC LIMIT 1;},
	delete => q{DELETE FROM items WHERE id IN (SELECT id FROM items ORDER BY hashint4(id + :client_id) LIMIT 3);},
	region => q{DELETE FROM items WHERE id % 20 = (random() * 19)::int AND id < (SELECT max(id) - 200 FROM items);},
	search => q{SET enable_seqscan = off;
		SELECT 1 / (count(*) = 10)::int FROM (SELECT id FROM items ORDER BY embedding <-> a_vector(:q) LIMIT 10) s;
		SELECT 1 / (count(*) = 10)::int FROM (SELECT id FROM items ORDER BY embedding <#> a_vector(:q) LIMIT 10) s;
		SELECT 1 / (count(DISTINCT id) = count(*))::int FROM (SELECT id FROM items ORDER BY embedding <#> a_vector(:q) LIMIT 500) s;
		SET ivfflat.probes = 5;
		SELECT 1 / (count(*) = 10)::int FROM (SELECT id FROM items ORDER BY embedding <=> a_vector(:q) LIMIT 10) s;},
	vacuum => q{VACUUM items;},
	check => q{SELECT 1 / (count(*) = 0)::int FROM nanovec_index_check('listed_x');
		SELECT 1 / (count(*) = 0)::int FROM nanovec_index_check('flat_x');});
my %weights = (insert => 40, duplicate => 5, delete => 6, search => 30, region => 1, vacuum => 1, check => 1);
my %files;

foreach my $name (sort keys %scripts)
{
	my $file = "$PostgreSQL::Test::Utils::tmp_check/$name.sql";

	$scripts{$name} =~ s/\s+/ /g;
	# a constant: the index does not serve a random() of the query
	append_to_file($file, "\\set q random(1, 100000)\n$scripts{$name}\n");
	$files{$name} = "$file\@$weights{$name}";
}

# Clients that run some of the scripts, in the background
sub start_load
{
	my ($n, @names) = @_;
	my $load = { out => '', err => '' };

	$load->{run} = IPC::Run::start([ 'pgbench', '-n', '-c', $n, '-j', 2, '-T', $seconds,
			(map { ('-f', $files{$_}) } @names), $node->connstr('postgres') ],
		'>', \$load->{out}, '2>', \$load->{err});
	return $load;
}

my ($out, $err) = ('', '');
my @loads = !$clients ? start_load(6, sort keys %scripts) :
  (start_load($clients, grep { !/search|vacuum|check/ } sort keys %scripts), start_load($clients, 'search'));
foreach my $load (@loads)
{
	my $ok = $load->{run}->finish && $load->{err} !~ /error|aborted/i;

	ok($ok, 'all clients ran to the end');
	diag "$load->{out}$load->{err}" unless $ok;
	my ($transactions) = $load->{out} =~ /transactions actually processed: (\d+)/;
	note "$transactions transactions";
	cmp_ok($transactions // 0, '>', 100, 'and did something');
}
if ($clients)
{
	cmp_ok($node->safe_psql('postgres', q{SELECT autovacuum_count FROM pg_stat_user_tables WHERE relname = 'items'}),
		'>', 0, 'autovacuum came by');
	$node->append_conf('postgresql.conf', "autovacuum = off\n");
	$node->reload;
}
my $check = join(' UNION ALL ', map { "SELECT problem FROM nanovec_index_check('$_')" } qw(items_x inner_x listed_x flat_x));
is($node->safe_psql('postgres', $check), '', 'the indexes are sound, and every node can be reached');
$node->safe_psql('postgres', 'VACUUM items');
is($node->safe_psql('postgres', $check), '', 'and after a vacuum');
is($node->safe_psql('postgres', qq{
	SELECT value::int = (SELECT count(*) FROM items) FROM nanovec_index_info('$_') WHERE property = 'rows'}),
	't', "every row is in $_ once")
  foreach qw(items_x inner_x listed_x flat_x);
is($node->safe_psql('postgres', q{
	SET enable_seqscan = off; SET ivf.probes = 12; SET jit = off;
	SELECT count(*) FROM generate_series(100001, 100030) q,
		LATERAL (SELECT embedding <#> a_vector(q) AS d FROM items ORDER BY 1 LIMIT 1) n,
		LATERAL (SELECT min((embedding <#> a_vector(q)) + 0) AS d FROM items) e
	WHERE n.d <> e.d}), 0, 'with all lists the answer is exact');
cmp_ok($node->safe_psql('postgres', q{
	SET enable_seqscan = off; SET hnsw.ef_search = 60; SET jit = off;
	SELECT count(*) / 300.0 FROM generate_series(100001, 100030) q,
		LATERAL (SELECT id, embedding <-> a_vector(q) AS d FROM items ORDER BY 2 LIMIT 10) n,
		LATERAL (SELECT max(d) AS d FROM
			(SELECT (embedding <-> a_vector(q)) + 0 AS d FROM items ORDER BY 1 LIMIT 10) e) e
	WHERE n.d <= e.d}), '>', 0.95, 'recall');

# builds while others write
my $writer = IPC::Run::start([ 'pgbench', '-n', '-c', 2, '-T', 4, '-f',
		"$PostgreSQL::Test::Utils::tmp_check/insert.sql\@10", '-f',
		"$PostgreSQL::Test::Utils::tmp_check/delete.sql\@2", $node->connstr('postgres') ],
	'>', \$out, '2>', \$err);
$node->safe_psql('postgres', 'CREATE INDEX CONCURRENTLY second_x ON items USING hnsw (embedding vector_cosine_ops)');
$node->safe_psql('postgres', "REINDEX INDEX CONCURRENTLY $_") foreach qw(items_x inner_x listed_x);
$writer->finish;
is($node->safe_psql('postgres', "SELECT problem FROM nanovec_index_check('$_')"), '', "$_, built meanwhile, is sound")
  foreach qw(items_x inner_x second_x listed_x);

# by the inner product a vacuum chooses neighbors anew, while inserts rely on those that there were
$node->safe_psql('postgres', q{
	CREATE TABLE near (id int, v vector(8));
	CREATE INDEX near_x ON near USING hnsw (v vector_ip_ops) WITH (m = 4, ef_construction = 16);
	INSERT INTO near SELECT i, ARRAY(SELECT random() FROM generate_series(1, 8 + 0 * i))::vector FROM generate_series(1, 6000) i;
	DELETE FROM near WHERE id % 7 = 0});
append_to_file("$PostgreSQL::Test::Utils::tmp_check/near.sql",
	"INSERT INTO near SELECT 0, ARRAY(SELECT random() FROM generate_series(1, 8 + 0 * i))::vector FROM generate_series(1, 20) i;\n");
$writer = IPC::Run::start([ 'pgbench', '-n', '-c', 2, '-T', 3, '-f', "$PostgreSQL::Test::Utils::tmp_check/near.sql",
		$node->connstr('postgres') ], '>', \$out, '2>', \$err);
$node->safe_psql('postgres', 'VACUUM near');
$writer->finish;
is($node->safe_psql('postgres', q{SELECT count(*) FROM nanovec_index_check('near_x')}), 0,
	'by the inner product, too, every node can be reached after inserts beside a vacuum');

unlike(slurp_file($node->logfile, $log_start), qr/terminated by signal|PANIC/, 'no backend crashed');
$node->stop;
done_testing();
