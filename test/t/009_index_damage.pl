# Random bytes over the pages of indexes: whatever is done with them then may
# fail with an error that names a block, but the server lives, and nothing hangs.
#
# NANOVEC_DAMAGE_ROUNDS, _SEED and _TIMEOUT (seconds; for slow machines) change
# what is done.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

use constant PAGE => 8192;

my $rounds = $ENV{NANOVEC_DAMAGE_ROUNDS} // 12;
my $seed = $ENV{NANOVEC_DAMAGE_SEED} // time();
my $timeout = $ENV{NANOVEC_DAMAGE_TIMEOUT} // 20;
my $node = start_node('damage');
my %operator = (v => '<->', wide => '<=>', b => '<~>', s => '<->', h => '<#>', f => '<->', lv => '<->',
	lwide => '<=>', lh => '<#>', lb => '<~>', c => '<->', lc => '<#>', la => '<->', li => '<->', mv => '@#');

srand($seed);
note "seed $seed";
# where pages have checksums, damage that they find is not what is tested
$node->append_conf('postgresql.conf', qq{
	restart_after_crash = on
	autovacuum = off
	ignore_checksum_failure = on
	jit = off
	enable_seqscan = off
	statement_timeout = ${timeout}s
});
$node->restart;
$node->safe_psql('postgres', q{
	CREATE TABLE items (id serial, v vector(16), wide vector(3000), h halfvec(20), b bit(100),
		s sparsevec(5000), lv vector(64), lwide vector(9000), lh halfvec(20), lb bit(100),
		c vector(200), lc vector(64), la vector(64), li vector(5), f vector(16), mv vector(16)[],
		t int DEFAULT random() * 20, w int[] DEFAULT ARRAY[(random() * 9)::int, 10]);
	CREATE FUNCTION fill(first int, last int) RETURNS void LANGUAGE sql AS $$
		INSERT INTO items (v, wide, h, b, s, lv, lwide, lh, lb, c, lc, la, li, f, mv)
		SELECT (SELECT array_agg(sin(i * j)) FROM generate_series(1, 16) AS j)::vector,
			(SELECT array_agg(sin(i % 50 * 7 + j)) FROM generate_series(1, 3000) AS j)::vector,
			(SELECT array_agg(cos(i * j)) FROM generate_series(1, 20) AS j)::vector,
			(SELECT string_agg((i * j % 7 % 2)::text, '') FROM generate_series(1, 100) AS j)::bit(100),
			('{' || (SELECT string_agg(j * 2 || ':' || i % 100 + j, ',') FROM generate_series(1, 400) AS j)
				|| '}/5000')::sparsevec,
			(SELECT array_agg(sin(i * j)) FROM generate_series(1, 64) AS j)::vector,
			(SELECT array_agg(sin(i % 50 * 7 + j)) FROM generate_series(1, 9000) AS j)::vector,
			(SELECT array_agg(cos(i * j)) FROM generate_series(1, 20) AS j)::vector,
			(SELECT string_agg((i * j % 7 % 2)::text, '') FROM generate_series(1, 100) AS j)::bit(100),
			(SELECT array_agg(sin(i * j)) FROM generate_series(1, 200) AS j)::vector,
			(SELECT array_agg(cos(i * j)) FROM generate_series(1, 64) AS j)::vector,
			(SELECT array_agg(sin(i * j)) FROM generate_series(1, 64) AS j)::vector,
			(SELECT array_agg(cos(i * j)) FROM generate_series(1, 5) AS j)::vector,
			(SELECT array_agg(sin(i * j)) FROM generate_series(1, 16) AS j)::vector,
			(SELECT array_agg((SELECT array_agg(cos((i + k % 3) * j)) FROM generate_series(1, 16) AS j)::vector)
				FROM generate_series(1, 1 + i % 6) AS k)
		FROM generate_series(first, last) AS i
	$$;
	SELECT fill(1, 300);
	CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops) WITH (m = 6, ef_construction = 20);
	CREATE INDEX items_wide ON items USING hnsw (wide vector_cosine_ops) WITH (storage = float4);
	CREATE INDEX items_h ON items USING hnsw (h halfvec_ip_ops) WITH (storage = float2);
	CREATE INDEX items_b ON items USING hnsw (b bit_hamming_ops);
	CREATE INDEX items_s ON items USING hnsw (s sparsevec_l2_ops);
	CREATE INDEX items_lv ON items USING ivf (lv vector_l2_ops) WITH (lists = 7);
	CREATE INDEX items_lwide ON items USING ivf (lwide vector_cosine_ops) WITH (lists = 3);
	CREATE INDEX items_lh ON items USING ivfflat (lh halfvec_ip_ops) WITH (lists = 5);
	CREATE INDEX items_lb ON items USING ivf (lb bit_hamming_ops);
	CREATE INDEX items_c ON items USING hnsw (c vector_l2_ops) WITH (m = 6, ef_construction = 20);
	CREATE INDEX items_f ON items USING hnsw (f vector_l2_ops, t, w) WITH (m = 6, ef_construction = 20);
	CREATE INDEX items_mv ON items USING hnsw (mv vector_maxsim_ops, t, w) WITH (m = 6, ef_construction = 20);
	CREATE INDEX items_lc ON items USING ivf (lc vector_ip_ops) WITH (lists = 3);
	CREATE INDEX items_la ON items USING ivf (la vector_l2_ops, t, w) WITH (lists = 3);
	CREATE INDEX items_li ON items USING ivfflat (li vector_l2_ops, t, w) WITH (lists = 3);
});

