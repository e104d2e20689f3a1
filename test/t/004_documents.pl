# What the files that describe the extension say agrees with the extension.

use strict;
use warnings;

use File::Basename;
use JSON::PP;
use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($version) = slurp_file(source_file('nanovec.control')) =~ /^default_version = '(.+)'$/m;
my $meta = decode_json(slurp_file(source_file('META.json')));
my $readme = slurp_file(source_file('README.md'));

like($version, qr/^\d+\.\d+\.\d+$/, 'nanovec.control has a version');
is($meta->{version}, $version, 'META.json has the same');
is($meta->{provides}{nanovec}{version}, $version, 'also for the extension');
is($meta->{name}, 'nanovec', 'the name is right');
is($meta->{license}, 'postgresql', 'the licence is right');
ok(-f source_file($meta->{provides}{nanovec}{$_}), "META.json: $_ exists") foreach qw(file docfile);
like(slurp_file(source_file('CHANGELOG.md')), qr/^## \Q$version\E/m, 'CHANGELOG.md has the version');

my $node = start_node('documents');
my $reference = $node->safe_psql('postgres', slurp_file(source_file('tools/reference.sql')));
my ($written) = $readme =~ /<!-- reference: .*? -->\n(.*?)<!-- end of reference -->/s;

is($written, "$reference\n", 'the reference in README.md is what make reference writes');

# The pages of the clients are their tests.
my $pages = "$PostgreSQL::Test::Utils::tmp_check/clients";
system_or_bail('bash', source_file('tools/client_pages.sh'), $pages);
is_deeply(
	{ map { basename($_) => slurp_file($_) } glob source_file('docs/clients/*.md') },
	{ map { basename($_) => slurp_file($_) } glob "$pages/*.md" },
	'docs/clients is what make reference writes');

# Every SQL example of README.md runs, one after the other.
my @examples = $readme =~ /```sql\n(.*?)```/sg;
my ($out, $err) = ('', '');

cmp_ok(scalar @examples, '>', 3, 'README.md has examples');
$node->safe_psql('postgres', 'DROP EXTENSION nanovec');
is($node->psql('postgres', join("\n", @examples), stdout => \$out, stderr => \$err, on_error_stop => 1),
	0, 'the SQL in README.md runs') or diag $err;

# So does that of other pages, each in a database of its own.  What a page shows of plans
# is what EXPLAIN says.
foreach my $page (qw(questions filters multivector hybrid))
{
	my @blocks = slurp_file(source_file("docs/$page.md")) =~ /^```(\w*)\n(.*?)^```$/msg;
	my %of_language;

	while (my ($language, $block) = splice @blocks, 0, 2)
	{
		push @{ $of_language{$language} }, $block;
	}
	@examples = @{ $of_language{sql} };
	cmp_ok(scalar @examples, ">", 2, "docs/$page.md has examples");
	$node->safe_psql('postgres', "CREATE DATABASE $page");
	$node->safe_psql($page, 'CREATE EXTENSION nanovec');
	is($node->psql($page, join("\n", @examples), stdout => \$out, stderr => \$err,
			on_error_stop => 1),
		0, "the SQL in docs/$page.md runs") or diag $err;
	foreach my $plan (@{ $of_language{''} // [] })
	{
		cmp_ok(index("$out\n", $plan), '>=', 0, "docs/$page.md shows a plan as it is")
			or diag "$plan\nis none of\n$out";
	}
}

# What docs/filters.md says of versions of PostgreSQL
my $server = $node->safe_psql('postgres', 'SHOW server_version_num');
foreach my $since ([ 160000, 'active' ], [ 160000, 'NOT active' ],
	[ 170000, 'author IN (md5(\'1\')::uuid, md5(\'2\')::uuid)' ])
{
	my ($number, $condition) = @$since;
	my ($column) = $condition =~ /\b(active|author)\b/;
	my $plan = $node->safe_psql('filters', "SET enable_seqscan = off; EXPLAIN (COSTS OFF)
		SELECT id FROM documents WHERE tenant_id = 7 AND $condition
		ORDER BY embedding <=> '[3,1,2]' LIMIT 10");

	like($plan, $server < $number ? qr/Filter: .*$column/ : qr/Index Cond: .*$column/,
		"$condition: with an index since $number");
}

$node->stop;
done_testing();
