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

installs_anywhere($node, 'nanovec');
$node->stop;
done_testing();
