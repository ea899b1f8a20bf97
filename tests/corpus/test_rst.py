"""reStructuredText to prose, by example; each case is what an editor would want to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from siku_corpus.records import Document
from siku_corpus.sources.rst import inline, plain_text, read_rst


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (":class:`~django.db.models.Model` and :func:`atomic`", "Model and atomic"),
        (":ref:`See below\n<x>`".replace("\n", " "), "See below"),
        (":pep:`8`, :rfc:`2616`, :ticket:`42`, :cve:`2019-1`", "PEP 8, RFC 2616, #42, CVE-2019-1"),
        ("``*args`` and *emphasis* and **strong**", "`*args` and emphasis and strong"),
        ("a `link <https://example.org>`__ and `another`_ and name_.", "a link and another and name."),
        ("2 * 3 * 4 and *args, **kwargs", "2 * 3 * 4 and *args, **kwargs"),
        ("for Django |version|, a note [1]_", "for Django, a note"),
        (r"``QuerySet``\s and C:\\path", r"`QuerySet`s and C:\path"),
        ("some_name and __init__ stay", "some_name and __init__ stay"),
    ],
)
def test_inline_markup(markup: str, text: str) -> None:
    assert inline(markup) == text


PAGE = """\
=====
Title
=====

.. module:: django.x
   :synopsis: Nothing to read.

.. _label:

A paragraph that
is wrapped. It says::

    x = 1

      y = 2

* one item
  wrapped
* another

.. note::

    Mind :meth:`this
    <that>`.

.. code-block:: python
    :caption: x.py

    def f(): pass

.. toctree::
   :maxdepth: 1

   intro
   more

.. versionadded:: 5.2

    New things.

.. method:: Model.save(force=False)

    Saves.

.. a comment
   of two lines

====  ======
Name  Value
====  ======
a     ``b``
====  ======

Last
----

.. [1] A footnote.
"""
TEXT = """\
Title

A paragraph that is wrapped. It says:

    x = 1

      y = 2

* one item wrapped
* another

Note:

Mind this.

    def f(): pass

New in version 5.2:

New things.

Model.save(force=False)

Saves.

Name  Value
a     `b`

Last

A footnote."""


def test_a_page(tmp_path: Path) -> None:
    assert plain_text(PAGE) == TEXT
    (tmp_path / "page.txt").write_text(PAGE, encoding="utf-8")
    assert list(read_rst(tmp_path / "page.txt", 0, 0)) == [Document("0", TEXT, {"title": "Title"})]


def test_plain_prose_is_itself() -> None:
    assert plain_text("One sentence.\n\nAnother one.") == "One sentence.\n\nAnother one."
    assert plain_text("") == ""


def test_a_document_of_nothing_but_markup_is_empty() -> None:
    assert plain_text(".. toctree::\n\n   a\n\n.. image:: x.png\n   :alt: y\n\n.. |s| replace:: t\n") == ""
