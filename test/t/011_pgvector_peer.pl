# Databases move between pgvector and the extension under pgvector's name: by
# dumps, COPY BINARY, logical replication, and by a change of the library.

use strict;
use warnings;

use File::Basename;
use File::Copy qw(copy);
use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

if (!$ENV{NANOVEC_PEER_BIN})
{
	diag "NOT RUN: the tests with pgvector, since $ENV{NANOVEC_PEER_MISSING}; "
	  . 'NANOVEC_PGVECTOR=get downloads and builds it, NANOVEC_PGVECTOR=DIRECTORY says where one is';
	plan skip_all => $ENV{NANOVEC_PEER_MISSING};
}

my $tmp = $PostgreSQL::Test::Utils::tmp_check;
my ($theirs, $ours) = map { start_node($_->[0], install_path => dirname($_->[1]), extension => 'vector',
	allows_streaming => 'logical', conf => "autovacuum = off\njit = off\nshared_buffers = 32MB\n") }
  ([ pgvector => $ENV{NANOVEC_PEER_BIN} ], [ nanovec => $ENV{NANOVEC_BIN} ]);

diag 'pgvector ' . $theirs->safe_psql('postgres', q{SELECT extversion FROM pg_extension WHERE extname = 'vector'});
like($ours->safe_psql('postgres', q{SELECT comment FROM pg_available_extensions WHERE name = 'vector'}),
	qr/nanovec/, 'one is nanovec');
unlike($theirs->safe_psql('postgres', q{SELECT comment FROM pg_available_extensions WHERE name = 'vector'}),
	qr/nanovec/, 'the other is not');

my $settings = q{
	SELECT '[1]'::vector;
	SELECT name, boot_val, min_val, max_val, vartype, context, enumvals FROM pg_settings
	WHERE name ~ '^(hnsw|ivfflat)[.]' ORDER BY name};
is($ours->safe_psql('postgres', $settings), $theirs->safe_psql('postgres', $settings), 'settings have the same defaults');

# ---- a database with everything ----

my %operator = (l2 => '<->', ip => '<#>', cosine => '<=>', l1 => '<+>', hamming => '<~>', jaccard => '<%>');
# table, index method, its options, column or expression, type, operator classes
my @indexed = (
	[ 'graphs', 'hnsw', 'm = 8, ef_construction = 40', 'v', 'vector', qw(l2 ip cosine l1) ],
	[ 'graphs', 'hnsw', 'm = 12', 'h', 'halfvec', qw(l2 ip cosine l1) ],
	[ 'graphs', 'hnsw', 'ef_construction = 80', 's', 'sparsevec', qw(l2 ip cosine l1) ],
	[ 'graphs', 'hnsw', 'm = 16', 'b', 'bit', qw(hamming jaccard) ],
	[ 'lists', 'ivfflat', 'lists = 10', 'v', 'vector', qw(l2 ip cosine) ],
	[ 'lists', 'ivfflat', 'lists = 5', 'h', 'halfvec', qw(l2 ip cosine) ],
	[ 'lists', 'ivfflat', 'lists = 7', 'b', 'bit', qw(hamming) ],
	[ 'graphs', 'hnsw', 'm = 10', '(v::halfvec(24))', 'halfvec', qw(l2) ],
	[ 'graphs', 'hnsw', 'm = 10', '(binary_quantize(v)::bit(24))', 'bit', qw(hamming) ],
	[ 'parts', 'hnsw', 'm = 10', 'v', 'vector', qw(cosine) ],
	[ 'parts', 'ivfflat', 'lists = 3', 'h', 'halfvec', qw(l2) ],
	[ 'newest', 'hnsw', 'm = 6', 'unit', 'vector', qw(ip) ]);

