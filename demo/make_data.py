#!/usr/bin/env python3
"""Make packages.tsv: Debian packages that a person may know, with embeddings.

Input   The package lists that apt keeps (Packages: names, sections, debtags,
        dependencies; Translation-en: descriptions).  Only the component main.
Output  A line for each package, sorted by name, that COPY reads:
        name, section, summary (one line), embedding ([0.12,-0.03,...]).

To run it, in a directory outside the source tree (Debian, no root needed):

    mkdir -p lists/partial
    apt-get update -o Dir::State::lists=$PWD/lists -o Acquire::Languages=en \\
        -o APT::Update::Post-Invoke-Success=
    python3 -m venv venv
    venv/bin/pip install scikit-learn
    venv/bin/python make_data.py --lists lists -o packages.tsv

How an embedding is made: TF-IDF of the words and word pairs of a package's
descriptions, of its name and summary, and of its debtags; a truncated SVD of
that; and some steps of gradient descent that pull packages together where the
SVD dropped a likeness that TF-IDF has.  Each embedding has the length 1.  No
language model and nothing but apt's lists is used.  The same lists give the
same output, but for the last digit of a few numbers where another release of
the libraries or another number of threads adds up in another order.
"""

import argparse
import math
import os
import re
import subprocess
import sys
from collections import defaultdict

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.preprocessing import normalize

# Sections that hold no programs, or mostly libraries of one language
NO_PROGRAMS = set("""debug doc fonts introspection kernel libdevel libs localization metapackages
    oldlibs tasks translations zope""".split())
LANGUAGES = set("cli-mono gnu-r golang haskell java javascript perl php python ruby rust".split())

# Names of parts and variants of something that has a package of its own
PART_NAME = re.compile(r"""
    ^(lib(?!reoffice|recad)|python3?-|node-|golang-|ruby-|r-(cran|bioc|other)|php|fonts-|task-|gir1|elpa-
      |linux-|firmware-|texlive-|hunspell-|aspell-|myspell-|(gcc|g\+\+|cpp|gccgo|gobjc|gfortran|gnat|gdc)-
      |openjdk-|xul-ext|webext-|vdr-plugin|ppx|uwsgi-|xfonts-|xserver-xorg-|apache2-|nagios-plugins
      |monitoring-plugins|collectd-|lv2-|mate-|ocaml-|puppet-module|tryton-modules|icinga-php|dbconfig-)
    |-(dev|docs?|manual|dbg|dbgsym|data|common|plugins?|examples?|l10n|i18n|locales?|headers|source|tests?
      |perl|java|udeb|dkms|themes?|maps|music|levels|core|minimal|modules?|el|all|full|extras?|nox|lite
      |static|runtime|backend|beta|tiny|stamps-default|registry|config|compat|mulesupport|book|\d+)$
    |\d\.\d""", re.X)
PART_SUMMARY = re.compile(r"""transitional|dummy|meta-?\s?package|debug\ symbols|(development|header|data)\ files
    |documentation|shared\ librar|themes?\b|translations|language\ pack|(extension|module)\ for
    |plug-?ins?(?!\ support)\b|debian""", re.X | re.I)

# apt's lists don't say how popular a package is.  These are well known but look like parts or lack debtags.
WELL_KNOWN = """0ad agda ansible aria2 bat borgbackup btrfs-progs caddy cargo chicken-bin clang clisp clojure clustalo
    cmake codeblocks crystal default-jdk docker.io dovecot-core dpkg ecl electrum elixir emacs erlang etcd-server
    exim4 fceux fd-find firejail fish fzf gcc gforth ghdl gnome-chess gnome-mines golang gradle guile-3.0
    hashcat hledger hydra i3 idle influxdb jq jupyter-notebook kakoune keepassxc kolourpaint kotlin
    kubernetes-client kwin-x11 libreoffice-base libreoffice-calc libreoffice-draw libreoffice-impress
    libreoffice-math libreoffice-writer liferea ltrace lua5.4 lxd lxde maven meson mgba-qt micro monero
    mono-complete musescore3 nagios4 neovim nethack-console newsboat nextcloud-desktop nim ninja-build npm
    obs-studio pass perl php pipewire podman postgresql python3 qemu-system-x86 r-base redis restic retroarch
    ripgrep ruby rustc scala smlnj sqlmap squid strongswan sway tcl telegram-desktop thunderbird weechat wesnoth
    wireguard wireshark xfce4 yosys zabbix-server-mysql""".split()

# Words that say nothing about what a program is for
STOP_WORDS = sorted(ENGLISH_STOP_WORDS.union("""http https www org debian package packages program programs software
    application applications tool tools utility file files user users version versions feature features provide
    provides provided contain contains containing include includes included including use used using uses support
    supports supported based need needs want like make makes allow allows run runs running work works written set
    install installed available various different multiple new simple easy easily small fast quick powerful versatile
    flexible advanced lightweight light modern popular complete highly interactive realistic scalable efficient robust
    command line interface good high level designed aims great number current currently default real time realtime
    multi platform cross""".split()))
