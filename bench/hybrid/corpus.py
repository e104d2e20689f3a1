"""Questions with known answers, made from HTML documentation.

A document is the text below one heading, up to the next; the heading is the question, and
its own text the one relevant answer.  The heading is no part of the text.
"""

import html.parser
import os
import re

HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
SILENT = {"script", "style", "pre", "table", "nav", "head"}
FEWEST_WORDS = 20
MOST_WORDS = 120


class Sections(html.parser.HTMLParser):
    """Collects (heading, text of the paragraphs below it)."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found = []
        self.silent = 0
        self.inside = None              # the heading or paragraph that is open

    def handle_starttag(self, tag, attributes):
        if tag in SILENT:
            self.silent += 1
        elif tag in HEADINGS:
            self.found.append(["", ""])
            self.inside = tag
        elif tag == "p" and self.found:
            self.inside = tag
            self.found[-1][1] += " "

    def handle_endtag(self, tag):
        if tag in SILENT:
            self.silent = max(self.silent - 1, 0)
        elif tag == self.inside:
            self.inside = None

    def handle_data(self, data):
        if self.inside and not self.silent:
            self.found[-1][0 if self.inside in HEADINGS else 1] += data


def clean(text):
    return re.sub(r"\s+", " ", text.replace("¶", " ")).strip()


def clean_title(title):
    """Without the number of a chapter or section."""
    title = re.sub(r"^(Chapter|Appendix|Part)\s+\w+\.\s*", "", clean(title))
    return re.sub(r"^(\d+|[A-Z])(\.\d+)*\.?\s+", "", title)


def sections_of(directory):
    for folder, folders, files in sorted(os.walk(directory)):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".html"):
                parser = Sections()
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                    parser.feed(file.read())
                yield from ((clean_title(title), clean(text)) for title, text in parser.found)


def read(directory):
    """[(title, text)], each title and each text once.

    A title of one word, or that several texts have ("Description"), asks for nothing in
    particular, and a text of a few words answers nothing.
    """
    sections = [(title, " ".join(text.split()[:MOST_WORDS]))
                for title, text in dict.fromkeys(sections_of(directory))
                if len(text.split()) >= FEWEST_WORDS]
    titles, texts = {}, {}
    for title, text in sections:
        titles[title.lower()] = titles.get(title.lower(), 0) + 1
        texts[text] = texts.get(text, 0) + 1
    return [(title, text) for title, text in sections
            if len(title.split()) >= 2 and titles[title.lower()] == 1 and texts[text] == 1]