sub make_database
{
	my ($node, $database) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, q{
		CREATE EXTENSION vector;
		CREATE SCHEMA app;
		CREATE FUNCTION app.embed(i int, dims int) RETURNS vector IMMUTABLE PARALLEL SAFE LANGUAGE sql
			RETURN (SELECT array_agg((hashint4(i * 131 + d) % 2001)::real / 1000 ORDER BY d)::vector
				FROM generate_series(1, dims) d);
		CREATE DOMAIN app.color AS vector(3) DEFAULT '[0.5,0.5,0.5]' CHECK (VALUE <-> '[0,0,0]' <= 2);
		CREATE TYPE app.pair AS (first vector(3), second sparsevec);
		CREATE TABLE app.graphs (
			id int PRIMARY KEY,
			v vector(24) NOT NULL CHECK (vector_norm(v) > 0),
			h halfvec(24) CHECK (vector_dims(h) = 24),
			s sparsevec(24),
			b bit(24),
			color app.color,
			pair app.pair,
			several vector(2)[] DEFAULT ARRAY['[1,2]', '[3,4]']::vector(2)[],
			standard vector(3) DEFAULT '[1,2,3]'::vector * '[2,2,2]',
			long vector,
			half halfvec(24) GENERATED ALWAYS AS (v::halfvec(24)) STORED,
			unit vector(24) GENERATED ALWAYS AS (l2_normalize(v)) STORED,
			sparse sparsevec(24) GENERATED ALWAYS AS (v::sparsevec(24)) STORED,
			code bit(24) GENERATED ALWAYS AS (binary_quantize(v)::bit(24)) STORED,
			norm numeric GENERATED ALWAYS AS (round(vector_norm(v)::numeric, 6)) STORED);
		ALTER TABLE app.graphs ALTER long SET STORAGE EXTENDED;
		INSERT INTO app.graphs (id, v, h, s, b, pair, long)
			SELECT i, app.embed(i, 24), app.embed(-i, 24)::halfvec(24),
				(app.embed(i + 9000, 24) * mask)::sparsevec(24),
				binary_quantize(app.embed(i + 5000, 24))::bit(24),
				ROW(subvector(app.embed(i, 24), 1, 3), subvector(app.embed(i, 24), 4, 9)::sparsevec)::app.pair,
				CASE WHEN i % 50 = 0 THEN app.embed(i, 2500) END
			FROM generate_series(1, 700) i, LATERAL (SELECT array_agg((hashint4(i * 7 + d) % 3 = 0)::int
				ORDER BY d)::vector AS mask FROM generate_series(1, 24) d) m;
		CREATE TABLE app.lists AS SELECT id, v, h, b FROM app.graphs;
		ALTER TABLE app.lists ADD PRIMARY KEY (id);
		CREATE TABLE app.parts (id int, v vector(24), h halfvec(24)) PARTITION BY RANGE (id);
		CREATE TABLE app.parts_1 PARTITION OF app.parts FOR VALUES FROM (0) TO (300);
		CREATE TABLE app.parts_2 PARTITION OF app.parts FOR VALUES FROM (300) TO (1000);
		INSERT INTO app.parts SELECT id, v, h FROM app.graphs;
		CREATE MATERIALIZED VIEW app.newest AS SELECT id, unit FROM app.graphs WHERE id > 400;
		-- values at the edges, of no one size
		CREATE TABLE app.edges (id int GENERATED ALWAYS AS IDENTITY, v vector, h halfvec, s sparsevec, b varbit);
		INSERT INTO app.edges (v, h, s, b) VALUES
			('[0]', '[0]', '{}/1', ''),
			('[-0,1e-45,3.4028235e38]', '[-0,6e-8,65504]', '{1:-1,1000000000:1e-45}/1000000000', '1'),
			(app.embed(1, 16000), app.embed(2, 16000), app.embed(3, 16000), '0110'), (NULL, NULL, NULL, NULL);
		CREATE INDEX graphs_v ON app.graphs (v);
		CREATE UNIQUE INDEX graphs_h ON app.graphs (h, id);
		CREATE INDEX graphs_s ON app.graphs (s);
		CREATE INDEX graphs_part ON app.graphs USING hnsw (h halfvec_l2_ops) WHERE id % 2 = 0;
		CREATE INDEX graphs_sub ON app.graphs USING hnsw ((subvector(v, 1, 8)::vector(8)) vector_cosine_ops);
		CREATE VIEW app.nearest AS SELECT id, v <-> app.embed(77, 24) AS distance FROM app.graphs
			ORDER BY v <-> app.embed(77, 24) LIMIT 5;
		CREATE VIEW app.figures AS SELECT avg(v) AS average, sum(h) AS total,
			(SELECT v FROM app.graphs ORDER BY v DESC LIMIT 1) AS greatest,
			count(DISTINCT s) AS kinds, max(l2_norm(s)) AS longest FROM app.graphs;
		CREATE FUNCTION app.find(vector, int) RETURNS SETOF int STABLE LANGUAGE sql
			AS 'SELECT id FROM app.graphs ORDER BY v OPERATOR(public.<=>) $1 LIMIT $2';
		CREATE FUNCTION app.mix(a vector, b vector DEFAULT '[1,1,1]') RETURNS halfvec IMMUTABLE LANGUAGE plpgsql
			AS $$ BEGIN RETURN l2_normalize(a + b)::halfvec; END $$;
		CREATE AGGREGATE app.product(vector) (SFUNC = vector_mul, STYPE = vector);
	});
	foreach (@indexed)
	{
		my ($table, $method, $options, $column, $type, @metrics) = @$_;

		$node->safe_psql($database, join ';', map {
			"CREATE INDEX ON app.$table USING $method ($column ${type}_${_}_ops) WITH ($options)" } @metrics);
	}
}