VAGUE_TAGS = set("""culture hardware implemented-in interface made-of network role scope suite uitoolkit x11
    protocol::ip protocol::tcp protocol::udp use::gameplaying use::viewing""".split())


def index_files(kind, lists):
    """Names of apt's files of a kind: Packages or Translations."""
    command = ["apt-get", "indextargets", "-o", "Acquire::Languages=en"]
    if lists:
        command += ["-o", f"Dir::State::lists={os.path.abspath(lists)}"]
    command += ["--format", "$(FILENAME)", f"Created-By: {kind}", "Component: main"]
    files = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    if not files:
        sys.exit(f"apt has no {kind} files: run apt-get update as the head of this file says")
    return files


def stanzas(file):
    """The stanzas of a file of apt's, as dictionaries."""
    text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", file],
                          check=True, capture_output=True, text=True, encoding="utf-8").stdout
    for stanza in text.split("\n\n"):
        fields = re.findall(r"^([A-Za-z0-9-]+): *(.*(?:\n[ \t].*)*)", stanza, re.M)
        if fields:
            yield dict(fields)


def read_packages(lists):
    """All packages by name, with the fields that the functions below want."""
    english = {}
    for file in index_files("Translations", lists):
        for s in stanzas(file):
            english.setdefault((s["Package"], s["Description-md5"]), s["Description-en"])
    packages = {}
    for file in index_files("Packages", lists):
        for s in stanzas(file):
            name = s["Package"]
            text = english.get((name, s.get("Description-md5")), s["Description"])
            summary, _, long = text.partition("\n")
            packages.setdefault(name, {
                "name": name, "source": s.get("Source", name).split()[0], "section": s["Section"],
                "summary": summary.strip(), "long": long, "tags": re.findall(r"[^\s,]+", s.get("Tag", "")),
                "priority": s.get("Priority", ""), "users": set(),
                "related": re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", ",".join(
                    s.get(f, "") for f in ("Depends", "Recommends", "Suggests", "Enhances"))),
            })
    for p in packages.values():
        for other in p["related"]:
            if other in packages and packages[other]["source"] != p["source"]:
                packages[other]["users"].add(p["source"])
    return packages


def is_program(p):
    """Whether a package looks like a program in its own right."""
    if p["name"] in WELL_KNOWN:
        return True
    if p["section"] in NO_PROGRAMS or PART_NAME.search(p["name"]) or PART_SUMMARY.search(p["summary"]):
        return False
    if "role::program" in p["tags"]:
        return True
    main = p["name"] == p["source"] and len(p["users"]) > 2
    return main or (not p["tags"] and p["section"] not in LANGUAGES)


def fame(p):
    """A guess at how well known a package is: how much others say about it and refer to it."""
    tags, name = p["tags"], p["name"]
    score = 0.7 * math.log2(1 + len(p["users"]))
    score += 0.1 * min(len(tags), 15) + 0.3 * min(math.log2(1 + len(p["long"]) / 300), 3)
    score += 2 * ("role::program" in tags) + any(t.startswith("interface::") for t in tags) / 2
    score += ("scope::application" in tags) + 0.3 * ("interface::graphical" in tags)
    score += (name == p["source"]) + (p["priority"] in ("required", "important", "standard"))
    score += 0.3 * (p["section"] in ("editors", "games", "graphics", "sound", "video"))
    score -= 0.5 * bool(re.search(r"-(cli|gtk|qt|tools|utils|bin|client|server)$", name))
    if len(tags) < 4 and name == p["source"] and p["section"] not in LANGUAGES:
        score += 1.2                # newer packages have no debtags
    return score + 100 * (name in WELL_KNOWN)


def select(packages, count):
    """The best known programs, without near copies from the same source."""
    chosen, words_of = [], defaultdict(list)
    for p in sorted(filter(is_program, packages.values()), key=lambda p: (-fame(p), p["name"])):
        words = set(re.findall(r"[a-z]{3,}", (p["summary"] + p["long"]).lower()))
        others = words_of[p["source"]]
        if p["name"] not in WELL_KNOWN and any(
                len(words & w) > 0.5 * min(len(words), len(w)) for w in others):
            continue
        others.append(words)
        chosen.append(p["name"])
        if len(chosen) == count:
            break
    return sorted(chosen)


def description(p):
    """Summary and description, without addresses and paragraphs on packaging."""
    paragraphs = [" ".join(x.split()) for x in p["long"].split("\n .")]
    kept = [x for x in paragraphs
            if not re.match(r"(this|the) (\S+ )?(meta-?)?package |install this|if you ", x, re.I)]
    return re.sub(r"https?://\S+", "", p["summary"] + " " + " ".join(kept or paragraphs))


