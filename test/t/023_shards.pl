# A table on three servers: what is sent to them, that they are asked at once, and what
# happens when one is down, slow or of another version.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my @shards = map { start_node("shard_$_", conf => q{
	shared_preload_libraries = 'auto_explain'
	auto_explain.log_min_duration = 0
	max_parallel_workers_per_gather = 0
	jit = off
	# as it is for tables that are large
	enable_seqscan = off
}) } 1 .. 3;
my $node = new_node('coordinator', conf => "max_parallel_workers_per_gather = 0\njit = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION nanovec_shards CASCADE');

my $vectors = q{
	CREATE FUNCTION a_vector(i int) RETURNS vector LANGUAGE sql IMMUTABLE AS $$
		SELECT array_agg((hashint4(i * 16 + d) % 1000) / 1000.0 + (hashint4(d - i % 20 * 64) % 1000) / 300.0)::vector
		FROM generate_series(1, 16) d $$;};
my $columns = 'id int, tenant int, embedding vector(16)';

foreach (@shards)
{
	$_->safe_psql('postgres', qq{
		CREATE TABLE items ($columns);
		CREATE INDEX items_hnsw ON items USING hnsw (embedding vector_l2_ops, tenant);
		CREATE TABLE docs ($columns);
		CREATE INDEX docs_hnsw ON docs USING hnsw (embedding vector_cosine_ops)});
}
$node->safe_psql('postgres', qq{$vectors
	CREATE TABLE one ($columns);
	INSERT INTO one SELECT i, i % 10, a_vector(i) FROM generate_series(1, 6000) i;
	CREATE TABLE items ($columns) PARTITION BY HASH (id);
	CREATE TABLE docs ($columns) PARTITION BY LIST (tenant)});

sub query { return $node->safe_psql('postgres', join(";\n", @_)) }

# What a command says that fails, or warns
sub complaint
{
	my ($sql, $result) = @_;
	my ($out, $err) = ('', '');

	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, timeout => 60);
	$$result = $out if $result;
	return $err;
}

# Whether somebody waits for a lock of a shard, in some seconds
sub waits_on
{
	my ($shard) = @_;

	for (1 .. 100)
	{
		return 1 if $shard->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
		sleep(0.1);
	}
	return 0;
}

# ---- shards are added, twice ----

my @keys = ("ARRAY['0','1','2']", "ARRAY['3','4','5']", 'NULL');
my $add = join(";\n", map {
	my ($host, $port) = ($shards[$_]->host, $shards[$_]->port);
	my $where = "'shard_" . ($_ + 1) . "', host => '$host', port => $port, dbname => 'postgres'";
	("SELECT nanovec_add_shard('items', $where, modulus => 3, remainder => $_)",
		"SELECT nanovec_add_shard('docs', $where, keys => $keys[$_])")
} 0 .. 2);
my $catalog = q{SELECT srvname, srvoptions::text, relname, relfilenode, c.oid FROM pg_foreign_table
	JOIN pg_foreign_server s ON s.oid = ftserver JOIN pg_class c ON c.oid = ftrelid ORDER BY relname};
my $names = query($add);
is(scalar(split /\n/, $names), 6, 'six partitions');
my $made = query($catalog);
is(query($add), $names, 'the same shards again');
is(query($catalog), $made, 'and nothing has changed');
query("SELECT nanovec_add_shard('items', 'shard_1', host => 'elsewhere', modulus => 3, remainder => 0)");
like(query($catalog), qr/host=elsewhere/, 'a shard that has moved');
query($add);
is(query($catalog), $made, 'and back');
is(query('SELECT count(*) FROM pg_user_mappings WHERE umoptions IS NOT NULL'), 0, 'no password is kept');

like(complaint("SELECT nanovec_add_shard('one', 'shard_1')"), qr/"public.one" is not a partitioned table/, 'only of partitioned tables');
like(complaint("SELECT nanovec_add_shard('items', 'shard_1', modulus => 3)"),
	qr/given by modulus and remainder, or by keys/, 'half of a bound');
