# Searches are counted for each index, by all sessions, where the library is preloaded.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('statistics', conf => "shared_preload_libraries = 'nanovec'");

sub value
{
	return $node->safe_psql('postgres', $_[0]);
}

# a session of its own each time
sub search
{
	my ($index_operator, $times) = @_;

	return value(qq{SET enable_seqscan = off;
		SELECT count(*) FROM generate_series(1, $times) AS q, LATERAL (SELECT id FROM items
			ORDER BY v $index_operator array_fill(q, ARRAY[8])::vector LIMIT 10) AS s});
}

value(q{
	CREATE TABLE items (id int, v vector(8));
	INSERT INTO items SELECT i, array(SELECT sin(i * j) FROM generate_series(1, 8) AS j)::vector FROM generate_series(1, 2000) AS i;
	CREATE INDEX by_graph ON items USING hnsw (v vector_l2_ops);
	CREATE INDEX by_lists ON items USING ivf (v vector_cosine_ops) WITH (lists = 10);
	ANALYZE items;
});
is(value('SELECT count(*) FROM nanovec_index_stats()'), 0, 'nothing is counted before a search');
search('<->', 20);
search('<->', 5);
search('<=>', 3);
is(value(q{SELECT string_agg(concat_ws(' ', index, searches, returned >= 10 * searches, visited >= returned,
		rounds >= searches, visited_p50 BETWEEN 10 AND visited_p95, visited_p95 <= 4096, ms > 0, last_search > since), ', '
		ORDER BY index::text) FROM nanovec_index_stats()}),
	'by_graph 25 t t t t t t t, by_lists 3 t t t t t t t', 'searches of all sessions are counted');

value('CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION nanovec');
is($node->safe_psql('other', 'SELECT count(*) FROM nanovec_index_stats()'), 0, 'those of other databases are not shown');

value(q{SELECT nanovec_index_stats_reset('by_graph')});
is(value(q{SELECT string_agg(concat_ws(' ', index, searches, visited_p50, last_search IS NULL), ', ' ORDER BY index::text) FROM nanovec_index_stats()}),
	'by_graph 0 t, by_lists 3 ' . value(q{SELECT visited_p50 FROM nanovec_index_stats() WHERE searches = 3}) . ' f',
	'the counts of one index begin anew');
value(q{CREATE ROLE reader; GRANT SELECT ON items TO reader});
foreach my $argument ('', "'by_graph'")
{
	my ($status, $out, $error) = $node->psql('postgres', "SET ROLE reader; SELECT nanovec_index_stats_reset($argument)");

	like($error, qr/permission denied to reset statistics/, 'not by others');
}
my (undef, undef, $error) = $node->psql('postgres', 'SELECT nanovec_index_stats_reset(1)');
like($error, qr/relation with OID 1 does not exist/, 'nor of what is no relation');
value('SELECT nanovec_index_stats_reset()');
is(value('SELECT sum(searches) FROM nanovec_index_stats()'), 0, 'those of all begin anew');

# more indexes than there is room for
value(q{DO $$ BEGIN FOR i IN 1 .. 1100 LOOP
	EXECUTE format('CREATE TABLE t%s (v vector(2))', i);
	EXECUTE format('CREATE INDEX i%s ON t%s USING hnsw (v vector_l2_ops)', i, i);
	SET LOCAL enable_seqscan = off;
	EXECUTE format('SELECT v FROM t%s ORDER BY v <-> %L LIMIT 1', i, '[1,2]');
	IF i % 100 = 0 THEN COMMIT; END IF;
END LOOP; END $$});
search('<->', 1);
is(value(q{SELECT concat_ws(' ', count(*) BETWEEN 800 AND 1024, max(searches) FILTER (WHERE index = 'by_graph'::regclass)) FROM nanovec_index_stats()}),
	't 1', 'those that were not searched for longest make room');
value('DROP INDEX by_graph');
is(value(q{SELECT count(*) FROM nanovec_index_stats() WHERE index::text IN ('by_graph', 'by_lists') OR index::text !~ '^i'}), 1,
	'an index that was dropped is not shown');
$node->stop;
done_testing();
