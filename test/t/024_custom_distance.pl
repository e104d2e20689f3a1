# Distances by a function of the user's: dump and restore, parallel workers, which may or
# may not call it, and an end when the user wants it.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('custom', conf => "autovacuum = off\nmax_parallel_maintenance_workers = 2\n" .
	"max_worker_processes = 8\nmin_parallel_table_scan_size = 0\nmin_parallel_index_scan_size = 0");
my $err;

# kilometers between places; the other one must not be called by workers
$node->safe_psql('postgres', q{
	CREATE FUNCTION haversine(a vector, b vector) RETURNS double precision
		LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
	DECLARE
		p real[] := a;
		q real[] := b;
	BEGIN
		IF 1000 IN (p[1], q[1]) THEN
			RAISE 'no such place';
		ELSIF 1001 IN (p[1], q[1]) THEN
			PERFORM pg_sleep(30);
		END IF;
		RETURN 12742 * asin(least(1, sqrt(sin(radians(q[1] - p[1]) / 2) ^ 2
			+ cos(radians(p[1])) * cos(radians(q[1])) * sin(radians(q[2] - p[2]) / 2) ^ 2)));
	END $$;
	CREATE FUNCTION weighted_l2(a vector, b vector) RETURNS double precision
		LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
		RETURN (SELECT (a * '[1,9]'::vector) <-> (b * '[1,9]'::vector));
	CREATE FUNCTION alone(a vector, b vector) RETURNS double precision
		LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL RESTRICTED AS $$
	BEGIN
		IF (SELECT backend_type FROM pg_stat_activity WHERE pid = pg_backend_pid()) = 'parallel worker' THEN
			RAISE 'called by a worker';
		END IF;
		RETURN abs((a::real[])[1] - (b::real[])[1]);
	END $$;
	CREATE OPERATOR <-@> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = haversine, COMMUTATOR = <-@>);
	CREATE OPERATOR <-|> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = weighted_l2, COMMUTATOR = <-|>);
	CREATE OPERATOR <-!> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = alone, COMMUTATOR = <-!>);
	CREATE OPERATOR CLASS haversine_ops FOR TYPE vector USING hnsw AS
		OPERATOR 1 <-@> (vector, vector) FOR ORDER BY float_ops,
		FUNCTION 1 nanovec_custom_metric(internal), FUNCTION 2 nanovec_vector_support(internal);
	CREATE OPERATOR CLASS weighted_ops FOR TYPE vector USING hnsw AS
		OPERATOR 1 <-|> (vector, vector) FOR ORDER BY float_ops,
		FUNCTION 1 nanovec_custom_metric(internal), FUNCTION 2 nanovec_vector_support(internal);
	CREATE OPERATOR CLASS alone_ops FOR TYPE vector USING hnsw AS
		OPERATOR 1 <-!> (vector, vector) FOR ORDER BY float_ops,
		FUNCTION 1 nanovec_custom_metric(internal), FUNCTION 2 nanovec_vector_support(internal);
	SELECT setseed(0.4);
	CREATE TABLE places (id int PRIMARY KEY, v vector(2)) WITH (parallel_workers = 2);
	INSERT INTO places SELECT i, ARRAY[random() * 180 - 90, random() * 360 - 180]::vector
		FROM generate_series(1, 1500) i;
	CREATE TABLE queries AS SELECT ARRAY[random() * 180 - 90, random() * 360 - 180]::vector AS q
		FROM generate_series(1, 25);
	CREATE TABLE few (id int, v vector(2)) WITH (parallel_workers = 2);
	INSERT INTO few SELECT * FROM places WHERE id <= 300});

# Which part of the ten nearest of all queries an index finds
sub found
{
	my ($database, $operator) = @_;
	my @answers = map { $node->safe_psql($database, qq{
			SET enable_$_ = off;
			SELECT n FROM (SELECT row_number() OVER () AS i, q FROM queries) AS q,
				LATERAL (SELECT i || ' ' || id AS n FROM places ORDER BY v $operator q LIMIT 10) AS s}) }
		qw(seqscan indexscan);
	my %exact = map { $_ => 1 } split /\n/, $answers[1];

	return grep({ $exact{$_} } split /\n/, $answers[0]) / keys %exact;
}

# --- builds ---