# ---- what is asked of it ----

my $digest = join ' UNION ALL ', map { qq{
	SELECT '$_', count(*), md5(string_agg(row::text, ',' ORDER BY row::text)) FROM app.$_ AS row} }
  qw(graphs lists parts newest edges);
my $binary = q{
	SELECT md5(string_agg(concat_ws(' ', id, vector_send(v), halfvec_send(h), sparsevec_send(s), bit_send(b),
		vector_send(unit), sparsevec_send(sparse), code, vector_send(long)), ',' ORDER BY id)) FROM app.graphs};
my $definitions = q{
	SELECT indexdef FROM pg_indexes WHERE schemaname = 'app' ORDER BY indexdef COLLATE "C"};
my $others = q{
	SELECT id, round(distance::numeric, 4) FROM app.nearest;
	SELECT (SELECT string_agg(round(x::numeric, 3)::text, ' ') FROM unnest(average::real[]) x),
		greatest, kinds, round(longest::numeric, 4) FROM app.figures;
	SELECT array_agg(f) FROM app.find(app.embed(123, 24), 9) f;
	SELECT app.mix('[3,4,0]'), app.mix('[3,4,0]', '[1,0,0]');
	SELECT app.product(color::vector) FROM app.graphs WHERE id < 9;
	SELECT count(*) FROM app.graphs WHERE v = app.embed(5, 24);
	SELECT array_agg(id) FROM (SELECT id FROM app.graphs ORDER BY h DESC, id LIMIT 10) x;
	SELECT count(*) FROM app.graphs a JOIN app.lists l USING (v)};

# Two queries for each index.  Of 10 rows: ids and distances in exact order, and
# distances in the order that an index gives.
my (@exact_ids, @exact_distances, @searches);

foreach (@indexed)
{
	my ($table, $method, $options, $column, $type, @metrics) = @$_;

	foreach my $metric (@metrics)
	{
		foreach my $i (3, 1234)
		{
			my $value = $type eq 'bit' ? "binary_quantize(app.embed($i, 24))::bit(24)" : "app.embed($i, 24)::$type(24)";
			my $distance = "$column $operator{$metric} (SELECT $value)";
			my $name = "'$table $method $type $metric $i'";
			my $distances = "SELECT $name, array_agg(round(d::numeric, 3) ORDER BY d)";

			push @exact_ids, qq{SELECT $name, array_agg(id ORDER BY d, id) FROM
				(SELECT id, $distance AS d FROM app.$table ORDER BY ($distance) + 0, id LIMIT 10) x};
			push @exact_distances, qq{$distances FROM
				(SELECT $distance AS d FROM app.$table ORDER BY ($distance) + 0 LIMIT 10) x};
			push @searches, qq{$distances FROM
				(SELECT $distance AS d FROM app.$table ORDER BY $distance LIMIT 10) x};
		}
	}
}

# settings with which indexes find all
my $by_index = q{SET enable_seqscan = off; SET enable_sort = off; SET hnsw.ef_search = 1000; SET ivfflat.probes = 10;};

sub ask
{
	my ($node, $database, @sql) = @_;
	return $node->safe_psql($database, join(';', @sql));
}

# Is a database, moved from pgvector, what it was?
my %truth;