# Random bytes, of a kind that often passes for something else.
sub noise
{
	my ($n) = @_;
	my $kind = int(rand(4));

	return join('', map { chr($kind == 0 ? int(rand(256)) : $kind == 1 ? int(rand(4)) : 255) } 1 .. $n)
	  if $kind < 3;
	return substr(pack('V*', map { int(rand(400)) } 0 .. $n / 4), 0, $n);
}

# Change the pages of a file.  Their headers stay, so that PostgreSQL reads them.
sub damage
{
	my ($file) = @_;
	my $pages = int((-s $file) / PAGE);
	my $kind = int(rand(12));
	my $room = PAGE - 24 - 16;

	open(my $fh, '+<:raw', $file) or die "$file: $!";
	if ($kind == 0)
	{
		truncate($fh, PAGE * (1 + int(rand($pages)))) or die $!;
	}
	elsif ($kind == 1)
	{
		my $page;
		sysseek($fh, PAGE * int(rand($pages)), 0);
		sysread($fh, $page, PAGE);
		sysseek($fh, PAGE * int(rand($pages)), 0);
		syswrite($fh, $page);
	}
	elsif ($kind == 2)
	{
		sysseek($fh, PAGE * int(rand($pages)), 0);
		syswrite($fh, "\0" x PAGE);
	}
	else
	{
		# few bytes in few places, many in one, or the metapage
		my $places = $kind < 8 ? 1 + int(rand(30)) : 1;
		my $bytes = $kind < 8 ? 1 + int(rand(8)) : $kind < 10 ? 1 + int(rand($room)) : 1 + int(rand(12));

		foreach (1 .. $places)
		{
			my $page = $kind >= 10 ? 0 : int(rand($pages));
			my $offset = 24 + int(rand(($kind >= 10 ? 64 : $room) - $bytes + 1));

			sysseek($fh, PAGE * $page + $offset, 0);
			syswrite($fh, noise($bytes));
		}
	}
	close($fh);
	return $kind;
}

# Everything that can be done with an index.
sub uses_of
{
	my ($column) = @_;
	my $search = qq{SELECT count(id) FROM (SELECT id FROM items ORDER BY $column $operator{$column}
		(SELECT $column FROM items WHERE id = %d) LIMIT %d) AS s;\n};
	my $sql = '';

	$sql .= sprintf($search, 1 + int(rand(300)), $_) foreach (1, 20, 500);
	# with conditions that many rows match, and that few do
	foreach my $where ($column =~ /^(f|la|li|mv)$/ ? ('t > 3', 't = 7', 'w && ARRAY[1]', 'w @> ARRAY[10] AND t < 15') : ())
	{
		$sql .= sprintf($search =~ s/items ORDER/items WHERE $where ORDER/r, 1 + int(rand(300)), $_) foreach (5, 500);
	}
	$sql .= "SET hnsw.iterative_scan = relaxed_order; SET ivf.iterative_scan = relaxed_order;\n"
	  . sprintf($search, 7, 500);
	$sql .= "SET hnsw.iterative_scan = off; SET ivf.iterative_scan = off;\n" . sprintf($search, 11, 40);
	$sql .= "SET ivf.probes = 7; SET ivfflat.probes = 5;\n" . sprintf($search, 12, 500);
	$sql .= "SELECT count(*) FROM nanovec_index_info('items_$column');\n";
	$sql .= "SELECT count(*) FROM nanovec_index_check('items_$column');\n";
	# only this index
	$sql .= "BEGIN;\n";
	$sql .= "DROP INDEX items_$_;\n" foreach grep { $_ ne $column } sort keys %operator;
	foreach (1 .. 4)
	{
		$sql .= sprintf("SAVEPOINT s;\nSELECT fill(%d, %d);\nROLLBACK TO s;\n", (int(rand(1000))) x 2);
	}
	$sql .= "ROLLBACK;\n";
	return $sql;
}

