"""Reading a MediaWiki XML dump from any place in the file.

    streams   the file's bytes, decompressed from the first bz2 stream that starts in a range
    pages     `<page>` elements out of bytes, and what one says

A page belongs to the range in which it begins: in a plain file the byte of its `<page>`, in a bz2 file the stream
that holds it. So ranges side by side give every page once, without an index.
"""
