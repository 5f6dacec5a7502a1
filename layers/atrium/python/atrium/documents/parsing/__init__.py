"""Files become text with structure: headings, tables, pages, and the exact place of each in the stored text.

`child` is the door: it runs a parser in a limited process of its own. `worker` is that process. The extractors
(`pdf`, `docx`, `html`, `plain`) are only ever imported there and in tests.
"""
