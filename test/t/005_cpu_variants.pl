# With CPU features disabled the server uses the plainer kernels, and gives
# the same answers.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $nearest = q{
	SELECT string_agg(id::text, ',' ORDER BY rank) FROM (
		SELECT id, row_number() OVER (ORDER BY v <-> (SELECT v FROM items WHERE id = 7)) AS rank
		FROM items) s WHERE rank <= 20};
my $sums = q{
	SELECT sum(a.v <-> b.v), sum(a.v <=> b.v), sum(a.v <#> b.v), sum(a.v <+> b.v),
		sum(a.v::halfvec <-> b.v::halfvec), sum(a.v::sq8vec <-> b.v::sq8vec),
		sum(binary_quantize(a.v) <~> binary_quantize(b.v))
	FROM items a JOIN items b ON b.id = a.id + 1};
my $variants = q{SELECT string_agg(DISTINCT split_part(variant, '_', 1), ',') FROM nanovec_simd()};
my $signatures = q{SELECT md5(string_agg(nanovec_lsh(v, 200)::text, ',' ORDER BY id)) FROM items};
my %disable = (
	everything => '',
	'no AVX-512' => 'avx512f',
	'no SIMD' => 'avx512f,avx2,neon');
my %not_allowed = ('no AVX-512' => qr/avx512/, 'no SIMD' => qr/avx|neon/);
my (%answers, %sums, %signatures);

# What the operating system says of the CPU: if it has the instructions, they are used.
my $flags = -r '/proc/cpuinfo' ? slurp_file('/proc/cpuinfo') : '';
my $best = $flags =~ /\bavx512bw\b/ ? 'avx512' : $flags =~ /\bavx2\b/ ? 'avx2' : undef;

my $node = start_node('variants');
$node->safe_psql('postgres', q{
	SELECT setseed(0.5);
	CREATE TABLE items AS SELECT i AS id,
		(SELECT array_agg(random() - 0.5)::vector FROM generate_series(1, 77) WHERE i = i) AS v
	FROM generate_series(1, 500) i});

foreach my $case (sort keys %disable)
{
	$node->stop;
	local $ENV{NANOVEC_DISABLE_CPU} = $disable{$case};
	$node->start;

	my $ran = $node->safe_psql('postgres', $variants);
	note "$case: $ran";
	unlike($ran, $not_allowed{$case}, "$case: the variants are plainer") if $not_allowed{$case};
	like($ran, qr/$best/, "$case: $best is used") if $best && $case eq 'everything';
	$answers{$case} = $node->safe_psql('postgres', $nearest);
	$signatures{$case} = $node->safe_psql('postgres', $signatures);
	$sums{$case} = [ split /\|/, $node->safe_psql('postgres', $sums) ];
}
foreach my $case (sort keys %not_allowed)
{
	my @off = grep {
		my ($x, $y) = ($sums{$case}[$_], $sums{everything}[$_]);
		abs($x - $y) > 1e-5 * (1 + abs($y))
	} 0 .. $#{ $sums{everything} };

	is($answers{$case}, $answers{everything}, "$case: same nearest");
	is($signatures{$case}, $signatures{everything}, "$case: same signatures, to the bit");
	is("@off", '', "$case: same distances");
}

$node->stop;
{
	local $ENV{NANOVEC_DISABLE_CPU} = 'avx2000';
	$node->start;
}
my ($out, $err) = ('', '');
$node->psql('postgres', q{SELECT '[1]'::vector}, stdout => \$out, stderr => \$err);
is($out, '[1]', 'an unknown feature does not keep the library from loading');
like($err, qr/WARNING:  unknown CPU feature "avx2000" in NANOVEC_DISABLE_CPU/, 'but gives a warning');

$node->stop;
done_testing();
