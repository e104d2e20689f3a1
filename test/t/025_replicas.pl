# Reads beside writes: searches of a standby that are in the way of replay are cancelled
# when PostgreSQL's settings say so and not before; and a subscriber of logical replication,
# whose indexes are of other methods, finds the rows that the publisher has.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $tmp = $PostgreSQL::Test::Utils::tmp_check;
my $conf = "autovacuum = off\njit = off\nmax_parallel_workers_per_gather = 0\n";
my $primary = new_node('primary', allows_streaming => 'logical', conf => $conf);
$primary->start;
make_tables($primary, q{
	INSERT INTO items SELECT i, 0, a_vector(i, 0) FROM generate_series(1, 2000) i;
	INSERT INTO longs SELECT i, 0, long_vector(i, 0) FROM generate_series(1, 30) i;
});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = off\nmax_standby_streaming_delay = 30s\n");
$standby->start;

# the same tables under other indexes; all lists of ivf are an exact answer
my $subscriber = new_node('subscriber', conf => $conf);
$subscriber->start;
make_tables($subscriber, '');
$subscriber->safe_psql('postgres', q{
	DROP INDEX items_hnsw, items_ivf, longs_hnsw, longs_flat;
	CREATE INDEX items_lists ON items USING ivf (embedding vector_l2_ops, version) WITH (lists = 8);
	CREATE INDEX items_graph ON items USING hnsw (embedding vector_ip_ops);
	CREATE INDEX longs_lists ON longs USING ivf (embedding vector_cosine_ops)});
$primary->safe_psql('postgres', 'CREATE PUBLICATION vectors FOR TABLE items, longs');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION vectors CONNECTION '" . $primary->connstr('postgres') =~ s/'/''/gr
	. "' PUBLICATION vectors WITH (binary = true)");
$primary->wait_for_catchup('vectors');
$subscriber->poll_query_until('postgres', q{SELECT bool_and(srsubstate IN ('r', 's')) FROM pg_subscription_rel}) or die;

# ---- writes, and searches at the same time ----

my $search = q{SET enable_seqscan = off; SET ivf.probes = 1000;
	SELECT 1 / (count(*) = 30 AND count(DISTINCT id) = 30)::int FROM
		(SELECT id FROM items ORDER BY embedding <-> a_vector(:q, 0) LIMIT 30) s;
	SELECT 1 / (count(*) > 0)::int FROM (SELECT id FROM longs ORDER BY embedding <=> long_vector(:q, 0) LIMIT 5) s;};
my %searching;

foreach my $node ($standby, $subscriber)
{
	my ($file, %run) = ("$tmp/" . $node->name . '.sql', (out => '', err => ''));

	append_to_file($file, "\\set q random(1, 100000)\n$search\n");
	$run{run} = IPC::Run::start([ 'pgbench', '-n', '-c', 1, '-R', 40, '-T', 300, '-f', $file, $node->connstr('postgres') ],
		'<', '/dev/null', '>', \$run{out}, '2>', \$run{err});
	$searching{ $node->name } = \%run;
}
foreach my $round (1 .. 6)
{
	my $first = 10000 * $round;

	$primary->safe_psql('postgres', qq{
		INSERT INTO items SELECT i, 0, a_vector(i, 0) FROM generate_series($first, $first + 250) i;
		INSERT INTO longs SELECT i, 0, long_vector(i, 0) FROM generate_series($first, $first + 3) i;
		UPDATE items SET version = version + 1, embedding = a_vector(id, version + 1) WHERE id % 11 = $round;
		DELETE FROM items WHERE hashint4(id) % 9 = $round;
		DELETE FROM longs WHERE id % 17 = $round;
		BEGIN; INSERT INTO items SELECT -i, 0, a_vector(i, 0) FROM generate_series(1, 50) i; ROLLBACK});
	$primary->safe_psql('postgres', 'VACUUM items, longs');
	$subscriber->safe_psql('postgres', 'VACUUM items, longs') if $round == 4;
	sleep(0.2);
}
my $start = time;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$primary->wait_for_catchup('vectors');
cmp_ok(time - $start, '<', 25, sprintf('replicas are not far behind: %.2f s', time - $start));
foreach (sort keys %searching)
{
	$searching{$_}{run}->signal('TERM');
	$searching{$_}{run}->finish;
	unlike($searching{$_}{err}, qr/error|fatal|aborted/i, "no search fails or is cancelled: $_") or diag $searching{$_}{err};
}

cmp_ok($_->safe_psql('postgres', "SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE indexrelname IN ('items_hnsw', 'items_lists')"),
	'>', 20, $_->name . ' was searched meanwhile') foreach $standby, $subscriber;

# ---- all have the same rows, and find them ----

my $contents = q{SELECT count(*), md5(string_agg(id || ' ' || version || ' ' || embedding, ',' ORDER BY id)) FROM };
foreach my $node ($standby, $subscriber)
{
	is($node->safe_psql('postgres', $contents . $_), $primary->safe_psql('postgres', $contents . $_), $node->name . " has the rows of $_")
	  foreach qw(items longs);
	is(join("\n", scan_problems($node)), '', $node->name . ': every row is found');
}
is(join("\n", index_problems($subscriber)), '', 'indexes of the subscriber are sound');
my $exact = q{SET jit = off; SELECT q, array_agg(id ORDER BY d, id) FROM generate_series(1, 20) q,
	LATERAL (SELECT id, embedding <-> a_vector(q, -3) AS d FROM items WHERE version >= 0 ORDER BY 2 LIMIT 20) s GROUP BY 1 ORDER BY 1};
is($subscriber->safe_psql('postgres', "SET enable_seqscan = off; SET ivf.probes = 1000; $exact"),
	$primary->safe_psql('postgres', "SET enable_indexscan = off; $exact"), 'ivf of the subscriber gives what the publisher computes');

# ---- a search that is longer than replay may be delayed ----

$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = 100ms\n");
$standby->reload;
append_to_file("$tmp/open.sql", q{BEGIN ISOLATION LEVEL REPEATABLE READ;
	SET enable_seqscan = off;
	DECLARE c CURSOR FOR SELECT id FROM items ORDER BY embedding <-> a_vector(1, 0);
	FETCH 5 FROM c;
	SELECT pg_sleep(60);
});
my $open = start_psql($standby, "$tmp/open.sql", "$tmp/open.out", "$tmp/open.err");
$standby->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'}) or die;
$primary->safe_psql('postgres', 'DELETE FROM items WHERE id % 5 = 0; DELETE FROM longs WHERE id % 3 = 0');
$primary->safe_psql('postgres', 'VACUUM items, longs');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$open->finish;
like(slurp_file("$tmp/open.err"), qr/due to conflict with recovery/, 'an open search gives way to replay');
is($standby->safe_psql('postgres', $contents . 'items'), $primary->safe_psql('postgres', $contents . 'items'), 'which goes on');
is(join("\n", scan_problems($standby)), '', 'and every row is found');

foreach ($standby, $subscriber, $primary)
{
	unlike(slurp_file($_->logfile), qr/PANIC|inconsistent page|\(PID \d+\) was terminated/, $_->name . ': nothing crashed');
	$_->stop;
}
done_testing();
