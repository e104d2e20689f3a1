# Installing as a plain user, beside objects of somebody hostile, and elsewhere.

use strict;
use warnings;

use NanovecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('install');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE plain LOGIN;
	CREATE ROLE hostile LOGIN;
	CREATE DATABASE d});
$node->safe_psql('d', q{
	GRANT CREATE ON DATABASE d TO plain;
	CREATE SCHEMA s AUTHORIZATION plain;
	CREATE SCHEMA other;
	GRANT ALL ON SCHEMA s, other, public TO hostile});

# What is looked up while the script runs: functions, operators, types, families
my $hostile = q{
	CREATE FUNCTION %1$s.caught() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'the hostile one was called'; END $$;
	CREATE FUNCTION %1$s.int4(text) RETURNS int LANGUAGE sql AS $$ SELECT %1$s.caught(); SELECT 1 $$;
	CREATE FUNCTION %1$s.nanovec_kmeans(regclass, name, int) RETURNS text LANGUAGE sql AS
		$$ SELECT %1$s.caught(); SELECT '' $$;
	CREATE FUNCTION %1$s.nanovec_kmeans(anyelement, anyelement, int, int, bigint, boolean) RETURNS text LANGUAGE sql AS
		$$ SELECT %1$s.caught(); SELECT '' $$;
	CREATE FUNCTION %1$s.minus(text, text) RETURNS text LANGUAGE sql AS $$ SELECT %1$s.caught(); SELECT '' $$;
	CREATE OPERATOR %1$s.- (LEFTARG = text, RIGHTARG = text, FUNCTION = %1$s.minus);
	CREATE DOMAIN %1$s.regclass AS text;
	CREATE DOMAIN %1$s.float8 AS text;
	CREATE DOMAIN %1$s.name AS int;
};

$node->safe_psql('d', sprintf($hostile, $_), extra_params => [ '-U', 'hostile' ]) foreach qw(s other);

my ($out, $err);
is($node->psql('d', 'CREATE EXTENSION nanovec SCHEMA s', extra_params => [ '-U', 'plain' ], stderr => \$err), 0,
	'a plain user installs the extension');
diag $err if $err;

# what members of the extension need: each other, and what PostgreSQL has
my $members = q{SELECT classid, objid FROM pg_depend JOIN pg_extension AS e ON e.oid = refobjid
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND extname = 'nanovec'};
my $outside = qq{
	SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) || ': ' || pg_describe_object(refclassid, refobjid, 0)
	FROM pg_depend AS d WHERE (d.classid, d.objid) IN ($members) AND d.deptype <> 'e'
		AND (refclassid, refobjid) NOT IN ($members) AND refobjid >= 16384
		AND refclassid <> 'pg_namespace'::regclass
		AND refobjid NOT IN (SELECT typarray FROM pg_type WHERE ('pg_type'::regclass, oid) IN ($members))
	ORDER BY 1};
cmp_ok($node->safe_psql('d', "SELECT count(*) FROM ($members) AS m"), '>', 100, 'it has members');
is($node->safe_psql('d', $outside), '', 'none of which needs anything else');
is($node->safe_psql('d', qq{SELECT count(*) FROM pg_proc WHERE ('pg_proc'::regclass, oid) IN ($members) AND prokind <> 'a' AND
	(prosecdef OR proconfig IS NOT NULL OR prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c') AND prosqlbody IS NULL)}),
	0, 'and none of which runs as somebody else, or looks names up later');

my $use = q{
	SET search_path = %s;
	DROP TABLE IF EXISTS public.t;
	CREATE TABLE public.t (id int, v %2$s.vector(3));
	INSERT INTO public.t SELECT i, ARRAY[i, 1, 2]::real[]::%2$s.vector FROM generate_series(1, 50) AS i;
	CREATE INDEX ON public.t USING hnsw (v %2$s.vector_l2_ops);
	CREATE INDEX ON public.t USING ivf (v %2$s.vector_l2_ops) WITH (lists = 2);
	SET enable_seqscan = off;
	SELECT id FROM public.t ORDER BY v OPERATOR(%2$s.<->) '[20.2,1,2]' LIMIT 3;
	SELECT %2$s.nanovec_kmeans('public.t'::text, 'v'::pg_catalog.name, 1, 25, 0::bigint, false);
	SELECT count(*) FROM %2$s.nanovec_index_check('public.t_v_idx'::pg_catalog.regclass);
};
my $answer = "20\n21\n19\n{\"[25.5,1,2]\"}\n0";
is($node->safe_psql('d', sprintf($use, 's, public, other', 's')), $answer, 'it works there');
is($node->safe_psql('d', sprintf($use, 'other, pg_catalog, s', 's')), $answer,
	'and with hostile objects before those of PostgreSQL');
$node->safe_psql('d', 'DROP TABLE public.t; CREATE SCHEMA elsewhere; ALTER EXTENSION nanovec SET SCHEMA elsewhere');
is($node->safe_psql('d', sprintf($use, 's, other, pg_catalog', 'elsewhere')), $answer, 'it can be moved');

# a function of the same name and arguments makes installing fail; it is not taken over
$node->safe_psql('d', 'DROP EXTENSION nanovec CASCADE; CREATE SCHEMA taken; GRANT ALL ON SCHEMA taken TO hostile');
$node->safe_psql('d', q{CREATE FUNCTION taken.nanovec_simd() RETURNS int LANGUAGE sql AS 'SELECT 1'},
	extra_params => [ '-U', 'hostile' ]);
isnt($node->psql('d', 'CREATE EXTENSION nanovec SCHEMA taken', stderr => \$err), 0,
	'what is there already is not taken over');
like($err, qr/function "nanovec_simd" already exists/, 'and that is said');
is($node->psql('d', 'CREATE EXTENSION nanovec', stderr => \$err), 0, 'elsewhere it goes on');

$node->stop;
done_testing();
