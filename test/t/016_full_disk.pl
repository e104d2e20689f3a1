# A full disk in the middle of builds and of inserts: an error, and no damage.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

# a file system of a few MB: run.sh makes one where it may
my $disk = $ENV{NANOVEC_SMALL_DISK};
plan skip_all => 'it takes root to make a small file system' unless $disk;

my $node = start_node('full');
my $log_start = -s $node->logfile;
my $filler = "$disk/filler";
my @indexes = qw(small_hnsw small_ivf small_flat);

$node->append_conf('postgresql.conf', "autovacuum = off\nmin_parallel_table_scan_size = 0\n");
$node->restart;
mkdir "$disk/space" or die $!;
$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk/space'");
$node->safe_psql('postgres', q{
	CREATE FUNCTION a_vector(i int) RETURNS vector LANGUAGE sql IMMUTABLE AS
		$$ SELECT array_agg((hashint4(i * 1000 + d) % 1000) / 1000.0)::vector FROM generate_series(1, 128) d $$;
	CREATE TABLE items (id int, v vector(128));
	INSERT INTO items SELECT i, a_vector(i) FROM generate_series(1, 12000) i;
	CREATE TABLE few (LIKE items);
	INSERT INTO few SELECT * FROM items LIMIT 200;
	VACUUM ANALYZE items, few});

# A file that takes so much of the disk
sub fill_disk
{
	my ($bytes) = @_;

	open(my $fh, '>', $filler) or die $!;
	syswrite($fh, 'x' x 65536) foreach 1 .. $bytes / 65536;
	close($fh);
}

# Free space, in kB
sub free_space
{
	$node->safe_psql('postgres', 'CHECKPOINT');
	my ($line) = (split /\n/, `df -k --output=avail $disk`)[1];
	return $line + 0;
}

# A command that does not find room.
sub fails
{
	my ($sql, $what) = @_;
	my ($out, $err);

	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err);
	like($err, qr/ERROR:.*No space left on device/, "an error: $what");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM items'), 12000, "and the server lives: $what");
}

sub check_indexes
{
	return join('', map { $node->safe_psql('postgres', "SELECT * FROM nanovec_index_check('$_')") } @_);
}

# ---- builds ----

my %builds = (
	hnsw => 'hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 20, storage = float4)',
	ivf => 'ivf (v vector_l2_ops) WITH (lists = 50, quantizer = none)',
	ivfflat => 'ivfflat (v vector_l2_ops) WITH (lists = 50)');
my $free = free_space();

foreach my $name (sort keys %builds)
{
	foreach my $workers (0, 2)
	{
		fails("SET max_parallel_maintenance_workers = $workers; CREATE INDEX big ON items USING $builds{$name} TABLESPACE small",
			"build of $name, $workers workers");
		is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname = 'big'}), 0,
			"nothing of it is left: $name, $workers workers");
		cmp_ok(free_space(), '>=', $free - 100, "and its space is free again: $name, $workers workers");
	}
}
fails("CREATE INDEX CONCURRENTLY big ON items USING $builds{hnsw} TABLESPACE small", 'build beside others');
my ($out, $err);
$node->psql('postgres', "SELECT * FROM nanovec_index_check('big')", stderr => \$err);
like($err, qr/is not valid/, 'what it leaves is not used');
$node->safe_psql('postgres', 'DROP INDEX big');
$node->safe_psql('postgres', "CREATE INDEX big ON few USING $builds{hnsw} TABLESPACE small; DROP INDEX big");

# ---- inserts, updates, vacuum ----

$node->safe_psql('postgres', q{
	CREATE INDEX small_hnsw ON few USING hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 20) TABLESPACE small;
	CREATE INDEX small_ivf ON few USING ivf (v vector_l2_ops) WITH (lists = 4) TABLESPACE small;
	CREATE INDEX small_flat ON few USING ivfflat (v vector_l2_ops) WITH (lists = 4) TABLESPACE small});
my ($id, $errors, $done) = (100_000, 0, 0);

# each index is the first to find no room, now and then
foreach my $round (1 .. 6)
{
	fill_disk((free_space() - 200 - 40 * $round) * 1024);
	foreach my $try (1 .. 60)
	{
		my $last = $id + 20 + 7 * $round;

		$node->psql('postgres', "INSERT INTO few SELECT i, a_vector(i) FROM generate_series($id + 1, $last) AS i",
			stderr => \$err);
		$id = $last;
		if ($err eq '')
		{
			$done++;
			next;
		}
		$errors++;
		like($err, qr/No space left on device/, "round $round: an error") if $err !~ /No space left on device/;
		last if $errors >= 3 * $round;
	}
	# an insert that was cut off may have left nodes that nothing leads to, for vacuum
	my @problems = grep { !/cannot be reached/ } split /\n/, check_indexes(@indexes);
	is_deeply(\@problems, [], "round $round: nothing is damaged while the disk is full");
	is($node->safe_psql('postgres', q{SET enable_seqscan = off;
		SELECT count(*) FROM (SELECT id FROM few ORDER BY v <-> a_vector(1) LIMIT 10) AS s}), 10,
		"round $round: searches go on");
	unlink $filler or die $!;
	$id += 50;
	$node->safe_psql('postgres', "INSERT INTO few SELECT i, a_vector(i) FROM generate_series($id - 49, $id) AS i;
		DELETE FROM few WHERE id % 3 = $round % 3");
	$node->safe_psql('postgres', 'VACUUM few');
	is(check_indexes(@indexes), '', "round $round: and nothing when there is space again");
	is($node->safe_psql('postgres', join(' UNION ALL ', map { qq{SELECT value::int - (SELECT count(*) FROM few)
			FROM nanovec_index_info('$_') WHERE property = 'rows'} } @indexes)), "0\n0\n0",
		"round $round: every row is in every index");
}
cmp_ok($errors, '>=', 6, "the disk was full $errors times");
cmp_ok($done, '>', 0, "and had room $done times");

unlike(slurp_file($node->logfile, $log_start), qr/terminated by signal|PANIC/, 'no backend crashed');
$node->stop;
done_testing();