query('CREATE TABLE items_shard_9 (i int)');
like(complaint("SELECT nanovec_add_shard('items', 'shard_9', modulus => 3, remainder => 1)"),
	qr/"public.items_shard_9" exists, and is no partition/, 'a name that is taken');
is(query("SELECT count(*) FROM pg_foreign_server WHERE srvname = 'shard_9'"), 0, 'leaves nothing');
is(query("SELECT server, version = (SELECT extversion FROM pg_extension WHERE extname = 'nanovec'), problem
	FROM nanovec_shards('items')"), "shard_1|t|\nshard_2|t|\nshard_3|t|", 'all are well');

# ---- rows find their shard ----

query('INSERT INTO items SELECT * FROM one WHERE id % 2 = 0', 'INSERT INTO docs SELECT * FROM one');
my $copy = "COPY items FROM STDIN;\n" . query('SELECT id, tenant, embedding FROM one WHERE id % 2 = 1') =~ tr/|/\t/r . "\n\\.\n";
query($copy);
is(query('SELECT count(*), sum(id) FROM items'), query('SELECT count(*), sum(id) FROM one'), 'every row is there');
my @counts = map { $_->safe_psql('postgres', 'SELECT count(*) FROM items') } @shards;
is($counts[0] + $counts[1] + $counts[2], 6000, "on three servers: @counts");
cmp_ok((sort { $a <=> $b } @counts)[0], '>', 1800, 'about equally');
is($shards[1]->safe_psql('postgres', 'SELECT DISTINCT tenant FROM docs ORDER BY 1'), "3\n4\n5", 'by list');
is(query('UPDATE items SET tenant = 77 WHERE id = 9', 'DELETE FROM items WHERE id = 10',
	'SELECT tenant FROM items WHERE id IN (9, 10)'), 77, 'updates and deletes');
query('UPDATE items SET tenant = 9 WHERE id = 9', 'INSERT INTO items SELECT * FROM one WHERE id = 10');
like(complaint("INSERT INTO items SELECT 10000 + i, 0, CASE WHEN i < 50 THEN a_vector(i) ELSE '[1,2]' END FROM generate_series(1, 50) i"),
	qr/expected 16 dimensions, not 2/, 'a row that is refused');
is(query('SELECT count(*) FROM items'), 6000, 'leaves none of its fellows');
$_->safe_psql('postgres', 'ANALYZE') foreach @shards;
query('ANALYZE items', 'ANALYZE docs');

# ---- what is sent to the shards ----

my $target = query('SELECT a_vector(100007)');

# The plan of a query, with the vector as $1
sub plan_of
{
	my ($sql, $generic) = @_;
	my $plan = $generic
	  ? query('SET plan_cache_mode = force_generic_plan', "PREPARE p(vector) AS $sql", "EXPLAIN (VERBOSE, COSTS OFF) EXECUTE p('$target')")
	  : query('EXPLAIN (VERBOSE, COSTS OFF) ' . $sql =~ s/\$1/'$target'/gr);

	return $plan =~ s/'\Q$target\E'(?:::(?:public\.)?vector)?/\$1/gr =~ s/OPERATOR\(public\.(.*?)\)/$1/gr;
}

my $nearest = 'ORDER BY embedding <-> $1 LIMIT 10';
my $sort = quotemeta('ORDER BY (embedding <-> $1') . '(?:::public\.vector)?\) ASC NULLS LAST';

foreach my $generic (0, 1)
{
	foreach (
		[ '', '' ],
		[ 'WHERE tenant = 7', 'WHERE \(\(tenant = 7\)\) ' ],
		[ 'WHERE tenant BETWEEN 3 AND 5', 'WHERE \(\(tenant >= 3\)\) AND \(\(tenant <= 5\)\) ' ],
		[ 'WHERE tenant = ANY (ARRAY[1,2])', 'WHERE \(\(tenant = ANY \(.*?\)\)\) ' ],
		[ 'WHERE embedding <-> $1 < 2', 'WHERE \(\(\(embedding <-> \S+\) < 2::double precision\)\) ' ])
	{
		my ($where, $remote) = @$_;
		my $what = ($where || 'no condition') . ($generic ? ', prepared' : '');
		my $plan = plan_of("SELECT id FROM items $where $nearest", $generic) =~ s/\$2::public/\$1::public/gr;
		my @sent = $plan =~ /Remote SQL: SELECT id, embedding FROM public\.items $remote$sort$/mg;

		is(@sent, 3, "condition and order are sent to the shards: $what") or diag $plan;
		unlike($plan, qr/Filter:|^\s*->  Sort/m, "and nothing is left to do: $what");
	}
}
foreach my $generic (0, 1)
{
	my $plan = plan_of("SELECT id FROM items WHERE embedding <<->> sphere(\$1::vector, 2) $nearest", $generic);
	my @sent = $plan =~ /Remote SQL: SELECT id, embedding FROM public\.items WHERE \(\(embedding <<->> /g;

	is(@sent, 3, 'spheres are sent to the shards' . ($generic ? ', prepared' : '')) or diag $plan;
	unlike($plan, qr/Filter:/, 'and rows need no second look');
}
like(plan_of('SELECT id FROM docs WHERE tenant = 4 ORDER BY embedding <=> $1 LIMIT 10'),
	qr/^Limit\n.*\n *->  Foreign Scan on public\.docs_shard_2 docs\n.*\n.*WHERE \(\(tenant = 4\)\) ORDER BY [^\n]*$/,
	'one shard only where the condition says which');
like(plan_of('SELECT id FROM docs_shard_2 WHERE tenant = 4 ORDER BY embedding <=> $1 LIMIT 10'),
	qr/^Foreign Scan on public\.docs_shard_2\n.*\n.*WHERE \(\(tenant = 4\)\) ORDER BY .* LIMIT 10::bigint$/,
	'with the LIMIT, too, where the shard is named');

# all at once: what docs/scale.md shows
my $at_once = 'SELECT id FROM (' . join(' UNION ALL ',
	map { "(SELECT id, embedding <-> \$1 AS d FROM items_shard_$_ WHERE tenant = 7 $nearest)" } 1 .. 3) . ') s ORDER BY d + 0 LIMIT 10';
foreach my $generic (0, 1)
{
	my $plan = plan_of($at_once, $generic);
	my @sent = $plan =~ /Async Foreign Scan.*\n.*\n.*Remote SQL: .*WHERE \(\(tenant = 7\)\) ORDER BY .* LIMIT 10::bigint$/mg;

	is(@sent, 3, 'asked at once, ten rows each' . ($generic ? ', prepared' : '')) or diag $plan;
}
my $ask = "nanovec_ask_shards(NULL::items, 'embedding', '<->', '$target'::vector, 10";

# what shards do with it, as they log it
sub shard_plans
{
	my ($sql) = @_;
	my @from = map { -s $_->logfile } @shards;

	query($sql);
	return map { slurp_file($shards[$_]->logfile, $from[$_]) } 0 .. 2;
}
foreach ("SELECT id FROM items WHERE tenant = 7 ORDER BY embedding <-> '$target' LIMIT 10", "SELECT id FROM $ask, 'tenant = 7')")
{
	my @plans = shard_plans($_);
	my @fetches = map { /(FETCH \d+) FROM/g } @plans;
	my $what = /ask/ ? 'at once' : 'in turn';

	is((grep { /Index Scan using items_hnsw on items.*\n.*Index Cond: \(tenant = 7\)/ } @plans), 3, "each shard searches its index: $what")
	  or diag join("\n", @plans);
	is("@fetches", 'FETCH 20 FETCH 20 FETCH 20', "rows are fetched once: $what");
}

# ---- the answers ----

sub recall_of
{
	my ($where, $answer) = @_;

	return query("WITH queries AS MATERIALIZED (SELECT a_vector(100000 + i) AS q FROM generate_series(1, 10) i)
		SELECT round(count(*) / 100.0, 2) FROM queries,
			LATERAL (SELECT max(d) AS d FROM (SELECT (embedding <-> q) + 0 AS d FROM one WHERE $where ORDER BY 1 LIMIT 10) e) e,
			LATERAL (SELECT embedding <-> q AS d FROM $answer) a
		WHERE a.d <= e.d");
}
foreach my $where ('true', 'tenant = 7', 'tenant IN (1, 2)')
{
	cmp_ok(recall_of($where, "(SELECT * FROM items WHERE $where ORDER BY embedding <-> q LIMIT 10) s"), '>=', 0.97, "the nearest: $where");
	cmp_ok(recall_of($where, "nanovec_ask_shards(NULL::items, 'embedding', '<->', q, 10, '$where') s"), '>=', 0.97,
		"and at once: $where");
}
is(query("SELECT count(*) FROM nanovec_ask_shards(NULL::docs, 'embedding', '<=>', '$target'::text, 20, 'tenant = 4')"), 20,
	'a vector as text');
is((grep { /docs/ } shard_plans("SELECT nanovec_ask_shards(NULL::docs, 'embedding', '<=>', '$target'::vector, 10, 'tenant = 4')")), 1,
	'a condition that says which shard asks no other');
like(complaint("SELECT nanovec_ask_shards(NULL::items, 'embedding', '<-> (SELECT 1)', '$target'::vector, 10)"),
	qr/"<-> \(SELECT 1\)" is not an operator/, 'an operator that is none');
like(complaint("SELECT nanovec_ask_shards(NULL::items, 'nothing', '<->', '$target'::vector, 10)"),
	qr/column "nothing" of "items" does not exist/, 'a column that is none');

# ---- all are asked at the same time ----

# Shards give their rows when nobody holds their lock.  Not by a lock on the table: cursors
# are opened one after another, and plans need that lock.
$_->safe_psql('postgres', q{
	CREATE FUNCTION pass() RETURNS boolean LANGUAGE sql AS
		'SELECT pg_advisory_xact_lock_shared(1); SELECT true';
	CREATE VIEW held AS SELECT * FROM items WHERE pass()}) foreach @shards;
query(map { "ALTER FOREIGN TABLE items_shard_$_ OPTIONS (SET table_name 'held')" } 1 .. 3);
my $waiting = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
my @held = map { hold_lock($_, 1) } @shards;
my $out = '';
my $asking = IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-d', $node->connstr('postgres'), '-c', "SELECT id FROM $ask)" ],
	'<', '/dev/null', '>', \$out, '2>', '/dev/null', IPC::Run::timeout(60));
ok(waits_on($_), $_->name . ' is asked while the others have not answered') foreach @shards;
release_lock($_) foreach @held;
$asking->finish;
is(scalar(split /\n/, $out), 10, 'and they answer');

# ---- one is slow ----

@held = (hold_lock($shards[1], 1));
my $start = time;
like(complaint("SET statement_timeout = '1s'; SELECT id FROM items ORDER BY embedding <-> '$target' LIMIT 10"),
	qr/canceling statement due to statement timeout/, 'a slow shard: the timeout holds');
like(complaint("SET statement_timeout = '1s'; SELECT id FROM $ask)"),
	qr/canceling statement due to statement timeout/, 'at once, too');
cmp_ok(time - $start, '<', 12, 'at about that time');
ok($shards[1]->poll_query_until('postgres', "SELECT NOT ($waiting)"), 'and the shard does not go on');
release_lock($_) foreach @held;
query(map { "ALTER FOREIGN TABLE items_shard_$_ OPTIONS (SET table_name 'items')" } 1 .. 3);

# ---- one is down ----

$shards[2]->stop;
my $plain = "SELECT id FROM items ORDER BY embedding <-> '$target' LIMIT 10";
like(complaint($plain), qr/ERROR:  could not connect to server "shard_3"/, 'a shard that is down: an error names it');
like(complaint("SELECT id FROM $ask)"), qr/ERROR:  could not connect to server "shard_3"/, 'at once, too');
my $answer;
like(complaint("SELECT id FROM $ask, partial => true)", \$answer),
	qr/WARNING:  the answer is partial: could not connect to server "shard_3"\nDETAIL:  Left out: items_shard_3\./,
	'a partial answer, and a warning, for who asks for one');
my @ids = split /\n/, $answer;
is(@ids, 10, 'of ten rows');
is($shards[0]->safe_psql('postgres', "SELECT count(*) FROM items WHERE id IN (" . join(',', @ids) . ')')
	+ $shards[1]->safe_psql('postgres', "SELECT count(*) FROM items WHERE id IN (" . join(',', @ids) . ')'), 10, 'of the others');
is(query("SELECT count(*) FROM (SELECT FROM docs WHERE tenant = 4 ORDER BY embedding <=> '$target' LIMIT 10) s"), 10,
	'queries of other shards go on');
like(query("SELECT server, problem IS NULL, problem FROM nanovec_shards('items') ORDER BY 1"),
	qr/^shard_1\|t\|\nshard_2\|t\|\nshard_3\|f\|could not connect to server "shard_3"$/, 'nanovec_shards() says so');
like(complaint("INSERT INTO items SELECT * FROM one"), qr/could not connect to server "shard_3"/, 'writes fail');
$shards[2]->start;
is(query('SELECT count(*) FROM items'), 6000, 'as a whole, and go on when it is back');

# ---- another version, or something is missing ----

$shards[0]->safe_psql('postgres', "UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'nanovec'");
$shards[1]->safe_psql('postgres', 'ALTER TABLE items RENAME TO others');
$shards[2]->safe_psql('postgres', 'CREATE DATABASE empty');
query("ALTER SERVER shard_3 OPTIONS (SET dbname 'empty')");
like(query("SELECT server || ': ' || problem FROM nanovec_shards('items')"),
	qr/^shard_1: nanovec is of version 0\.0\.9, here of .*\nshard_2: relation "public\.items" does not exist\nshard_3: relation "public\.items" does not exist$/,
	'what is wrong with shards');
$shards[1]->safe_psql('postgres', 'ALTER TABLE others RENAME TO items');
query("ALTER SERVER shard_3 OPTIONS (SET dbname 'postgres')");
is(scalar(split /\n/, query($plain)), 10, 'another version still answers');

# ---- what docs/scale.md shows ----

my ($page) = slurp_file(source_file('docs/scale.md')) =~ /^## Shards\n(.*?)^## /ms;
my @examples = $page =~ /^```sql\n(.*?)^```$/msg;
my ($on_shards) = grep { /^-- on each shard/ } @examples;

cmp_ok(scalar(@examples), '>=', 5, 'docs/scale.md has examples');
$_->safe_psql('postgres', 'CREATE DATABASE example') foreach $node, @shards;
$_->safe_psql('example', $on_shards) foreach @shards;
my $sql = join("\n", grep { $_ ne $on_shards } @examples);
foreach (1 .. 3)
{
	my ($host, $port) = ($shards[$_ - 1]->host, $shards[$_ - 1]->port);

	$sql =~ s/host => 'db$_'/host => '$host', port => $port/;
}
my ($example_out, $example_err) = ('', '');
is($node->psql('example', $sql, stdout => \$example_out, stderr => \$example_err, on_error_stop => 1), 0,
	'and they run') or diag $example_err;
like($example_out, qr/^db1\|\ndb2\|\ndb3\|\n/m, 'with shards that are well');

unlike(slurp_file($_->logfile), qr/terminated by signal|PANIC/, $_->name . ': no backend crashed') foreach $node, @shards;
$_->stop foreach $node, @shards;
done_testing();