sub is_the_same
{
	my ($node, $database, $what) = @_;

	is(ask($node, $database, $digest), $truth{digest}, "$what: every value");
	is(ask($node, $database, $binary), $truth{binary}, "$what: to the bit");
	is(ask($node, $database, $definitions), $truth{definitions}, "$what: every index");
	is(ask($node, $database, $others), $truth{others}, "$what: views, functions, aggregates, joins");
	is(ask($node, $database, @exact_ids), $truth{ids}, "$what: exact searches");
	is(ask($node, $database, $by_index, @searches), $truth{distances}, "$what: searches by index");

	my @plans = split /\n(?=Aggregate)/, ask($node, $database, $by_index, map { "EXPLAIN (COSTS OFF) $_" } @searches);
	my @without = grep { !/Index Scan using/ } @plans;

	cmp_ok(scalar @plans, '>=', 50, "$what: so many searches");
	is("@without", '', "$what: each has an index");
}

make_database($theirs, 'app');
%truth = (
	digest => ask($theirs, 'app', $digest), binary => ask($theirs, 'app', $binary),
	definitions => ask($theirs, 'app', $definitions), others => ask($theirs, 'app', $others),
	ids => ask($theirs, 'app', @exact_ids), distances => ask($theirs, 'app', @exact_distances));
is_the_same($theirs, 'app', 'pgvector itself');

# ---- dumps ----

