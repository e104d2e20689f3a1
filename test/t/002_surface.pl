# Every object of pgvector exists here, with the same name, types, volatility
# and so on.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('surface');
my %ours = map { $_ => 1 } surface_of($node, 'postgres');
my @theirs = split /\n/, slurp_file(source_file('test/compat/pgvector-surface.txt'));
my @missing = grep { !$ours{$_} } @theirs;

cmp_ok(scalar @theirs, '>', 150, 'the list of pgvector objects is there');
is_deeply(\@missing, [], 'none is missing');

# The extension may be put into any schema and moved.
$node->safe_psql('postgres', q{
	CREATE DATABASE elsewhere;
	\c elsewhere
	CREATE SCHEMA extensions;
	CREATE EXTENSION nanovec SCHEMA extensions;
	CREATE TABLE t (v extensions.vector(3));
	INSERT INTO t VALUES ('[1,2,3]');
	ALTER EXTENSION nanovec SET SCHEMA public;
});
is($node->safe_psql('elsewhere', q{SELECT v <-> '[1,2,3]' FROM t}), '0', 'works from another schema');

# Any user with CREATE on a database may install it.
$node->safe_psql('postgres', q{
	CREATE ROLE plain LOGIN;
	CREATE DATABASE plains OWNER plain;
});
is($node->safe_psql('plains', q{
	CREATE EXTENSION nanovec;
	SELECT '[3,4]'::vector <-> '[0,0]';
}, extra_params => [ '-U', 'plain' ]), '5', 'trusted: no superuser needed');

$node->stop;
done_testing();
