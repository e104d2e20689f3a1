# lib-private-apt.sh -- get packages of another Debian suite, without touching
# the machine's own apt.  To be sourced by a bash script (set -euo pipefail).
#
# Every suite gets a directory of its own under $peers_cache/apt/SUITE: source
# list, package lists, cache and an empty dpkg status.  Nothing is installed and
# nothing outside that directory is written.  The mirror is the one the machine
# itself uses for its own Debian release, whatever that is.
#
#   private_apt_update SUITE         fetch the suite's package lists (once a day;
#                                    PRIVATE_APT_MAX_AGE minutes to change that)
#   private_apt SUITE TOOL ARGS...   run apt-get or apt-cache on that suite
#   private_apt_dir SUITE            print the directory of the suite
#
# With private_apt_arch=ARCH all of that is for packages of another architecture.

peers_cache=${XDG_CACHE_HOME:-$HOME/.cache}/nanovec-peers

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

need()
{
	local tool
	for tool; do
		command -v "$tool" >/dev/null || die "needs the command '$tool'"
	done
}

# The URI this machine gets its Debian release from, asked of apt itself, so
# both forms of source list (sources.list and *.sources) are understood.
private_apt_mirror()
{
	local codename uri

	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	[ -n "$codename" ] || die "no release codename in os-release: not a Debian machine?"
	uri=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		awk -v c="$codename" '$1 == c && !seen++ { print $2 }')
	[ -n "$uri" ] || die "apt has no source for the suite $codename"
	echo "$uri"
}

private_apt_dir()
{
	echo "$peers_cache/apt/$1${private_apt_arch:+-$private_apt_arch}"
}

private_apt_setup()
{
	local suite=$1 dir keyring mirror
	mirror=$(private_apt_mirror) || exit 1
	dir=$(private_apt_dir "$suite")
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -r "$keyring" ] || die "needs the package debian-archive-keyring"

	mkdir -p "$dir"/{state/lists/partial,cache/archives/partial,sources.list.d,preferences.d}
	: >>"$dir/status"
	: >>"$dir/sources.list"
	: >>"$dir/preferences"
	cat >"$dir/sources.list.d/$suite.sources" <<-END
		Types: deb deb-src
		URIs: $mirror
		Suites: $suite
		Components: main
		Signed-By: $keyring
	END

	# Read after the machine's own configuration, of which only the transport
	# (proxies, credentials) is wanted: no hooks, no sandbox user that could
	# not write here, no translations.
	cat >"$dir/apt.conf" <<-END
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear DPkg::Pre-Invoke;
		#clear DPkg::Post-Invoke;
		APT::Sandbox::User "root";
		APT::Get::List-Cleanup "false";
		APT::Default-Release "";
		Acquire::Languages "none";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
		Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
		Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
		Acquire::IndexTargets::deb::DEP-11-icons-hidpi::DefaultEnabled "false";
		Dir::State "$dir/state";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "$dir/sources.list.d";
		Dir::Etc::preferences "$dir/preferences";
		Dir::Etc::preferencesparts "$dir/preferences.d";
	END
	if [ -n "${private_apt_arch:-}" ]; then
		cat >>"$dir/apt.conf" <<-END
			#clear APT::Architectures;
			APT::Architecture "$private_apt_arch";
			APT::Architectures { "$private_apt_arch"; };
		END
	fi
}

private_apt()
{
	local suite=$1 tool=$2
	shift 2
	"$tool" -q --config-file="$(private_apt_dir "$suite")/apt.conf" "$@"
}

private_apt_update()
{
	local suite=$1 dir stamp
	dir=$(private_apt_dir "$suite")
	stamp=$dir/updated
	if [ -z "$(find "$stamp" -mmin "-${PRIVATE_APT_MAX_AGE:-1440}" 2>/dev/null)" ]; then
		private_apt_setup "$suite"
		private_apt "$suite" apt-get -o APT::Update::Error-Mode=any update >&2 || return 1
		touch "$stamp"
	fi
}
