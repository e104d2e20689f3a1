# Conditions on other columns of an index, drawn at random: what a search with them returns
# beside what a sequential scan does.
#
# NANOVEC_FILTER_CASES, NANOVEC_FILTER_SEED: how many conditions for each state of the
# index, and which.

use strict;
use warnings;

use List::Util qw(shuffle);
use NanovecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $cases = $ENV{NANOVEC_FILTER_CASES} // 250;
my $seed = int($ENV{NANOVEC_FILTER_SEED} // time() % 1_000_000);
my $node = new_node('filters', conf => "autovacuum = off\njit = off\nmaintenance_work_mem = 256MB");

srand($seed);
note "seed $seed";
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION nanovec;
	CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'mad');
	CREATE TABLE items (id serial PRIMARY KEY, v vector(24), a int, b bigint, s smallint, f float8,
		g float4, n numeric, d date, ts timestamp, tz timestamptz, u uuid, t text,
		c varchar(20) COLLATE "C", m mood, tags int[], words text[], j jsonb);
	-- part NULL, part skewed, with what is odd about each type
	CREATE FUNCTION add_items(first int, last int) RETURNS void LANGUAGE sql AS $$
		INSERT INTO items (v, a, b, s, f, g, n, d, ts, tz, u, t, c, m, tags, words, j)
		SELECT (SELECT array_agg(CASE WHEN i % 40 = 7 THEN d % 3 ELSE random() END) FROM generate_series(1, 24) d WHERE i > 0)::vector,
			CASE WHEN i % 9 > 0 THEN (random() ^ 3 * 1000)::int END,
			CASE WHEN i % 50 > 0 THEN (random() * 20)::int * 10000000000 - 100000000000 END,
			(random() * 4)::int,
			CASE i % 60 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' WHEN 2 THEN '-0' WHEN 3 THEN NULL ELSE tan(random() * 3) END,
			CASE WHEN i % 20 > 0 THEN round((random() * 10)::numeric, 1) ELSE 'NaN' END,
			CASE WHEN i % 30 > 0 THEN (random() * 100)::numeric(10, 3) ELSE 12345678901234567890.5 END,
			CASE i % 70 WHEN 0 THEN 'infinity' WHEN 1 THEN '5874897-12-31' ELSE date '2024-01-01' + (random() * 300)::int END,
			timestamp '2024-01-01' + random() * interval '300 days',
			timestamptz '2024-01-01' + random() ^ 2 * interval '300 days',
			md5((i % 500)::text)::uuid, 'text ' || (random() * 30)::int, 'code' || (i % 12),
			(enum_range(NULL::mood))[1 + (random() * 3)::int],
			CASE WHEN i % 25 > 0 THEN (SELECT coalesce(array_agg((random() ^ 2 * 60)::int), '{}')
				FROM generate_series(1, CASE WHEN i % 30 = 0 THEN 40 ELSE i % 7 END) WHERE i > 0) END,
			(SELECT array_agg(CASE WHEN random() < .1 THEN NULL ELSE 'w' || (random() * 20)::int END)
				FROM generate_series(1, 3) WHERE i > 0),
			CASE WHEN i % 11 > 0 THEN jsonb_build_object('source', 's' || (random() * 8)::int, 'deep',
				jsonb_build_object('n', (random() * 20)::int, 'list', jsonb_build_array(i % 3, 'x' || i % 5))) END
		FROM generate_series(first, last) i $$;

	-- rows of an index scan: how many, how many there should be, how many do not match,
	-- and how many of the nearest are among them; equally near ones count alike
	CREATE FUNCTION look(condition text, query vector, k int, OUT rows int, OUT expected int,
		OUT wrong int, OUT near int) LANGUAGE plpgsql AS $$
	DECLARE
		ids int[];
		farthest float8;
		line text;
		query_text text := format('SELECT id FROM items WHERE %s ORDER BY v <-> $1 LIMIT %s', condition, k);
	BEGIN
		PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
			set_config('enable_indexscan', 'on', true), set_config('enable_bitmapscan', 'off', true);
		-- in strict order a scan leaves out what it finds too late, where conditions are not in the index
		PERFORM set_config('hnsw.iterative_scan', 'strict_order', true), set_config('ivf.probes', '1000', true);
		FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query_text USING query LOOP
			IF line LIKE '%Filter: %' THEN
				PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true);
			END IF;
		END LOOP;
		EXECUTE format('SELECT array_agg(id) FROM (%s) i', query_text) INTO ids USING query;
		PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true),
			set_config('enable_indexscan', 'off', true);
		EXECUTE format('SELECT count(*), max(d) FROM (SELECT v <-> $1 AS d FROM items WHERE %s ORDER BY 1 LIMIT %s) i',
			condition, k) INTO expected, farthest USING query;
		EXECUTE format('SELECT count(*), count(*) FILTER (WHERE (%s) IS NOT TRUE), count(*) FILTER (WHERE v <-> $1 <= $2)
			FROM items WHERE id = ANY ($3)', condition) INTO rows, wrong, near USING query, farthest, ids;
		wrong := wrong + coalesce(cardinality(ids), 0) - rows;
	END $$});