# pg_dump, restore into another server, and what a dump of that looks like
sub move
{
	my ($from, $from_database, $to, $to_database, $format) = @_;
	my $file = "$tmp/$to_database.$format";

	command_ok([ $from->installed_command('pg_dump'), '-F', $format, '-d', $from->connstr($from_database),
			'-f', $file ],
		"pg_dump of $from_database, format $format");
	$to->safe_psql('postgres', "CREATE DATABASE $to_database");
	command_ok([ $format eq 'plain'
			? ($to->installed_command('psql'), '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file)
			: ($to->installed_command('pg_restore'), '-e', $file),
			'-d', $to->connstr($to_database) ], "restored as $to_database");
}

sub dump_of
{
	my ($node, $database) = @_;
	my $dump = '';

	IPC::Run::run([ $node->installed_command('pg_dump'), '-d', $node->connstr($database) ], '>', \$dump) or die 'pg_dump failed';
	# not keys that are different in each dump, nor what the extension is
	return join "\n", grep { !/^\\(un)?restrict |^COMMENT ON EXTENSION/ } split /\n/, $dump;
}

foreach my $format (qw(plain custom))
{
	move($theirs, 'app', $ours, "from_pgvector_$format", $format);
	is_the_same($ours, "from_pgvector_$format", "pgvector to nanovec, $format");
	move($ours, "from_pgvector_$format", $theirs, "back_$format", $format);
	is_the_same($theirs, "back_$format", "and back, $format");
}
ok(dump_of($ours, 'from_pgvector_plain') eq dump_of($theirs, 'app'), 'both dump the same text');
make_database($ours, 'native');
is_the_same($ours, 'native', 'made by nanovec');
ok(dump_of($ours, 'native') eq dump_of($theirs, 'app'), 'what nanovec makes is dumped as what pgvector makes');
move($ours, 'native', $theirs, 'from_nanovec', 'custom');
is_the_same($theirs, 'from_nanovec', 'made by nanovec, with pgvector');

# ---- COPY BINARY ----

sub copy_binary
{
	my ($from, $from_database, $to, $to_database, $table, $columns, $what) = @_;
	my @file = ("$tmp/there.copy", "$tmp/back.copy");

	$from->safe_psql($from_database, "COPY (SELECT $columns FROM app.$table ORDER BY id) TO '$file[0]' (FORMAT binary)");
	$to->safe_psql($to_database, qq{
		CREATE TABLE copied AS SELECT $columns FROM app.$table LIMIT 0;
		COPY copied FROM '$file[0]' (FORMAT binary);
		COPY (SELECT $columns FROM copied ORDER BY id) TO '$file[1]' (FORMAT binary);
		DROP TABLE copied});
	ok(-s $file[0] > 500 && slurp_file($file[0]) eq slurp_file($file[1]), $what);
}

# not arrays and composite types, in which OIDs are
foreach ([ 'graphs', 'id, v, h, s, b, color, standard, long, unit' ], [ 'edges', 'id, v, h, s, b' ])
{
	copy_binary($theirs, 'app', $ours, 'native', @$_, "COPY BINARY of $$_[0] from pgvector to nanovec");
	copy_binary($ours, 'native', $theirs, 'app', @$_, "COPY BINARY of $$_[0] from nanovec to pgvector");
}

# ---- logical replication ----

# keyed is found by its key, whole by all its values
my $replicated = q{
	CREATE EXTENSION vector;
	CREATE TABLE keyed (id int PRIMARY KEY, v vector(24), h halfvec(24), s sparsevec(24), b bit(24), long vector,
		unit vector(24) GENERATED ALWAYS AS (l2_normalize(v)) STORED);
	CREATE TABLE whole (id int, v vector(24), h halfvec(24), s sparsevec(24));
	ALTER TABLE whole REPLICA IDENTITY FULL;
	CREATE INDEX ON keyed USING hnsw (v vector_l2_ops);
	CREATE INDEX ON keyed USING ivfflat (h halfvec_l2_ops) WITH (lists = 4);
	CREATE FUNCTION embed(i int, dims int) RETURNS vector LANGUAGE sql AS
		$$ SELECT array_agg((hashint4(i * 131 + d) % 2001)::real / 1000 ORDER BY d)::vector
		   FROM generate_series(1, dims) d $$;
	CREATE PROCEDURE fill(i int, j int) LANGUAGE sql AS $$
		INSERT INTO keyed SELECT i, embed(i, 24), embed(i, 24), embed(i, 24), binary_quantize(embed(i, 24)),
			CASE WHEN i % 40 = 0 THEN embed(i, 2500) END FROM generate_series(i, j) i;
		INSERT INTO whole SELECT i, embed(i, 24), embed(i, 24), embed(i, 24) FROM generate_series(i, j) i $$};
my $rows = q{
	SELECT count(*), md5(string_agg(concat_ws(' ', id, vector_send(v), halfvec_send(h), sparsevec_send(s), b,
		vector_send(long), vector_send(unit)), ',' ORDER BY id)) FROM keyed;
	SELECT count(*), md5(string_agg(concat_ws(' ', id, vector_send(v), halfvec_send(h), sparsevec_send(s)), ','
		ORDER BY id)) FROM whole;
	SET enable_seqscan = off; SET hnsw.ef_search = 1000;
	SELECT array_agg(id) FROM (SELECT id FROM keyed ORDER BY v <-> embed(7, 24) LIMIT 5) x};

sub replicate
{
	my ($from, $to, $binary) = @_;
	my $what = $from->name . ' to ' . $to->name . ', ' . ($binary ? 'binary' : 'text');
	my $name = 'replicated_' . ($binary ? 'binary' : 'text');

	$name .= '_back' if $from == $ours;
	$_->safe_psql('postgres', "CREATE DATABASE $name") foreach ($from, $to);
	$_->safe_psql($name, $replicated) foreach ($from, $to);
	$from->safe_psql($name, "CALL fill(1, 300); CREATE PUBLICATION $name FOR ALL TABLES");
	my $connection = $from->connstr($name) =~ s/'/''/gr;
	$to->safe_psql($name, "CREATE SUBSCRIPTION $name CONNECTION '$connection' PUBLICATION $name WITH (binary = "
		  . ($binary ? 'true' : 'false') . ')');
	$to->poll_query_until($name, q{SELECT bool_and(srsubstate IN ('r', 's')) FROM pg_subscription_rel})
	  or die 'no initial copy';
	is($to->safe_psql($name, $rows), $from->safe_psql($name, $rows), "replication from $what: initial copy");

	$from->safe_psql($name, q{
		CALL fill(301, 400);
		UPDATE keyed SET v = v + v, long = NULL WHERE id % 10 = 0;
		UPDATE keyed SET b = ~b WHERE id % 40 = 20;
		UPDATE keyed SET id = id + 1000 WHERE id % 80 = 0;
		DELETE FROM keyed WHERE id % 7 = 0;
		UPDATE whole SET h = v * v, s = v - '[1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]' WHERE id % 9 = 0;
		DELETE FROM whole WHERE id % 4 = 0});
	$from->wait_for_catchup($name);
	like($to->safe_psql($name, $rows), qr/^342\|.*\n300\|/, "replication from $what: so many rows");
	is($to->safe_psql($name, $rows), $from->safe_psql($name, $rows), "replication from $what: inserts, updates, deletes");
	$to->safe_psql($name, "DROP SUBSCRIPTION $name");
}

foreach my $binary (0, 1)
{
	replicate($theirs, $ours, $binary);
	replicate($ours, $theirs, $binary);
}

# ---- another library for the same data directory ----

# Databases of other versions of 0.8 have the same objects.
my $version = $theirs->safe_psql('app', q{SELECT extversion FROM pg_extension WHERE extname = 'vector'});
my @versions = qw(0.8.0 0.8.1 0.8.2 0.8.3 0.8.4 0.8.5 0.8.6);
my $numbers = q{
	SELECT 'type', typname, oid FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'b' UNION ALL
	SELECT 'function', proname, oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace UNION ALL
	SELECT 'operator', oprname, oid FROM pg_operator WHERE oprnamespace = 'public'::regnamespace UNION ALL
	SELECT 'class', opcname, oid FROM pg_opclass WHERE opcnamespace = 'public'::regnamespace UNION ALL
	SELECT 'method', amname, oid FROM pg_am ORDER BY 1, 2, 3};

# File names by the pg_config of a server
sub installed
{
	my ($node, $what) = @_;
	my $directory = `@{[ $node->installed_command('pg_config') ]} --$what`;

	chomp $directory;
	return ($directory,
		glob($what eq 'sharedir' ? "$directory/extension/vector{.control,--*.sql}" : "$directory/vector.so"));
}

sub replace_library
{
	foreach my $what (qw(sharedir pkglibdir))
	{
		my ($directory, @old) = installed($theirs, $what);
		my (undef, @new) = installed($ours, $what);

		$directory .= '/extension' if $what eq 'sharedir';
		unlink(@old);
		foreach my $file (@new)
		{
			copy($file, "$directory/" . basename($file)) or die "$file: $!";
		}
	}
}

sub update_extension
{
	my ($database) = @_;
	my $from = $theirs->safe_psql($database, q{SELECT extversion FROM pg_extension WHERE extname = 'vector'});

	$theirs->safe_psql($database, q{ALTER EXTENSION vector UPDATE TO 'nanovec'}) if $from eq $versions[-1];
	$theirs->safe_psql($database, 'ALTER EXTENSION vector UPDATE');
}

foreach (@versions)
{
	$theirs->safe_psql('postgres', qq{CREATE DATABASE "like_$_"});
	$theirs->safe_psql("like_$_", q{
		CREATE SCHEMA extensions;
		CREATE EXTENSION vector SCHEMA extensions;
		CREATE TABLE t (v extensions.vector(2));
		CREATE INDEX ON t USING hnsw (v extensions.vector_l2_ops)});
}
my %oids = map { $_ => 1 } split /\n/, $theirs->safe_psql('app', $numbers);

cmp_ok(scalar keys %oids, '>', 190, 'pgvector has objects');
$theirs->stop;
replace_library();
$theirs->start;
$theirs->safe_psql('postgres', 'CREATE DATABASE new; CREATE DATABASE old TEMPLATE app');
$theirs->safe_psql('new', 'CREATE EXTENSION vector');

# What is done before the update fails, but does no harm.
sub errors
{
	my ($database, @sql) = @_;
	my $err;

	$theirs->psql($database, "\\set VERBOSITY verbose\n" . join(";\n", $by_index, @sql),
		on_error_stop => 0, stderr => \$err);
	return $err;
}

my @attempts = (q{SELECT id FROM app.graphs ORDER BY v <-> (SELECT v FROM app.graphs WHERE id = 3) LIMIT 5},
	q{SELECT id FROM app.lists ORDER BY h <-> (SELECT h FROM app.graphs WHERE id = 3) LIMIT 5},
	q{SELECT id FROM app.graphs ORDER BY s <-> (SELECT s FROM app.graphs WHERE id = 3) LIMIT 5},
	q{INSERT INTO app.parts SELECT 5, v FROM app.graphs WHERE id = 3},
	q{INSERT INTO app.lists SELECT id + 10000, v FROM app.graphs},
	q{DELETE FROM app.lists WHERE id = 7}, q{VACUUM (INDEX_CLEANUP on) app.lists});
my $early = errors('old', @attempts, 'REINDEX INDEX app.graphs_v_idx', 'REINDEX TABLE app.graphs',
	'REINDEX TABLE app.lists');
unlike($early, qr/server closed the connection/, 'before the update nothing crashes');
like($early, qr/operator class of index "graphs_v_idx" is pgvector's\nHINT:  ALTER EXTENSION vector UPDATE/,
	'and REINDEX says what to do');

update_extension('app');
is_deeply([ surface_of($theirs, 'app') ], [ surface_of($theirs, 'new') ],
	"updated from $version: the objects of a new installation");
is_deeply([ catalog_of($theirs, 'app') ], [ catalog_of($theirs, 'new') ], 'and the same in all that catalogs say of them');
like($theirs->safe_psql('app', q{SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'vector'}),
	qr/nanovec/, 'and the comment');
is_deeply([ sort grep { $oids{$_} } split /\n/, $theirs->safe_psql('app', $numbers) ], [ sort keys %oids ], 'OIDs stay');
is(ask($theirs, 'app', $binary), $truth{binary}, 'every value is read, to the bit');
is(ask($theirs, 'app', @exact_ids), $truth{ids}, 'exact searches need no index');

my $late = errors('app', @attempts);
my @refused = $late =~ /ERROR:  (55000: index "\w+" was made by pgvector)/g;
my @errors = $late =~ /ERROR:  (.*)/g;

is(scalar @refused, 6, 'indexes made by pgvector are refused');
is(scalar @errors, 6, 'and nothing else');
like($late, qr/HINT:  Rebuild it with REINDEX INDEX app.graphs_v_idx/, 'with a hint');
unlike($late, qr/server closed the connection/, 'nothing crashes');

my ($reindex) = slurp_file(source_file('docs/pgvector.md')) =~ /^\s*(SELECT format\('REINDEX.*?\\gexec)$/ms;
$theirs->safe_psql('app', "$reindex\n");
is($theirs->safe_psql('app', q{
	SELECT c.relname, problem FROM pg_class c JOIN pg_am a ON a.oid = c.relam, LATERAL nanovec_index_check(c.oid)
	WHERE a.amname IN ('hnsw', 'ivfflat') AND c.relkind = 'i'}), '', 'indexes are sound after REINDEX');
is($theirs->safe_psql('app', q{SELECT id FROM app.lists WHERE id = 7}), '', 'what was deleted is gone');
$theirs->safe_psql('app', q{INSERT INTO app.lists SELECT id, v, h, b FROM app.graphs WHERE id = 7});
is_the_same($theirs, 'app', 'updated in place');
is($theirs->safe_psql('app', $by_index . q{
	INSERT INTO app.graphs (id, v) VALUES (5000, array_fill(9, ARRAY[24])::vector);
	SELECT id FROM app.graphs ORDER BY v <-> array_fill(9, ARRAY[24])::vector(24) LIMIT 1}), 5000, 'rows are added');

foreach (@versions)
{
	my $database = "like_$_";

	$theirs->safe_psql($database, "UPDATE pg_extension SET extversion = '$_' WHERE extname = 'vector'");
	update_extension($database);
	$theirs->safe_psql($database, 'ALTER EXTENSION vector SET SCHEMA public; REINDEX TABLE t');
	is_deeply([ catalog_of($theirs, $database) ], [ catalog_of($theirs, 'new') ], "updated from $_, in a schema");
	is($theirs->safe_psql($database, 'SELECT extversion FROM pg_extension WHERE extname = $$vector$$'), $versions[-1],
		'it has the new version');
}
my $again;
$theirs->psql('new', q{ALTER EXTENSION vector UPDATE TO 'nanovec'}, stderr => \$again);
like($again, qr/type "sq8vec" already exists/, 'what is nanovec is not made nanovec');
is_deeply([ catalog_of($theirs, 'app') ], [ catalog_of($theirs, 'new') ], 'and stays as it is');

unlike(slurp_file($_->logfile), qr/terminated by signal|PANIC/, $_->name . ': nothing crashed')
  foreach ($ours, $theirs);
$ours->stop;
$theirs->stop;
done_testing();
