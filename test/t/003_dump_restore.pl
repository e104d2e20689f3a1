# pg_dump and COPY BINARY bring back every type, to the bit.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('dump');
my $dump = "$PostgreSQL::Test::Utils::tmp_check/dump.sql";
my $rows = "$PostgreSQL::Test::Utils::tmp_check/rows.copy";
my $digest = q{
	SELECT count(*), md5(string_agg(concat_ws(' ', id, vector_send(v), halfvec_send(h),
		sparsevec_send(s), sq8vec_send(q), sq8vec_send(api), b, bm25stats_send(bm)), ',' ORDER BY id)) FROM items};

# Small rows, and some with vectors that are stored out of line.
$node->safe_psql('postgres', q{
	CREATE TABLE items (id int PRIMARY KEY, v vector, h halfvec, s sparsevec,
		q sq8vec, api sq8vec, b bit(8) DEFAULT B'10110011', bm bm25stats);
	SELECT setseed(0.25);
	INSERT INTO items (id, v, api)
	SELECT i,
		(SELECT array_agg(CASE WHEN random() < 0.5 THEN 0 ELSE random() * 2 - 1 END)::vector
		 FROM generate_series(1, CASE WHEN i % 20 = 0 THEN 3000 ELSE 1 + i % 30 END) WHERE i = i),
		(SELECT sq8vec(array_agg((floor(random() * 256) - 128)::smallint), 1 / 127.0, 0)
		 FROM generate_series(1, 1 + i % 30) WHERE i = i)
	FROM generate_series(1, 500) i;
	UPDATE items SET h = v, s = v, q = v::sq8vec;
	UPDATE items SET bm = (SELECT nanovec_bm25_stats(to_tsvector('simple', format('it''s %s of', i % (id + 5))))
		FROM generate_series(1, 20 * id) AS i);
	CREATE INDEX ON items (v) WHERE vector_dims(v) < 100;
	CREATE TABLE typed (v vector(3), h halfvec(3), s sparsevec(3), q sq8vec(3));
	CREATE VIEW nearest AS SELECT id FROM items WHERE vector_dims(v) = 3
		ORDER BY v <-> '[1,2,3]' LIMIT 5;
});
my $before = $node->safe_psql('postgres', $digest);
like($before, qr/^500\|/, 'the table is filled');
my $nearest = $node->safe_psql('postgres', 'SELECT * FROM nearest');

command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ],
	'restore');
is($node->safe_psql('restored', $digest), $before, 'every value is the same after a dump and restore');
is($node->safe_psql('restored', 'SELECT * FROM nearest'), $nearest, 'a view gives the same answer');
is($node->safe_psql('restored', q{
	SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = 'typed'::regclass AND attnum > 0}),
	'vector(3) halfvec(3) sparsevec(3) sq8vec(3)', 'type modifiers are restored');

foreach my $format (qw(binary text csv))
{
	$node->safe_psql('postgres', qq{
		COPY items TO '$rows' (FORMAT $format);
		CREATE TABLE copied (LIKE items);
		COPY copied FROM '$rows' (FORMAT $format)});
	my $copied = $digest;
	$copied =~ s/FROM items/FROM copied/;
	is($node->safe_psql('postgres', $copied), $before, "COPY (FORMAT $format) there and back");
	$node->safe_psql('postgres', 'DROP TABLE copied');
}

$node->stop;
done_testing();