sub pick
{
	return $_[ int(rand(@_)) ];
}

sub number
{
	my ($most) = @_;

	return int(rand() * ($most + 1));
}

sub list
{
	my ($n, $one) = @_;

	return join(',', map { $one->() } 1 .. $n);
}

sub compared
{
	return pick(qw(= < <= > >= <>));
}

sub day
{
	return sprintf("2024-%02d-%02d", 1 + number(11), 1 + number(27));
}

# One condition on each column
my %condition = (
	a => sub { 'a ' . compared() . ' ' . pick(number(1000), number(50), '7::bigint', '300::smallint') },
	b => sub { 'b ' . compared() . ' ' . pick(number(20) * 10000000000 - 100000000000, '5') },
	s => sub { 's ' . compared() . ' ' . pick(number(5), '40000', '-3000000000') },
	f => sub { 'f ' . compared() . ' ' . pick("'NaN'", '0', "'-0'", "'Infinity'", rand(4) - 2, '.5::float4') },
	g => sub { 'g ' . compared() . ' ' . pick('0.3', '0.3::float8', '0.3::float4', number(10), "'NaN'") },
	n => sub { 'n ' . compared() . ' ' . pick(number(100), '12345678901234567890.5', '12345678901234567890.6', "'NaN'") },
	d => sub { 'd ' . compared() . ' ' . pick("'" . day() . "'", "'infinity'", "timestamp '" . day() . " 12:00'") },
	ts => sub { 'ts ' . compared() . ' ' . pick("'" . day() . "'", "date '" . day() . "'", "'infinity'") },
	tz => sub { 'tz ' . compared() . " '" . day() . "'" },
	u => sub { 'u ' . compared() . " md5('" . number(520) . "')::uuid" },
	t => sub { 't ' . pick('=', '<>', '=', '<') . " 'text " . number(32) . "'" },
	c => sub { 'c ' . pick('=', '<>', '>') . " 'code" . number(13) . "'" },
	m => sub { 'm ' . pick('=', '<>', '<') . pick(" 'sad'", " 'happy'") },
	tags => sub { 'tags ' . pick('&&', '&&', '@>', '<@', '=') . " '{" . list(number(4), sub { number(60) }) . "}'" },
	words => sub { 'words ' . pick('&&', '@>') . " '{" . list(1 + number(2), sub { pick('w' . number(22), 'NULL') }) . "}'" },
	j => sub {
		'j @> ' . pick(qq('{"source": "s${\number(8)}"}'), qq('{"deep": {"n": ${\number(20)}}}'),
			qq('{"deep": {"list": [${\number(3)}]}}'), "'{}'", qq('{"deep": {}}'), qq('"s1"'))
	});
my @indexes = ([qw(a b s f g n d ts)], [qw(tz u t c m tags words j)]);

sub condition_of
{
	my ($column) = @_;

	return pick("$column IS NULL", "$column IS NOT NULL") if number(12) == 0;
	return "$column = ANY ('{" . list(number(5), sub { pick(number(60), 'NULL') }) . "}')"
	  if $column eq 'a' && number(3) == 0;
	return $condition{$column}->();
}

# Some conditions on the columns of one index, and perhaps others
sub conditions
{
	my @columns = shuffle @{ pick(@indexes) };
	my @all = map { condition_of($_) } @columns[ 0 .. number(pick(0, 0, 1, 2)) ];

	push @all, '(' . condition_of(pick(keys %condition)) . ' OR id % 2 = 0)' if number(6) == 0;
	return join(' AND ', @all);
}

