# Indexes on a standby, and after crashes in the middle of everything.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', allows_streaming => 1);
$primary->append_conf('postgresql.conf', "autovacuum = off\nmax_wal_size = 1GB\nwal_keep_size = 4GB\n");
$primary->start;
$primary->safe_psql('postgres', q{
	CREATE EXTENSION nanovec;
	CREATE FUNCTION a_vector(i int) RETURNS vector LANGUAGE sql IMMUTABLE AS
		$$ SELECT array_agg((hashint4(i * 64 + d) % 1000) / 1000.0 + (hashint4(d - i % 20 * 64) % 1000) / 300.0)::vector
		   FROM generate_series(1, 32) d $$;
	CREATE TABLE items (id int PRIMARY KEY, embedding vector(32), long vector(2500));
	INSERT INTO items SELECT i, a_vector(i) FROM generate_series(1, 3000) i;
	UPDATE items SET long = (SELECT array_agg(x)::vector FROM
		(SELECT unnest(embedding::real[]) x FROM generate_series(1, 79) LIMIT 2500) s) WHERE id <= 100;
	CREATE INDEX items_x ON items USING hnsw (embedding vector_l2_ops, id);
	CREATE INDEX long_x ON items USING hnsw (long vector_cosine_ops) WITH (storage = float4);
	-- the same rows, in lists
	CREATE TABLE listed (LIKE items);
	INSERT INTO listed SELECT * FROM items;
	CREATE INDEX listed_x ON listed USING ivf (embedding vector_l2_ops, id) WITH (lists = 30);
	CREATE INDEX long_listed_x ON listed USING ivfflat (long vector_cosine_ops, id) WITH (lists = 4);
	-- and with many vectors a row, of which some are the same
	CREATE FUNCTION some_vectors(i int) RETURNS vector[] LANGUAGE sql IMMUTABLE AS
		$$ SELECT array_agg(a_vector(i + n % 3 * 1000)) FROM generate_series(1, 1 + i % 6) n $$;
	CREATE TABLE many (id int PRIMARY KEY, embedding vector(32)[]);
	INSERT INTO many SELECT id, some_vectors(id) FROM items WHERE id <= 1000;
	CREATE INDEX many_x ON many USING hnsw (embedding vector_maxsim_ops, id);
	CREATE FUNCTION copy_items() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF TG_OP <> 'INSERT' THEN
			DELETE FROM listed WHERE id = OLD.id;
			DELETE FROM many WHERE id = OLD.id;
		END IF;
		IF TG_OP <> 'DELETE' THEN
			INSERT INTO listed SELECT NEW.*;
			INSERT INTO many SELECT NEW.id, some_vectors(NEW.id) WHERE NEW.id % 4 = 0;
		END IF;
		RETURN NULL;
	END $$;
	CREATE INDEX ON listed (id);
	CREATE TRIGGER copy_items AFTER INSERT OR UPDATE OR DELETE ON items
		FOR EACH ROW EXECUTE FUNCTION copy_items();
});

