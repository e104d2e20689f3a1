# What the TAP tests share.

package NanovecTest;

use strict;
use warnings;

use Exporter 'import';
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_node source_file build_helper surface_of catalog_of);

# A running server with nanovec in its database postgres.  Options are those of
# PostgreSQL::Test::Cluster->new and init, and extension (default: nanovec) and
# conf (lines of postgresql.conf).
sub start_node
{
	my ($name, %options) = @_;
	my $extension = delete $options{extension} // 'nanovec';
	my $conf = delete $options{conf} // '';
	my $node = PostgreSQL::Test::Cluster->new($name, %options);

	$node->init(%options);
	$node->append_conf('postgresql.conf', "fsync = off\n$conf\n");
	$node->start;
	$node->safe_psql('postgres', "CREATE EXTENSION $extension");
	return $node;
}

# What objects the extension in a database has, and all that catalogs say of
# them: see test/compat.
sub surface_of
{
	my ($node, $database) = @_;
	return split /\n/, $node->safe_psql($database, slurp_file(source_file('test/compat/surface.sql')));
}

sub catalog_of
{
	my ($node, $database) = @_;
	return split /\n/, $node->safe_psql($database, slurp_file(source_file('test/compat/catalog.sql')));
}

# A file of the source tree.
sub source_file
{
	my ($name) = @_;
	return "$ENV{NANOVEC_SRC}/$name";
}

# Compile NAME.c (relative to test/lib), which uses libpq; returns the program's path.
sub build_helper
{
	my ($name, @flags) = @_;
	my $program = "$PostgreSQL::Test::Utils::tmp_check/" . basename($name);
	my ($incdir, $libdir) = map { my $x = `$ENV{NANOVEC_PG_CONFIG} --$_`; chomp $x; $x }
	  qw(includedir libdir);

	system_or_bail('gcc', '-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', "-I$incdir",
		source_file("test/lib/$name.c"), '-o', $program, "-L$libdir", '-lpq', @flags);
	return $program;
}

1;