# Look for rows by many conditions
sub try_conditions
{
	my ($state, $least) = @_;
	my ($wrong, $short, $expected, $found) = (0, 0, 0, 0);
	my $sql = '';

	foreach (1 .. $cases)
	{
		my $condition = conditions();
		my $k = pick(1, 10, 10, 100);
		my $query = '[' . list(24, sub { sprintf('%.3f', rand()) }) . ']';

		$sql .= "SELECT rows, expected, wrong, near, \$c\$$condition\$c\$ FROM look(\$c\$$condition\$c\$, '$query', $k);\n";
	}
	foreach my $line (split /\n/, $node->safe_psql('postgres', $sql))
	{
		my ($rows, $wanted, $bad, $near, $condition) = split /\|/, $line, 5;

		diag "$state: $condition: $bad rows that do not match" if $bad;
		diag "$state: $condition: $rows rows of $wanted" if $rows != $wanted;
		$wrong += $bad;
		$short += $rows != $wanted;
		$expected += $wanted;
		$found += $near;
	}
	is($wrong, 0, "$state: every row matches its condition");
	is($short, 0, "$state: there are as many rows as match, or as were asked for");
	cmp_ok($found, '>=', $least * $expected, sprintf("$state: %.4f of the nearest are found", $found / $expected));
	is($node->safe_psql('postgres', q{SELECT string_agg(problem, '; ') FROM unnest(ARRAY['items_1', 'items_2']::regclass[]) i, nanovec_index_check(i)}),
		'', "$state: the indexes are sound");
	return;
}

sub create_indexes
{
	my ($method) = @_;

	foreach my $i (0 .. $#indexes)
	{
		$node->safe_psql('postgres', "CREATE INDEX items_@{[ $i + 1 ]} ON items USING $method (v vector_l2_ops, " .
			join(', ', @{ $indexes[$i] }) . ')');
	}
	return;
}

# With all lists, ivf finds the nearest rows, and no others.
foreach my $method (qw(hnsw ivf))
{
	my $least = $method eq 'ivf' ? 1 : .97;

	$node->safe_psql('postgres', 'TRUNCATE items');
	create_indexes($method);
	$node->safe_psql('postgres', 'SELECT add_items(1, 3000); ANALYZE items');
	try_conditions("$method, made first and filled", $least);
	$node->safe_psql('postgres', 'VACUUM items');
	try_conditions("$method, vacuumed", $least) if $method eq 'hnsw';
	$node->safe_psql('postgres', 'SELECT add_items(3001, 4000); DELETE FROM items WHERE id % 3 = 0;
		UPDATE items SET a = a + 1, tags = tags || 3, t = t || 1 WHERE id % 5 = 0');
	$node->safe_psql('postgres', 'VACUUM items');
	$node->safe_psql('postgres', 'SELECT add_items(4001, 5000); ANALYZE items');
	try_conditions("$method, after deletes, updates and inserts", $least);
	$node->safe_psql('postgres', 'REINDEX TABLE items');
	try_conditions("$method, built", $least);
	$node->safe_psql('postgres', 'DROP INDEX items_1, items_2');
}
# beyond memory
$node->safe_psql('postgres', "ALTER SYSTEM SET maintenance_work_mem = '1MB'");
$node->reload;
create_indexes('hnsw');
try_conditions('hnsw, built beyond memory', .97);

# All that matches is far from the query, and too many to be read without the graph: the
# way there goes through rows that do not match, for as long as it takes.
is($node->safe_psql('postgres', q{
	CREATE TABLE far (v vector(3), a int);
	INSERT INTO far SELECT ARRAY[i / 1000.0, random(), random()]::vector, i / 20000 FROM generate_series(1, 40000) i;
	SET maintenance_work_mem = '256MB';
	CREATE INDEX ON far USING hnsw (v vector_l2_ops, a);
	SET enable_seqscan = off; SET enable_sort = off; SET hnsw.max_scan_tuples = 1;
	SELECT count(*) FROM (SELECT 1 FROM far WHERE a = 1 ORDER BY v <-> '[.5,.5,.5]' LIMIT 10) n}),
	10, 'rows far away are found through those that do not match');

# Only the conditions of an index may be without an order.
is($node->safe_psql('postgres', q{
	SET enable_seqscan = off;
	SELECT count(*) FROM items WHERE a = 7}) > 0, 1, 'conditions without an order are for other plans');

$node->stop;
done_testing();