# The checker sees a wrong value in every field.  Offsets are those of HnswMeta,
# IvfMeta, HnswNode, IvfGroup, IvfRecord and IvfList; pages are found by their kind, NvPageKind.
sub path_of
{
	my ($column) = @_;

	return $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('items_$column')");
}

$node->safe_psql('postgres', 'CHECKPOINT');
my $layout = hnsw_layout(path_of('c'));
cmp_ok($layout->{bits}, '>', 0, 'nodes have codes');
my %any_node = (kind => [0, 'C', 7], level => [1, 'C', 3], ntids => [3, 'C', 2], nedges => [4, 'v', 9999],
	top_level => [6, 'v', 300], more => [12, 'V', 0], vector_bytes => [16, 'V', 3], scale => [20, 'f<', 99], offset => [24, 'f<', 99],
	error => [28, 'f<', -1], sum => [32, 'V', 1], square => [36, 'V', 1], neighbor => [$layout->{neighbors}, 'V', 0x7fffffff],
	add => [$layout->{add}, 'v', 0x4780], factor => [$layout->{factor}, 'v', 0x4780], code => [$layout->{codes}, 'V', 0x5a5a5a5a]);
my %node = (%any_node, tid => [$layout->{tids}, 'V', 0xffffff]);
my %upper_node = (%any_node, down => [$layout->{tids}, 'V', 0], base => [$layout->{tids} + 4, 'V', 0]);
my %group = (list => [0, 'V', 4], next => [4, 'V', 1], n => [12, 'V', 9999], records => [16, 'V', 1],
	code => [32, 'V', 0x5a5a5a5a]);
my %record = (tid => [0, 'V', 0xffffff], scale => [6, 'f<', 99], offset => [10, 'f<', 99],
	error => [14, 'f<', -1], sum => [18, 'V', 1], square => [22, 'V', 1], data => [26, 'V', 0x5a5a5a5a]);
# what the column and its operator class say too, in the metapage
my %column = (element => [4, 'C', 1], metric => [5, 'C', 4], dims => [8, 'V', 131_976]);
my @fields = (
	[ 's', 1, 'first', \%column ], [ 'lb', 4, 'first', \%column ],
	[ 'c', 3, 'first', \%node ], [ 'c', 3, 'last', \%upper_node ], [ 'lv', 8, 'first', \%group ],
	[ 'lc', 8, 'first', { %group, add => [288, 'v', 0x4780], factor => [352, 'v', 0x4780] } ],
	[ 'lv', 9, 'last', \%record ], [ 'lv', 5, 'first', { first => [0, 'V', 1], room => [4, 'V', 1] } ],
	[ 'lv', 6, 'first', { centroid => [0, 'f<', 1e30] } ],
	[ 'lv', 7, 'first', { code => [0, 'V', 0x5a5a5a5a] } ],
	# of two attributes, a number and a set
	[ 'la', 4, 'first', { attribute_bytes => [44, 'v', 40] } ],
	[ 'la', 8, 'first', { nulls => [24, 'C', 255], unused => [25, 'C', 1], elements => [34, 'v', 77] } ],
	[ 'li', 8, 'first', { nulls => [22, 'C', 255], unused => [23, 'C', 1], elements => [32, 'v', 77] } ]);

# The first or last page of a kind
sub page_of
{
	my ($path, $kind, $which) = @_;
	my $file = slurp_file($path);
	my @pages = grep { unpack('v', substr($file, PAGE * $_ + PAGE - 8, 2)) == $kind } 0 .. length($file) / PAGE - 1;

	return $which eq 'first' ? $pages[0] : $pages[-1];
}

