#!/usr/bin/env bash
# Run the tests with another PostgreSQL, in a small Debian that has it.
#
#   test/lib/other_pg.sh MAJOR check [SUITE [TEST ...] ...]
#       suites as run.sh has them; without any, those of make check but for
#       clients and python, whose packages would be installed from the network in there, too
#   test/lib/other_pg.sh MAJOR upgrade
#       pg_upgrade from version 15 to MAJOR: see upgrade.sh
#
# Environment:
#   ARCH=i386      in a 32-bit Debian, whose programs an x86-64 kernel runs as they are
#
# Needs root.  The Debian is below the cache directory (about 2 GB), made once
# from the machine's own package source with another suite name; remove it to
# have it made anew.  All mounts are in a mount namespace of this script, so
# nothing stays mounted, however it ends.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$top/tools/lib-private-apt.sh"

# where pg_upgrade starts, and the suite that has it
OLD_MAJOR=15
OLD_SUITE=bookworm

if [ $# -lt 2 ] || ! [[ $2 =~ ^(check|upgrade)$ ]]; then
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'
	exit 2
fi
major=$1
action=$2
shift 2
case $major in
	15) suite=bookworm ;;
	17) suite=trixie ;;
	18) suite=sid ;;
	*) die "no Debian suite is known to have PostgreSQL $major" ;;
esac
arch=${ARCH:-}
[ -z "$arch" ] || [ "$arch $(uname -m)" = "i386 x86_64" ] ||
	die "ARCH is i386, on an x86-64 machine, or not given"
[ "$(id -u)" -eq 0 ] || die "needs root, for chroot"
# before anything goes to a log, so that the message is seen
need debootstrap chroot unshare

if [ -z "${NANOVEC_OWN_MOUNTS:-}" ]; then
	exec env NANOVEC_OWN_MOUNTS=1 unshare --mount --propagation private \
		"$here/other_pg.sh" "$major" "$action" "$@"
fi

private_apt_arch=$arch
debian=$suite${arch:+-$arch}
root=$peers_cache/debian/$debian
tree=/root/nanovec

say()
{
	echo "# $*"
}

# Run a command in there, in the source tree; uname tells it the Debian's architecture.
inside()
{
	${arch:+setarch "$arch"} env -u ARCH -u NANOVEC_OWN_MOUNTS -u TMPDIR -u PERL5LIB HOME=/root LC_ALL=C.UTF-8 \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		chroot "$root" sh -c 'cd "$0" && exec "$@"' "$tree" "$@"
}

# Packages are fetched from out here, where the way to them is known, and
# unpacked and configured by the dpkg in there.
install_packages()
{
	DEBIAN_FRONTEND=noninteractive private_apt "$suite" apt-get -qq -y --no-install-recommends \
		-o Dir::State::status="$root/var/lib/dpkg/status" \
		-o Dir::Cache::archives="$root/var/cache/apt/archives" \
		-o DPkg::Chroot-Directory="$root" -o Dpkg::Use-Pty=0 install "$@"
}

make_debian()
{
	local new=$root.new mirror

	mirror=$(private_apt_mirror)
	rm -rf "$new"
	mkdir -p "$new"
	debootstrap ${arch:+--arch="$arch"} --variant=minbase "$suite" "$new" "$mirror"
	# nothing starts by itself in there
	printf '#!/bin/sh\nexit 101\n' > "$new/usr/sbin/policy-rc.d"
	chmod +x "$new/usr/sbin/policy-rc.d"
	mkdir -p "$new/var/cache/apt/archives/partial" "$new$tree"
	mv "$new" "$root"
}

install_postgresql()
{
	local stamp=$root/var/lib/nanovec-packages

	[ ! -e "$stamp" ] || return 0
	private_apt_update "$suite" || die "no package lists of Debian $suite"
	install_packages postgresql-common
	echo 'create_main_cluster = false' >> "$root/etc/postgresql-common/createcluster.conf"
	# what setup.sh would install, for all suites
	install_packages "postgresql-$major" "postgresql-server-dev-$major" libpq-dev \
		gcc libc6-dev make clang perl libipc-run-perl python3 procps
	[ -n "$arch" ] || install_packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
	rm -f "$root"/var/cache/apt/archives/*.deb
	touch "$stamp"
}

# The older PostgreSQL beside the newer one: files of its packages, and of the
# libraries that the newer Debian has in other versions only.
unpack_old()
{
	local new=$root/var/cache/old.new done=$root/var/cache/old.packages package
	local packages="postgresql-$OLD_MAJOR postgresql-client-$OLD_MAJOR postgresql-server-dev-$OLD_MAJOR
		libicu72 libldap-2.5-0 libxml2 libssl3 libgnutls30 libnettle8 libhogweed6 libunistring2
		libp11-kit0 libtasn1-6"

	[ "$(cat "$done" 2> /dev/null)" != "$packages" ] || return 0
	private_apt_update "$OLD_SUITE" || die "no package lists of Debian $OLD_SUITE"
	rm -rf "$new"
	mkdir -p "$new/files"
	for package in $packages; do
		(cd "$new" && private_apt "$OLD_SUITE" apt-get -qq download "$package")
	done
	for package in "$new"/*.deb; do
		dpkg-deb -x "$package" "$new/files"
	done
	# what is there stays
	cp -an "$new/files/usr/." "$root/usr/"
	rm -rf "$new"
	echo "$packages" > "$done"
}

mount_all()
{
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	# the way to packages of languages, for the clients
	cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2> /dev/null || true
}

# A copy, since programs built in there don't run out here; what was built stays.
copy_tree()
{
	find "$root$tree" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
	tar -C "$top" -cf - --exclude=./build --exclude=./.git --exclude=./results \
		--exclude=./test/unit/build --exclude=./bench/kernels/build --exclude='*.[od]' . |
		tar -C "$root$tree" -xf -
}

mkdir -p "$peers_cache"
[ -e "$root/var/lib/nanovec-packages" ] || say "making a Debian $debian, which takes some minutes"
{
	[ -d "$root" ] || make_debian
	mount_all
	install_postgresql
	[ "$action" = check ] || unpack_old
} > "$peers_cache/debian-$debian.log" 2>&1 || {
	tail -n 30 "$peers_cache/debian-$debian.log"
	die "Debian $debian could not be made"
}
copy_tree

case $action in
	check)
		[ $# -gt 0 ] || set -- unit bench build regress isolation tap quality quick
		inside env PG_CONFIG="/usr/lib/postgresql/$major/bin/pg_config" KEEP="${KEEP:-}" \
			test/lib/run.sh "$@" ;;
	upgrade)
		inside env KEEP="${KEEP:-}" test/lib/upgrade.sh \
			"/usr/lib/postgresql/$OLD_MAJOR/bin/pg_config" "/usr/lib/postgresql/$major/bin/pg_config" ;;
esac
