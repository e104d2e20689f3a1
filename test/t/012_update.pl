# Every version that can be installed, updated, is what a new installation is,
# and what was made with it still works.

use strict;
use warnings;

use NanovecTest;
use Test::More;

my $node = start_node('update');
my $current = $node->safe_psql('postgres',
	q{SELECT default_version FROM pg_available_extensions WHERE name = 'nanovec'});
my @versions = split /\n/, $node->safe_psql('postgres',
	q{SELECT version FROM pg_available_extension_versions WHERE name = 'nanovec' ORDER BY 1});
my $answers = q{
	SELECT md5(string_agg(concat_ws(' ', id, v, h, s, q), ',' ORDER BY id)) FROM items;
	SELECT relname, problem FROM pg_class c JOIN pg_am a ON a.oid = relam,
		LATERAL nanovec_index_check(c.oid) WHERE amname IN ('hnsw', 'ivf', 'ivfflat');
	SET enable_seqscan = off;
	SET ivf.probes = 5;
	SET ivfflat.probes = 5;
	SELECT * FROM nearest;
	SELECT (SELECT array_agg(id) FROM (SELECT id FROM items ORDER BY h <=> '[1,2,3,4]' LIMIT 5) x),
		(SELECT array_agg(id) FROM (SELECT id FROM items ORDER BY q <-> '[1,2,3,4]' LIMIT 5) x),
		(SELECT array_agg(id) FROM (SELECT id FROM items ORDER BY s <#> '{1:1}/4' LIMIT 5) x)};

ok((grep { $_ eq $current } @versions), "version $current can be installed");
foreach my $version (@versions)
{
	my $database = "from_$version";

	$node->safe_psql('postgres', qq{CREATE DATABASE "$database"});
	$node->safe_psql($database, qq{
		CREATE EXTENSION nanovec VERSION '$version';
		CREATE TABLE items (id int PRIMARY KEY, v vector(4), h halfvec(4), s sparsevec(4), q sq8vec(4));
		INSERT INTO items SELECT i, v, v, v, v::sq8vec FROM generate_series(1, 500) i,
			LATERAL (SELECT array_agg(sin(i * d) ORDER BY d)::vector AS v FROM generate_series(1, 4) d) e;
		CREATE INDEX ON items USING hnsw (v vector_l2_ops);
		CREATE INDEX ON items USING ivfflat (h halfvec_cosine_ops) WITH (lists = 5);
		CREATE INDEX ON items USING ivf (q sq8vec_l2_ops) WITH (lists = 5);
		CREATE INDEX ON items USING hnsw (s sparsevec_ip_ops);
		CREATE INDEX ON items (v);
		CREATE VIEW nearest AS SELECT id FROM items ORDER BY v <-> '[1,2,3,4]' LIMIT 5});
	my $before = $node->safe_psql($database, $answers);

	$node->safe_psql($database, 'ALTER EXTENSION nanovec UPDATE');
	is($node->safe_psql($database, q{SELECT extversion FROM pg_extension WHERE extname = 'nanovec'}),
		$current, "from $version: it is now $current");
	is_deeply([ surface_of($node, $database) ], [ surface_of($node, 'postgres') ],
		"from $version: the objects of a new installation");
	is_deeply([ catalog_of($node, $database) ], [ catalog_of($node, 'postgres') ],
		"from $version: and the same in all that catalogs say of them");
	is($node->safe_psql($database, $answers), $before, "from $version: tables and indexes answer as before");
	is($node->safe_psql($database, q{
		INSERT INTO items VALUES (1001, '[9,9,9,9]', '[9,9,9,9]', '{1:9}/4', '[9,9,9,9]'::vector::sq8vec);
		SET enable_seqscan = off;
		SELECT id FROM items ORDER BY v <-> '[9,9,9,9]' LIMIT 1}), '1001', "from $version: rows are added");
}

$node->stop;
done_testing();
