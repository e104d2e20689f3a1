# Collections are dumped and restored with their registry, updated, and made by
# a plain user; every example of docs/collections.md runs.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('collections');
my $dump = "$PostgreSQL::Test::Utils::tmp_check/collections.sql";

# All is owned by a plain user, who owns the database only.
$node->safe_psql('postgres', q{CREATE ROLE plain LOGIN; CREATE DATABASE made OWNER plain});
my @plain = (extra_params => [ '-U', 'plain' ]);
$node->safe_psql('made', q{
	CREATE EXTENSION nanovec_collections CASCADE;
	SELECT nanovec.create_tenant('acme');
	SELECT nanovec.create_database('second', 'acme');
	SELECT nanovec.create_collection('docs', 4, 'l2', '{"type": "ivf", "n_clusters": 3, "n_probe": 3}',
		'{"n": {"type": "int", "required": true}}', '{n}', normalized => true, text_search => 'english',
		metadata => '{"of": "a test"}', tenant => 'acme', database => 'second');
	SELECT nanovec.create_collection('empty');
	SELECT nanovec.add('docs', array_agg('r' || i), array_agg(ARRAY[sin(i), cos(i), i % 5, 1]::real[]::vector),
		array_agg('row ' || i), array_agg(jsonb_build_object('n', i)), 'acme', 'second') FROM generate_series(1, 500) i},
	@plain);
my $answers = q{
	SELECT tenant, database, name, relation, dimension, metric, normalized, index, metadata_schema, promoted, text_search,
		metadata FROM nanovec.collections ORDER BY 1, 2, 3;
	SELECT id, distance, document, metadata FROM nanovec.query('docs', '[1,2,3,4]', 20, '{"n": {"$gt": 100}}',
		tenant => 'acme', database => 'second');
	SELECT id, score FROM nanovec.hybrid_query('docs', '[1,2,3,4]', 'row 7', 5, tenant => 'acme', database => 'second');
	SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'docs'::regclass ORDER BY 1};
my $before = $node->safe_psql('made', $answers, @plain);
like($before, qr/^acme\|second\|docs\|docs\|4/m, 'a plain user makes collections');

command_ok([ 'pg_dump', '-U', 'plain', '-d', $node->connstr('made'), '-f', $dump ], 'the plain user dumps them');
$node->safe_psql('postgres', 'CREATE DATABASE restored OWNER plain');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-U', 'plain', '-d', $node->connstr('restored'), '-f', $dump ],
	'and restores them');
is($node->safe_psql('restored', $answers, @plain), $before, 'they are the same, and answer the same');
my ($out, $err);
$node->psql('restored', q{INSERT INTO docs (id, embedding) VALUES ('x', '[1,2,3,4]')}, stderr => \$err);
like($err, qr/metadata field "n" is required/, 'what they check they still check');
is($node->safe_psql('restored', q{SELECT nanovec.create_collection('docs'); SELECT nanovec.drop_collection('empty')}, @plain) =~ /docs_/, 1,
	'they can be used on');

# Every version that can be installed, updated, is what a new installation is.
my $current = $node->safe_psql('made', q{SELECT extversion FROM pg_extension WHERE extname = 'nanovec_collections'});
my $members = q{
	SELECT pg_describe_object(classid, objid, 0) FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND deptype = 'e' AND extname = 'nanovec_collections' ORDER BY 1};
my @versions = split /\n/, $node->safe_psql('postgres',
	q{SELECT version FROM pg_available_extension_versions WHERE name = 'nanovec_collections' ORDER BY 1});
ok((grep { $_ eq $current } @versions), "version $current can be installed");
foreach my $version (@versions)
{
	$node->safe_psql('postgres', qq{CREATE DATABASE "from_$version"});
	$node->safe_psql("from_$version", qq{CREATE EXTENSION nanovec; CREATE EXTENSION nanovec_collections VERSION '$version';
		ALTER EXTENSION nanovec_collections UPDATE});
	is($node->safe_psql("from_$version", $members), $node->safe_psql('made', $members),
		"from $version: the objects of a new installation");
}

# What there is says what it is, and nothing runs as somebody else.
is($node->safe_psql('made', q{
	SELECT p.oid::regprocedure FROM pg_proc AS p WHERE pronamespace = 'nanovec'::regnamespace
		AND (prosecdef OR obj_description(oid, 'pg_proc') IS NULL OR proconfig::text !~ 'search_path=pg_catalog, pg_temp')}),
	'', 'every function has a comment and a search path, and the rights of its caller');

my @examples = slurp_file(source_file('docs/collections.md')) =~ /```sql\n(.*?)```/sg;
cmp_ok(scalar @examples, '>', 5, 'docs/collections.md has examples');
$node->safe_psql('postgres', 'DROP EXTENSION nanovec CASCADE');
is($node->psql('postgres', join("\n", @examples), stdout => \$out, stderr => \$err, on_error_stop => 1), 0,
	'the SQL in docs/collections.md runs') or diag $err;

# A search does not wait for, and never sees, a batch that was broken off.
$node->safe_psql('made', q{
	SELECT nanovec.create_collection('kept', 2);
	BEGIN; SELECT nanovec.batch_begin('kept'); SELECT nanovec.add('kept', '{a}', '{"[1,2]"}'); ROLLBACK}, @plain);
is($node->safe_psql('made', q{SELECT nanovec.count('kept'), nanovec.vector_index('kept') IS NOT NULL}, @plain), '0|t',
	'a batch that was rolled back leaves rows and index as they were');

$node->stop;
done_testing();
