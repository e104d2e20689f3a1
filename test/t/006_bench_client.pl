# The benchmark's client gets the answers that psql gets.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('client');
my $client = build_helper('../../bench/client/bench_client', '-lpthread');
my $dir = $PostgreSQL::Test::Utils::tmp_check;
my ($num_queries, $dims, $k) = (25, 7, 5);

$node->safe_psql('postgres', qq{
	SELECT setseed(0.5);
	CREATE TABLE items AS SELECT i::int AS id,
		(SELECT array_agg(random())::vector($dims) FROM generate_series(1, $dims) WHERE i = i) AS v
	FROM generate_series(1, 300) i;
	CREATE TABLE queries AS SELECT i::int AS id,
		(SELECT array_agg(random())::vector($dims) FROM generate_series(1, $dims) WHERE i = i) AS v
	FROM generate_series(0, $num_queries - 1) i});

# the queries in the client's format
my $rows = $node->safe_psql('postgres', 'SELECT v::real[] FROM queries ORDER BY id');
open(my $out, '>:raw', "$dir/queries.bin") or die $!;
print $out pack('l2', $num_queries, $dims);
print $out pack("f$dims", $_ =~ /[^{},]+/g) foreach split /\n/, $rows;
close $out;

sub ask
{
	my ($type, $statement, @options) = @_;
	command_ok([ $client, '-s', $statement, '-q', "$dir/queries.bin", '-t', $type, '-k', $k,
		'-o', "$dir/results.bin", @options, $node->connstr('postgres') ], "$type: @options");
	my $bytes = slurp_file("$dir/results.bin");
	my ($n, $kept) = unpack('l2', $bytes);
	my @ids = unpack('q' . $n * $kept, substr($bytes, 8));
	my ($count, $seconds) = unpack('qd', substr($bytes, 8 + 8 * $n * $kept));
	my @latencies = unpack("d$count", substr($bytes, 8 + 8 * $n * $kept + 16));

	return { n => $n, k => $kept, count => $count, seconds => $seconds,
		latencies => \@latencies, ids => join(',', @ids) };
}

foreach my $type (qw(vector halfvec))
{
	my $wanted = $node->safe_psql('postgres', qq{
		SELECT string_agg(near.id::text, ',' ORDER BY q.id, near.distance, near.id)
		FROM queries q, LATERAL (SELECT i.id, i.v::$type <-> q.v::$type AS distance FROM items i
			ORDER BY 2, 1 LIMIT $k) near});
	my $got = ask($type, "SELECT id FROM items ORDER BY v::$type <-> \$1, id LIMIT $k");

	is($got->{ids}, $wanted, "$type: the same ids as psql");
	is($got->{n} * $got->{k}, $num_queries * $k, "$type: of all queries");
	is($got->{count}, $num_queries, "$type: a latency for each query");
}

my $many = ask('vector', "SELECT id::bigint FROM items ORDER BY v <-> \$1, id LIMIT $k",
	'-c', 3, '-n', 2, '-w', 0, '-i', 'SET enable_indexscan = off');
is($many->{count}, 3 * 2 * $num_queries, 'three clients, two passes: all latencies');
ok(!(grep { $_ <= 0 } @{ $many->{latencies} }), 'none is zero');
my $total = 0;
$total += $_ foreach @{ $many->{latencies} };
cmp_ok($many->{seconds} * 1e6 * 3, '>=', $total * 0.99, 'they add up to the time taken');

my $few = ask('vector', 'SELECT id FROM items WHERE id <= 2 ORDER BY v <-> $1');
like($few->{ids}, qr/^[12],[12],-1,-1,-1,/, 'rows that are missing are -1');

command_fails_like([ $client, '-s', 'SELECT nonsense', '-o', "$dir/x", $node->connstr('postgres') ],
	qr/column "nonsense" does not exist/, 'an error of the server is shown');

$node->stop;
done_testing();