# Write a file anew.
sub write_whole
{
	my ($path, $bytes) = @_;

	open(my $fh, '+<:raw', $path) or die "$path: $!";
	syswrite($fh, $bytes);
	close($fh);
	return;
}

# What some SQL says while a field of the first thing on a page is wrong
sub with_field
{
	my ($sql, $path, $page, $offset, $format, $value) = @_;
	my $place = PAGE * $page + 24 + $offset;
	my ($old, $out, $err);

	$node->stop;
	open(my $fh, '+<:raw', $path) or die "$path: $!";
	sysseek($fh, $place, 0);
	sysread($fh, $old, length(pack($format, $value)));
	sysseek($fh, $place, 0);
	syswrite($fh, pack($format, $value));
	$node->start;
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, on_error_stop => 0);
	$node->stop;
	sysseek($fh, $place, 0);
	syswrite($fh, $old);
	close($fh);
	$node->start;
	# from version 18 on servers have checksums
	$err =~ s/^.*WARNING:  ignoring checksum failure.*\n?//mg;
	return $out . $err;
}

my @unseen;

foreach (@fields)
{
	my ($column, $kind, $which, $fields) = @$_;
	my $path = path_of($column);
	my $page = page_of($path, $kind, $which);

	foreach my $name (sort keys %$fields)
	{
		my $said = with_field("SELECT * FROM nanovec_index_check('items_$column')", $path, $page, @{ $fields->{$name} });

		push @unseen, "$column $kind $name ($said)" if $said !~ /\|| metapage makes no sense/;
	}
}
is("@unseen", '', 'the checker sees every wrong field');
is($node->safe_psql('postgres', join(' UNION ALL ', map { "SELECT count(*) FROM nanovec_index_check('items_$_')" } qw(c lv lc))),
	"0\n0\n0", 'and nothing wrong when they are right');

# What is wrong with attributes is told by name.  An image has a head of two bytes, a number
# of eight and a set; a page of the map a head of eight bytes, then two for each number;
# a page of bounds two numbers of four bytes, then bounds of eight, for 1,000 rows or more.
$node->safe_psql('postgres', q{
	CREATE TABLE many AS SELECT i, ARRAY[sin(i), cos(i), i % 7]::vector(3) AS v, i % 1200 AS t, ARRAY[i % 9] AS w
		FROM generate_series(1, 3000) AS i;
	CREATE INDEX items_many ON many USING hnsw (v vector_l2_ops, t, w);
	DELETE FROM many WHERE i % 3 = 0;
	VACUUM many;
	CHECKPOINT;
});
$layout = hnsw_layout(path_of('many'));
my ($free) = $node->safe_psql('postgres', q{SELECT value FROM nanovec_index_info('items_many') WHERE property = 'free slots'});
cmp_ok($free, '>', 0, 'there are free slots');

# the first slot without a node
my $map_page = page_of(path_of('many'), 11, 'first');
my $slots = substr(slurp_file(path_of('many')), PAGE * ($map_page + 1));
my ($free_slot) = grep {
	substr($slots, PAGE * int($_ / $layout->{per_page}) + 24 + $_ % $layout->{per_page} * $layout->{slot_bytes}, 1) eq "\0"
} 0 .. 10 * $layout->{per_page};
my $other = qr/row \(\d+,\d+\) has other attributes in the index than in the table/;
my $map_other = qr/the map has other attributes than node 0/;
foreach (
	[ 'f', 3, undef, 2, 'V', 77, $other ],
	[ 'f', 3, undef, 0, 'C', 1, $other ],
	[ 'f', 3, undef, 12, 'v', 77, $other ],
	[ 'f', 3, undef, 2, 'V', 77, $map_other ],
	[ 'la', 8, 24, 2, 'V', 77, $other ],
	[ 'la', 8, 24, 12, 'v', 77, $other ],
	[ 'li', 8, 22, 2, 'V', 77, $other ],
	[ 'many', 11, 8, 0, 'v', 0, $map_other ],
	[ 'many', 11, 8, 0, 'v', 1, $map_other ],
	[ 'many', 11, 8, 2 * $free_slot, 'v', 1, qr/the map has attributes of slot $free_slot, which has none/ ],
	[ 'many', 11, 0, 0, 'V', 0, $map_other ],
	[ 'many', 11, 8160, 0, 'v', 3, qr/not a page of the map of attributes/ ],
	[ 'many', 10, 8, 8, 'V', 0xffffffff, qr/bounds are not in order/ ],
	[ 'many', 10, 0, 4, 'V', 1001, qr/there are more bounds than can be/ ],
	[ 'many', 10, 0, 0, 'V', 2, qr/it does not say whether bounds were learned/ ],
	[ 'many', 10, 0, 0, 'V', 0, qr/entries of the map are by bounds that are not there/ ],
	[ 'many', 10, 8160, 0, 'v', 3, qr/not a page of bounds/ ])
{
	my ($column, $kind, $part, $offset, $format, $value, $problem) = @$_;
	my $path = path_of($column);

	$part //= hnsw_layout($path)->{image};
	like(with_field("SELECT problem FROM nanovec_index_check('items_$column')", $path, page_of($path, $kind, 'first'),
			$part + $offset, $format, $value), $problem, "$column, kind of page $kind, offset $part + $offset: $value");
}
is($node->safe_psql('postgres', join(' UNION ALL ', map { "SELECT count(*) FROM nanovec_index_check('items_$_')" } qw(f la li many))),
	"0\n0\n0\n0", 'and nothing wrong when they are right');