# What the index answers, and what is true: the part of the 10 nearest of 20
# vectors that it finds.
my $settings = 'SET enable_seqscan = off; SET hnsw.ef_search = 60; SET jit = off;';
my $answers = $settings . join(';', map { qq{
	SELECT q, array_agg(id ORDER BY d) FROM generate_series(10001, 10020) q,
		LATERAL (SELECT id, embedding <-> a_vector(q) AS d FROM $_ ORDER BY 2 LIMIT 10) n GROUP BY q ORDER BY q} }
	  qw(items listed)) . q{;
	-- by a condition that the index has, which few rows match, and by one that many do
	SELECT q, least, array_agg(id ORDER BY d) FROM generate_series(10001, 10020) q, unnest(ARRAY[500, 2900]) least,
		LATERAL (SELECT id, embedding <-> a_vector(q) AS d FROM items WHERE id BETWEEN least AND 3000 ORDER BY 2 LIMIT 10) n
	GROUP BY q, least ORDER BY q, least;
	SELECT q, least, array_agg(id ORDER BY d) FROM generate_series(10001, 10020) q, unnest(ARRAY[0, 500]) least,
		LATERAL (SELECT id, embedding @# some_vectors(q) AS d FROM many WHERE id >= least ORDER BY 2 LIMIT 10) n
	GROUP BY q, least ORDER BY q, least};
my $recall = qq{
	$settings
	SELECT least((SELECT count(*) FROM generate_series(10001, 10020) q,
		LATERAL (SELECT id FROM items ORDER BY embedding <-> a_vector(q) LIMIT 10) n,
		LATERAL (SELECT array_agg(id) AS ids FROM
			(SELECT id FROM items ORDER BY (embedding <-> a_vector(q)) + 0 LIMIT 10) e) e
	WHERE n.id = ANY (e.ids)), (SELECT count(*) FROM generate_series(10001, 10020) q,
		LATERAL (SELECT id FROM listed ORDER BY embedding <-> a_vector(q) LIMIT 10) n,
		LATERAL (SELECT array_agg(id) AS ids FROM
			(SELECT id FROM items ORDER BY (embedding <-> a_vector(q)) + 0 LIMIT 10) e) e
	WHERE n.id = ANY (e.ids)), (SELECT count(*) FROM generate_series(10001, 10020) q,
		LATERAL (SELECT id FROM many ORDER BY embedding @# some_vectors(q) LIMIT 10) n,
		LATERAL (SELECT array_agg(id) AS ids FROM
			(SELECT id FROM many ORDER BY (embedding @# some_vectors(q)) + 0 LIMIT 10) e) e
	WHERE n.id = ANY (e.ids))) / 200.0};
my $check = join(' UNION ALL ', map { "SELECT problem FROM nanovec_index_check('$_')" }
	  qw(items_x long_x listed_x long_listed_x many_x));

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub compare_with_standby
{
	my ($what) = @_;

	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	is($standby->safe_psql('postgres', $answers), $primary->safe_psql('postgres', $answers),
		"the standby answers as the primary: $what");
	is($primary->safe_psql('postgres', $check), '', "the index is sound: $what");
	cmp_ok($primary->safe_psql('postgres', $recall), '>', 0.95, "recall: $what");
}

compare_with_standby('after the build');
$primary->safe_psql('postgres', q{
	INSERT INTO items SELECT i, a_vector(i) FROM generate_series(3001, 4000) i;
	UPDATE items SET long = (SELECT array_agg(x)::vector FROM
		(SELECT unnest(embedding::real[]) x FROM generate_series(1, 79) LIMIT 2500) s) WHERE id BETWEEN 3001 AND 3050});
compare_with_standby('after inserts');
$primary->safe_psql('postgres', q{DELETE FROM items WHERE id % 3 = 0});
$primary->safe_psql('postgres', 'VACUUM items, listed, many');
compare_with_standby('after vacuum');
$primary->safe_psql('postgres', q{INSERT INTO items SELECT i, a_vector(i) FROM generate_series(4001, 5000) i});
compare_with_standby('after inserts into freed places');

# A crash in the middle of inserts and vacuum, a few times.
my $id = 20000;
foreach my $round (1 .. 3)
{
	my @sessions;

	foreach my $session (1 .. 2)
	{
		my ($from, $to) = ($id + 1, $id + 100_000);

		$id = $to;
		push @sessions, IPC::Run::start(
			[ 'psql', '-X', '-q', '-d', $primary->connstr('postgres'), '-c',
				"DO \$\$ BEGIN FOR i IN $from .. $to LOOP INSERT INTO items VALUES (i, a_vector(i)); COMMIT; END LOOP; END \$\$" ],
			'>', '/dev/null', '2>', '/dev/null');
	}
	$primary->safe_psql('postgres', "DELETE FROM items WHERE id % 7 = $round");
	push @sessions, IPC::Run::start(
		[ 'psql', '-X', '-q', '-d', $primary->connstr('postgres'), '-c', 'VACUUM items, listed, many' ],
		'>', '/dev/null', '2>', '/dev/null');
	select undef, undef, undef, 0.2 + 0.3 * $round;
	$primary->stop('immediate');
	$_->finish foreach @sessions;
	$primary->start;

	# an insert that the crash cut off may have left a node that nothing leads to
	my @problems = grep { !/cannot be reached/ } split /\n/, $primary->safe_psql('postgres', $check);
	is_deeply(\@problems, [], "sound after crash $round");
	$primary->safe_psql('postgres', 'VACUUM items, listed, many');
	is($primary->safe_psql('postgres', $check), '', "and vacuum leaves nothing behind, $round");
	cmp_ok($primary->safe_psql('postgres', $recall), '>', 0.95, "recall after crash $round");
}

# The standby's copy, as a server of its own
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$standby->promote;
$standby->safe_psql('postgres', q{INSERT INTO items SELECT i, a_vector(i) FROM generate_series(900001, 900200) i});
is($standby->safe_psql('postgres', $check), '', 'the promoted standby is sound');

unlike(slurp_file($_->logfile), qr/terminated by signal|PANIC/, $_->name . ': nothing crashed by itself')
  foreach ($primary, $standby);
$standby->stop;
$primary->stop;
done_testing();