sub build
{
	my ($settings, $table, $class, $options) = @_;

	$node->psql('postgres', "SET client_min_messages = debug1; $settings;
		DROP INDEX IF EXISTS ${table}_$class;
		CREATE INDEX ${table}_$class ON $table USING hnsw (v ${class}_ops) " . ($options // ''), stderr => \$err);
	return $err;
}

like(build('', 'places', 'haversine'), qr/using 2 parallel workers/, 'workers call a function that is safe');
cmp_ok(found('postgres', '<-@>'), '>=', 0.99, 'the nearest places');
unlike(build('', 'few', 'alone'), qr/using \d+ parallel workers|ERROR/, 'and not one that is not');
like(build(q{SET maintenance_work_mem = '1MB'}, 'places', 'haversine', 'WITH (m = 32)'),
	qr/using 2 parallel workers.*no longer fits into maintenance_work_mem/s, 'beyond memory');
cmp_ok(found('postgres', '<-@>'), '>=', 0.99, 'the nearest places');
build('SET max_parallel_maintenance_workers = 0', 'places', 'weighted');
cmp_ok(found('postgres', '<-|>'), '>=', 0.99, 'the nearest by weights');

# one row for which it raises an error, or does not return, where the rows are in memory and where not
foreach my $memory ('64MB', '1MB')
{
	foreach my $workers (0, 2)
	{
		my $settings = "SET max_parallel_maintenance_workers = $workers; SET maintenance_work_mem = '$memory'";

		$node->safe_psql('postgres', q{DROP INDEX places_haversine; INSERT INTO places VALUES (0, '[1000,0]')});
		like(build($settings, 'places', 'haversine', 'WITH (m = 32)'), qr/ERROR:  no such place/,
			"$workers workers, $memory: an error of the function");
		$node->safe_psql('postgres', q{UPDATE places SET v = '[1001,0]' WHERE id = 0});
		like(build("$settings; SET statement_timeout = '10s'", 'places', 'haversine', 'WITH (m = 32)'),
			qr/canceling statement due to statement timeout/, "$workers workers, $memory: canceled in the function");
		$node->safe_psql('postgres', q{DELETE FROM places WHERE id = 0});
		unlike(build($settings, 'places', 'haversine', 'WITH (m = 32)'), qr/ERROR/, 'without the row it is built');
	}
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'}),
	'0', 'no worker is left');

# --- vacuum by workers ---

# the leader takes one index, and workers the other
$node->safe_psql('postgres', q{
	CREATE INDEX few_too ON few USING hnsw (v alone_ops);
	CREATE INDEX few_third ON few USING hnsw (v alone_ops);
	DELETE FROM few WHERE id % 3 = 0});
$node->psql('postgres', 'VACUUM (PARALLEL 2, VERBOSE) few', stderr => \$err);
like($err, qr/launched \d parallel vacuum workers? for index vacuuming/, 'vacuum by workers');
unlike($err, qr/called by a worker/, 'they do not call the function');
foreach my $index (qw(few_alone few_too few_third))
{
	is($node->safe_psql('postgres', qq{SELECT string_agg(property || ' ' || value, ', ' ORDER BY property)
		FROM nanovec_index_info('$index') WHERE property IN ('rows', 'dead nodes')}),
		'dead nodes 0, rows 200', "$index has no dead nodes");
	is($node->safe_psql('postgres', "SELECT problem FROM nanovec_index_check('$index')"), '', "$index is sound");
}
is($node->safe_psql('postgres', q{SELECT reltuples FROM pg_class WHERE relname = 'few_third'}), '200',
	'their rows are counted');

# --- dump and restore ---

my $dump = "$PostgreSQL::Test::Utils::tmp_check/custom.sql";

command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ],
	'restore');
cmp_ok(found('restored', '<-@>'), '>=', 0.99, 'the nearest places');
cmp_ok(found('restored', '<-|>'), '>=', 0.99, 'the nearest by weights');
is($node->safe_psql('restored', q{SELECT count(*) FROM pg_class AS c, nanovec_index_check(c.oid)
	WHERE relam = (SELECT oid FROM pg_am WHERE amname = 'hnsw')}), '0', 'indexes are sound');
is($node->safe_psql('restored', q{SELECT string_agg(amvalidate(oid)::text, ' ') FROM pg_opclass
	WHERE opcname IN ('haversine_ops', 'weighted_ops', 'alone_ops')}), 'true true true', 'operator classes are valid');

# --- while others build ---

$node->safe_psql('postgres', 'CREATE INDEX CONCURRENTLY places_more ON places USING hnsw (v haversine_ops)');
is($node->safe_psql('postgres', q{SELECT count(*) FROM nanovec_index_check('places_more')}), '0', 'CONCURRENTLY');

$node->stop;
done_testing();