$node->safe_psql('postgres', 'DROP TABLE many');

# A way down that never ends
my $path = path_of('v');
$layout = hnsw_layout($path);
unlike(with_field('DELETE FROM items WHERE id % 10 = 3; VACUUM items', $path,
		1 + $layout->{mean_pages} + int($layout->{entry} / $layout->{per_page}),
		$layout->{entry} % $layout->{per_page} * $layout->{slot_bytes} + $layout->{tids}, 'V', $layout->{entry}),
	qr/timeout/, 'vacuum ends where a way down leads back');

# Nodes without edges, which a crash may leave: a search that runs out of nodes that
# it can reach reads the others.  All on level 0 lose theirs, so that it reaches one.
$path = path_of('c');
$layout = hnsw_layout($path);
my $count = 'SELECT count(id) FROM (SELECT id FROM items ORDER BY c <-> (SELECT c FROM items WHERE id = 5) LIMIT %d) s;';
$node->stop;
my $file = slurp_file($path);
my $lone = $file;
my $cut_off = 0;
foreach my $page (1 + $layout->{mean_pages} .. length($file) / PAGE - 1)
{
	foreach my $slot (0 .. $layout->{per_page} - 1)
	{
		my $place = PAGE * $page + 24 + $slot * $layout->{slot_bytes};

		# HnswNode: kind, level and, from the fifth byte on, nedges
		next if substr($lone, $place, 2) ne "\xa5\0";
		substr($lone, $place + 4, 2) = "\0\0";
		$cut_off++;
	}
}
write_whole($path, $lone);
$node->start;
my $rows = $node->safe_psql('postgres', 'SELECT count(*) FROM items');
is($cut_off, $rows, 'all nodes are cut off');
is($node->safe_psql('postgres', join('', map { sprintf($count, $_) } 10, 300)), "10\n$rows", 'a scan finds nodes that it cannot reach');
is($node->safe_psql('postgres', 'SET hnsw.iterative_scan = relaxed_order;' . sprintf($count, 300)), $rows, 'in relaxed order, too');
is($node->safe_psql('postgres', 'SET hnsw.max_scan_tuples = 250;' . sprintf($count, 300)), '1', 'unless it may not read so many rows');
is($node->safe_psql('postgres', 'SET hnsw.iterative_scan = off;' . sprintf($count, 300)), '1', 'or may not go on');
$node->stop;
write_whole($path, $file);
$node->start;