def tags(p):
    """Section and telling debtags; game::board:chess is also game::board."""
    result = 2 * ["section " + p["section"]]
    for tag in p["tags"]:
        facet, _, value = tag.partition("::")
        if facet not in VAGUE_TAGS and tag not in VAGUE_TAGS and "TODO" not in value:
            result += [tag, tag.rpartition(":")[0]] if ":" in value else [tag]
    return result


def features(packages, names):
    """TF-IDF rows for the packages named, with word weights from all programs."""
    corpus = sorted(n for n, p in packages.items() if n in names or "role::program" in p["tags"] or (
        p["section"] not in NO_PROGRAMS | LANGUAGES and not re.search(r"-(dev|doc|common|data|dbg|l10n)$", n)))
    docs = [packages[n] for n in corpus]
    at = {n: i for i, n in enumerate(corpus)}
    rows = [at[n] for n in names]
    options = dict(stop_words=STOP_WORDS, token_pattern=r"\b[a-z][a-z0-9+#]+\b", ngram_range=(1, 2),
                   max_df=0.1, sublinear_tf=True)
    long = TfidfVectorizer(min_df=3, **options).fit_transform(map(description, docs))[rows]
    short = TfidfVectorizer(min_df=2, **options).fit_transform(
        re.sub(r"[-.\d]", " ", p["name"]) + " " + p["summary"] for p in docs)[rows]
    tagged = TfidfVectorizer(min_df=2, analyzer=tags).fit_transform(docs)[rows]

    # Newer packages have few debtags: lend every package those of the 8 that read most like it.
    text = normalize(sp.hstack([long, 0.9 * short]).tocsr())
    like = (text @ text.T).toarray()
    np.fill_diagonal(like, 0)
    like[like < -np.sort(-like, axis=1)[:, 7:8]] = 0
    share = [1 if len(packages[n]["tags"]) < 4 else 0.4 for n in names]
    tagged = normalize(tagged + sp.diags(share) @ normalize(sp.csr_matrix(like) @ tagged))
    return normalize(sp.hstack([long, 0.9 * short, 0.7 * tagged]).tocsr())


def reduce(rows, dim):
    """Unit vectors of dim numbers from the SVD, the first of its dimensions toned down."""
    svd = TruncatedSVD(dim, n_iter=10, random_state=0)
    return normalize(svd.fit_transform(rows) / np.sqrt(svd.singular_values_)).astype(np.float32)


def refine(vectors, like, steps=120, rate=0.003, sharp_like=14.0, sharp_dot=10.0):
    """Move unit vectors so that a package's nearest are those that it is most like.

    As in neighbour embedding: a softmax over all others' likeness is what the
    softmax over their dot products should be.  Adam's steps, on all at once.
    """
    def softmax(x):
        np.fill_diagonal(x, -np.inf)
        x = np.exp(x - x.max(axis=1, keepdims=True))
        return x / x.sum(axis=1, keepdims=True)

    wanted = softmax(sharp_like * like)
    mean, square = np.zeros_like(vectors), np.zeros_like(vectors)
    for step in range(1, steps + 1):
        error = softmax(sharp_dot * (vectors @ vectors.T)) - wanted
        slope = error @ vectors + error.T @ vectors
        slope -= vectors * (slope * vectors).sum(axis=1, keepdims=True)
        mean = 0.9 * mean + 0.1 * slope
        square = 0.99 * square + 0.01 * slope * slope
        vectors = normalize(vectors - rate * (mean / (1 - 0.9 ** step))
                            / (np.sqrt(square / (1 - 0.99 ** step)) + 1e-8))
    return vectors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lists", help="directory of apt's lists (default: the system's)")
    parser.add_argument("--count", type=int, default=4200, help="how many packages")
    parser.add_argument("--dim", type=int, default=96, help="how many dimensions")
    parser.add_argument("-o", "--output", default="packages.tsv")
    args = parser.parse_args()

    packages = read_packages(args.lists)
    names = select(packages, args.count)
    rows = features(packages, names)
    # A part of the likeness is that of a finer SVD, which forgives a chance word in common.
    finer = reduce(rows, 3 * args.dim)
    like = 0.6 * (rows @ rows.T).toarray().astype(np.float32) + 0.4 * finer @ finer.T
    vectors = refine(reduce(rows, args.dim), like)

    with open(args.output, "w", encoding="utf-8") as out:
        for name, vector in zip(names, vectors):
            p = packages[name]
            numbers = ",".join(f"{x + 0.0:g}" for x in np.round(vector, 3))
            print(name, p["section"], p["summary"].replace("\\", "\\\\"), f"[{numbers}]", sep="\t", file=out)
    print(f"{len(names)} of {len(packages)} packages, {args.dim} dimensions")


if __name__ == "__main__":
    main()
