# Random and mutated binary values through every receive function: each is
# refused with an error about the data or comes back unchanged.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $count = $ENV{NANOVEC_FUZZ_COUNT} // 100_000;
my $seed = $ENV{NANOVEC_FUZZ_SEED} // time();
my $node = start_node('fuzz');
my $fuzz = build_helper('fuzz_recv');
my $log_start = -s $node->logfile;

note "seed $seed";
$node->append_conf('postgresql.conf', "log_min_messages = log\n");
$node->reload;
foreach my $type (qw(vector halfvec sparsevec sq8vec bm25stats))
{
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run([ $fuzz, $node->connstr('postgres'), $type, $count, $seed ],
		'>', \$out, '2>', \$err);

	ok($ok, "$count binary values of $type");
	diag "seed $seed\n$out$err" unless $ok;
	my ($accepted, $refused) = $out =~ /(\d+) accepted, (\d+) refused/;
	cmp_ok($accepted // 0, '>', $count / 10, "$type: many were valid");
	cmp_ok($refused // 0, '>', $count / 10, "$type: many were not");
}
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server is alive');
unlike(slurp_file($node->logfile, $log_start), qr/terminated by signal|PANIC/, 'no backend crashed');

$node->stop;
done_testing();