# The planner looks into ivf's metapage for what a search costs; queries that do
# not use the index go on when it is damaged, or of another version.
foreach my $column (qw(lv lh))
{
	$path = path_of($column);
	foreach ([ 'version', 0, 'V', 99 ], [ 'number of lists', 12, 'V', 0 ], [ 'kind of page', 8192 - 24 - 8, 'v', 77 ])
	{
		my ($what, @field) = @$_;

		like(with_field("SET enable_seqscan = on; SET enable_indexscan = off;
				SELECT 'count', count(*) FROM (SELECT id FROM items ORDER BY $column $operator{$column}
					(SELECT $column FROM items WHERE id = 1)) s;
				SELECT 'explained' FROM (SELECT 1) s WHERE EXISTS (SELECT FROM items ORDER BY $column $operator{$column}
					(SELECT $column FROM items WHERE id = 1));", $path, 0, @field),
			qr/^count\|\d+\nexplained$/, "plans without items_$column when its $what is wrong");
	}
}

# A neighbor whose number would be that of no block, for which PostgreSQL adds one to the index
$path = path_of('wide');
$layout = hnsw_layout($path);
my $said = with_field("SELECT pg_relation_size('items_wide') AS size \\gset
		SELECT count(id) FROM (SELECT id FROM items ORDER BY wide <=> (SELECT wide FROM items WHERE id = 1) LIMIT 300) s;
		SELECT pg_relation_size('items_wide') = :size",
		$path, page_of($path, 3, 'first'), @{ $node{neighbor} }[0, 1], 0xfffffffe - $layout->{mean_pages});
like($said, qr/^t.*a block that cannot be/ms, 'a search does not extend the index');

# Errors that do not say where the damage is.  The version of the format is in
# the metapage, as its message implies.  Where a damaged code or its error bound
# makes an estimate too large, it is the scan that finds a row nearer than it was said
# to be, which does not know about blocks; nanovec_index_check() names them.  Nor
# does what returns rows, or reads a page, know about the block that leads there.
sub vague_errors
{
	my ($err) = @_;

	return grep { !/\bblocks? \d+/ && !/has format version \d+/ && !/statement timeout/
		  && !/row \(\d+,\d+\) is nearer than it says/ && !/leads to row \(\d+,\d+\)/ && !/points to a block that cannot be/
		  && !/current transaction is aborted/ } $err =~ /ERROR:.*/g;
}

my %vague;
my ($crashes, $stuck, $errors, $complaints, $unrepaired) = (0, 0, 0, 0, 0);
foreach my $round (1 .. $rounds)
{
	my @columns = sort keys %operator;
	my %path = map { $_ => $node->data_dir . '/'
		  . $node->safe_psql('postgres', "SELECT pg_relation_filepath('items_$_')") } @columns;
	my $log_start = -s $node->logfile;

	$node->stop;
	my $kinds = join(' ', map { "$_:" . damage($path{$_}) } @columns);
	$node->start;
	foreach my $column (@columns, 'vacuum')
	{
		my ($out, $err, $timed_out);
		my $sql = $column ne 'vacuum' ? uses_of($column) :
		  "SELECT fill(1, 10);\nDELETE FROM items WHERE id % 17 = 3;\nVACUUM items;\n";

		$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, on_error_stop => 0,
			timeout => 6 * $timeout, timed_out => \$timed_out);
		$errors += () = $err =~ /ERROR:/g;
		$complaints += () = $err =~ /is damaged/g;
		$vague{$_}++ foreach vague_errors($err);
		$vague{$_}++ foreach grep { / block (\d+)/ && $1 > 100_000 } $err =~ /ERROR:.*is damaged.*/g;
		if ($timed_out || $err =~ /statement timeout/)
		{
			$stuck++;
			diag "seed $seed, round $round, $column: it took too long ($kinds)";
		}
		if ($err =~ /server closed the connection|terminated abnormally/)
		{
			$crashes++;
			diag "seed $seed, round $round, $column: the server crashed ($kinds)";
			wait_until_up($node);
		}
	}
	my $log = slurp_file($node->logfile, $log_start);
	if ($log =~ /terminated by signal|PANIC/)
	{
		$crashes++;
		diag "seed $seed, round $round ($kinds): $1" if $log =~ /(.*(?:terminated by signal|PANIC).*)/;
	}
	# how long this takes depends on the machine alone
	$node->safe_psql('postgres', 'SET statement_timeout = 0; REINDEX TABLE items; SELECT fill(1, 10)');
	foreach my $column (@columns)
	{
		my $problems = $node->safe_psql('postgres', "SELECT * FROM nanovec_index_check('items_$column')");

		next if $problems eq '';
		$unrepaired++;
		diag "seed $seed, round $round, $column after REINDEX: $problems";
	}
}
note "$errors errors, $complaints of them say that an index is damaged";
is($crashes, 0, 'no crash');
is($stuck, 0, 'nothing hangs');
is(join("\n", sort keys %vague), '', 'errors name a block that there may be');
is($unrepaired, 0, 'REINDEX makes a sound index');
cmp_ok($errors, '>', 0, 'damage was found');

$node->stop;
done_testing();
